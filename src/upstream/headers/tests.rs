use std::time::Duration;

use super::*;
use crate::upstream::{Connected, peer};

fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

/// Every header of an attempt, sorted, as `name: value`.
fn sent(client: &HeaderMap, provider: &Provider, candidate: &HeaderMap, stream: bool) -> Vec<String> {
    sent_with(Credential::Shared(0), client, provider, candidate, stream)
}

fn sent_with(
    credential: Credential<'_>,
    client: &HeaderMap,
    provider: &Provider,
    candidate: &HeaderMap,
    stream: bool,
) -> Vec<String> {
    let mut chosen = peer::candidate();
    chosen.headers = candidate.clone();
    let call = Call {
        candidate: &chosen,
        credential,
        connect: Duration::from_secs(1),
        connected: &Connected::default(),
        fresh: false,
        client_headers: client,
        body: Vec::new(),
        stream,
    };
    let headers = outbound(&call, provider).expect("valid headers");
    let mut lines: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("text"))).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn what_is_kept_of_the_clients_headers_is_what_attempts_carry() {
    let client = map(&[
        ("authorization", "Bearer mine"),
        ("traceparent", "00-1-2-3"),
        ("openai-beta", "assistants=v2"),
        ("cookie", "session=1"),
    ]);

    let kept = from_client(&client);

    assert_eq!(kept, map(&[("traceparent", "00-1-2-3"), ("openai-beta", "assistants=v2")]));
    let provider = peer::provider("http://127.0.0.1:1/v1");
    let none = HeaderMap::new();
    assert_eq!(sent(&kept, &provider, &none, true), sent(&client, &provider, &none, true));
}

#[test]
fn an_attempt_carries_ours_and_three_of_the_clients() {
    let client = map(&[
        ("authorization", "Bearer mine"),
        ("cookie", "session=1"),
        ("x-api-key", "mine"),
        ("host", "backstop.example"),
        ("content-type", "text/plain"),
        ("content-length", "12"),
        ("accept-encoding", "br"),
        ("connection", "close"),
        ("user-agent", "OpenAI/Python 2.0"),
        ("x-backstop-route", "fullfat"),
        ("x-request-id", "r-1"),
        ("x-forwarded-for", "10.0.0.1"),
        ("traceparent", "00-1-2-3"),
        ("tracestate", "a=b"),
        ("openai-beta", "assistants=v2"),
        ("anthropic-beta", "a"),
    ]);

    let lines = sent(&client, &peer::provider("http://x.example"), &HeaderMap::new(), true);

    assert_eq!(
        lines,
        [
            "accept-encoding: gzip",
            "accept: text/event-stream, application/json;q=0.9",
            "anthropic-beta: a",
            "content-type: application/json",
            "openai-beta: assistants=v2",
            "traceparent: 00-1-2-3",
            concat!("user-agent: backstop/", env!("CARGO_PKG_VERSION")),
        ]
    );
}

#[test]
fn what_is_configured_wins_and_the_candidates_most_of_all() {
    let client = map(&[("openai-beta", "client"), ("anthropic-beta", "client")]);
    let mut provider = peer::provider("http://x.example");
    provider.keys = vec![peer::key("sk-1")];
    provider.headers =
        map(&[("x-title", "provider"), ("x-two", "a"), ("x-two", "b"), ("openai-beta", "provider")]);
    let candidate = map(&[
        ("x-title", "candidate"),
        ("authorization", "Basic abc"),
        ("user-agent", "other"),
        ("content-length", "3"),
        ("transfer-encoding", "chunked"),
    ]);

    let lines = sent(&client, &provider, &candidate, false);

    assert_eq!(
        lines,
        [
            "accept-encoding: gzip",
            "accept: application/json",
            "anthropic-beta: client",
            "authorization: Basic abc",
            "content-type: application/json",
            "openai-beta: provider",
            "user-agent: other",
            "x-title: candidate",
            "x-two: a",
            "x-two: b",
        ]
    );
}

