//! The limits of an attempt, each named in the error it causes.

use std::time::{Duration, Instant};

use backstop::sim::{Act, Finish, Provider, Unanswering};
use serde_json::Value;

use super::{before, refused};
use crate::support::{Call, End, Refusal, proxy, soon};

const THRICE: &str = r#"
    retry = { attempts_per_burst = 3, bursts_per_cycle = 1, cycles = 1, attempt_delay = "1ms" }
"#;

/// The reasons in the trail of a request that ran into the same limit three times.
fn reasons(refusal: &Refusal, phase: &str) -> Vec<String> {
    assert_eq!((refusal.status, refusal.error.code.as_str()), (504, "timeout"));
    for tried in refusal.attempts() {
        assert_eq!((tried.code.as_str(), tried.phase.as_str(), tried.status), ("timeout", phase, None));
    }
    refusal.attempts().iter().map(|tried| tried.reason.clone()).collect()
}

/// With one live candidate a limit doubles for its next attempt.
fn doubling(what: &str, limit: &str) -> Vec<String> {
    [40, 80, 160].map(|millis| format!("{what} within {millis}ms ({limit})")).to_vec()
}

#[tokio::test]
async fn connect() {
    let nobody = Unanswering::start().await.unwrap();
    let config =
        format!("{THRICE}timeouts.connect = \"40ms\"\nproviders.a.base_url = \"{}\"", nobody.base_url());
    let proxy = proxy(&config).await;
    let began = Instant::now();

    let refusal = refused(&proxy, "a/m").await;

    assert_eq!(reasons(&refusal, "connect"), doubling("no connection", "connect"));
    assert!(began.elapsed() >= Duration::from_millis(280));
}

#[tokio::test]
async fn first_byte() {
    let provider = Provider::start(Act::hang()).unwrap();
    let proxy = before(&[("a", &provider)], &format!("{THRICE}timeouts.first_byte = \"40ms\"")).await;

    for call in [Call::stream("a/m"), Call::whole("a/m")] {
        let refusal = Refusal::read(call.send(proxy.address).await).await;

        assert_eq!(reasons(&refusal, "first_byte"), doubling("no response head", "first_byte"));
    }
    assert_eq!(provider.count(), 6);
    soon("closes", provider.wait_connections(0)).await;
}

#[tokio::test]
async fn first_token() {
    let comments = Act::hang_after_head().comments_every(Duration::from_millis(5));
    let role = Act::echo().cut_after(1).then(Finish::Stall);
    for act in [Act::hang_after_head(), comments, role] {
        let provider = Provider::start(act.clone()).unwrap();
        let config = format!("{THRICE}timeouts.first_token = \"40ms\"");
        let proxy = before(&[("a", &provider)], &config).await;

        let refusal = Refusal::read(Call::stream("a/m").send(proxy.address).await).await;

        assert_eq!(reasons(&refusal, "first_token"), doubling("no payload", "first_token"), "{act:?}");
        assert_eq!(provider.count(), 3);
        soon("closes", provider.wait_connections(0)).await;
    }
}

/// An answer that is not streamed has its limit on each silence.
#[tokio::test]
async fn first_token_of_a_whole_answer() {
    let provider = Provider::start(Act::hang_after_head()).unwrap();
    let config = format!("{THRICE}timeouts.first_token = \"40ms\"");
    let proxy = before(&[("a", &provider)], &config).await;

    let refusal = refused(&proxy, "a/m").await;

    assert_eq!(reasons(&refusal, "first_token"), doubling("no payload", "first_token"));

    let slow = Act::answer("Hello there").whole().split([32]).pace(Duration::from_millis(150));
    let provider = Provider::start(slow).unwrap();
    let proxy = before(&[("a", &provider)], "timeouts.first_token = \"1s\"").await;
    let began = Instant::now();

    let mut answer = Call::whole("a/m").send(proxy.address).await;

    assert_eq!(answer.json().await["choices"][0]["message"]["content"], "Hello there");
    assert!(began.elapsed() > Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn idle() {
    let act = Act::answer("one two three").cut_after(3).then(Finish::Stall);
    let provider = Provider::start(act).unwrap();
    let proxy = before(&[("a", &provider)], "timeouts.idle = \"80ms\"").await;

    let mut answer = Call::stream("a/m").send(proxy.address).await;

    assert_eq!((answer.status, answer.header("x-backstop-attempts")), (200, "1"));
    let (bytes, end) = answer.rest().await;
    assert_eq!(end, End::Clean);
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let events: Vec<_> =
        text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap()).collect();
    assert!(events[1].contains(r#""content":"one""#) && events[2].contains(r#""content":" two""#), "{text}");
    let error: Value = serde_json::from_str(events[3]).unwrap();
    assert_eq!(error["error"]["code"], "stream_idle");
    assert_eq!(error["error"]["metadata"]["reason"], "no byte within 80ms (idle)");
    assert!(error.get("choices").is_none(), "{error}");
    assert_eq!(events[4..], ["[DONE]"]);
    soon("close", provider.wait_closed(0)).await;
    assert_eq!(provider.count(), 1, "what has opened is not tried again");
}

#[tokio::test]
async fn deadline() {
    let provider = Provider::start(Act::hang_after_head()).unwrap();
    let proxy = before(&[("a", &provider)], "retry.deadline = \"1500ms\"").await;

    let refusal = Refusal::read(Call::stream("a/m").send(proxy.address).await).await;

    let reasons = reasons(&refusal, "first_token");
    assert_eq!(reasons.len(), 1);
    assert!(
        reasons[0].starts_with("no payload within ") && reasons[0].ends_with("(deadline)"),
        "{reasons:?}"
    );
}

/// Limits grow for who is alone, from when it is alone.
#[tokio::test]
async fn a_limit_grows_only_for_who_is_alone() {
    let (a, b) = (Provider::start(Act::hang()).unwrap(), Provider::start(Act::hang()).unwrap());
    let locked = Provider::start(Act::status(401)).unwrap();
    let config = format!(
        "{THRICE}providers.a.timeouts.first_byte = \"40ms\"\nproviders.b.timeouts.first_byte = \"40ms\"\n\
         providers.a.base_url = \"{}\"\nproviders.b.base_url = \"{}\"\nproviders.locked.base_url = \"{}\"\n\
         routes.both = {{ chain = [\"a/m\", \"b/m\"], retry = {{ attempts_per_burst = 2 }} }}\n\
         routes.left.chain = [\"a/m\", \"locked/m\"]\n",
        a.base_url(),
        b.base_url(),
        locked.base_url(),
    );
    let proxy = proxy(&config).await;
    let head = |millis| format!("no response head within {millis}ms (first_byte)");

    let both = refused(&proxy, "both").await;
    let left = refused(&proxy, "left").await;

    assert_eq!(both.asked(), ["a", "b", "a", "b"]);
    assert!(both.attempts().iter().all(|tried| tried.reason == head(40)), "{both:?}");
    assert_eq!(left.asked(), ["a", "locked", "a", "a"]);
    let reasons: Vec<_> = left.attempts().iter().map(|tried| tried.reason.as_str()).collect();
    assert_eq!([reasons[0], reasons[2], reasons[3]], [head(40), head(40), head(80)]);
    assert_eq!(left.status, 504, "a locked door is no reason to hide the silence");
}
