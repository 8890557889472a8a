use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::retry::Policy;
use crate::route::{Candidate, Chain, Edits, ProviderId, Timeouts};
use http::HeaderMap;

mod beside;
mod properties;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn count(value: u32) -> NonZeroU32 {
    NonZeroU32::new(value).expect("not zero")
}

fn policy(attempts: u32, bursts: u32, cycles: u32) -> Policy {
    Policy {
        attempts_per_burst: count(attempts),
        bursts_per_cycle: count(bursts),
        cycles: count(cycles),
        ..Policy::default()
    }
}

fn route(order: Order, own: Policy, candidates: Vec<Policy>) -> Route {
    let chain = candidates
        .into_iter()
        .map(|policy| Candidate {
            provider: ProviderId(0),
            provider_name: "p".into(),
            model: "m".into(),
            policy,
            timeouts: Timeouts::default(),
            headers: HeaderMap::new(),
            edits: Edits::default(),
            prefill: None,
        })
        .collect();
    Route { order, ..Route::new("r".into(), Chain::try_new(chain).expect("not empty"), own) }
}

#[test]
fn who_cannot_be_asked_has_no_part_in_the_plan() {
    for order in [Order::Depth, Order::Breadth] {
        let own = Policy { deadline: secs(100), ..policy(2, 1, 1) };
        let route = route(order, own, vec![policy(2, 1, 1); 3]);

        let mut lone = Schedule::of_some(&route, |index| index == 1);
        assert_eq!((lone.of(), lone.alone()), (2, true));
        let Step::Send(send) = lone.first() else { panic!("nobody is asked") };
        assert_eq!((send.candidate, send.number, send.until), (1, 1, secs(100)));
        let Step::Send(send) = lone.after(RETRY, secs(1), &mut |range| range.min()) else {
            panic!("it is not asked again");
        };
        assert_eq!((send.candidate, send.number), (1, 2));

        let mut nobody = Schedule::of_some(&route, |_| false);
        let stop = Stop { reason: StopReason::NoCandidateLeft, retry_after: None };
        assert_eq!((nobody.of(), nobody.first()), (0, Step::Stop(stop)));
    }
}

const RETRY: Verdict = Verdict::Retry { after: None };
const NEXT: Verdict = Verdict::Next { after: None };

fn after(seconds: u64) -> Verdict {
    Verdict::Retry { after: Some(secs(seconds)) }
}

/// Plays `schedule` with attempts that take no time, and lists (candidate, wait in seconds).
fn play(route: &Route, mut verdict: impl FnMut(&Send) -> Verdict) -> (Vec<(usize, u64)>, Stop) {
    let mut schedule = Schedule::new(route);
    let mut now = Duration::ZERO;
    let mut step = schedule.first();
    let mut visits = Vec::new();
    loop {
        match step {
            Step::Stop(stop) => return (visits, stop),
            Step::Send(send) => {
                visits.push((send.candidate, send.wait.as_secs()));
                now += send.wait;
                step = schedule.after(verdict(&send), now, &mut |range| range.mean());
            }
        }
    }
}

fn only_candidates(visits: &[(usize, u64)]) -> Vec<usize> {
    visits.iter().map(|(candidate, _)| *candidate).collect()
}

#[test]
fn the_default_policy_is_the_pipes() {
    let route = route(Order::Depth, Policy::default(), vec![Policy::default()]);

    let (visits, stop) = play(&route, |_| RETRY);

    let waits: Vec<u64> = visits.iter().map(|(_, wait)| *wait).collect();
    let mut expected = vec![3; 60];
    expected[0] = 0;
    for burst in [10, 20, 40, 50] {
        expected[burst] = 22;
    }
    expected[30] = 60;
    assert_eq!(waits, expected);
    assert_eq!(stop.reason, StopReason::AttemptsExhausted);
    assert_eq!(Schedule::new(&route).of(), 60);
}

#[test]
fn names_the_boundary_it_pauses_at() {
    let route = route(Order::Depth, Policy::default(), vec![policy(2, 2, 2)]);
    let mut gaps = Vec::new();

    play(&route, |send| {
        gaps.push(send.gap);
        RETRY
    });

    let burst = Gap::Burst { completed: 1, of: 2 };
    let cycle = Gap::Cycle { completed: 1, of: 2 };
    let expected = [Gap::None, Gap::Attempt, burst, Gap::Attempt, cycle, Gap::Attempt, burst, Gap::Attempt];
    assert_eq!(gaps, expected);
}

#[test]
fn depth_gives_a_candidate_its_whole_schedule_first() {
    let route = route(Order::Depth, Policy::default(), vec![policy(2, 1, 1), policy(3, 1, 1)]);

    let (visits, _) = play(&route, |_| RETRY);

    assert_eq!(visits, [(0, 0), (0, 3), (1, 0), (1, 3), (1, 3)]);
}

#[test]
fn next_moves_on_at_once_and_comes_back_after_a_pause() {
    let route = route(Order::Depth, Policy::default(), vec![policy(2, 1, 1), policy(2, 1, 1)]);

    let (visits, stop) = play(&route, |_| NEXT);

    assert_eq!(visits, [(0, 0), (1, 0), (0, 3), (1, 0)]);
    assert_eq!(stop.reason, StopReason::AttemptsExhausted);
}

#[test]
fn next_with_one_candidate_is_a_retry() {
    let route = route(Order::Depth, Policy::default(), vec![policy(3, 1, 1)]);

    let (visits, _) = play(&route, |_| NEXT);

    assert_eq!(visits, [(0, 0), (0, 3), (0, 3)]);
}

