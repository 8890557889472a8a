//! Several keys, in one attempt and from one attempt to the next.

use super::*;
use crate::config::Key;

/// A refusal that asks for a wait of so many seconds.
const BUSY_60: &str = r#"{"error":{"code":429,"message":"slow down","details":[{"retryDelay":"60s"}]}}"#;
const BUSY_3: &str = r#"{"error":{"code":429,"message":"slow down","details":[{"retryDelay":"3s"}]}}"#;
const REFUSED: &str = r#"{"error":{"code":401,"message":"no such key"}}"#;

const SPENT: &str = "data: {\"error\":{\"code\":\"insufficient_quota\",\"message\":\"no credit left\"}}\n\n";

/// The provider of the first model, with keys called A, B and so on, the first of which comes first.
fn pool(keys: usize) -> Provider {
    let key = |name: char| Key {
        name: name.to_string().into(),
        secret: format!("sk-of-{name}-12345").into(),
        quota: Quota::default(),
    };
    Provider { keys: ('A'..='Z').take(keys).map(key).collect(), key_order: KeyOrder::InOrder, ..provider() }
}

/// The route over the pool's `a`, and `b` of a provider without keys.
fn both(attempts: u32) -> Route {
    let mut route = route(&["a", "b"], attempts);
    let policy = route.policy.clone();
    let other = Candidate { provider: ProviderId(1), ..candidate("b", &policy) };
    route.chain = Chain::try_new(vec![candidate("a", &policy), other]).unwrap();
    route
}

/// (model, key, seconds) of every attempt.
fn asked(relay: &Relay<Script>) -> Vec<(String, usize, u64)> {
    let keys = relay.upstream.seen.lock().unwrap().keys.clone();
    sent(relay).into_iter().zip(keys).map(|((model, at), key)| (model, key, at)).collect()
}

fn visits(expected: &[(&str, usize, u64)]) -> Vec<(String, usize, u64)> {
    expected.iter().map(|(model, key, at)| ((*model).to_owned(), *key, *at)).collect()
}

/// (number, key, code) of each line of the trail.
fn trail(failure: &Failure) -> Vec<(u32, Option<&str>, &str)> {
    failure.trail.iter().map(|line| (line.number, line.key.as_deref(), line.code)).collect()
}

