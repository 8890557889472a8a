use proptest::prelude::*;

use super::*;

const FAILED: Evidence = Evidence { retry_after: None, named: false, rate_limited: false };

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Fails an attempt that is sent and ends at `now`.
fn fail(breaker: &mut Breaker, now: Duration) -> Option<Duration> {
    let leave = breaker.enter(now);
    breaker.failed(leave, FAILED, &Cooldown::default(), now, 0.0)
}

/// A breaker that rests since 0, for 2 s.
fn resting() -> Breaker {
    let mut breaker = Breaker::default();
    let rests: Vec<_> = (0..5).map(|_| fail(&mut breaker, secs(0))).collect();
    assert_eq!(rests, [None, None, None, None, Some(secs(2))]);
    breaker
}

#[test]
fn rests_grow_until_an_answer_ends_well() {
    let mut breaker = resting();
    let mut now = secs(2);
    let mut rests = Vec::new();
    for _ in 0..4 {
        let rest = fail(&mut breaker, now).expect("a longer rest");
        assert_eq!(
            breaker.standing(now),
            Standing::Resting {
                until: now + rest,
                why: Why::Failures(5 + 1 + u32::try_from(rests.len()).unwrap())
            }
        );
        rests.push(rest.as_millis());
        now += rest;
    }
    assert_eq!(rests[..2], [4_000, 8_000]);
    assert!(rests[2..].iter().all(|rest| (10_900..=12_000).contains(rest)), "{rests:?}");

    let leave = breaker.enter(now);
    assert!(breaker.finished(leave));
    for _ in 0..4 {
        assert_eq!(fail(&mut breaker, now), None);
    }
    assert_eq!(fail(&mut breaker, now), Some(secs(2)));
}

#[test]
fn jitter_stays_within_the_longest_rest() {
    let cooldown = Cooldown::default();
    for before in 0..40 {
        for jitter in [0.0, 0.3, 1.0, f64::INFINITY] {
            assert!(cooldown.rest_after(before, jitter) <= cooldown.rest_max);
            assert!(cooldown.rest_after(before, jitter) >= cooldown.rest);
        }
    }
    let equal = Cooldown { rest: secs(1), rest_max: secs(1), ..cooldown };
    assert!(equal.rest_after(0, 1.0) <= secs(1));
}

#[test]
fn a_probe_that_stays_silent_for_the_longest_rest_loses_its_place() {
    let mut breaker = Breaker::default();
    for _ in 0..5 {
        let leave = breaker.enter(secs(0));
        breaker.failed(leave, FAILED, &Cooldown::default(), secs(0), 0.0);
    }
    let silent = breaker.enter(secs(2));
    assert_eq!(breaker.standing(secs(13)), Standing::Probing);
    assert_eq!(breaker.standing(secs(14)), Standing::Ready);
    let probe = breaker.enter(secs(14));
    assert_eq!(breaker.standing(secs(14)), Standing::Probing, "one at a time");

    assert_eq!(breaker.failed(silent, FAILED, &Cooldown::default(), secs(15), 0.0), None);
    assert_eq!(breaker.standing(secs(15)), Standing::Probing, "what was overtaken decides nothing");
    assert_eq!(breaker.failed(probe, FAILED, &Cooldown::default(), secs(16), 0.0), Some(secs(4)));
}

#[test]
fn one_probe_at_a_time_and_its_place_is_given_back() {
    let mut breaker = resting();
    assert!(matches!(breaker.standing(secs(1)), Standing::Resting { .. }));
    assert_eq!(breaker.standing(secs(2)), Standing::Ready);

    let probe = breaker.enter(secs(2));
    assert_eq!(breaker.standing(secs(2)), Standing::Probing);
    let own = breaker.enter(secs(2));
    assert!(!breaker.left(own), "only the probe holds the place");
    assert_eq!(breaker.standing(secs(3)), Standing::Probing);

    assert!(breaker.left(probe));
    assert_eq!(breaker.standing(secs(3)), Standing::Ready);
}

