//! The access line: one a request, whatever becomes of it.

use super::*;
use crate::support::Log;

#[tokio::test]
async fn every_request_has_one() {
    let log = Log::begin();
    let server = Running::paths(Cors::Loopback, QUICK).await;

    for (request, outcome, status) in [
        ("GET /v1/models?key=secret HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), "ok", 200),
        ("GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), "path_not_found", 404),
        ("PUT /v1/models HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), "method_not_allowed", 405),
        ("GET /v1/models HTTP/1.1\r\nhost: x\r\norigin: null\r\n\r\n".to_owned(), "origin_forbidden", 403),
        (post(&"x".repeat(1001)), "too_large", 413),
        ("GET /v1/mod".to_owned(), "request_timeout", 408),
    ] {
        let before = log.access().len();

        let answer = server.ask(&request).await;

        let lines = log.access();
        assert_eq!(lines.len(), before + 1, "{outcome}");
        let line = &lines[before];
        assert_eq!((&line["outcome"], &line["status"]), (&outcome.into(), &status.into()));
        assert_eq!(line["client"], "127.0.0.1");
        assert_eq!(line["request_id"].as_str(), answer.header("x-request-id"));
        assert!(!line["path"].as_str().unwrap().contains("secret"));
    }
}

#[tokio::test]
async fn health_checks_have_none_unless_asked_for() {
    let log = Log::begin();
    let server = Running::paths(Cors::Loopback, QUICK).await;

    server.client().await.get("/health/live").await;

    assert!(log.access().is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_before_its_body_is_in_has_one_too() {
    let log = Log::begin();
    let server = Running::paths(Cors::Loopback, Limits::default()).await;
    let mut client = server.client().await;
    client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n").await;
    client.until("100 Continue\r\n\r\n").await;

    drop(client);
    log.ended(1).await;
    let summary = server.stop().await;

    assert_eq!(summary.cut, 0);
    let lines = log.access();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["outcome"], "client_gone", "{lines:?}");
}

#[tokio::test]
async fn a_client_that_leaves_behind_a_body_however_it_came_has_one_too() {
    let log = Log::begin();
    let server = Running::with_bodies_of(100_000, Cors::Loopback, Limits::default()).await;
    let chat =
        |length: usize| format!(r#"{{"model":"fullfat","messages":[],"user":"{}"}}"#, "x".repeat(length));
    let chunked = |chat: &str| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{chat}\r\n0\r\n\r\n",
            chat.len()
        )
    };
    // With the beginning of the next one it is more than is read ahead, and less once its body is taken.
    let next = format!("GET /{}", "y".repeat(8_000));
    for (request, behind) in [
        (post(&chat(90_000)), ""),
        (chunked(&chat(1)), ""),
        (chunked(&chat(90_000)), ""),
        (post(&chat(12_000)), &next),
        (chunked(&chat(12_000)), &next),
        (chunked(&chat(20_000)), &next),
    ] {
        let before = log.access().len();
        let mut client = server.client().await;
        client.send(&(request + behind)).await;

        drop(client);
        log.ended(before + 1).await;

        assert_eq!(log.access()[before]["outcome"], "client_gone");
    }
}

#[tokio::test]
async fn a_client_that_asks_and_closes_at_once_has_one_too() {
    let log = Log::begin();
    let server = Running::paths(Cors::Loopback, Limits::default()).await;
    let body = r#"{"model":"fullfat","messages":[]}"#;
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    for _ in 0..50 {
        let mut client = server.client().await;
        client.send(&format!("{head}{body}")).await;
        drop(client);
    }

    log.ended(50).await;

    assert!(log.outcomes().iter().all(|outcome| outcome == "client_gone"), "{:?}", log.outcomes());
}