#[tokio::test(start_paused = true)]
async fn the_keys_of_a_pool_follow_at_once_within_one_attempt() {
    for status in [401, 402, 403, 429] {
        let acts = [Act::Status(status, "{}"), Act::Status(status, "{}"), answer(COMPLETION)];
        let relay = relay_to(&[pool(3)], Script::new(acts));

        let response = respond(&relay, route(&["a"], 2), WHOLE).await.unwrap();

        assert_eq!(response.headers()["x-backstop-attempts"], "1", "{status}");
        assert_eq!(asked(&relay), visits(&[("a", 0, 0), ("a", 1, 0), ("a", 2, 0)]), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_fault_of_the_key_does_not_move_keys() {
    for status in [400, 404, 500, 503] {
        let relay =
            relay_to(&[pool(3), provider()], Script::new([Act::Status(status, "{}"), answer(COMPLETION)]));
        respond(&relay, both(1), WHOLE).await.unwrap();
        assert_eq!(asked(&relay), visits(&[("a", 0, 0), ("b", 0, 0)]), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_key_is_a_line_of_the_trail() {
    let acts = [Act::Status(401, REFUSED), Act::Status(429, "{}"), Act::Status(402, "{}"), Act::Refuse];
    let relay = relay_to(&[pool(3), provider()], Script::new(acts));

    let failure = respond(&relay, both(1), WHOLE).await.unwrap_err();

    let expected = [
        (1, Some("A"), "unauthorized"),
        (1, Some("B"), "rate_limited"),
        (1, Some("C"), "payment"),
        (2, None, "connect"),
    ];
    assert_eq!(trail(&failure), expected);
    assert_eq!((failure.attempts, failure.outcome), (2, Outcome::Failed(Class::Connect)));
    assert!(!failure.error_object().to_json().contains("sk-of"), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn the_key_that_is_back_first_says_when_the_next_attempt_is() {
    let acts = [Act::Status(429, BUSY_60), Act::Status(429, BUSY_3), answer(COMPLETION)];
    let relay = relay_to(&[pool(2)], Script::new(acts));

    let response = respond(&relay, route(&["a"], 2), WHOLE).await.unwrap();

    assert_eq!(response.headers()["x-backstop-attempts"], "2");
    assert_eq!(asked(&relay), visits(&[("a", 0, 0), ("a", 1, 0), ("a", 1, 3)]));
}

/// A refused key after a busy one does not cost the request the model.
#[tokio::test(start_paused = true)]
async fn a_key_that_refused_is_not_asked_again_by_the_same_request() {
    let acts =
        [Act::Status(429, BUSY_3), Act::Status(401, REFUSED), Act::Status(429, BUSY_60), answer(COMPLETION)];
    let relay = relay_to(&[pool(2)], Script::new(acts));

    respond(&relay, route(&["a"], 4), WHOLE).await.unwrap();

    assert_eq!(asked(&relay), visits(&[("a", 0, 0), ("a", 1, 0), ("a", 0, 3), ("a", 0, 63)]));
}

#[tokio::test(start_paused = true)]
async fn every_key_refused_is_the_end_of_the_model() {
    let relay = relay_to(&[pool(2)], Script::new([Act::Status(401, REFUSED), Act::Status(403, "{}")]));

    let failure = respond(&relay, route(&["a"], 9), WHOLE).await.unwrap_err();

    assert_eq!(failure.outcome, Outcome::Failed(Class::Unauthorized));
    assert_eq!(failure.trail.len(), 2);
    assert!(failure.message.contains("no model of the route can answer it"), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn other_requests_leave_the_keys_that_rest_alone() {
    let acts = [Act::Status(401, REFUSED), answer(COMPLETION), answer(COMPLETION), answer(COMPLETION)];
    let relay = relay_to(&[pool(2)], Script::new(acts));
    respond(&relay, route(&["a"], 1), WHOLE).await.unwrap();
    respond(&relay, route(&["other"], 1), WHOLE).await.unwrap();
    tokio::time::sleep(secs(3)).await;
    respond(&relay, route(&["other"], 1), WHOLE).await.unwrap();
    assert_eq!(asked(&relay), visits(&[("a", 0, 0), ("a", 1, 0), ("other", 1, 0), ("other", 0, 3)]));
}

#[tokio::test(start_paused = true)]
async fn where_all_keys_rest_the_next_model_is_asked_at_once() {
    let acts = [
        Act::Status(429, BUSY_60),
        Act::Status(429, BUSY_60),
        answer(COMPLETION),
        answer(COMPLETION),
        answer(COMPLETION),
    ];
    let relay = relay_to(&[pool(2), provider()], Script::new(acts));
    respond(&relay, both(1), WHOLE).await.unwrap();
    respond(&relay, both(1), WHOLE).await.unwrap();
    // With nobody else to ask, the first key to be back is waited for.
    respond(&relay, route(&["a"], 1), WHOLE).await.unwrap();
    let expected = [("a", 0, 0), ("a", 1, 0), ("b", 0, 0), ("b", 0, 0), ("a", 0, 60)];
    assert_eq!(asked(&relay), visits(&expected));
}

/// The key that rests is worth coming back for, though the only other one was refused.
#[tokio::test(start_paused = true)]
async fn a_pool_is_not_lost_while_one_of_its_keys_rests() {
    let acts = [
        Act::Status(429, BUSY_3),
        answer(COMPLETION),
        Act::Status(401, REFUSED),
        Act::Refuse,
        answer(COMPLETION),
    ];
    let relay = relay_to(&[pool(2), provider()], Script::new(acts));
    respond(&relay, route(&["a"], 1), WHOLE).await.unwrap();
    respond(&relay, both(3), WHOLE).await.unwrap();
    let expected = [("a", 0, 0), ("a", 1, 0), ("a", 1, 0), ("b", 0, 0), ("a", 0, 3)];
    assert_eq!(asked(&relay), visits(&expected));
}

#[tokio::test(start_paused = true)]
async fn keys_are_no_attempts_of_the_budget() {
    let relay = relay_to(&[pool(3)], Script::new(vec![Act::Status(429, "{}"); 6]));
    let mut route = route(&["a"], 9);
    route.policy.max_attempts = NonZeroU32::new(2);

    let failure = respond(&relay, route, WHOLE).await.unwrap_err();

    let numbers: Vec<u32> = failure.trail.iter().map(|line| line.number).collect();
    assert_eq!((failure.attempts, numbers), (2, vec![1, 1, 1, 2, 2, 2]));
    let waits: Vec<f64> = failure.trail.iter().map(|line| line.waited).collect();
    assert_eq!(waits[..3], [0.0; 3]);
    assert!(waits[3] > 0.0 && waits[4..] == [0.0; 2], "only the first key was waited for: {waits:?}");
}

/// An answer that breaks off with this part is continued with the second of two keys.
async fn goes_on_with_the_other_key(breaks: Part, order: KeyOrder) {
    let broken = Act::Answer(vec![text_part([ROLE, HELLO].concat()), breaks]);
    let relay = relay_to(&[Provider { key_order: order, ..pool(2) }], Script::new([broken, good_stream()]));
    let resuming = Route { on_break: OnBreak::Resume, ..route(&["a"], 3) };

    let answer = text(respond(&relay, resuming, STREAM).await.unwrap()).await;

    assert_eq!(answer.matches("Hello").count(), 1, "{answer}");
    assert!(answer.ends_with(DONE) && !answer.contains("\"error\""), "{answer}");
    assert_eq!(relay.upstream.seen.lock().unwrap().keys, [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn another_key_goes_on_with_an_answer_that_broke() {
    goes_on_with_the_other_key(Part::Fail, KeyOrder::RoundRobin).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_runs_dry_in_the_middle_leaves_the_rest_to_another() {
    goes_on_with_the_other_key(text_part(SPENT), KeyOrder::InOrder).await;
}

/// Of two keys that cannot be used yet, one that rests and one that is spent, the first to be back counts.
#[tokio::test(start_paused = true)]
async fn a_key_whose_rest_ends_before_the_quota_of_another_has_a_place_is_waited_for() {
    let mut provider = pool(3);
    provider.keys[2].quota.requests_per_minute = NonZeroU32::new(1);
    let mut impatient = route(&["a"], 9);
    impatient.policy.deadline = secs(30);
    let acts = [Act::Status(401, REFUSED), Act::Status(429, BUSY_3), answer(COMPLETION), answer(COMPLETION)];
    let relay = relay_to(&[provider], Script::new(acts));
    respond(&relay, impatient.clone(), WHOLE).await.unwrap();
    tokio::time::sleep(secs(1)).await;
    respond(&relay, impatient, WHOLE).await.unwrap();
    let expected = [("a", 0, 0), ("a", 1, 0), ("a", 2, 0), ("a", 0, 2)];
    assert_eq!(asked(&relay), visits(&expected), "neither in a minute nor never");
}

#[tokio::test(start_paused = true)]
async fn what_keeps_the_other_keys_from_being_asked_decides_and_not_the_refused_one() {
    let mut provider = pool(2);
    provider.keys[1].quota.requests_per_day = NonZeroU32::new(1);
    let acts = [Act::Status(401, REFUSED), answer(COMPLETION), Act::Status(401, REFUSED)];
    let relay = relay_to(&[provider], Script::new(acts));
    respond(&relay, route(&["a"], 9), WHOLE).await.unwrap();
    tokio::time::sleep(secs(20)).await;

    let failure = respond(&relay, route(&["a"], 9), WHOLE).await.unwrap_err();

    assert_eq!(failure.outcome, Outcome::Failed(Class::RateLimited));
    assert!(failure.message.contains("has spent its quota (1 a day)"), "{}", failure.message);
    assert!(failure.retry_after.is_some_and(|after| after > secs(12)), "{failure:?}");
}

/// A hedge whose key is refused does not cost the request the other keys of its pool.
#[tokio::test(start_paused = true)]
async fn a_key_refused_beside_another_attempt_leaves_the_pool_its_turn() {
    let acts = [Act::Late(secs(5), Box::new(Act::Refuse)), Act::Status(401, REFUSED), answer(COMPLETION)];
    let relay = relay_to(&[provider(), pool(2)], Script::new(acts));
    let hedge = Some(crate::route::Hedge { after: secs(3), spends_quota: false });
    let mut route = Route { hedge, ..both(2) };
    let policy = route.policy.clone();
    let second = Candidate { provider: ProviderId(1), ..candidate("b", &policy) };
    route.chain = Chain::try_new(vec![candidate("a", &policy), second]).unwrap();

    respond(&relay, route, WHOLE).await.unwrap();

    assert_eq!(asked(&relay), visits(&[("a", 0, 0), ("b", 0, 3), ("b", 1, 5)]));
}

/// What a hedge's answer turns out to be is not held against the key of the first candidate.
#[tokio::test(start_paused = true)]
async fn a_hedge_that_breaks_while_it_is_held_leaves_the_first_its_key() {
    let dry = Act::Answer(vec![text_part(HELLO), text_part(SPENT)]);
    let late = Act::Late(secs(20), Box::new(Act::Refuse));
    let relay = relay_to(&[pool(1), provider()], Script::new([late, dry, good_stream()]));
    let hedge = Some(crate::route::Hedge { after: secs(3), spends_quota: false });
    let delivery = crate::route::Delivery::Verified;

    let answer = respond(&relay, Route { delivery, hedge, ..both(2) }, STREAM).await.unwrap();

    assert_eq!(answer.headers()["x-backstop-attempts"], "3");
    assert_eq!(text(answer).await, [ROLE, HELLO, STOP, DONE].concat());
    assert_eq!(asked(&relay), visits(&[("a", 0, 0), ("b", 0, 3), ("a", 0, 4)]));
}