#[test]
fn a_users_own_key_takes_every_place_of_the_configured_ones() {
    let key = UserKey::new("sk-own".to_owned());
    let none: &[(&str, &str)] = &[];
    for (keys, of_provider, of_candidate, expected) in [
        (1, none, none, &["authorization: Bearer sk-own"] as &[_]),
        (0, none, none, &["authorization: Bearer sk-own"]),
        (0, &[("api-key", "shared")], none, &["api-key: sk-own"]),
        (1, &[("x-api-key", "shared")], none, &["authorization: Bearer sk-own", "x-api-key: sk-own"]),
        (0, &[("authorization", "Basic shared")], none, &["authorization: Bearer sk-own"]),
        (1, none, &[("authorization", "Bearer shared")], &["authorization: Bearer sk-own"]),
        (0, none, &[("x-api-key", "shared"), ("x-other", "1")], &["x-api-key: sk-own", "x-other: 1"]),
    ] {
        let mut provider = peer::provider("http://x.example");
        provider.keys = (0..keys).map(|_| peer::key("sk-shared")).collect();
        provider.headers = map(of_provider);

        let client =
            map(&[("x-backstop-key-peer", "sk-own"), ("x-openwebui-user-email", "anna@example.org")]);
        let lines = sent_with(Credential::Own(&key), &client, &provider, &map(of_candidate), false);

        let ours = ["accept", "content-type", "user-agent"];
        let lines: Vec<_> =
            lines.iter().filter(|line| !ours.iter().any(|ours| line.starts_with(ours))).collect();
        assert_eq!(lines, expected, "{keys} {of_provider:?} {of_candidate:?}");
    }
}

#[test]
fn a_key_is_a_bearer_token_that_debug_does_not_show() {
    let value = authorization("sk-1234567").expect("a valid key");

    assert_eq!(value, "Bearer sk-1234567");
    assert_eq!(format!("{value:?}"), "Sensitive");
    assert!(authorization("sk\r\nx: y").is_err());
}

#[test]
fn a_client_sees_little_of_the_provider() {
    let provider = map(&[
        ("content-type", "text/event-stream"),
        ("content-length", "12"),
        ("content-encoding", "gzip"),
        ("transfer-encoding", "chunked"),
        ("connection", "keep-alive"),
        ("set-cookie", "a=b"),
        ("server", "cloudflare"),
        ("cf-ray", "123"),
        ("retry-after", "3"),
        ("authorization", "Bearer sk-1"),
        ("x-ratelimit-limit-requests", "10"),
        ("x-ratelimit-reset", "1s"),
        ("x-ratelimiting", "no"),
        ("x-generation-id", "gen-1"),
        ("openai-processing-ms", "12"),
        ("openai-organization", "secret-org"),
        ("request-id", "later"),
        ("x-request-id", "first"),
    ]);

    let seen = inbound(provider);

    assert_eq!(
        seen,
        map(&[
            ("content-type", "text/event-stream"),
            ("x-ratelimit-limit-requests", "10"),
            ("x-ratelimit-reset", "1s"),
            ("x-generation-id", "gen-1"),
            ("openai-processing-ms", "12"),
            ("x-backstop-upstream-request-id", "first"),
        ])
    );
    assert_eq!(inbound(HeaderMap::new()), HeaderMap::new());
}

#[test]
fn what_is_rendered_once_is_what_usual_attempts_carry() {
    let mut provider = peer::provider("http://127.0.0.1:1/v1");
    provider.keys.push(peer::key("sk-one"));
    provider.headers = map(&[("x-team", "research"), ("accept", "*/*")]);
    for stream in [false, true] {
        let usual = usual(provider.keys.first(), stream, &provider).unwrap();
        let mut lines: Vec<String> =
            usual.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort_unstable();

        assert_eq!(lines, sent(&HeaderMap::new(), &provider, &HeaderMap::new(), stream));
    }
}
