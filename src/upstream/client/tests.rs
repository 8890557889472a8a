use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::join;

use super::*;
use crate::upstream::peer::{self, Peer, ask, candidate, send};
use crate::upstream::{Connected, Credential};

mod cancel;
mod early;
mod reuse;
mod trouble;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn sends_the_slices_with_their_length_and_nothing_of_the_client() {
    let peer = Peer::bind().await;
    let mut provider = peer::provider(&peer.base_url());
    provider.keys = vec![peer::key("sk-secret")];
    let client = Client::new(Arc::new(peer::runtime(provider))).expect("a usable provider");
    let candidate = candidate();
    let mut client_headers = HeaderMap::new();
    for (name, value) in [("authorization", "Bearer mine"), ("cookie", "a=b"), ("traceparent", "00-1-2-3")] {
        client_headers.insert(name, HeaderValue::from_static(value));
    }
    let call = Call {
        candidate: &candidate,
        credential: Credential::Shared(0),
        connect: peer::SOON,
        connected: &Connected::default(),
        fresh: false,
        client_headers: &client_headers,
        body: vec![
            Bytes::from_static(b"{\"model\":"),
            Bytes::from_static(b"\"m\""),
            Bytes::from_static(b"}"),
        ],
        stream: false,
    };

    let (response, seen) = join!(client.send(call), async {
        let mut socket = peer.accept().await;
        let seen = socket.request().await;
        socket.say(OK).await;
        seen
    });

    assert_eq!(response.expect("an answer").status(), StatusCode::OK);
    assert_eq!(seen.body, b"{\"model\":\"m\"}");
    let mut lines: Vec<&str> = seen.head.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.remove(0), "POST /v1/chat/completions HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: {}", peer.address);
    let agent = format!("user-agent: backstop/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        lines,
        [
            "accept-encoding: gzip",
            "accept: application/json",
            "authorization: Bearer sk-secret",
            "content-length: 13",
            "content-type: application/json",
            &host,
            "traceparent: 00-1-2-3",
            &agent,
        ]
    );
}

#[tokio::test]
async fn any_status_is_an_answer() {
    for (bytes, status, body) in [
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnope", StatusCode::NOT_FOUND, "nope"),
        (
            "HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\n\r\n2\r\noh\r\n0\r\n\r\n",
            StatusCode::INTERNAL_SERVER_ERROR,
            "oh",
        ),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            StatusCode::FOUND,
            "",
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", StatusCode::NO_CONTENT, ""),
        (
            "HTTP/1.1 529 Overloaded\r\nconnection: close\r\n\r\nbusy",
            StatusCode::from_u16(529).expect("a status"),
            "busy",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            StatusCode::SWITCHING_PROTOCOLS,
            "",
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            StatusCode::OK,
            "ok",
        ),
        ("HTTP/1.0 200 OK\r\n\r\nuntil the close", StatusCode::OK, "until the close"),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the close", StatusCode::OK, "until the close"),
    ] {
        let peer = Peer::bind().await;
        let client = peer::client(&peer.base_url());

        let (answer, ()) = join!(ask(&client), async { peer.accept().await.answer(bytes).await });

        assert_eq!(answer, Ok((status, Bytes::from(body))), "{bytes}");
        peer.expect_nobody().await;
    }
}

#[tokio::test]
async fn a_large_body_arrives_whole() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());
    let slices: Vec<Bytes> = (0..50_u8).map(|digit| Bytes::from(vec![digit; 1 << 20])).collect();

    let (response, seen) = join!(send(&client, slices), async {
        let mut socket = peer.accept().await;
        let seen = socket.request().await;
        socket.say(OK).await;
        seen
    });

    assert_eq!(response.expect("an answer").status(), StatusCode::OK);
    assert_eq!(seen.body.len(), 50 << 20);
    assert!(
        seen.body.chunks(1 << 20).zip(0..50).all(|(slice, digit)| slice.iter().all(|byte| *byte == digit))
    );
}

#[tokio::test]
async fn an_answer_may_come_before_the_request_is_out() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());
    let slices = vec![Bytes::from(vec![0; 50 << 20])];

    let (response, _socket) = join!(send(&client, slices), async {
        let mut socket = peer.accept().await;
        socket.say("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n").await;
        socket
    });

    assert_eq!(response.expect("an answer").status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[test]
fn base_urls_and_what_is_made_of_them() {
    for (base, host_value, path_value) in [
        ("https://api.openai.com/v1", "api.openai.com", "/v1/chat/completions"),
        ("http://localhost:8080", "localhost:8080", "/chat/completions"),
        ("http://me:pass@[::1]:1234/v1", "[::1]:1234", "/v1/chat/completions"),
        ("https://x.example/openai?api-version=1", "x.example", "/openai/chat/completions?api-version=1"),
    ] {
        let base: Uri = base.parse().expect("a URL");

        assert_eq!(host(&base).expect("a host"), host_value);
        assert_eq!(path(&base, "/chat/completions").expect("a path"), path_value);
    }
}

#[test]
fn an_unusable_provider_is_named() {
    let message = |provider| {
        let runtime = Arc::new(peer::runtime(provider));
        Client::new(runtime).expect_err("an unusable provider").to_string()
    };

    assert_eq!(
        message(peer::provider("ftp://x.example/v1")),
        "provider `peer`: `base_url` must be an `http` or `https` URL with a host"
    );
    let mut provider = peer::provider("http://x.example");
    provider.keys = vec![peer::key("sk-secret\n")];
    assert_eq!(message(provider), "provider `peer`: the key has characters that no header can carry");
}

#[tokio::test]
async fn the_limit_passes_with_a_handshake_that_never_ends() {
    let peer = Peer::bind().await;
    let client = peer::client(&format!("https://{}/v1", peer.address));

    let fault = peer::send_within(&client, vec![], Duration::from_millis(50)).await.expect_err("a fault");

    assert_eq!((fault.class, fault.phase), (Class::Timeout, Phase::Connect));
    assert_eq!(fault.reason, "no connection within 50ms (connect)");
    peer.accept().await;
}
