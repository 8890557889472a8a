//! How long a route takes to give up: its schedule played with every attempt failing at once.

use std::time::Duration;

use crate::retry::{DelayRange, Policy};
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
        let planned = route.chain.candidates().iter().map(|candidate| Self::planned(route, candidate));
        let all = planned.fold(0, u32::saturating_add);
        route.policy.max_attempts.map_or(all, |most| all.min(most.get()))
    }

    fn play(route: &Route, wait: impl Fn(&DelayRange) -> Duration) -> Self {
        let nothing =
            Self { time: Duration::ZERO, made: vec![0; route.chain.candidates().len()], capped: false };
        let most = route.policy.max_attempts.map_or(u32::MAX, std::num::NonZeroU32::get);
        match route.order {
            Order::Depth => nothing.depth(route, most, wait),
            Order::Breadth => nothing.breadth(route, most, wait),
        }
    }

    /// Each candidate in turn, within its fair share of the time that is left.
    fn depth(mut self, route: &Route, most: u32, wait: impl Fn(&DelayRange) -> Duration) -> Self {
        let candidates = route.chain.candidates();
        for (index, candidate) in candidates.iter().enumerate() {
            let left = u32::try_from(candidates.len() - index).unwrap_or(u32::MAX);
            let end = self.time + route.policy.deadline.saturating_sub(self.time) / left;
            for attempt in 0..candidate.policy.attempts() {
                let pause = pause_before(&candidate.policy, attempt).map_or(Duration::ZERO, &wait);
                if self.time + pause > end {
                    break;
                }
                if !self.attempt(index, most) {
                    return self;
                }
                self.time += pause;
            }
        }
        self
    }

    /// Rounds over all candidates, paced by the route's policy.
    fn breadth(mut self, route: &Route, most: u32, wait: impl Fn(&DelayRange) -> Duration) -> Self {
        let planned: Vec<u32> =
            route.chain.candidates().iter().map(|candidate| Self::planned(route, candidate)).collect();
        for round in 0..planned.iter().copied().max().unwrap_or_default() {
            let pause = pause_before(&route.policy, round).map_or(Duration::ZERO, &wait);
            if self.time + pause > route.policy.deadline || self.is_spent(most) {
                break;
            }
            self.time += pause;
            for (index, _) in planned.iter().enumerate().filter(|(_, planned)| **planned > round) {
                if !self.attempt(index, most) {
                    return self;
                }
            }
        }
        self
    }

    /// Makes an attempt unless `most` are made already.
    fn attempt(&mut self, index: usize, most: u32) -> bool {
        let made = !self.is_spent(most);
        self.made[index] += u32::from(made);
        made
    }

    fn is_spent(&mut self, most: u32) -> bool {
        self.capped = self.made.iter().sum::<u32>() >= most;
        self.capped
    }
}

/// The wait before an attempt, counted from 0: none before the first.
fn pause_before(policy: &Policy, attempt: u32) -> Option<&DelayRange> {
    let burst = policy.attempts_per_burst.get();
    let cycle = burst.saturating_mul(policy.bursts_per_cycle.get());
    match attempt {
        0 => None,
        attempt if attempt % cycle == 0 => Some(&policy.cycle_pause),
        attempt if attempt % burst == 0 => Some(&policy.burst_pause),
        _ => Some(&policy.attempt_delay),
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

        assert_eq!(longest.made, [6, 6]);
        assert_eq!(longest.time, Duration::from_secs(100));
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
