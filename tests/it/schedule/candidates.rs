//! What a candidate has of its own: policy, limits, headers, edits of the body; and candidates that
//! no route names.

use std::time::{Duration, Instant};

use backstop::sim::{Act, Provider};
use serde_json::{Value, json};

use super::{answered, before, refused};
use crate::support::{Call, proxy, visits};

fn down() -> Provider {
    Provider::start(Act::status(503)).unwrap()
}

/// Nearest first: candidate, route, named policy, `[retry]`.
#[tokio::test]
async fn policies_inherit_key_by_key() {
    let (a, b, c, d) = (down(), down(), down(), down());
    let named = [("a", &a), ("b", &b), ("c", &c), ("d", &d)];
    let config = r#"
        [retry]
        attempts_per_burst = 4
        bursts_per_cycle = 1
        cycles = 1
        attempt_delay = "1ms"
        [policies.brisk]
        attempts_per_burst = 3
        attempt_delay = "5ms"
        [routes.all]
        retry = { attempts_per_burst = 2 }
        chain = [
            "a/m",
            { use = "b/m", retry = "brisk" },
            { use = "c/m", retry = { attempts_per_burst = 1 } },
            { use = "d/m", retry = { attempt_delay = "9ms" } },
        ]
        [routes.brisk]
        retry = "brisk"
        chain = ["a/m"]
    "#;
    let proxy = before(&named, config).await;

    let refusal = refused(&proxy, "all").await;

    assert_eq!(refusal.asked(), ["a", "a", "b", "b", "b", "c", "d", "d"]);
    assert_eq!(refusal.waits(), [0, 1, 0, 5, 5, 0, 0, 9]);
    assert_eq!(visits(&named), refusal.asked());
    assert_eq!(refused(&proxy, "brisk").await.waits(), [0, 5, 5]);
    assert_eq!(refused(&proxy, "a/m").await.waits(), [0, 1, 1, 1]);
}

/// Nearest first: candidate, route, provider, `[timeouts]`.
#[tokio::test]
async fn limits_inherit_key_by_key() {
    let hanging = Provider::start(Act::hang()).unwrap();
    let silent = Provider::start(Act::hang_after_head()).unwrap();
    let config = format!(
        r#"
        [retry]
        attempts_per_burst = 1
        bursts_per_cycle = 1
        cycles = 1
        [timeouts]
        first_byte = "31ms"
        first_token = "32ms"
        [providers.plain]
        base_url = "{0}"
        [providers.own]
        base_url = "{0}"
        timeouts = {{ first_byte = "33ms" }}
        [providers.silent]
        base_url = "{1}"
        timeouts = {{ first_byte = "1h" }}
        [routes.all]
        chain = ["plain/m", "own/m", "silent/m"]
        [routes.short]
        timeouts = {{ first_byte = "34ms" }}
        chain = [
            "plain/m",
            "own/m",
            {{ use = "own/n", timeouts = {{ first_byte = "35ms" }} }},
            {{ use = "silent/m", timeouts = {{ first_byte = "1h", first_token = "36ms" }} }},
        ]
        "#,
        hanging.base_url(),
        silent.base_url(),
    );
    let proxy = proxy(&config).await;
    let head = |millis| format!("no response head within {millis}ms (first_byte)");
    let payload = |millis| format!("no payload within {millis}ms (first_token)");

    for (route, expected) in [
        ("all", vec![head(31), head(33), payload(32)]),
        ("short", vec![head(34), head(34), head(35), payload(36)]),
        ("own/x", vec![head(33)]),
    ] {
        let refusal = refused(&proxy, route).await;

        let reasons: Vec<_> = refusal.attempts().iter().map(|tried| tried.reason.clone()).collect();
        assert_eq!(reasons, expected, "{route}");
    }
}

