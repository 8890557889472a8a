//! Which of several failures names the outcome: the last one that could be retried, else the first
//! permanent one, and a rejection before all.

use std::time::Duration;

use backstop::sim::{Act, Provider, Script};
use serde_json::Value;

use super::SCHEDULE;
use crate::support::{Call, End, Refusal, providers, proxy, visits};

/// The error after these failures, one candidate each, on one attempt each.
async fn after(acts: &[Act], on: &str) -> Refusal {
    let names: Vec<_> = (0..acts.len()).map(|index| format!("p{index}")).collect();
    let asked: Vec<_> = acts.iter().map(|act| Provider::start(act.clone()).unwrap()).collect();
    let named: Vec<_> = names.iter().map(String::as_str).zip(&asked).collect();
    let chain: Vec<_> = names.iter().map(|name| format!("{name}/m")).collect();
    let config = format!(
        "retry = {{ attempts_per_burst = 1, bursts_per_cycle = 1, cycles = 1, on = {{ {on} }} }}\n\
         routes.all.chain = {chain:?}\n{}",
        providers(&named),
    );
    let proxy = proxy(&config).await;
    Refusal::read(Call::whole("all").send(proxy.address).await).await
}

#[tokio::test]
async fn the_last_retryable_failure_decides() {
    let limited = || Act::status(429).error("Slow down", 429);
    let down = || Act::status(500).error("Broken", 500);
    let unknown = || Act::status(404);
    let locked = || Act::status(401);
    for (acts, status, code, decided_by) in [
        (vec![limited(), down()], 503, "overloaded", "p1/m"),
        (vec![down(), limited()], 429, "rate_limited", "p1/m"),
        (vec![limited(), unknown()], 429, "rate_limited", "p0/m"),
        (vec![unknown(), limited(), locked()], 429, "rate_limited", "p1/m"),
        (vec![unknown(), locked()], 502, "not_found", "p0/m"),
        (vec![locked(), unknown(), Act::status(402)], 502, "unauthorized", "p0/m"),
        (vec![unknown(), Act::status(422), Act::status(413)], 502, "not_found", "p0/m"),
        (vec![Act::status(422), unknown()], 422, "bad_request", "p0/m"),
        (vec![Act::answer(""), locked()], 502, "empty", "p0/m"),
    ] {
        let refusal = after(&acts, "").await;

        assert_eq!((refusal.status, refusal.error.code.as_str()), (status, code), "{acts:?}");
        assert!(refusal.error.message.contains(decided_by), "{}", refusal.error.message);
        assert_eq!(refusal.attempts().len(), acts.len(), "{acts:?}");
    }
}

#[tokio::test]
async fn a_rejection_decides_whatever_came_before() {
    let acts =
        [Act::status(503), Act::status(401), Act::status(400).error("No", "content_filter"), Act::echo()];

    let refusal = after(&acts, r#"content_policy = "reject""#).await;

    assert_eq!((refusal.status, refusal.error.code.as_str()), (400, "content_policy"));
    assert_eq!(refusal.asked(), ["p0", "p1", "p2"]);
    assert!(refusal.error.message.contains("the request was refused"), "{}", refusal.error.message);
}

/// Whatever failed on the way, the client gets the first good answer and nothing of the rest.
#[tokio::test]
async fn an_answer_ends_it() {
    let bad = Provider::start(Script::exactly([Act::status(429), Act::status(500)])).unwrap();
    let empty = Provider::start(Script::exactly([Act::answer("")])).unwrap();
    let good = Provider::start(Script::exactly([Act::status(503), Act::answer("Hello there")])).unwrap();
    let named = [("bad", &bad), ("empty", &empty), ("good", &good)];
    let config = format!(
        "[retry]\n{SCHEDULE}\n[routes.all]\nchain = [\"bad/a\", \"empty/b\", \"good/c\"]\n{}",
        providers(&named),
    );
    let proxy = proxy(&config).await;

    let mut answer = Call::stream("all").send(proxy.address).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-backstop-attempts"), "5");
    assert_eq!((answer.header("x-backstop-provider"), answer.header("x-backstop-model")), ("good", "c"));
    assert_eq!(answer.content().await, "Hello there");
    assert_eq!(visits(&named), ["bad", "bad", "empty", "good", "good"]);
    for provider in [bad, empty, good] {
        assert_eq!(provider.check(), Ok(()));
    }
}

/// A provider may know what it was sent, and say so.
#[tokio::test]
async fn no_configured_secret_reaches_a_client() {
    const SECRETS: [&str; 3] = ["sk-a-0123456789", "header-0123456789", "sk-b-0123456789"];
    let telltale = Script::by(|request| {
        let told =
            format!("I was sent {} and {}", request.header("authorization"), request.header("x-token"));
        Act::status(500).error(&told, SECRETS[2])
    });
    let provider = Provider::start(telltale).unwrap();
    let [a, header, b] = SECRETS;
    let url = provider.base_url();
    let config = format!(
        "[retry]\n{SCHEDULE}\n[routes.all]\nchain = [\"a/m\", \"b/m\"]\n\
         [providers.a]\nbase_url = \"{url}\"\napi_key = \"{a}\"\nheaders = {{ X-Token = \"{header}\" }}\n\
         [providers.b]\nbase_url = \"{url}\"\napi_key = \"{b}\"\n"
    );
    let proxy = proxy(&config).await;

    let refusal = Refusal::read(Call::whole("all").send(proxy.address).await).await;

    assert_eq!(provider.request(0).unwrap().header("authorization"), format!("Bearer {a}"));
    assert_eq!(provider.request(0).unwrap().header("x-token"), header);
    assert_eq!(refusal.attempts()[0].reason, "I was sent Bearer *** and ***");
    for secret in SECRETS {
        assert!(!refusal.body.contains(secret), "{}", refusal.body);
    }
}

/// Once the head is out, the same error object comes as an event.
#[tokio::test]
async fn after_an_early_head_the_error_is_an_event() {
    let slow = Act::status(429).after(Duration::from_millis(50));
    let provider = Provider::start(slow).unwrap();
    let named = [("a", &provider)];
    let once = "retry = { attempts_per_burst = 1, bursts_per_cycle = 1, cycles = 1 }\n";
    let late = proxy(&format!("{once}{}", providers(&named))).await;
    let early = proxy(&format!("server.head_after = \"1ms\"\n{once}{}", providers(&named))).await;

    let refusal = Refusal::read(Call::stream("a/m").send(late.address).await).await;
    let mut answer = Call::stream("a/m").send(early.address).await;

    assert_eq!((answer.status, answer.header("x-backstop-route")), (200, "a/m"));
    assert_eq!(answer.header("retry-after"), "");
    let event: Value = serde_json::from_str(&answer.data().await.unwrap()).unwrap();
    let expected: Value = serde_json::from_str(&refusal.body).unwrap();
    for member in ["type", "code", "param", "metadata"] {
        assert_eq!(event["error"][member], expected["error"][member], "{member}");
    }
    assert!(event.get("choices").is_none(), "{event}");
    assert_eq!(answer.data().await.as_deref(), Ok("[DONE]"));
    assert_eq!(answer.data().await, Err(End::Clean));
}
