//! Web pages: who may spend the user's keys.

use super::*;
use crate::support::Proxy;

/// A chat that a page can send without a preflight.
fn simple(origin: &str) -> Call {
    let body = Bytes::from_static(br#"{"model":"r","messages":[]}"#);
    Call::new("POST", "/v1/chat/completions", body)
        .header("content-type", "text/plain")
        .header("origin", origin)
}

fn preflight(origin: &str) -> Call {
    Call::new("OPTIONS", "/v1/chat/completions", Bytes::new())
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
}

async fn with_cors(provider: &Provider, cors: &str) -> Proxy {
    proxy(&format!("[server]\ncors = {cors}\n{}", route_to(provider))).await
}

#[tokio::test]
async fn a_page_that_may_ask_is_answered_and_may_read() {
    let provider = Provider::start(Act::answer("Hello")).unwrap();
    let table = [
        (r#""loopback""#, "http://localhost:3000", "http://localhost:3000"),
        (r#""loopback""#, "https://[::1]", "https://[::1]"),
        (r#"["https://chat.example.org"]"#, "https://chat.example.org", "https://chat.example.org"),
        (r#""any""#, "https://evil.example", "*"),
    ];
    for (index, (cors, origin, allowed)) in table.into_iter().enumerate() {
        let proxy = with_cors(&provider, cors).await;

        let asked = preflight(origin).send(proxy.address).await;
        assert_eq!((asked.status, asked.header("access-control-allow-origin")), (204, allowed), "{origin}");
        assert_eq!(asked.header("access-control-allow-headers"), "authorization,content-type");
        assert!(asked.header("access-control-allow-methods").contains("POST"));
        assert_eq!(provider.count(), index, "a preflight is no attempt");

        let mut answer = simple(origin).send(proxy.address).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, allowed), "{origin}");
        assert!(answer.header("access-control-expose-headers").contains("x-backstop-attempts"));
        assert_eq!(answer.json().await["choices"][0]["message"]["content"], "Hello");
        assert_eq!(provider.count(), index + 1);
    }
}

#[tokio::test]
async fn any_other_page_is_refused_before_an_attempt() {
    let provider = Provider::start(Act::answer("Hello")).unwrap();
    let table = [
        (r#""loopback""#, "https://evil.example"),
        (r#""loopback""#, "http://localhost.evil.example"),
        (r#""loopback""#, "http://127.0.0.1.evil.example"),
        (r#""loopback""#, "null"),
        (r#"["https://chat.example.org"]"#, "http://localhost:3000"),
        (r#"["https://chat.example.org"]"#, "https://chat.example.org.evil.example"),
        ("[]", "http://localhost"),
    ];
    for (cors, origin) in table {
        let proxy = with_cors(&provider, cors).await;
        for call in [simple(origin), preflight(origin), Call::stream("r").header("origin", origin)] {
            let mut answer = call.send(proxy.address).await;

            assert_eq!(answer.status, 403, "{cors}, {origin}");
            assert_eq!(answer.header("access-control-allow-origin"), "", "{cors}, {origin}");
            let error = answer.json().await["error"].take();
            assert_eq!(error["code"], "origin_forbidden");
            assert!(error["message"].as_str().unwrap().contains("server.cors"), "{error}");
        }
    }
    assert_eq!(provider.connections(), 0, "no page spent a key");
}
