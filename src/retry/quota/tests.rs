use proptest::prelude::*;

use super::*;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many seconds after a midnight of UTC.
fn wall(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + secs(20_000 * 86_400 + seconds)
}

fn account(per_minute: u32, per_day: u32) -> Account {
    Account::new(Quota {
        requests_per_minute: NonZeroU32::new(per_minute),
        requests_per_day: NonZeroU32::new(per_day),
    })
}

fn report(limit: Option<u32>, remaining: u32, reset: Option<u64>) -> Report {
    Report { limit, remaining, reset: reset.map(secs), per: None }
}

#[test]
fn without_limits_everything_fits() {
    let mut account = account(0, 0);
    assert!(!account.is_limited());
    (0..1_000).for_each(|_| {
        account.take(secs(0), wall(0));
    });
    assert_eq!(account.spent(0, secs(0), wall(0)), None);
    account.learn(&report(None, 0, Some(30)), secs(0), wall(0));
    assert_eq!(account.left(secs(0), wall(0)), Left::default());
}

#[test]
fn a_minute_is_spaced() {
    let mut account = account(2, 0);
    for now in [0, 10] {
        assert_eq!(account.spent(0, secs(now), wall(now)), None);
        account.take(secs(now), wall(now));
    }
    assert_eq!(account.left(secs(10), wall(10)), Left { minute: Some(0), day: None });
    for (ahead, wait) in [(0, 50), (1, 60), (2, 110), (3, 120), (4, 170)] {
        let spent = Spent { wait: secs(wait), limit: 2, per: Per::Minute };
        assert_eq!(account.spent(ahead, secs(10), wall(10)), Some(spent), "{ahead} ahead");
    }
    assert_eq!(account.spent(0, secs(60), wall(60)), None);
    assert_eq!(account.left(secs(65), wall(65)).lowest(), Some(1));
}

#[test]
fn a_day_begins_at_midnight() {
    let mut account = account(20, 2);
    account.take(secs(0), wall(80_000));
    account.take(secs(0), wall(80_000));
    let spent = Spent { wait: secs(6_400), limit: 2, per: Per::Day };
    assert_eq!(account.spent(0, secs(0), wall(80_000)), Some(spent));
    assert_eq!(account.left(secs(0), wall(80_000)), Left { minute: Some(18), day: Some(0) });
    assert_eq!(account.spent(0, secs(6_400), wall(86_400)), None);
    // A clock that is set back does not give anything.
    account.take(secs(6_400), wall(86_400));
    assert_eq!(account.left(secs(6_400), wall(80_000)).day, Some(1));
}

#[test]
fn a_reset_says_of_which_time_a_report_speaks() {
    let table = [
        // (limit, reset) and what is left of 20 a minute and 50 a day.
        (None, Some(30), (3, 50)),
        (None, None, (3, 50)),
        (None, Some(3_600), (3, 50)),
        (None, Some(3_601), (20, 3)),
        (Some(50), Some(30), (20, 3)),
        (Some(50), None, (20, 3)),
        (Some(20), Some(7_200), (3, 50)),
        (Some(1_000), Some(30), (3, 50)),
    ];
    for (limit, reset, (minute, day)) in table {
        let mut account = account(20, 50);
        account.learn(&report(limit, 3, reset), secs(0), wall(0));
        let left = Left { minute: Some(minute), day: Some(day) };
        assert_eq!(account.left(secs(0), wall(0)), left, "{limit:?}, {reset:?}");
    }
    let mut named = account(20, 50);
    named.learn(&Report { per: Some(Per::Day), ..report(None, 3, Some(30)) }, secs(0), wall(0));
    assert_eq!(named.left(secs(0), wall(0)).day, Some(3));
}

#[test]
fn learning_only_lowers_until_the_reset() {
    let mut account = account(20, 0);
    account.learn(&report(None, 0, Some(30)), secs(0), wall(0));
    account.learn(&report(None, 15, Some(40)), secs(1), wall(1));
    let spent = Spent { wait: secs(29), limit: 20, per: Per::Minute };
    assert_eq!(account.spent(0, secs(1), wall(1)), Some(spent));
    assert_eq!(account.left(secs(30), wall(30)).minute, Some(20));
}

#[test]
fn the_day_of_a_provider_ends_when_it_says() {
    let mut spent = account(0, 10);
    (0..10).for_each(|_| {
        spent.take(secs(0), wall(0));
    });
    spent.learn(&report(None, 0, Some(4_000)), secs(0), wall(0));
    assert_eq!(spent.spent(0, secs(0), wall(0)).map(|spent| spent.wait), Some(secs(86_400)), "nothing new");

    let mut begun = account(0, 10);
    (0..4).for_each(|_| {
        begun.take(secs(0), wall(0));
    });
    begun.learn(&report(None, 0, Some(90_000)), secs(0), wall(0));
    assert_eq!(begun.spent(0, secs(0), wall(86_400)).map(|spent| spent.wait), Some(secs(3_600)));
    assert_eq!(begun.left(secs(0), wall(90_000)).day, Some(10));
}

#[test]
fn a_refill_within_the_day_gives_nothing_back_of_our_own_count() {
    let mut account = account(0, 50);
    (0..40).for_each(|_| {
        account.take(secs(0), wall(0));
    });
    account.learn(&report(Some(50), 9, Some(60)), secs(0), wall(0));
    assert_eq!(account.left(secs(0), wall(0)).day, Some(9));
    assert_eq!(account.left(secs(61), wall(61)).day, Some(10));
    (0..10).for_each(|_| {
        account.take(secs(61), wall(61));
    });
    account.learn(&report(Some(50), 0, Some(60)), secs(61), wall(61));
    assert_eq!(account.spent(0, secs(61), wall(61)).map(|spent| spent.wait), Some(secs(86_400 - 61)));
    assert_eq!(account.left(secs(0), wall(86_400)).day, Some(50));
}

