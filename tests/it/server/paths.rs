//! What answers to what.

use super::*;

async fn running() -> Running {
    Running::paths(Cors::Loopback, Limits::default()).await
}

#[tokio::test]
async fn the_model_list_names_every_route() {
    let server = running().await;
    let mut client = server.client().await;

    for path in
        ["/v1/models", "/api/v1/models", "/open-webui/v1/models", "//v1//models/", "/v1/models?page=1"]
    {
        let answer = client.get(path).await;

        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        let list = answer.json();
        assert_eq!(list["object"], "list", "{path}");
        assert_eq!(list["data"][0]["id"], "fullfat", "{path}");
        assert_eq!(list["data"][0]["name"], "Full fat", "{path}");
        assert_eq!(list["data"][1]["id"], "moonshotai/kimi-k2.5", "{path}");
    }
}

#[tokio::test]
async fn one_model_is_found_however_its_slashes_are_written() {
    let server = running().await;
    let mut client = server.client().await;

    for path in [
        "/v1/models/moonshotai/kimi-k2.5",
        "/v1/models/moonshotai%2Fkimi-k2.5",
        "/api/v1//models/moonshotai/kimi-k2.5/",
    ] {
        let answer = client.get(path).await;

        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.json()["id"], "moonshotai/kimi-k2.5", "{path}");
    }
    let unknown = client.get("/v1/models/fulfat").await;
    assert_eq!((unknown.status(), unknown.code().as_str()), (404, "model_not_found"));
    assert!(unknown.message().contains("did you mean `fullfat`?"), "{unknown:?}");
    let odd = client.get("/api/v1/models/a/%FF").await;
    assert_eq!(odd.code(), "model_not_found");
    assert!(odd.message().contains("answers to `a/%FF`"), "{odd:?}");
}

#[tokio::test]
async fn an_unknown_path_is_told_what_there_is() {
    let server = running().await;
    let mut client = server.client().await;

    for path in ["/", "/v1", "/v1/responses", "/v1/embeddings", "/favicon.ico", "/v2/chat/completions"] {
        let answer = client.get(path).await;

        assert_eq!((answer.status(), answer.code().as_str()), (404, "path_not_found"), "{path}");
        assert!(answer.message().contains("/v1/chat/completions"), "{path}");
        assert_eq!(answer.header("x-should-retry"), Some("false"), "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let server = running().await;

    for (line, allowed) in [
        ("GET /v1/chat/completions", "POST"),
        ("PUT /v1/chat/completions", "POST"),
        ("OPTIONS /v1/chat/completions", "POST"),
        ("POST /v1/models", "GET,HEAD"),
        ("DELETE /v1/models/fullfat", "GET,HEAD"),
        ("POST /health/live", "GET,HEAD"),
    ] {
        let answer = server.ask(&format!("{line} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")).await;

        assert_eq!((answer.status(), answer.code().as_str()), (405, "method_not_allowed"), "{line}");
        assert_eq!(answer.header("allow"), Some(allowed.to_ascii_lowercase().as_str()), "{line}");
    }
}

#[tokio::test]
async fn health_is_good_and_head_has_no_body() {
    let server = running().await;
    let mut client = server.client().await;

    for path in ["/health/live", "/health/ready"] {
        assert_eq!(client.get(path).await.status(), 200, "{path}");
    }
    client.send("HEAD /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let head = client.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(client.get("/health/live").await.status(), 200, "the connection is in step");
}

#[tokio::test]
async fn every_response_carries_a_request_id() {
    let server = running().await;

    let own = server.ask("GET /v1/models HTTP/1.1\r\nhost: x\r\nx-request-id: my-chat/7\r\n\r\n").await;
    let made = server.ask("GET /nowhere HTTP/1.1\r\nhost: x\r\nx-request-id: not one\r\n\r\n").await;

    assert_eq!(own.header("x-request-id"), Some("my-chat/7"));
    assert_eq!(made.header("x-request-id").unwrap().len(), 16);
}

#[tokio::test]
async fn a_chat_with_nobody_is_not_found() {
    let server = running().await;

    let answer = server.ask(&post(r#"{"model":"gpt-4o","messages":[]}"#)).await;

    assert_eq!((answer.status(), answer.code().as_str()), (404, "model_not_found"));
    assert_eq!(answer.json()["error"]["param"], "model");
    assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
}

#[tokio::test]
async fn a_head_that_is_no_http_is_refused() {
    let server = running().await;

    let answer = server.ask("NONSENSE\r\n\r\n").await;
    let long = server
        .ask(&format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(300_000)))
        .await;

    assert_eq!(answer.status(), 400);
    assert_eq!(long.status(), 431);
}

#[tokio::test]
async fn what_is_long_is_not_said_back_whole() {
    let server = running().await;
    let long = "x".repeat(30_000);
    let name = format!(r#"{{"model":"{}","messages":[]}}"#, &long[..500]);

    for request in [
        format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("PUT /v1/models/{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("GET /v1/models/{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: x\r\norigin: {long}\r\n\r\n"),
        post(&name),
    ] {
        let message = server.ask(&request).await.message();

        assert!(message.contains("xxx…`"), "{message}");
        assert!(message.len() < 500, "{message}");
    }
}

#[tokio::test]
async fn odd_targets_are_no_reason_to_fail() {
    let server = running().await;

    for line in ["OPTIONS *", "CONNECT host:443", "GET http://other/v1/models", "GET ?x", "GET /%00%ff"] {
        let answer = server.ask(&format!("{line} HTTP/1.1\r\nhost: x\r\n\r\n")).await;

        assert!(answer.status() < 500, "{line}: {answer:?}");
    }
}
