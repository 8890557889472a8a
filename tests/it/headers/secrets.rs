//! A configured secret leaves the process towards its provider and nowhere else, whatever the provider
//! says about it.

use std::collections::BTreeMap;
use std::path::Path;

use backstop::cli::{self, CheckArgs};
use backstop::config::{self, Overrides, Source};
use backstop::sim::{Request, Script, data};

use super::*;
use crate::support::Program;

const LITERAL: &str = "sk-lit-9f8e7d6c5b4a3210";
const VARIABLE: &str = "sk-env-0a1b2c3d4e5f6789";
const FILE: &str = "sk-file-5a6b7c8d9e0f1a2b";
const HEADER: &str = "hdr-1234567890abcdef";
const CANDIDATE: &str = "cand-fedcba0987654321";

/// So much of a secret would be enough to know whose it is.
const TELLING: usize = 9;

fn configuration(provider: &Provider, secret_file: &Path) -> String {
    let url = provider.base_url();
    format!(
        r#"
        [providers.literal]
        base_url = "{url}"
        api_key = "{LITERAL}"
        [providers.variable]
        base_url = "{url}"
        api_key = {{ env = "TEST_KEY" }}
        [providers.file]
        base_url = "{url}"
        api_key = {{ file = "{file}" }}
        headers = {{ X-Auth-Token = "{HEADER}" }}
        [cooldown]
        enabled = false
        [retry]
        attempts_per_burst = 1
        bursts_per_cycle = 1
        cycles = 1
        [routes.literal]
        chain = ["literal/m"]
        [routes.variable]
        chain = ["variable/m"]
        [routes.file]
        chain = [{{ use = "file/m", headers = {{ X-Other = {{ env = "TEST_HEADER" }} }} }}]
        "#,
        file = secret_file.display()
    )
}

fn environment() -> BTreeMap<String, String> {
    [("TEST_KEY", VARIABLE), ("TEST_HEADER", CANDIDATE)]
        .map(|(name, value)| (name.into(), value.into()))
        .into()
}

/// Every secret that came with `request`, in one line.
fn echoed(request: &Request) -> String {
    let names = ["authorization", "x-auth-token", "x-other"];
    names.map(|name| request.header(name)).join(" ").trim().to_owned()
}

fn error(message: &str, code: u16) -> String {
    backstop::sim::error(message, code)
}

/// The ways to tell a secret, each in answer to the model of that name.
const WAYS: [&str; 10] =
    ["401", "429", "text", "html", "nested", "cut", "torn", "body-200", "first-event", "late-event"];

fn indiscreet(request: &Request) -> Act {
    let secrets = echoed(request);
    let way = request.header("traceparent").to_owned();
    let opening = data(r#"{"choices":[{"index":0,"delta":{"content":"Hello"}}]}"#);
    let event = |message: &str| data(error(message, 500));
    match way.as_str() {
        "401" => Act::status(401).error(&format!("Incorrect API key provided: {secrets}."), "invalid_api_key"),
        "429" => Act::status(429).error(&format!("Too much from {secrets}, wait"), secrets.as_str()),
        "text" => Act::status(500).body("text/plain", secrets),
        "html" => Act::status(502).html(format!("<html><title>No {secrets}</title></html>")),
        "nested" => Act::status(400).json(format!(
            r#"{{"error":{{"message":"Provider returned error","metadata":{{"raw":"{{\"detail\":\"{secrets}\"}}","provider_name":"{secrets}"}}}}}}"#
        )),
        // Of a long message 300 characters survive: these end within the secret, behind its `Bearer `.
        "cut" => Act::status(500).error(&format!("{}{secrets}", "x".repeat(300 - 7 - 12)), 500),
        "torn" => Act::status(500).body("application/json", format!(r#"{{"error":{{"message":"no {}"#, &secrets[..20])),
        "body-200" => Act::echo().json(error(&secrets, 403)),
        "first-event" => Act::events([event(&secrets)]),
        "late-event" => Act::events([opening, event(&secrets)]),
        other => panic!("no such way: {other}"),
    }
}

#[track_caller]
fn assert_silent(what: &str, text: &str) {
    for secret in [LITERAL, VARIABLE, FILE, HEADER, CANDIDATE] {
        assert!(!text.contains(&secret[..TELLING]), "{what} tells `{secret}`: {text}");
    }
}

#[tokio::test]
async fn nothing_that_leaves_tells_a_secret() {
    let provider = Provider::start(Script::by(indiscreet)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    std::fs::write(&file, format!("{FILE}\n")).unwrap();
    let text = configuration(&provider, &file);
    let variables = [("TEST_KEY", VARIABLE), ("TEST_HEADER", CANDIDATE), ("BACKSTOP_LOG", "trace")];
    let program = Program::serve(Some(&text), &variables).await;

    for way in WAYS {
        for (route, key) in [("literal", LITERAL), ("variable", VARIABLE), ("file", FILE)] {
            for call in [Call::whole(route), Call::stream(route)] {
                let mut answer = call.header("traceparent", way).send(program.address).await;
                let (body, _) = answer.rest().await;

                let what = format!("{way}, {route}");
                assert_silent(&what, &format!("{:?}", answer.headers));
                let body = String::from_utf8(body.to_vec()).unwrap();
                assert_silent(&what, &body);
                assert!(body.contains("error"), "{what} is told: {body}");
                let request = provider.request(provider.count() - 1).unwrap();
                assert_eq!(request.header("authorization"), format!("Bearer {key}"), "{what}: it did go out");
            }
        }
    }

    let (code, log) = program.stop().await;
    let log = log.join("\n");
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("ERROR: 401 - Incorrect API key provided: "), "{log}");
    assert!(log.contains("***"), "the log says that something was there: {log}");
    assert_silent("the log", &log);
}

#[tokio::test]
async fn neither_check_nor_debug_tells_a_secret() {
    let provider = Provider::start(Act::echo()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    std::fs::write(&file, FILE).unwrap();
    let text = configuration(&provider, &file);
    let path = directory.path().join("backstop.toml");

    // The faults stand on the lines of the secrets.
    let broken = text
        .replace(&format!("api_key = \"{LITERAL}\""), &format!("api_key = \"{LITERAL}\\n\""))
        .replace(&format!("\"{HEADER}\""), &format!("\"{HEADER}\", chian = 1"))
        .replace("[routes.literal]", &format!("api_key = \"{LITERAL}\"\n[routes.literal]"));
    for (text, expected) in [(&text, 0), (&broken, 64)] {
        std::fs::write(&path, text).unwrap();
        let (output, code) =
            cli::check(&CheckArgs { file: Some(path.clone()), config: None }, &environment());
        assert_eq!(code, expected, "{output}");
        assert_silent("check", &output);
    }

    let source = Source::Text { name: "x".to_owned(), text };
    let loaded = config::load(&source, &environment(), &Overrides::default()).unwrap();
    assert_eq!(loaded.runtime.providers.len(), 3);
    assert_silent("Debug", &format!("{loaded:?} {loaded:#?}"));
    let client = backstop::upstream::client::Client::new(loaded.runtime.into()).unwrap();
    assert_silent("Debug of the client", &format!("{client:?}"));
}