#[test]
fn a_dropped_candidate_is_never_asked_again_and_a_lone_one_ends_it() {
    let two = route(Order::Depth, Policy::default(), vec![policy(9, 1, 1), policy(2, 1, 1)]);
    let (visits, _) = play(&two, |send| if send.candidate == 0 { Verdict::Drop } else { NEXT });
    assert_eq!(visits, [(0, 0), (1, 0), (1, 3)]);

    let one = route(Order::Depth, Policy::default(), vec![policy(9, 1, 1)]);
    let (visits, stop) = play(&one, |_| Verdict::Drop);
    assert_eq!(visits, [(0, 0)]);
    assert_eq!(stop, Stop { reason: StopReason::NoCandidateLeft, retry_after: None });
}

#[test]
fn reject_ends_it_whoever_else_is_there() {
    let route = route(Order::Breadth, Policy::default(), vec![policy(9, 1, 1), policy(9, 1, 1)]);

    let (visits, stop) = play(&route, |_| Verdict::Reject);

    assert_eq!(visits.len(), 1);
    assert_eq!(stop.reason, StopReason::Rejected);
}

#[test]
fn breadth_tries_everyone_before_each_pause_of_the_route() {
    let mut pace = policy(2, 2, 1);
    pace.attempt_delay = DelayRange::try_new(secs(1), secs(1)).expect("in order");
    let route = route(Order::Breadth, pace, vec![policy(2, 1, 1), policy(10, 1, 1), policy(1, 1, 1)]);

    let (visits, stop) = play(&route, |_| RETRY);

    let expected = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 0), (1, 22), (1, 1)];
    assert_eq!(visits, expected);
    assert_eq!(stop.reason, StopReason::AttemptsExhausted);
    assert_eq!(Schedule::new(&route).of(), 7);
}

#[test]
fn breadth_leaves_out_who_asked_for_rest_and_waits_for_the_soonest_if_all_did() {
    let route = route(Order::Breadth, policy(3, 1, 1), vec![policy(3, 1, 1), policy(3, 1, 1)]);
    let (visits, _) = play(&route, |send| if send.candidate == 0 { after(4) } else { RETRY });
    assert_eq!(visits, [(0, 0), (1, 0), (1, 3), (0, 3), (1, 0)]);

    let (visits, _) = play(&route, |send| after(if send.candidate == 0 { 40 } else { 30 }));
    assert_eq!(visits, [(0, 0), (1, 0), (1, 30), (0, 10)]);
}

#[test]
fn a_retry_after_is_a_floor() {
    let route = route(Order::Depth, Policy::default(), vec![policy(3, 1, 1)]);
    let mut gaps = Vec::new();

    let (visits, _) = play(&route, |send| {
        gaps.push(send.gap);
        after(if send.number == 1 { 1 } else { 200 })
    });

    assert_eq!(visits, [(0, 0), (0, 3), (0, 200)]);
    assert_eq!(gaps, [Gap::None, Gap::Attempt, Gap::RetryAfter]);
}

#[test]
fn a_long_retry_after_sends_the_chain_on_and_is_honoured_on_return() {
    let route = route(Order::Depth, Policy::default(), vec![policy(2, 1, 1), policy(1, 1, 1)]);

    let (visits, _) = play(&route, |send| if send.candidate == 0 { after(40) } else { RETRY });

    assert_eq!(visits, [(0, 0), (1, 0), (0, 40)]);
}

#[test]
fn a_retry_after_beyond_the_deadline_is_the_answer() {
    let route = route(Order::Depth, Policy::default(), vec![policy(9, 1, 1)]);

    let (visits, stop) = play(&route, |_| after(3600));

    assert_eq!(visits, [(0, 0)]);
    assert_eq!(stop, Stop { reason: StopReason::Deadline, retry_after: Some(secs(3600)) });
}

#[test]
fn a_fallback_gets_its_fair_share_of_the_deadline() {
    let own = Policy { deadline: secs(90), ..Policy::default() };
    let route = route(Order::Depth, own, vec![policy(100, 1, 1), policy(100, 1, 1), policy(100, 1, 1)]);
    let mut schedule = Schedule::new(&route);
    let mut now = Duration::ZERO;
    let mut starts = BTreeMap::new();
    let mut step = schedule.first();
    while let Step::Send(send) = step {
        now += send.wait;
        starts.entry(send.candidate).or_insert((now, send.until));
        step = schedule.after(RETRY, now, &mut |range| range.mean());
    }

    // Candidate 0 may use 30 s of 90; at 27 s the next wait would not fit, and so on.
    let expected =
        [(0, (secs(0), secs(30))), (1, (secs(27), Duration::from_millis(58_500))), (2, (secs(57), secs(90)))];
    assert_eq!(starts, BTreeMap::from(expected));
}

#[test]
fn max_attempts_counts_over_all_candidates() {
    let own = Policy { max_attempts: Some(count(3)), ..Policy::default() };
    let route = route(Order::Depth, own, vec![policy(2, 1, 1), policy(2, 1, 1)]);

    let (visits, stop) = play(&route, |_| RETRY);

    assert_eq!(only_candidates(&visits), [0, 0, 1]);
    assert_eq!(stop.reason, StopReason::AttemptsExhausted);
    assert_eq!(Schedule::new(&route).of(), 3);
}
