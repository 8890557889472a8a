//! Attempts beside the current one.

use proptest::prelude::*;

use super::properties::{any_route, any_verdict};
use super::*;

fn mean(range: DelayRange) -> Duration {
    range.mean()
}

fn sent(step: Step) -> Send {
    match step {
        Step::Send(send) => send,
        Step::Stop(stop) => panic!("{stop:?}"),
    }
}

#[test]
fn the_next_live_candidate_that_does_not_rest_may_start() {
    let route = route(Order::Depth, Policy::default(), vec![policy(3, 1, 1); 4]);
    let mut schedule = Schedule::new(&route);
    schedule.first();
    assert_eq!(schedule.others(secs(3)), [1, 2, 3]);

    let send = schedule.beside(1);
    assert_eq!((send.candidate, send.number, send.until), (1, 2, route.policy.deadline));
    schedule.beside_failed(1, Verdict::Drop, secs(4));
    let send = sent(schedule.after(after(20), secs(5), &mut mean));

    assert_eq!((send.candidate, send.number, send.wait), (2, 3, Duration::ZERO), "20 s are too long a rest");
    assert_eq!(schedule.others(secs(24)), [3], "the first one rests, the second one is out");
    assert_eq!(schedule.others(secs(25)), [3, 0]);
    assert_eq!(schedule.others(route.policy.deadline), [0usize; 0]);
}

#[test]
fn nobody_starts_within_the_shortest_wait_after_a_failure() {
    for (order, waited) in [(Order::Depth, 2), (Order::Breadth, 2)] {
        let route = route(order, policy(3, 1, 1), vec![policy(3, 1, 1); 2]);
        let mut schedule = Schedule::new(&route);
        schedule.first();
        let send = sent(schedule.after(NEXT, secs(1), &mut mean));
        assert_eq!(send.candidate, 1);

        assert_eq!(schedule.others(secs(waited)), [0usize; 0], "{order:?}");
        assert_eq!(schedule.others(secs(1 + waited)), [0], "{order:?}");
    }
}

#[test]
fn who_failed_beside_another_comes_after_those_still_to_be_asked() {
    let route = route(Order::Depth, Policy::default(), vec![policy(3, 1, 1); 3]);
    let mut schedule = Schedule::new(&route);
    schedule.first();
    schedule.beside(1);
    schedule.beside_failed(1, RETRY, secs(4));

    let third = sent(schedule.after(NEXT, secs(5), &mut mean));
    let again = sent(schedule.after(NEXT, secs(5), &mut mean));

    assert_eq!((third.candidate, third.wait), (2, Duration::ZERO));
    assert_eq!((again.candidate, again.wait, again.gap), (0, secs(3), Gap::Lap));
    let second = sent(schedule.after(NEXT, secs(6), &mut mean));
    assert_eq!((second.candidate, second.wait, second.gap), (1, secs(1), Gap::Attempt), "since its failure");
}

#[test]
fn whoever_leads_may_use_the_time_of_those_after_it() {
    let own = Policy { deadline: secs(60), ..Policy::default() };
    let route = route(Order::Depth, own, vec![policy(3, 1, 1); 2]);
    let mut schedule = Schedule::new(&route);
    assert_eq!(sent(schedule.first()).until, secs(30));
    schedule.beside(1);

    schedule.lead(1, secs(4));

    let send = sent(schedule.after(RETRY, secs(10), &mut mean));
    assert_eq!((send.candidate, send.number, send.wait, send.until), (1, 3, secs(3), secs(60)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_at_a_time_keep_within_the_plan(
        route in any_route(),
        verdicts in proptest::collection::vec(any_verdict(), 1..40),
        takes in proptest::collection::vec(0u64..30_000, 1..7),
        races in proptest::collection::vec(0u8..4, 1..9),
    ) {
        let policies: Vec<_> = route.chain.candidates().iter().map(|c| c.policy.clone()).collect();
        let mut schedule = Schedule::new(&route);
        let mut now = Duration::ZERO;
        let mut sent = vec![0u32; policies.len()];
        let mut dropped = vec![false; policies.len()];
        let mut floors = vec![Duration::ZERO; policies.len()];
        let mut step = schedule.first();
        let (mut verdicts, mut takes, mut races) =
            (verdicts.iter().cycle(), takes.iter().cycle(), races.iter().cycle());
        let mut learn = |candidate: usize, verdict: Verdict, now: Duration| match verdict {
            Verdict::Retry { after } | Verdict::Next { after } => {
                floors[candidate] = floors[candidate].max(now + after.unwrap_or_default());
                (floors[candidate], false)
            }
            Verdict::Drop | Verdict::Reject => (Duration::ZERO, true),
        };
        let mut known = vec![Duration::ZERO; policies.len()];
        while let Step::Send(send) = step {
            let mut under_way = vec![(send, now + send.wait)];
            now = (now + send.wait + Duration::from_millis(*takes.next().expect("endless"))).min(send.until);
            let race = *races.next().expect("endless");
            if race > 0 && let Some(&other) = schedule.others(now).first() {
                prop_assert!(other != send.candidate);
                under_way.push((schedule.beside(other), now));
            }
            for (send, start) in &under_way {
                sent[send.candidate] += 1;
                prop_assert!(!dropped[send.candidate], "a dropped candidate is never asked again");
                prop_assert!(sent[send.candidate] <= policies[send.candidate].attempts());
                prop_assert!(send.number <= schedule.of(), "never more attempts than N");
                prop_assert!(*start < route.policy.deadline && *start >= known[send.candidate]);
            }
            prop_assert_eq!(under_way.last().map(|(send, _)| send.number), Some(sent.iter().sum::<u32>()));
            let mut first = send.candidate;
            if let Some((second, _)) = under_way.get(1) {
                // The second fails; or it leads, and whatever fails then is its own.
                let second = second.candidate;
                if race == 1 {
                    schedule.lead(second, now);
                    first = second;
                } else {
                    let verdict = *verdicts.next().expect("endless");
                    schedule.beside_failed(second, verdict, now);
                    (known[second], dropped[second]) = learn(second, verdict, now);
                }
            }
            let verdict = *verdicts.next().expect("endless");
            (known[first], dropped[first]) = learn(first, verdict, now);
            step = schedule.after(verdict, now, &mut mean);
        }
    }
}
