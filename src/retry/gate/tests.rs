use proptest::prelude::*;

use super::*;

mod crowd;

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn try_to_pass(gate: &mut Gate, ticket: u64, caller: u64, now: Duration) -> Option<Passage> {
    gate.ready(ticket, caller, now).is_ok().then(|| gate.pass(ticket, caller, now))
}

/// Comes and passes at once.
fn through(gate: &mut Gate, caller: u64, now: Duration) -> Passage {
    let ticket = gate.arrive();
    try_to_pass(gate, ticket, caller, now).expect("the way is free")
}

/// A gate that became narrow at 0, when `callers` had attempts under way, numbered from 0.
fn narrow(callers: u64) -> Gate {
    let mut gate = Gate::default();
    let passages: Vec<_> = (0..callers).map(|caller| through(&mut gate, caller, millis(0))).collect();
    for passage in passages {
        gate.rate_limited(passage, millis(0));
        gate.ended(passage);
    }
    assert!(!gate.is_open());
    gate
}

#[test]
fn a_lone_caller_keeps_to_their_own_schedule() {
    let mut gate = narrow(1);
    for now in (100..3_000).step_by(100) {
        let passage = through(&mut gate, 0, millis(now));
        gate.rate_limited(passage, millis(now));
        gate.ended(passage);
    }
    let passage = through(&mut gate, 0, millis(3_000));
    assert!(gate.opened(passage));
    assert!(gate.is_open());
}

#[test]
fn whoever_is_told_429_again_waits_already() {
    let mut gate = Gate::default();
    let (first, second) = (gate.enter(0), gate.enter(0));
    assert!(gate.rate_limited(first, millis(0)));
    assert!(!gate.rate_limited(second, millis(0)), "although it was under way");
    gate.gone(0);
    let third = gate.enter(0);
    assert!(gate.rate_limited(third, millis(0)));
    assert!(!gate.opened(third) && gate.rate_limited(third, millis(0)), "it was answered between");
}

#[test]
fn one_in_ten_passes_in_each_round_in_the_order_of_arrival() {
    let mut gate = narrow(21);
    let tickets: Vec<_> = (0..21).map(|_| gate.arrive()).collect();
    for ticket in &tickets {
        assert_eq!(gate.ready(*ticket, 99, millis(1_999)), Err(Some(millis(2_000))));
    }
    for (round, expected) in [(2_000, 0..3), (4_000, 3..6), (6_000, 6..9)] {
        for (caller, ticket) in (0..).zip(&tickets).skip(expected.start) {
            let passage = try_to_pass(&mut gate, *ticket, caller, millis(round));
            assert_eq!(passage.is_some(), expected.contains(&usize::try_from(caller).unwrap()), "{caller}");
            if let Some(passage) = passage {
                gate.rate_limited(passage, millis(round + 100));
                gate.ended(passage);
            }
        }
    }
}

#[test]
fn each_first_payload_doubles_the_width() {
    let mut gate = narrow(40);
    let mut tickets: Vec<_> = (0..40).map(|caller| (caller, gate.arrive())).collect();
    let mut passed = Vec::new();
    let mut let_through = |gate: &mut Gate, passed: &mut Vec<Passage>| {
        let before = passed.len();
        tickets.retain(|(caller, ticket)| {
            let passage = try_to_pass(gate, *ticket, *caller, millis(2_000));
            passed.extend(passage);
            passage.is_none()
        });
        passed.len() - before
    };
    assert_eq!(let_through(&mut gate, &mut passed), 4);
    assert!(gate.opened(passed[0]));
    assert_eq!(let_through(&mut gate, &mut passed), 4, "eight in flight");
    gate.ended(passed[0]);
    assert_eq!(let_through(&mut gate, &mut passed), 1);
    assert!(gate.opened(passed[1]));
    assert_eq!(let_through(&mut gate, &mut passed), 8, "sixteen in flight");

    gate.rate_limited(passed[5], millis(2_500));
    assert!(!gate.opened(passed[6]), "it was under way");
    assert_eq!(let_through(&mut gate, &mut passed), 0);
}

#[test]
fn whoever_leaves_frees_the_place() {
    let mut gate = narrow(2);
    let (first, second) = (gate.arrive(), gate.arrive());
    assert!(gate.ready(second, 1, millis(2_000)).is_err());
    gate.leave(first);
    let passage = try_to_pass(&mut gate, second, 1, millis(2_000)).expect("its turn");
    assert_eq!(gate.waiting(), 0);
    gate.ended(passage);
    assert_eq!(gate.in_flight, 0);
    gate.gone(0);
    gate.gone(1);
    assert!(gate.forgettable());
}

#[derive(Debug, Clone)]
enum Act {
    Wait(u64),
    Arrive,
    Leave(usize),
    Limit(usize),
    Open(usize),
    End(usize),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (0u64..1_500).prop_map(Act::Wait),
        6 => Just(Act::Arrive),
        1 => any::<usize>().prop_map(Act::Leave),
        2 => any::<usize>().prop_map(Act::Limit),
        1 => any::<usize>().prop_map(Act::Open),
        2 => any::<usize>().prop_map(Act::End),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_waits_for_ever_and_nobody_is_overtaken(acts in proptest::collection::vec(any_act(), 1..150)) {
        let mut gate = Gate::default();
        let mut now = Duration::ZERO;
        let mut waiting: Vec<u64> = Vec::new();
        let mut under_way: Vec<Passage> = Vec::new();
        for act in acts {
            let count = under_way.len().max(1);
            match act {
                Act::Wait(time) => now += millis(time),
                Act::Arrive => waiting.push(gate.arrive()),
                Act::Leave(which) if !waiting.is_empty() => {
                    gate.leave(waiting.remove(which % waiting.len()));
                }
                Act::Limit(which) if !under_way.is_empty() => {
                    gate.rate_limited(under_way[which % count], now);
                }
                Act::Open(which) if !under_way.is_empty() => {
                    gate.opened(under_way[which % count]);
                }
                Act::End(which) if !under_way.is_empty() => gate.ended(under_way.swap_remove(which % count)),
                _ => {}
            }
            let ready: Vec<bool> = waiting.iter().map(|ticket| gate.ready(*ticket, 99, now).is_ok()).collect();
            prop_assert!(ready.is_sorted_by(|earlier, later| earlier >= later), "those in front come first");
            while let Some(ticket) = waiting.first().copied().filter(|ticket| gate.ready(*ticket, 99, now).is_ok()) {
                waiting.remove(0);
                under_way.push(gate.pass(ticket, 0, now));
            }
            let current = under_way.iter().filter(|passage| passage.epoch == gate.epoch).count();
            prop_assert_eq!(current, gate.in_flight);
            prop_assert_eq!(gate.waiting(), waiting.len());
            prop_assert!(!gate.is_open() || waiting.is_empty());
        }
        under_way.drain(..).for_each(|passage| gate.ended(passage));
        while let Some(ticket) = waiting.first().copied() {
            if let Err(soonest) = gate.ready(ticket, 99, now) {
                now = soonest.expect("nothing is under way that could be waited for");
            }
            prop_assert_eq!(gate.ready(ticket, 99, now), Ok(()));
            let passage = gate.pass(ticket, 0, now);
            gate.ended(passage);
            waiting.remove(0);
        }
    }
}
