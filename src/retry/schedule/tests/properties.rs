//! Random plans, chains and verdicts.

use proptest::prelude::*;

use super::super::seat::SHORTEST_REST;
use super::*;

fn any_delay() -> impl Strategy<Value = DelayRange> {
    (0u64..20_000, 0u64..20_000).prop_map(|(min, more)| {
        let min = Duration::from_millis(min);
        DelayRange::try_new(min, min + Duration::from_millis(more)).expect("in order")
    })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let counts = (1u32..6, 1u32..4, 1u32..4);
    let delays = (any_delay(), any_delay(), any_delay());
    (counts, delays, 1u64..900, proptest::option::of(1u32..40), 0u64..90).prop_map(
        |((attempts, bursts, cycles), (attempt_delay, burst_pause, cycle_pause), deadline, most, cap)| {
            Policy {
                attempt_delay,
                burst_pause,
                cycle_pause,
                deadline: secs(deadline),
                max_attempts: most.map(count),
                retry_after_cap: secs(cap),
                ..policy(attempts, bursts, cycles)
            }
        },
    )
}

pub fn any_route() -> impl Strategy<Value = Route> {
    let order = prop_oneof![Just(Order::Depth), Just(Order::Breadth)];
    (order, any_policy(), proptest::collection::vec(any_policy(), 1..5))
        .prop_map(|(order, own, candidates)| route(order, own, candidates))
}