#[test]
fn what_was_under_way_when_the_rest_began_does_not_count() {
    let mut breaker = Breaker::default();
    let leaves: Vec<_> = (0..50).map(|_| breaker.enter(secs(0))).collect();
    let mut rests =
        leaves.into_iter().map(|leave| breaker.failed(leave, FAILED, &Cooldown::default(), secs(1), 0.0));
    assert_eq!(rests.by_ref().take(5).last(), Some(Some(secs(2))));
    assert!(rests.all(|rest| rest.is_none()));
    // Nor do attempts of those who keep to their own schedule while it rests.
    assert_eq!(fail(&mut breaker, secs(2)), None);
    assert_eq!(fail(&mut breaker, secs(3)), Some(secs(4)));
}

#[test]
fn streams_that_open_and_break_rest_it_too() {
    let mut breaker = Breaker::default();
    for number in 1..=5 {
        let mut leave = breaker.enter(secs(0));
        breaker.opened(&mut leave);
        let rest = breaker.failed(leave, FAILED, &Cooldown::default(), secs(1), 0.0);
        assert_eq!(rest.is_some(), number == 5);
    }
    // The probe opens, so everybody comes back, and breaks, so everybody leaves.
    let mut probe = breaker.enter(secs(3));
    assert!(breaker.opened(&mut probe));
    assert_eq!(breaker.standing(secs(3)), Standing::Ready);
    assert_eq!(breaker.failed(probe, FAILED, &Cooldown::default(), secs(4), 0.0), Some(secs(4)));
}

#[test]
fn a_first_payload_ends_a_rest() {
    let mut breaker = Breaker::default();
    let mut early = breaker.enter(secs(0));
    for _ in 0..5 {
        fail(&mut breaker, secs(0));
    }
    assert!(matches!(breaker.standing(secs(1)), Standing::Resting { .. }));
    assert!(breaker.opened(&mut early));
    assert_eq!(breaker.standing(secs(1)), Standing::Ready);
}

#[test]
fn the_end_of_an_old_answer_says_nothing() {
    let mut breaker = Breaker::default();
    let mut streams: Vec<_> = (0..8).map(|_| breaker.enter(secs(0))).collect();
    for stream in &mut streams {
        assert!(!breaker.opened(stream));
    }
    let mut now = secs(1);
    let mut rests: Vec<_> = (0..5).filter_map(|_| fail(&mut breaker, now)).collect();
    for stream in streams {
        let standing = breaker.standing(now);
        assert!(!breaker.finished(stream));
        assert_eq!(breaker.standing(now), standing);
        now += *rests.last().expect("a rest");
        rests.extend(fail(&mut breaker, now));
    }
    assert_eq!(rests[..3], [secs(2), secs(4), secs(8)]);
    assert!(rests.len() == 9 && rests[3..].iter().all(|rest| *rest > secs(10)), "{rests:?}");
}

#[test]
fn a_wish_rests_at_once_and_is_kept_against_what_was_under_way() {
    let wish = |seconds| Evidence { retry_after: Some(secs(seconds)), named: false, rate_limited: false };
    let cooldown = Cooldown::default();
    let mut breaker = Breaker::default();
    let (mut early, leave) = (breaker.enter(secs(0)), breaker.enter(secs(0)));
    assert_eq!(breaker.failed(leave, wish(30), &cooldown, secs(0), 0.0), Some(secs(30)));
    assert!(!breaker.opened(&mut early));
    assert_eq!(breaker.standing(secs(29)), Standing::Resting { until: secs(30), why: Why::Asked });

    let own = breaker.enter(secs(10));
    assert_eq!(breaker.failed(own, wish(10), &cooldown, secs(10), 0.0), None, "it is shorter");
    let own = breaker.enter(secs(10));
    assert_eq!(breaker.failed(own, wish(40), &cooldown, secs(10), 0.0), Some(secs(40)));

    let mut own = breaker.enter(secs(20));
    assert!(breaker.opened(&mut own));
    let leave = breaker.enter(secs(20));
    assert_eq!(breaker.failed(leave, wish(u64::MAX), &cooldown, secs(20), 0.0), Some(LONGEST_REST));
}

