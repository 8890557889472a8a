//! Which web pages may ask.

use super::*;

fn from(origin: &str, line: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: x\r\norigin: {origin}\r\ncontent-length: 2\r\n\r\n{{}}")
}

#[tokio::test]
async fn a_page_of_this_machine_may_ask_and_read() {
    let server = Running::paths(Cors::Loopback, Limits::default()).await;

    let answer = server.ask(&from("http://localhost:3000", "GET /v1/models")).await;

    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:3000"));
    assert_eq!(answer.header("vary"), Some("origin"));
    let exposed = answer.header("access-control-expose-headers").unwrap();
    for name in ["x-request-id", "x-backstop-provider", "x-backstop-quota-remaining", "x-ratelimit-remaining"]
    {
        assert!(exposed.contains(name), "{name}");
    }
}

#[tokio::test]
async fn any_other_page_is_refused_even_without_a_preflight() {
    let server = Running::paths(Cors::Loopback, Limits::default()).await;

    for origin in ["https://example.com", "null", "http://localhost.evil.com"] {
        let answer = server.ask(&from(origin, "POST /v1/chat/completions")).await;

        assert_eq!((answer.status(), answer.code().as_str()), (403, "origin_forbidden"), "{origin}");
        assert!(answer.message().contains("server.cors"), "{origin}");
        assert_eq!(answer.json()["error"]["type"], "permission_error", "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
    }
}

#[tokio::test]
async fn errors_can_be_read_by_a_page_that_may_ask() {
    let server = Running::paths(Cors::Loopback, Limits::default()).await;

    let answer = server.ask(&from("http://[::1]:80", "GET /nowhere")).await;

    assert_eq!(answer.status(), 404);
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://[::1]:80"));
}

#[tokio::test]
async fn a_preflight_gets_what_it_asks_for() {
    let server = Running::paths(Cors::Loopback, Limits::default()).await;

    let answer = server
        .ask(
            "OPTIONS /v1/chat/completions HTTP/1.1\r\nhost: x\r\norigin: http://localhost\r\n\
             access-control-request-method: POST\r\naccess-control-request-headers: authorization,x-backstop-progress\r\n\
             access-control-request-private-network: true\r\n\r\n",
        )
        .await;

    assert_eq!(answer.status(), 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("get, head, post, options"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("authorization,x-backstop-progress"));
    assert_eq!(answer.header("access-control-allow-private-network"), Some("true"));
    assert!(answer.header("x-request-id").is_some());
}

#[tokio::test]
async fn a_preflight_for_a_foreign_page_is_refused() {
    let server = Running::paths(Cors::Origins(Vec::new()), Limits::default()).await;

    let answer = server
        .ask(
            "OPTIONS /v1/models HTTP/1.1\r\nhost: x\r\norigin: http://localhost\r\naccess-control-request-method: GET\r\n\r\n",
        )
        .await;

    assert_eq!(answer.status(), 403);
}

#[tokio::test]
async fn with_any_every_page_may_ask() {
    let server = Running::paths(Cors::Any, Limits::default()).await;

    let answer = server.ask(&from("null", "GET /v1/models")).await;

    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn who_is_no_page_is_not_bothered() {
    let server = Running::paths(Cors::Origins(Vec::new()), Limits::default()).await;

    let answer = server.ask("GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").await;

    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("vary"), None);
}