pub fn any_verdict() -> impl Strategy<Value = Verdict> {
    let after = || proptest::option::weighted(0.3, (0u64..120).prop_map(secs));
    prop_oneof![
        6 => after().prop_map(|after| Verdict::Retry { after }),
        3 => after().prop_map(|after| Verdict::Next { after }),
        1 => Just(Verdict::Drop),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keeps_every_promise(
        route in any_route(),
        verdicts in proptest::collection::vec(any_verdict(), 1..40),
        takes in proptest::collection::vec(0u64..30_000, 1..7),
        draws in proptest::collection::vec(0f64..1.0, 1..9),
    ) {
        let policies: Vec<_> = route.chain.candidates().iter().map(|c| c.policy.clone()).collect();
        let deadline = route.policy.deadline;
        let mut draw = draws.iter().cycle();
        let mut draw = |range: DelayRange| {
            range.min() + range.max().saturating_sub(range.min()).mul_f64(*draw.next().expect("endless"))
        };
        let mut schedule = Schedule::new(&route);
        let of = schedule.of();
        let mut now = Duration::ZERO;
        let mut sent = vec![0u32; policies.len()];
        let mut dropped = vec![false; policies.len()];
        let mut floors = vec![Duration::ZERO; policies.len()];
        let mut step = schedule.first();
        let (mut verdicts, mut takes) = (verdicts.iter().cycle(), takes.iter().cycle());
        let mut last = None;
        let stop = loop {
            let send = match step {
                Step::Stop(stop) => break stop,
                Step::Send(send) => send,
            };
            let start = now + send.wait;
            sent[send.candidate] += 1;
            prop_assert!(!dropped[send.candidate], "a dropped candidate is never asked again");
            prop_assert!(sent[send.candidate] <= policies[send.candidate].attempts());
            prop_assert_eq!(send.number, sent.iter().sum::<u32>());
            prop_assert!(send.number <= of, "never more attempts than N");
            prop_assert!(start < deadline, "no wait past the deadline");
            prop_assert!(start < send.until && send.until <= deadline);
            prop_assert!(start >= floors[send.candidate], "a Retry-After is a floor");
            if send.gap == Gap::None {
                prop_assert!(send.wait.is_zero());
                prop_assert!(last.is_none_or(|last| last < send.candidate), "at once only down the chain");
            }
            last = Some(send.candidate);
            let took = Duration::from_millis(*takes.next().expect("endless"));
            now = (start + took).min(send.until);
            let verdict = *verdicts.next().expect("endless");
            match verdict {
                Verdict::Retry { after } | Verdict::Next { after } => {
                    let floor = &mut floors[send.candidate];
                    *floor = (*floor).max(now + after.unwrap_or_default());
                }
                Verdict::Drop => dropped[send.candidate] = true,
                Verdict::Reject => unreachable!("not generated"),
            }
            step = schedule.after(verdict, now, &mut draw);
        };
        match stop.reason {
            StopReason::Rejected => prop_assert!(false, "nobody rejected"),
            StopReason::Resting => prop_assert!(false, "a schedule has all the patience there is"),
            StopReason::NoCandidateLeft => prop_assert!(dropped.iter().all(|&dropped| dropped)),
            StopReason::AttemptsExhausted | StopReason::Deadline => {}
        }
        let capped = sent.iter().sum::<u32>() == of;
        if route.order == Order::Depth && !capped {
            prop_assert!(sent.iter().all(|&sent| sent > 0), "every live candidate is reached");
        }
    }

    #[test]
    fn breadth_visits_every_live_candidate_once_a_round(
        own in any_policy(),
        candidates in proptest::collection::vec(any_policy(), 1..5),
    ) {
        let own = Policy { deadline: secs(1_000_000), max_attempts: None, ..own };
        let rounds = own.attempts();
        let joins: Vec<u32> = candidates.iter().map(|policy| policy.attempts().min(rounds)).collect();
        let route = route(Order::Breadth, own, candidates);

        let (visits, _) = play(&route, |_| RETRY);

        let expected: Vec<usize> = (0..rounds)
            .flat_map(|round| (0..joins.len()).map(move |index| (round, index)))
            .filter(|&(round, index)| round < joins[index])
            .map(|(_, index)| index)
            .collect();
        prop_assert_eq!(only_candidates(&visits), expected);
    }

    #[test]
    fn depth_visits_each_candidate_for_its_whole_schedule(
        candidates in proptest::collection::vec(any_policy(), 1..5),
    ) {
        let own = Policy { deadline: secs(1_000_000), ..Policy::default() };
        let expected: Vec<usize> = candidates
            .iter()
            .enumerate()
            .flat_map(|(index, policy)| std::iter::repeat_n(index, policy.attempts() as usize))
            .collect();
        let route = route(Order::Depth, own, candidates);

        let (visits, stop) = play(&route, |_| RETRY);

        prop_assert_eq!(only_candidates(&visits), expected);
        prop_assert_eq!(stop.reason, StopReason::AttemptsExhausted);
    }
}

/// What becomes of an attempt that is due.
#[derive(Debug, Clone, Copy)]
enum Act {
    Fail(Verdict),
    /// It is not sent, because its candidate rests.
    Skip(Duration),
    /// Another one starts beside it and fails first.
    Beside(Verdict, Verdict),
}

fn any_act() -> impl Strategy<Value = Act> {
    let rest = || prop_oneof![1 => Just(0u64), 6 => 1u64..30_000, 1 => 30_000u64..2_000_000];
    let rest = move || rest().prop_map(Duration::from_millis);
    prop_oneof![
        4 => any_verdict().prop_map(Act::Fail),
        4 => rest().prop_map(Act::Skip),
        1 => (any_verdict(), any_verdict()).prop_map(|(beside, own)| Act::Beside(beside, own)),
    ]
}

/// What a request has seen of its candidates.
struct Seen {
    sent: Vec<u32>,
    dropped: Vec<bool>,
    /// What a provider said to the request itself.
    floors: Vec<Duration>,
    /// What others have found out.
    rests: Vec<Duration>,
}

impl Seen {
    fn all(&self) -> u32 {
        self.sent.iter().sum()
    }

    fn judge(&mut self, candidate: usize, verdict: Verdict, now: Duration) {
        match verdict {
            Verdict::Retry { after } | Verdict::Next { after } => {
                let floor = &mut self.floors[candidate];
                *floor = (*floor).max(now + after.unwrap_or_default());
            }
            Verdict::Drop => self.dropped[candidate] = true,
            Verdict::Reject => unreachable!("not generated"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keeps_every_promise_among_others(
        route in any_route(),
        acts in proptest::collection::vec(any_act(), 1..40),
        takes in proptest::collection::vec(0u64..30_000, 1..7),
    ) {
        let policies: Vec<_> = route.chain.candidates().iter().map(|c| c.policy.clone()).collect();
        let (count, deadline) = (policies.len(), route.policy.deadline);
        let mut schedule = Schedule::new(&route);
        let of = schedule.of();
        let mut now = Duration::ZERO;
        let mut seen = Seen {
            sent: vec![0; count],
            dropped: vec![false; count],
            floors: vec![Duration::ZERO; count],
            rests: vec![Duration::ZERO; count],
        };
        let mut step = schedule.first();
        let (mut acts, mut takes) = (acts.iter().cycle(), takes.iter().cycle());
        let (mut insisted, mut skipped_at_once) = (false, 0);
        let mean = &mut |range: DelayRange| range.mean();
        let stop = loop {
            let send = match step {
                Step::Send(send) => send,
                Step::Stop(stop) if stop.reason == StopReason::Deadline && now < deadline && !insisted => {
                    insisted = true;
                    let Some(send) = schedule.insist(now) else { break stop };
                    prop_assert!(seen.rests[send.candidate] > now, "only a rest is passed over");
                    prop_assert!(send.wait.is_zero());
                    seen.rests[send.candidate] = Duration::ZERO;
                    skipped_at_once = 0;
                    send
                }
                Step::Stop(stop) => break stop,
            };
            let start = now + send.wait;
            prop_assert!(!seen.dropped[send.candidate], "a dropped candidate is never asked again");
            prop_assert_eq!(send.number, seen.all() + 1, "what was not sent is not counted");
            prop_assert!(send.number <= of, "never more attempts than N");
            prop_assert!(start < deadline, "no wait past the deadline");
            prop_assert!(start >= seen.floors[send.candidate], "a Retry-After is a floor");
            prop_assert!(start >= seen.rests[send.candidate], "a rest is kept");
            prop_assert_eq!(send.candidate, schedule.current());
            skipped_at_once = if send.wait.is_zero() { skipped_at_once } else { 0 };
            now = start;
            let act = *acts.next().expect("endless");
            if let Act::Skip(rest) = act {
                skipped_at_once += 1;
                prop_assert!(skipped_at_once <= count, "it spins");
                let rests = &mut seen.rests[send.candidate];
                *rests = (*rests).max(now + rest.max(SHORTEST_REST));
                step = schedule.skip(rest, now, mean);
                continue;
            }
            skipped_at_once = 0;
            seen.sent[send.candidate] += 1;
            prop_assert!(seen.sent[send.candidate] <= policies[send.candidate].attempts());
            if let Act::Beside(verdict, _) = act
                && let Some(&other) = schedule.others(now).first()
            {
                let beside = schedule.beside(other);
                prop_assert!(other != send.candidate && !seen.dropped[other]);
                prop_assert_eq!(beside.number, seen.all() + 1);
                prop_assert!(beside.number <= of, "never more attempts than N");
                prop_assert!(now >= seen.floors[other].max(seen.rests[other]), "whoever rests is left alone");
                seen.sent[other] += 1;
                prop_assert!(seen.sent[other] <= policies[other].attempts());
                seen.judge(other, verdict, now);
                schedule.beside_failed(other, verdict, now);
            }
            now = (now + Duration::from_millis(*takes.next().expect("endless"))).min(send.until.max(now));
            let (Act::Fail(verdict) | Act::Beside(_, verdict)) = act else {
                unreachable!("skipped above");
            };
            seen.judge(send.candidate, verdict, now);
            step = schedule.after(verdict, now, mean);
        };
        if stop.reason == StopReason::NoCandidateLeft {
            prop_assert!(seen.dropped.iter().all(|&dropped| dropped));
        }
    }
}
