//! How long a route takes to give up: its schedule played with every attempt failing at once.

use std::time::Duration;

use crate::retry::play::{Ending, play};
use crate::retry::schedule::Schedule;
use crate::retry::{DelayRange, Verdict};
use crate::route::{Candidate, Order, Route};

/// What becomes of a request that nobody answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// The time until it is given up; attempts themselves take none of it.
    pub time: Duration,
    /// The attempts made on each candidate.
    pub made: Vec<u32>,
    /// Whether `max_attempts` ended it.
    pub capped: bool,
}

impl Estimate {
    /// With every wait as short as it can be.
    pub fn shortest(route: &Route) -> Self {
        Self::play(route, DelayRange::min)
    }

    /// With every wait in the middle of its range.
    pub fn likely(route: &Route) -> Self {
        Self::play(route, DelayRange::mean)
    }

    /// With every wait as long as it can be.
    pub fn longest(route: &Route) -> Self {
        Self::play(route, DelayRange::max)
    }

    /// The shortest, the likely and the longest time until it is given up.
    ///
    /// A longer wait may end a schedule sooner, for one that would pass the deadline is not begun; so the
    /// outer two are those of all three plays.
    pub fn times(route: &Route) -> [Duration; 3] {
        let [a, likely, b] =
            [Self::shortest(route).time, Self::likely(route).time, Self::longest(route).time];
        [a.min(likely).min(b), likely, a.max(likely).max(b)]
    }

    /// The attempts planned for a candidate, before `max_attempts` and the deadline.
    pub fn planned(route: &Route, candidate: &Candidate) -> u32 {
        match route.order {
            Order::Depth => candidate.policy.attempts(),
            Order::Breadth => candidate.policy.attempts().min(route.policy.attempts()),
        }
    }

    /// The most attempts that one request can make.
    pub fn most_attempts(route: &Route) -> u32 {
        Schedule::new(route).of()
    }

    /// Whether the candidate at `index` can be asked at all: even if every one before it is given up at its
    /// first attempt.
    pub fn can_run(route: &Route, index: usize) -> bool {
        let verdict = |candidate| if candidate < index { Verdict::Drop } else { Verdict::Reject };
        Self::play_with(route, DelayRange::min, verdict).made[index] > 0
    }

    /// Plays the schedule itself, with every attempt failing at once.
    fn play(route: &Route, wait: fn(&DelayRange) -> Duration) -> Self {
        Self::play_with(route, wait, |_| Verdict::Retry { after: None })
    }

    fn play_with(
        route: &Route,
        wait: fn(&DelayRange) -> Duration,
        verdict: impl Fn(usize) -> Verdict,
    ) -> Self {
        let mut made = vec![0; route.chain.candidates().len()];
        let (time, _) = play(Schedule::new(route), &mut |range| wait(&range), &mut |played| {
            made[played.send.candidate] += 1;
            Ending { took: Duration::ZERO, verdict: Some(verdict(played.send.candidate)) }
        });
        let sent: u32 = made.iter().sum();
        let capped = route.policy.max_attempts.is_some_and(|most| most.get() == sent);
        Self { time, made, capped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::load_text;

    fn estimates(route: &str) -> [Estimate; 3] {
        let text = format!("[providers.a]\nbase_url = \"http://a\"\n[routes.r]\n{route}");
        let loaded = load_text(&text).expect("valid");
        let route = &loaded.runtime.routes.named()[0];
        [Estimate::shortest(route), Estimate::likely(route), Estimate::longest(route)]
    }

    #[test]
    fn default_schedule_of_one_candidate() {
        // 54 delays of 2-4 s, 4 burst pauses of 15-30 s, 1 cycle pause of 60 s.
        let [shortest, likely, longest] = estimates("chain = ['a/m']");

        assert_eq!(shortest.time, Duration::from_secs(54 * 2 + 4 * 15 + 60));
        assert_eq!(likely.time, Duration::from_secs(54 * 3 + 4 * 15 + 30 + 60));
        assert_eq!(longest.time, Duration::from_secs(54 * 4 + 4 * 30 + 60));
        assert_eq!(longest.made, [60]);
    }

    #[test]
    fn shares_keep_a_turn_for_the_fallback() {
        let [_, _, longest] =
            estimates("chain = ['a/m', 'a/n']\nretry = { deadline = '100s', attempt_delay = '10s' }");

        assert_eq!(longest.made, [5, 6]);
        assert_eq!(longest.time, Duration::from_secs(90));
    }

    #[test]
    fn what_comes_after_the_last_attempt_never_runs() {
        for order in ["depth", "breadth"] {
            let text = format!(
                "[providers.a]\nbase_url = 'http://a'\n[routes.r]\norder = '{order}'\n\
                 retry = {{ max_attempts = 2 }}\nchain = ['a/m', 'a/n', 'a/o']"
            );
            let loaded = load_text(&text).expect("valid");
            let route = &loaded.runtime.routes.named()[0];

            assert_eq!([0, 1, 2].map(|index| Estimate::can_run(route, index)), [true, true, false]);
        }
    }

    #[test]
    fn breadth_waits_once_a_round() {
        let [shortest, ..] = estimates(
            "chain = ['a/m', 'a/n']\norder = 'breadth'\n\
             retry = { attempts_per_burst = 3, bursts_per_cycle = 1, cycles = 1, max_attempts = 5 }",
        );

        assert_eq!(shortest, Estimate { time: Duration::from_secs(4), made: vec![3, 2], capped: true });
    }
}