#[test]
fn a_day_of_the_provider_is_known_in_its_last_hour() {
    let mut account = account(0, 10);
    (0..4).for_each(|_| {
        account.take(secs(0), wall(0));
    });
    account.learn(&report(Some(10), 3, Some(7_200)), secs(0), wall(0));
    account.learn(&report(Some(10), 1, Some(199)), secs(7_000), wall(7_000));
    assert_eq!(account.left(secs(7_198), wall(7_198)).day, Some(1));
    assert_eq!(account.left(secs(7_200), wall(7_200)).day, Some(10));
}

#[test]
fn what_was_not_sent_is_given_back() {
    let mut account = account(3, 3);
    let before = account.take(secs(0), wall(0));
    account.learn(&Report { per: Some(Per::Day), ..report(None, 1, Some(4_000)) }, secs(0), wall(0));
    let after = account.take(secs(1), wall(1));
    assert_eq!(account.left(secs(1), wall(1)), Left { minute: Some(1), day: Some(0) });
    account.give_back(after);
    assert_eq!(account.left(secs(1), wall(1)), Left { minute: Some(2), day: Some(1) });
    account.give_back(before);
    assert_eq!(account.left(secs(1), wall(1)), Left { minute: Some(3), day: Some(1) }, "the report holds");

    let late = account.take(secs(2), wall(2));
    account.take(secs(90), wall(4_000));
    account.give_back(late);
    assert_eq!(account.left(secs(90), wall(4_000)), Left { minute: Some(2), day: Some(2) }, "another page");
}

#[test]
fn a_report_that_is_over_says_nothing() {
    let mut account = account(5, 0);
    account.learn(&report(None, 2, Some(36)), secs(0), wall(0));
    account.learn(&report(None, 0, Some(0)), secs(0), wall(0));
    assert_eq!(account.left(secs(0), wall(0)).minute, Some(2));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_minute_has_too_many(
        limit in 1u32..6,
        steps in proptest::collection::vec((0u64..40_000, 0usize..12, proptest::option::weighted(0.2, (0u32..8, 0u64..90))), 1..80),
    ) {
        let mut bucket = Bucket::new(NonZeroU32::new(limit).unwrap());
        let mut now = Duration::ZERO;
        let mut taken: Vec<Duration> = Vec::new();
        for (time, ahead, learned) in steps {
            now += Duration::from_millis(time);
            let before = bucket.left(now);
            if let Some((remaining, reset)) = learned {
                bucket.learn(remaining, Some(secs(reset)), now);
                prop_assert!(bucket.left(now) <= before);
            }
            let next = bucket.next(0, now);
            prop_assert_eq!(next <= now, bucket.left(now) > 0);
            prop_assert!(bucket.next(ahead, now) >= next);
            prop_assert_eq!(bucket.next(0, next), next, "the promised moment holds");
            if next <= now {
                let left = bucket.left(now);
                let counted = bucket.take(now);
                if ahead % 3 == 0 {
                    bucket.give_back(counted);
                    prop_assert_eq!(bucket.left(now), left);
                } else {
                    taken.push(now);
                }
            }
            let recent = taken.iter().filter(|taken| **taken + secs(60) > now).count();
            prop_assert!(recent <= limit as usize);
        }
    }

    #[test]
    fn whoever_waits_in_line_is_promised_the_right_moment(limit in 1u32..6, times in proptest::collection::vec(0u64..9_000, 0..20)) {
        let mut bucket = Bucket::new(NonZeroU32::new(limit).unwrap());
        let mut now = Duration::ZERO;
        for time in times {
            now = bucket.next(0, now + Duration::from_millis(time));
            bucket.take(now);
        }
        for ahead in 0..15 {
            let promised = bucket.next(ahead, now);
            let mut played = bucket.clone();
            let mut then = now;
            for _ in 0..ahead {
                then = played.next(0, then);
                played.take(then);
            }
            prop_assert_eq!(played.next(0, then), promised);
        }
    }

    #[test]
    fn no_day_has_too_many(limit in 1u32..6, steps in proptest::collection::vec((0u64..30_000, proptest::option::weighted(0.2, (0u32..8, proptest::option::of(1u64..=3_600)))), 1..80)) {
        let mut ledger = Ledger::new(NonZeroU32::new(limit).unwrap());
        let mut seconds = 0;
        let mut days = std::collections::BTreeMap::<u64, u32>::new();
        for (time, learned) in steps {
            seconds += time;
            let before = ledger.left(wall(seconds));
            if let Some((remaining, reset)) = learned {
                ledger.learn(remaining, reset.map(secs), wall(seconds));
                prop_assert_eq!(ledger.left(wall(seconds)), before.min(remaining));
            }
            let wait = ledger.wait(0, wall(seconds));
            prop_assert_eq!(wait.is_zero(), ledger.left(wall(seconds)) > 0);
            prop_assert!(ledger.wait(0, wall(seconds) + wait).is_zero(), "the promised moment holds");
            if wait.is_zero() {
                ledger.take(wall(seconds));
                *days.entry(seconds / 86_400).or_default() += 1;
            }
        }
        prop_assert!(days.values().all(|spent| *spent <= limit));
    }
}