/// The defaults are 60 attempts over minutes; a bad key is worth one.
#[tokio::test]
async fn a_bad_key_alone_stops_at_the_first_401() {
    let provider = Provider::start(Act::status(401)).unwrap();
    let proxy = before(&[("a", &provider)], "").await;
    let began = Instant::now();

    let refusal = refused(&proxy, "a/m").await;

    assert_eq!((refusal.status, refusal.error.code.as_str()), (502, "unauthorized"));
    assert!(
        refusal.error.message.contains("no model of the route can answer it"),
        "{}",
        refusal.error.message
    );
    assert_eq!((provider.count(), refusal.retry_after), (1, None));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn any_model_of_a_provider_can_be_asked_for() {
    let provider = Provider::start(Act::echo()).unwrap();
    let proxy = before(&[("a", &provider)], "routes.\"a/routed\".chain = [\"a/other\"]").await;

    for (asked, model) in [
        ("a/m", "m"),
        ("a/deep/model:free", "deep/model:free"),
        ("a/a/m", "a/m"),
        ("a/ünï", "ünï"),
        ("a/routed", "other"),
    ] {
        let mut answer = answered(&proxy, asked).await;

        let route = answer.headers["x-backstop-route"].as_bytes();
        assert_eq!(String::from_utf8_lossy(route), asked);
        assert_eq!(answer.headers["x-backstop-model"].as_bytes(), model.as_bytes());
        assert_eq!(answer.header("x-backstop-provider"), "a");
        assert_eq!(answer.json().await["model"], model);
        assert_eq!(provider.requests().last().unwrap().model(), model);
    }
    for unknown in ["b/m", "a/", "a", "/m", "A/m"] {
        let answer = Call::whole(unknown).send(proxy.address).await;

        assert_eq!(answer.status, 404, "{unknown}");
    }
    assert_eq!(provider.count(), 5);
}

#[tokio::test]
async fn direct_access_can_be_turned_off() {
    let provider = Provider::start(Act::echo()).unwrap();
    let config = "server.direct = false\nroutes.\"a/routed\".chain = [\"a/other\"]";
    let proxy = before(&[("a", &provider)], config).await;

    let mut answer = Call::whole("a/m").send(proxy.address).await;

    assert_eq!(answer.status, 404);
    assert_eq!(answer.json().await["error"]["code"], "model_not_found");
    assert_eq!(provider.connections(), 0);
    answered(&proxy, "a/routed").await;
}

/// Each candidate's attempts carry what is configured for it, and nothing of the others'.
#[tokio::test]
async fn headers_and_edits_are_the_candidates_own() {
    let (a, b) = (down(), Provider::start(Act::echo()).unwrap());
    let config = format!(
        r#"
        [retry]
        attempts_per_burst = 1
        bursts_per_cycle = 1
        cycles = 1
        [providers.a]
        base_url = "{}"
        api_key = "sk-a-0123456789"
        headers = {{ X-Team = "research", X-Priority = "high" }}
        [providers.b]
        base_url = "{}"
        [[routes.all.chain]]
        use = "a/m"
        headers = {{ X-Priority = "low" }}
        set = {{ temperature = 0.2, stop = ["x", "y"], seed = 7 }}
        unset = ["logprobs", "absent"]
        [[routes.all.chain]]
        use = "b/n"
        "#,
        a.base_url(),
        b.base_url(),
    );
    let proxy = proxy(&config).await;
    let body =
        r#"{"model":"all","temperature":1.0,"logprobs":true,"messages":[{"role":"user","content":"Hi"}]}"#;

    let answer = Call::post("/v1/chat/completions", body).send(proxy.address).await;

    assert_eq!((answer.status, answer.header("x-backstop-attempts")), (200, "2"));
    let (first, second) = (a.request(0).unwrap(), b.request(0).unwrap());
    assert_eq!(first.header("x-team"), "research");
    assert_eq!(first.header("x-priority"), "low");
    assert_eq!(first.headers.get_all("x-priority").iter().count(), 1);
    assert_eq!(first.header("authorization"), "Bearer sk-a-0123456789");
    let mut expected: Value = serde_json::from_str(body).unwrap();
    expected["model"] = json!("m");
    expected["temperature"] = json!(0.2);
    expected["stop"] = json!(["x", "y"]);
    expected["seed"] = json!(7);
    expected.as_object_mut().unwrap().remove("logprobs");
    assert_eq!(first.json(), expected);
    for name in ["x-team", "x-priority", "authorization"] {
        assert_eq!(second.header(name), "", "{name}");
    }
    assert_eq!(second.body, body.replacen("all", "n", 1));
}
