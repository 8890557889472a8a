//! Key pools: order, rests of keys, what a fault names.

use super::*;

const KEYS: [&str; 3] = ["A", "B", "C"];

fn pool(order: KeyOrder) -> Arc<Health> {
    with(provider(&KEYS, order, Quota::default()))
}

async fn next_key(health: &Health, candidate: &Candidate) -> usize {
    admit(health, candidate).await.unwrap().key()
}

fn covering(class: Class, covers: Covers) -> Fault {
    Fault { covers, ..fault(class) }
}

#[tokio::test(start_paused = true)]
async fn keys_take_turns_or_come_in_order() {
    let model = candidate("m");
    let health = pool(KeyOrder::RoundRobin);
    for expected in [0, 1, 2, 0, 1] {
        assert_eq!(next_key(&health, &model).await, expected);
    }
    let health = pool(KeyOrder::InOrder);
    for _ in 0..3 {
        assert_eq!(next_key(&health, &model).await, 0);
    }
    let skips = Ask { tried: &[0], ..ask(&health, &model) };
    assert_eq!(health.admit(skips).await.unwrap().key_name(), Some("B"));
}

#[tokio::test(start_paused = true)]
async fn only_the_keys_of_a_pool_have_names() {
    let model = candidate("m");
    assert_eq!(admit(&plain(), &model).await.unwrap().key_name(), None);
    let single = with(provider(&["A"], KeyOrder::default(), Quota::default()));
    assert_eq!(admit(&single, &model).await.unwrap().key_name(), None);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_refused_rests_for_every_model() {
    let (health, model) = (pool(KeyOrder::InOrder), candidate("m"));
    let pass = admit(&health, &model).await.unwrap();
    assert!(pass.other_keys());
    fail(&health, &model, pass, &covering(Class::Unauthorized, Covers::Key)).expect("a rest");
    assert_eq!(next_key(&health, &candidate("other")).await, 1);
    tokio::time::sleep(secs(3)).await;
    let mut probe = admit(&health, &model).await.unwrap();
    assert_eq!(probe.key(), 0);
    assert_eq!(next_key(&health, &candidate("other")).await, 1, "one probe over all models");
    probe.opened();
    assert_eq!(next_key(&health, &candidate("other")).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_lone_key_does_not_rest_as_a_whole() {
    let health = with(provider(&["A"], KeyOrder::default(), Quota::default()));
    let model = candidate("m");
    let pass = admit(&health, &model).await.unwrap();
    assert!(!pass.other_keys());
    let refused = covering(Class::Unauthorized, Covers::Key);
    assert_eq!(fail(&health, &model, pass, &refused), None, "one failure of the model");
    admit(&health, &model).await.expect("it does not rest");
}

#[tokio::test(start_paused = true)]
async fn a_quota_of_free_models_rests_these_only() {
    let health = with(provider(&["A", "B"], KeyOrder::InOrder, Quota::default()));
    let free = candidate("m:free");
    let spent = Fault { retry_after: Some(secs(3_600)), ..covering(Class::RateLimited, Covers::FreeModels) };
    assert_eq!(fails(&health, &free, &spent).await, Some(secs(3_600)));
    assert_eq!(next_key(&health, &candidate("other:free")).await, 1);
    assert_eq!(next_key(&health, &candidate("paid")).await, 0);

    fails(&health, &free, &spent).await.expect("the other key too");
    let refused = admit(&health, &candidate("other:free")).await.unwrap_err();
    let why = "has no key left: 2 resting (the first one rests as the provider refused it)";
    assert_eq!(
        refused,
        Rest {
            until: Instant::now() + secs(3_600),
            why: why.into(),
            class: Class::RateLimited,
            queue: false
        }
    );
}

#[tokio::test(start_paused = true)]
async fn a_model_rests_under_one_key_at_a_time() {
    let (health, model) = (pool(KeyOrder::InOrder), candidate("m"));
    wear_out(&health, &model).await;
    assert_eq!(next_key(&health, &model).await, 1);
    assert_eq!(next_key(&health, &candidate("other")).await, 0);
    wear_out(&health, &model).await;
    let pass = admit(&health, &model).await.unwrap();
    assert_eq!(pass.key(), 2);
    assert!(pass.other_keys(), "though the others rest");
    // Whoever keeps to a schedule of their own prefers what does not rest.
    let own = Ask { own: true, ..ask(&health, &model) };
    assert_eq!(health.admit(own).await.unwrap().key(), 2);
    assert_ne!(health.admit(Ask { tried: &[2], ..own }).await.unwrap().key(), 2);

    let refused = health.admit(Ask { tried: &[2], ..ask(&health, &model) }).await.unwrap_err();
    assert_eq!(refused.why, "has no key left: 1 tried, 2 resting (the first one rests after 5 failures)");
    let refused = health.admit(Ask { tried: &[0, 1, 2], ..own }).await.unwrap_err();
    assert_eq!(refused.why, "has no key left: 3 tried");
}
