//! Sizes and times that a client must keep to.

use std::time::Instant;

use super::*;

/// Longer than a busy machine pauses.
const PATIENT: Limits = Limits { body: Duration::from_millis(500), ..QUICK };

async fn quick() -> Running {
    Running::paths(Cors::Loopback, QUICK).await
}

#[tokio::test]
async fn a_slow_head_gets_a_408() {
    let server = quick().await;
    let mut client = server.client().await;
    let began = Instant::now();

    client.send("GET /v1/models HTTP/1.1\r\nhost: ").await;
    let answer = client.answer().await;

    assert!(began.elapsed() >= QUICK.head);
    assert_eq!((answer.status(), answer.code().as_str()), (408, "request_timeout"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-request-id").map(str::len), Some(16));
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn trickling_does_not_stretch_the_limit() {
    let server = quick().await;
    let mut client = server.client().await;
    let began = Instant::now();

    client.send("GET /v1/models HTTP/1.1\r\n").await;
    let mut answer = String::new();
    for _ in 0..100 {
        if client.0.write_all(b"x: y\r\n").await.is_err() {
            break;
        }
        if timeout(QUICK.head / 10, client.0.readable()).await.is_ok() {
            answer = client.until("\r\n\r\n").await;
            break;
        }
    }

    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(began.elapsed() < QUICK.head * 10);
}

#[tokio::test]
async fn the_second_head_has_the_same_limit() {
    let server = quick().await;
    let mut client = server.client().await;
    assert_eq!(client.get("/v1/models").await.status(), 200);

    client.send("GET /v1/mod").await;

    assert_eq!(client.answer().await.status(), 408);
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_word() {
    let server = quick().await;
    let (mut fresh, mut used) = (server.client().await, server.client().await);
    let began = Instant::now();
    assert_eq!(used.get("/v1/models").await.status(), 200);

    assert_eq!(fresh.rest().await, "");
    assert!(began.elapsed() >= QUICK.idle, "no sooner than its limit: {:?}", began.elapsed());
    assert_eq!(used.rest().await, "");
}

#[tokio::test]
async fn an_empty_line_is_no_slow_head() {
    let server = quick().await;
    let mut client = server.client().await;
    assert_eq!(client.get("/v1/models").await.status(), 200);
    let began = Instant::now();

    client.send("\r\n").await;

    assert_eq!(client.rest().await, "", "nobody has asked");
    assert!(began.elapsed() >= QUICK.idle / 2, "the limit is that of idle ones: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_slow_body_gets_a_408() {
    let server = quick().await;
    let mut client = server.client().await;

    client
        .send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"model\":")
        .await;
    let answer = client.answer().await;

    assert_eq!((answer.status(), answer.code().as_str()), (408, "request_timeout"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_body_that_trickles_gets_a_408() {
    let server = quick().await;
    let mut client = server.client().await;
    let began = Instant::now();

    client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n").await;
    while timeout(QUICK.body / 10, client.0.readable()).await.is_err() {
        assert!(began.elapsed() < QUICK.body * 10, "it may trickle for ever");
        client.send(" ").await;
    }
    let answer = client.answer().await;

    assert!(began.elapsed() >= QUICK.body);
    assert_eq!((answer.status(), answer.code().as_str()), (408, "request_timeout"));
    assert!(answer.message().contains("too slowly"), "{answer:?}");
}

#[tokio::test]
async fn a_slow_but_honest_body_may_take_longer_than_the_limit() {
    let server = Running::with_bodies_of(100_000, Cors::Loopback, PATIENT).await;
    let mut client = server.client().await;
    let began = Instant::now();
    let piece = "x".repeat(500);

    client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 15500\r\n\r\n").await;
    for _ in 0..31 {
        // Ten kilobytes a second.
        tokio::time::sleep(Duration::from_millis(50)).await;
        client.send(&piece).await;
    }

    assert!(began.elapsed() > PATIENT.body * 3);
    assert_eq!(client.answer().await.code(), "invalid_request", "it was read to its end");
}

#[tokio::test]
async fn a_fast_giant_is_read_whole() {
    let server = Running::with_bodies_of(100_000_000, Cors::Loopback, PATIENT).await;
    let mut client = server.client().await;
    let megabyte = "x".repeat(1_000_000);

    client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n").await;
    for _ in 0..100 {
        client.send(&megabyte).await;
    }

    assert_eq!(client.answer().await.code(), "invalid_request", "it was read to its end");
}

#[tokio::test]
async fn an_announced_giant_is_refused_before_it_is_sent() {
    let server = quick().await;
    let mut client = server.client().await;

    client
        .send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1001\r\n\r\n")
        .await;
    let answer = client.answer().await;

    assert_eq!((answer.status(), answer.code().as_str()), (413, "too_large"));
    assert!(
        answer.message().contains("larger than 1.0 kB\nhint: the limit is `server.max_body`"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_client_that_sends_on_still_reads_why_it_was_refused() {
    let server = quick().await;
    let mut client = server.client().await;
    let megabyte = "x".repeat(1_000_000);

    client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n").await;
    client.send(&megabyte).await;

    assert_eq!(client.answer().await.code(), "too_large");
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_chunked_giant_is_refused_on_the_way() {
    let server = quick().await;
    let mut client = server.client().await;
    let chunk = format!("200\r\n{}\r\n", "x".repeat(0x200));

    client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    client.send(&chunk).await;
    client.send(&chunk).await;

    assert_eq!(client.answer().await.code(), "too_large");
}

#[tokio::test]
async fn broken_chunks_are_the_clients_mistake() {
    let server = quick().await;
    let mut client = server.client().await;

    client
        .send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
        .await;

    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.code().as_str()), (400, "invalid_request"));
    assert_eq!(answer.header("connection"), Some("close"));
    client.send("GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(client.rest().await, "", "nobody knows where the next request begins");
}

#[tokio::test]
async fn a_short_body_that_nobody_wants_may_come_behind_its_answer() {
    let server = Running::paths(Cors::Loopback, Limits::default()).await;
    let mut client = server.client().await;

    for (path, length, status) in
        [("/nowhere", 5, 404), ("/v1/models", 30_000, 405), ("/v1/chat/completions", 1001, 413)]
    {
        client.send(&format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n")).await;
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.header("connection")), (status, None), "{path}");
        client.send(&"x".repeat(length)).await;
    }

    assert_eq!(client.get("/v1/models").await.status(), 200);
}

#[tokio::test]
async fn a_short_body_that_nobody_wants_and_that_does_not_come_is_an_idle_connection() {
    let server = quick().await;
    let mut client = server.client().await;
    let began = Instant::now();

    client.send("POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab").await;
    assert_eq!(client.answer().await.status(), 404);

    assert_eq!(client.rest().await, "");
    assert!(began.elapsed() >= QUICK.idle, "no sooner than its limit: {:?}", began.elapsed());
}

#[tokio::test]
async fn many_idle_connections_hold_up_nobody() {
    let server = Running::paths(Cors::Loopback, Limits::default()).await;
    let mut idle = Vec::new();
    // A process may open 1,024 files unless it asks for more, and both ends are ours.
    for _ in 0..400 {
        idle.push(server.client().await);
    }

    assert_eq!(server.ask("GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").await.status(), 200);

    assert_eq!(server.stop().await, Summary { under_way: 0, cut: 0 });
    for mut client in idle {
        assert_eq!(client.rest().await, "");
    }
}
