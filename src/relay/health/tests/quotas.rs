//! Quotas: requests are spaced to fit, and what is left is known.

use std::sync::Mutex;

use super::*;
use crate::retry::quota::Left;

fn limited(per_minute: u32, per_day: u32) -> Arc<Health> {
    with(provider(&[], KeyOrder::default(), quota(per_minute, per_day)))
}

#[tokio::test(start_paused = true)]
async fn requests_are_spaced_in_the_order_of_arrival() {
    let (health, model) = (limited(2, 0), candidate("m"));
    let began = Instant::now();
    let passed = Mutex::new(Vec::new());
    let caller = async |number: u32, health: &Health| {
        let patient = Ask { quota_patience: Instant::now() + secs(600), ..ask(health, &model) };
        sent(health, patient).await.expect("its turn").finished();
        passed.lock().unwrap().push((number, began.elapsed()));
    };
    tokio::join!(biased;
        caller(0, &health), caller(1, &health), caller(2, &health), caller(3, &health), caller(4, &health));
    let expected = [(0, secs(0)), (1, secs(0)), (2, secs(60)), (3, secs(60)), (4, secs(120))];
    assert_eq!(passed.into_inner().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_comes_too_late_is_not_waited_for() {
    let (health, model) = (limited(1, 0), candidate("m"));
    let began = Instant::now();
    admit(&health, &model).await.unwrap();
    let hasty = Ask { quota_patience: began + secs(59), ..ask(&health, &model) };
    let refused = health.admit(hasty).await.unwrap_err();
    assert_eq!(
        refused,
        Rest {
            until: began + secs(60),
            why: "has spent its quota (1 a minute)".into(),
            class: Class::RateLimited,
            queue: true,
        }
    );
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(health.insist(&model, &[], Cooldown::default(), 0, &[]).is_none(), "nor is it exceeded");
}

#[tokio::test(start_paused = true)]
async fn a_day_is_spent_and_what_is_left_is_known() {
    let (health, model) = (limited(0, 3), candidate("m"));
    for left in [2, 1, 0] {
        let pass = admit(&health, &model).await.unwrap();
        assert_eq!(pass.quota_left().unwrap().lowest(), Some(left));
    }
    let refused = admit(&health, &model).await.map(|_| ()).unwrap_err();
    let why = &refused.why;
    assert!(why.starts_with("has spent its quota (3 a day) until ") && why.ends_with(" UTC"), "{why}");
    assert!(plain().admit(ask(&health, &model)).await.unwrap().quota_left().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_learned_from_headers() {
    let (health, model) = (limited(20, 0), candidate("m"));
    let mut pass = admit(&health, &model).await.unwrap();
    let headers = [("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "30s")];
    let headers: HeaderMap =
        headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    pass.head(&headers);
    assert_eq!(pass.quota_left().unwrap().minute, Some(1));
    let began = Instant::now();
    admit(&health, &model).await.unwrap();
    admit(&health, &model).await.unwrap();
    assert_eq!(began.elapsed(), secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_key_with_a_free_place_is_preferred() {
    let mut pool = provider(&["A", "B"], KeyOrder::InOrder, Quota::default());
    pool.keys[0].quota = quota(1, 0);
    let (health, model) = (with(pool), candidate("m"));
    for expected in [0, 1, 1] {
        assert_eq!(admit(&health, &model).await.unwrap().key(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_spares_quotas() {
    let mut pool = provider(&["A", "B"], KeyOrder::InOrder, Quota::default());
    pool.keys[0].quota = quota(0, 50);
    let (health, model) = (with(pool), candidate("m"));
    let hedge = Ask { spends_quota: false, ..ask(&health, &model) };
    assert_eq!(health.admit(hedge).await.unwrap().key(), 1);
    let refused = health.admit(Ask { tried: &[1], ..hedge }).await.unwrap_err();
    assert_eq!(refused.why, "has no key left: 1 tried, 1 with a quota to be spared");
}

#[tokio::test(start_paused = true)]
async fn what_never_reached_the_provider_is_given_back() {
    let (health, model) = (limited(2, 5), candidate("m"));
    let refused = health.admit(ask(&health, &model)).await.unwrap();
    assert_eq!(refused.quota_left().unwrap(), Left { minute: Some(1), day: Some(4) });
    refused.failed(&fault(Class::Connect));
    drop(health.admit(ask(&health, &model)).await.unwrap());

    let lost = health.admit(ask(&health, &model)).await.unwrap();
    lost.connected().mark(Instant::now());
    lost.connected().lose();
    drop(lost);

    let failed = admit(&health, &model).await.unwrap();
    assert_eq!(failed.quota_left().unwrap(), Left { minute: Some(1), day: Some(4) });
    failed.failed(&fault(Class::Overloaded));
    let left = admit(&health, &model).await.unwrap().quota_left();
    assert_eq!(left.unwrap(), Left { minute: Some(0), day: Some(3) }, "a failure counts");
}

#[tokio::test(start_paused = true)]
async fn one_attempt_may_be_two_requests() {
    let (health, model) = (limited(2, 0), candidate("m"));
    let mut pass = admit(&health, &model).await.unwrap();
    assert!(pass.again());
    pass.connected().mark(Instant::now());
    assert_eq!(pass.quota_left().unwrap().minute, Some(0));
    assert!(!pass.again(), "a third does not fit");
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_a_provider_holds_over_its_keys() {
    let (health, model) =
        (with(provider(&["A", "B", "C"], KeyOrder::RoundRobin, quota(2, 0))), candidate("m"));
    let began = Instant::now();
    let passed = Mutex::new(Vec::new());
    let caller = async |number: u32, health: &Health| {
        let patient = Ask { quota_patience: Instant::now() + secs(600), ..ask(health, &model) };
        sent(health, patient).await.expect("its turn").finished();
        passed.lock().unwrap().push((number, began.elapsed().as_secs()));
    };
    tokio::join!(biased;
        caller(0, &health), caller(1, &health), caller(2, &health), caller(3, &health), caller(4, &health),
        caller(5, &health), caller(6, &health));
    let expected = [(0, 0), (1, 0), (2, 60), (3, 60), (4, 120), (5, 120), (6, 180)];
    assert_eq!(passed.into_inner().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_gives_up_the_place() {
    let (health, model) = (limited(1, 0), candidate("m"));
    let began = Instant::now();
    admit(&health, &model).await.unwrap();
    let patient = || Ask { quota_patience: began + secs(600), ..ask(&health, &model) };
    let (leaver, patience) = (patient(), patient());
    let leaving = tokio::time::timeout(secs(30), health.admit(leaver));
    let staying = async {
        sent(&health, patience).await.expect("its turn");
        began.elapsed()
    };
    let (left, waited) = tokio::join!(biased; leaving, staying);
    assert!(left.is_err());
    assert_eq!(waited, secs(60), "and not 120");
    let left = health.admit(Ask { quota_patience: began + secs(600), ..ask(&health, &model) }).await.unwrap();
    assert_eq!(began.elapsed(), secs(120), "who left spent nothing");
    drop(left);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_back_is_taken_before_a_quota_is() {
    let mut pool = provider(&["A", "B"], KeyOrder::InOrder, Quota::default());
    pool.keys[1].quota = quota(1, 0);
    let (health, model) = (with(pool), candidate("m"));
    let began = Instant::now();
    let asked = Fault { retry_after: Some(secs(7)), ..fault(Class::RateLimited) };
    drop(admit(&health, &model).await.unwrap().failed(&asked));
    assert_eq!(admit(&health, &model).await.unwrap().key(), 1);
    assert_eq!(admit(&health, &model).await.unwrap().key(), 0);
    assert_eq!(began.elapsed(), secs(7), "not 60");
}

#[tokio::test(start_paused = true)]
async fn a_gate_holds_up_nobody_who_asks_for_another_model() {
    let (health, busy, other) = (limited(2, 0), candidate("busy"), candidate("other"));
    let limit = admit(&health, &busy).await.unwrap();
    let _waits = limit.failed(&fault(Class::RateLimited));
    let second = admit(&health, &busy);
    let began = Instant::now();
    let others = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        sent(&health, Ask { quota_patience: Instant::now(), ..ask(&health, &other) }).await.expect("a place");
        began.elapsed()
    };
    let (second, at) = tokio::join!(biased; second, others);
    assert_eq!(at, Duration::from_millis(1));
    assert!(second.is_ok());
    assert_eq!(began.elapsed(), secs(60), "it waits for the gate, and then for the minute");
}
