//! Several keys, rests, and a line to wait in.

use super::*;
use crate::config::Key;

/// The provider of every model, with two keys.
fn pool() -> Provider {
    let key = |name: &str| Key {
        name: name.into(),
        secret: format!("sk-of-{name}-12345").into(),
        quota: Quota::default(),
    };
    Provider { keys: vec![key("A"), key("B")], key_order: KeyOrder::InOrder, ..provider() }
}

/// A refusal that names the key it was sent with.
const REFUSED: &str = r#"{"error":{"code":401,"message":"no such key: sk-of-A-12345"}}"#;

#[tokio::test(start_paused = true)]
async fn another_key_is_the_same_attempt() {
    let acts = [Act::Status(401, REFUSED), Act::Late(secs(3), Box::new(hello()))];
    let relay = relay_to(&[pool()], Script::new(acts));

    let told = tell(&relay, request(shown(&["a", "b"], 2), STREAM)).await;

    assert_told(
        &told,
        [
            (1_000, "Attempt 1/4 in progress…"),
            (1_000, "error: sim/a refuses the key A (401): check the api_key of the provider"),
            (3_000, "done: Response received from a after 3s (1 attempt)"),
            (3_000, "answer: Hello"),
            (3_000, "answer: "),
            (3_000, "[DONE]"),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn another_key_in_time_is_not_told() {
    let relay = relay_to(&[pool()], Script::new([Act::Status(401, REFUSED), hello()]));

    let response = respond(&relay, shown(&["a"], 2), STREAM).await.unwrap();

    assert_eq!(text(response).await, [HELLO, STOP, DONE].concat());
}

#[tokio::test(start_paused = true)]
async fn a_wait_in_line_is_told_and_what_follows_it() {
    let quota = Quota { requests_per_minute: NonZeroU32::new(1), ..Quota::default() };
    let slow = Act::Late(secs(2), Box::new(hello()));
    let relay = relay_to(&[Provider { quota, ..provider() }], Script::new([hello(), slow]));
    text(respond(&relay, route(&["a"], 1), STREAM).await.unwrap()).await;

    let told = tell(&relay, request(shown(&["a"], 1), STREAM)).await;

    let wait =
        "Not asked yet: sim/a has spent its quota (1 a minute) (0/1 attempts). Waiting up to 1m for a turn";
    assert_eq!(told[0], (0, wait.to_owned()));
    let comments = told[1..].iter().take_while(|(_, what)| what.starts_with(": Not asked yet"));
    assert_eq!(comments.count(), 11, "{told:?}");
    assert_told(
        &told[12..].to_vec(),
        [
            (60_000, "Attempt 1/1 in progress…"),
            (62_000, "done: Response received from a after 1m2s (1 attempt)"),
            (62_000, "answer: Hello"),
            (62_000, "answer: "),
            (62_000, "[DONE]"),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn who_rests_is_passed_by_without_a_word() {
    let relay = relay(Script::by(|model, _| if model == "a" { BUSY } else { hello() }));
    for _ in 0..5 {
        respond(&relay, route(&["a"], 1), STREAM).await.map(|_| ()).unwrap_err();
    }

    let response = respond(&relay, shown(&["a", "b"], 2), STREAM).await.unwrap();
    assert_eq!(response.headers()["x-backstop-model"], "b");
    assert_eq!(text(response).await, [HELLO, STOP, DONE].concat());

    // Where all rest, that is a wait like any other.
    let told = tell(&relay, request(quiet(shown(&["a"], 1)), STREAM)).await;
    let first = &told[0];
    assert!(first.0 == 0 && first.1.starts_with("Not asked yet: sim/a rests after 5 failures"), "{told:?}");
    assert!(
        told.iter().any(|(_, what)| what.starts_with("done: No answer after 1 attempt in 2")),
        "{told:?}"
    );
}
