//! A user's key leaves the process towards its provider and nowhere else, whatever the provider says about it.

use std::collections::BTreeMap;

use backstop::cli::{self, CheckArgs};
use backstop::config::{self, Overrides, Source};
use backstop::sim::data;

use super::*;
use crate::support::Program;

/// So much of a key would be enough to know whose it is.
const TELLING: usize = 9;

#[track_caller]
fn assert_silent(what: &str, text: &str) {
    for secret in [SHARED, ANNA, BERT, HEADER] {
        assert!(!text.contains(&secret[..TELLING]), "{what} tells `{secret}`: {text}");
    }
}

/// Tells the key that came with the request, in the way that it asks for.
fn indiscreet(request: &Request) -> Act {
    let key = request.key().to_owned();
    let opening = data(r#"{"choices":[{"index":0,"delta":{"content":"Hello"}}]}"#);
    match request.header("traceparent") {
        "401" => Act::status(401).error(&format!("Incorrect API key provided: {key}."), "invalid_api_key"),
        "429" => Act::status(429).error(&format!("Too much from {key}, wait"), key.as_str()),
        "text" => Act::status(500).body("text/plain", format!("Bearer {key}")),
        "cut" => Act::status(500).error(&format!("{}{key}", "x".repeat(300 - 12)), 500),
        "first-event" => Act::events([data(backstop::sim::error(&key, 500))]),
        "late-event" => Act::events([opening, data(backstop::sim::error(&key, 500))]),
        other => panic!("no such way: {other}"),
    }
}

#[tokio::test]
async fn nothing_that_leaves_tells_a_users_key() {
    let provider = Provider::start(Script::by(indiscreet)).unwrap();
    let text = config(&provider, true, "", "on_break = \"resume\"\n[cooldown]\nenabled = false");
    let program = Program::serve(Some(&text), &[("BACKSTOP_LOG", "trace")]).await;

    for way in ["401", "429", "text", "cut", "first-event", "late-event"] {
        for (asks, key) in [(anna as fn(Call) -> Call, ANNA), (bert, BERT), (with_key, HEADER)] {
            for call in [Call::whole("r"), Call::stream("r"), Call::stream("p/x")] {
                let call = asks(call).header("traceparent", way);
                let mut answer = call.send(program.address).await;
                let (body, _) = answer.rest().await;
                assert_silent(way, &format!("{:?}", answer.headers));
                let body = String::from_utf8(body.to_vec()).unwrap();
                assert_silent(way, &body);
                assert!(body.contains("error"), "{way} is told: {body}");
                let request = provider.request(provider.count() - 1).unwrap();
                assert_eq!(request.key(), key, "{way}: it did go out");
            }
        }
    }

    let refused = Call::whole("r").header("x-backstop-key-pq", HEADER).send(program.address).await;
    assert_eq!(refused.status, 400);
    let (code, log) = program.stop().await;
    let log = log.join("\n");
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("ERROR: 401 - Incorrect API key provided: ***"), "{log}");
    assert_silent("the log", &log);
}

#[tokio::test]
async fn a_provider_sees_its_own_users_key_and_nothing_else_of_them() {
    let (one, other) =
        (Provider::start(Act::status(503)).unwrap(), Provider::start(Act::answer("Hello")).unwrap());
    let more = format!("[providers.q]\nbase_url = \"{}\"\napi_key = \"{SHARED}\"", other.base_url());
    let proxy = proxy(&config(&one, true, r#", "q/m""#, &more)).await;

    let call = with_key(anna(Call::whole("r")))
        .header("X-OpenWebUI-User-Id", "77")
        .header("X-OpenWebUI-User-Role", "user")
        .header("X-OpenWebUI-Chat-Id", "chat-1");
    assert_eq!(ask(&proxy, call).await, hello());

    assert_eq!((keys(&one), keys(&other)), ("HH".to_owned(), "S".to_owned()));
    for request in one.requests().into_iter().chain(other.requests()) {
        let own = usize::from(request.key() == HEADER);
        let told = format!("{:?}", request.headers).to_lowercase();
        assert_eq!(told.matches(HEADER).count(), own, "{told}");
        for part in ["openwebui", "x-backstop", "anna", "chat-1"] {
            assert!(!told.contains(part), "{part}: {told}");
        }
    }
}

#[test]
fn neither_check_nor_debug_tells_a_users_key() {
    let provider = "[providers.p]\nbase_url = \"http://127.0.0.1:1/v1\"\n";
    let users =
        format!("[users.anna]\nkeys = {{ p = \"{ANNA}\" }}\n[users.bert.keys]\np = {{ env = \"BERTS\" }}\n");
    let good = format!("[server]\ntrust_user_headers = true\n{provider}{users}");
    let environment: BTreeMap<String, String> = [("BERTS".to_owned(), BERT.to_owned())].into();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("backstop.toml");
    let broken = [
        good.replace("keys = { p", "keys = { pq"),
        good.replace("keys = { p", "kyes = { p"),
        good.replace(&format!("{{ p = \"{ANNA}\" }}"), &format!("\"{ANNA}\"")),
        good.replace(&format!("\"{ANNA}\""), &format!("[\"{ANNA}\"]")),
        good.replace("{ env = \"BERTS\" }", &format!("{{ env = \"{BERT}\" }}")),
    ];
    for (text, expected) in [(good.clone(), 0)].into_iter().chain(broken.map(|text| (text, 64))) {
        std::fs::write(&path, text).unwrap();
        let (output, code) = cli::check(&CheckArgs { file: Some(path.clone()), config: None }, &environment);
        assert_eq!(code, expected, "{output}");
        assert_silent("check", &output);
    }

    let source = Source::Text { name: "x".to_owned(), text: good };
    let loaded = config::load(&source, &environment, &Overrides::default()).unwrap();
    assert_eq!(loaded.runtime.users.len(), 2);
    assert_silent("Debug", &format!("{loaded:?} {loaded:#?}"));
}
