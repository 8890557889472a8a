//! Quotas: requests are spaced to fit, and what is left is known.

use std::sync::Mutex;

use super::*;

fn limited(per_minute: u32, per_day: u32) -> Arc<Health> {
    with(provider(&[], KeyOrder::default(), quota(per_minute, per_day)))
}

#[tokio::test(start_paused = true)]
async fn requests_are_spaced_in_the_order_of_arrival() {
    let (health, model) = (limited(2, 0), candidate("m"));
    let began = Instant::now();
    let passed = Mutex::new(Vec::new());
    let caller = async |number: u32, health: &Health| {
        let patient = Ask { patience: Instant::now() + secs(600), ..ask(health, &model) };
        health.admit(patient).await.expect("its turn").finished();
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
    let hasty = Ask { patience: began + secs(59), ..ask(&health, &model) };
    let refused = health.admit(hasty).await.unwrap_err();
    assert_eq!(
        refused,
        Rest {
            until: began + secs(60),
            why: "has spent its quota (1 a minute)".into(),
            class: Class::RateLimited
        }
    );
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(health.insist(&model, &[], Cooldown::default(), 0).is_none(), "nor is it exceeded");
}

#[tokio::test(start_paused = true)]
async fn a_day_is_spent_and_what_is_left_is_known() {
    let (health, model) = (limited(0, 3), candidate("m"));
    for left in [2, 1, 0] {
        let pass = admit(&health, &model).await.unwrap();
        assert_eq!(pass.quota_left().unwrap().lowest(), Some(left));
    }
    let refused = admit(&health, &model).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.why, "has spent its quota (3 a day)");
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