#[test]
fn what_is_named_rests_at_the_first_failure() {
    let named = Evidence { retry_after: None, named: true, rate_limited: false };
    let mut breaker = Breaker::default();
    let leave = breaker.enter(secs(0));
    assert_eq!(breaker.failed(leave, named, &Cooldown::default(), secs(0), 0.0), Some(secs(2)));
    assert_eq!(breaker.standing(secs(0)), Standing::Resting { until: secs(2), why: Why::Named });
}

#[test]
fn is_forgotten_once_it_is_quiet() {
    let mut breaker = Breaker::default();
    assert!(breaker.forgettable(secs(0)));
    fail(&mut breaker, secs(0));
    assert!(!breaker.forgettable(secs(59)));
    assert!(breaker.forgettable(secs(60)));
    let breaker = resting();
    assert!(!breaker.forgettable(secs(61)));
    assert!(breaker.forgettable(secs(62)));
}

#[derive(Debug, Clone)]
enum Act {
    Wait(u64),
    Enter,
    Open(usize),
    Finish(usize),
    Leave(usize),
    Fail(usize, Option<u64>, bool),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0u64..4_000).prop_map(Act::Wait),
        6 => Just(Act::Enter),
        1 => any::<usize>().prop_map(Act::Open),
        1 => any::<usize>().prop_map(Act::Finish),
        1 => any::<usize>().prop_map(Act::Leave),
        5 => (any::<usize>(), proptest::option::weighted(0.1, 0u64..20_000), proptest::bool::weighted(0.1))
            .prop_map(|(which, wish, named)| Act::Fail(which, wish, named)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_rests_too_long_nor_gets_stuck(acts in proptest::collection::vec(any_act(), 1..200), jitter in 0f64..1.0) {
        let cooldown = Cooldown::default();
        let mut breaker = Breaker::default();
        let mut now = Duration::ZERO;
        let mut under_way: Vec<Leave> = Vec::new();
        for act in acts {
            let rested = matches!(breaker.standing(now), Standing::Resting { .. });
            let count = under_way.len().max(1);
            match act {
                Act::Wait(millis) => now += Duration::from_millis(millis),
                Act::Enter => under_way.push(breaker.enter(now)),
                _ if under_way.is_empty() => {}
                Act::Open(which) => {
                    breaker.opened(&mut under_way[which % count]);
                }
                Act::Finish(which) => {
                    breaker.finished(under_way.swap_remove(which % count));
                }
                Act::Leave(which) => {
                    breaker.left(under_way.swap_remove(which % count));
                    prop_assert_eq!(rested, matches!(breaker.standing(now), Standing::Resting { .. }));
                }
                Act::Fail(which, wish, named) => {
                    let wish = wish.map(Duration::from_millis);
                    let evidence = Evidence { retry_after: wish, named, rate_limited: false };
                    let leave = under_way.swap_remove(which % count);
                    let probe = leave.epoch == breaker.epoch && breaker.is_probe(leave);
                    let rest = breaker.failed(leave, evidence, &cooldown, now, jitter);
                    let longest = cooldown.rest_max.max(wish.unwrap_or_default());
                    prop_assert!(rest.is_none_or(|rest| rest <= longest && !rest.is_zero()));
                    prop_assert!(!rested || probe || wish.is_some() || rest.is_none(), "only a wish makes a rest longer");
                }
            }
            let is_probe = |leave: &&Leave| leave.epoch == breaker.epoch && breaker.is_probe(**leave);
            prop_assert_eq!(under_way.iter().filter(is_probe).count(), usize::from(breaker.probe.is_some()));
        }
        under_way.drain(..).for_each(|leave| {
            breaker.left(leave);
        });
        prop_assert_eq!(breaker.standing(now + LONGEST_REST), Standing::Ready);
    }
}
