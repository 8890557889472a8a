use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::join;

use super::*;
use crate::config::Provider;
use crate::upstream::client::Client;
use crate::upstream::peer::{self, Peer, ask};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const REFUSED: &str = "HTTP/1.1 407 Proxy Authentication Required\r\n\
    proxy-authenticate: Basic realm=\"x\"\r\ncontent-length: 0\r\n\r\n";

/// A provider at `base_url`, which is reached past `proxy`.
fn past(proxy: &Peer, base_url: &str) -> Provider {
    let url = format!("http://me:open%20sesame@{}", proxy.address);
    let mut provider = peer::provider(base_url);
    provider.connections.proxy = Some(Proxy::parse(&url).expect("a proxy").proxy);
    provider
}

fn client(provider: Provider) -> Client {
    Client::new(Arc::new(peer::runtime(provider))).expect("a usable provider")
}

#[tokio::test]
async fn a_request_is_handed_to_the_proxy_whole() {
    let proxy = Peer::bind().await;
    let client = client(past(&proxy, "http://provider.example:8080/v1"));

    let (answers, heads) = join!(async { [ask(&client).await, ask(&client).await] }, async {
        let mut socket = proxy.accept().await;
        let mut heads = Vec::new();
        for _ in 0..2 {
            heads.push(socket.request().await.head);
            socket.say(OK).await;
        }
        heads
    });

    assert_eq!(answers, [Ok((StatusCode::OK, Bytes::from("ok"))), Ok((StatusCode::OK, Bytes::from("ok")))]);
    for head in heads {
        let first = "POST http://provider.example:8080/v1/chat/completions HTTP/1.1\r\n";
        assert!(head.starts_with(first), "{head}");
        assert!(head.contains("\r\nhost: provider.example:8080\r\n"), "{head}");
        assert!(head.contains("\r\nproxy-authorization: Basic bWU6b3BlbiBzZXNhbWU=\r\n"), "{head}");
    }
    proxy.expect_nobody().await;
}

#[tokio::test]
async fn a_proxy_that_refuses_a_request_is_named() {
    let proxy = Peer::bind().await;
    let client = client(past(&proxy, "http://provider.example/v1"));

    let (answer, ()) = join!(ask(&client), async { proxy.accept().await.answer(REFUSED).await });

    let fault = answer.expect_err("a fault");
    assert_eq!((fault.class, fault.phase), (Class::Connect, Phase::Connect));
    assert_eq!(fault.advice, Some(UNKNOWN));
    let reason = "refused the request: 407 Proxy Authentication Required";
    assert_eq!(fault.reason, format!("the proxy http://{} {reason}", proxy.address));
}

#[tokio::test]
async fn a_proxy_that_refuses_a_tunnel_says_why() {
    for (bytes, reason, advice) in [
        (REFUSED, "refused to connect to provider.example:443: 407 Proxy Authentication Required", UNKNOWN),
        (
            "HTTP/1.1 503 No way\r\ncontent-length: 4\r\n\r\nlong",
            "refused to connect to provider.example:443: 503 Service Unavailable",
            REFUSES,
        ),
        ("HTTP/1.1 599 ?\r\n\r\n", "refused to connect to provider.example:443: 599", REFUSES),
        ("SSH-2.0-OpenSSH_9.9\r\n", "does not speak HTTP/1.1", NOT_THERE),
        (
            "HTTP/1.1 200 OK\r\n\r\nhello",
            "sends something of its own instead of provider.example:443",
            NOT_THERE,
        ),
        ("HTTP/1.1 200", "closed the connection before it answered", NOT_THERE),
        ("", "closed the connection before it answered", NOT_THERE),
    ] {
        let proxy = Peer::bind().await;
        let client = client(past(&proxy, "https://provider.example/v1"));

        let (answer, head) = join!(ask(&client), async {
            let mut socket = proxy.accept().await;
            let head = socket.request().await.head;
            socket.say(bytes).await;
            head
        });

        let agent = concat!("backstop/", env!("CARGO_PKG_VERSION"));
        let expected = format!(
            "CONNECT provider.example:443 HTTP/1.1\r\nhost: provider.example:443\r\nuser-agent: {agent}\r\n\
             proxy-authorization: Basic bWU6b3BlbiBzZXNhbWU=\r\n\r\n"
        );
        assert_eq!(head, expected);
        let fault = answer.expect_err("a fault");
        assert_eq!((fault.class, fault.phase), (Class::Connect, Phase::Connect));
        assert_eq!(fault.reason, format!("the proxy http://{} {reason}", proxy.address));
        assert_eq!(fault.advice, Some(advice), "{reason}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    for base_url in ["http://provider.example/v1", "https://provider.example/v1"] {
        let proxy = Peer::bind().await;
        let client = client(past(&proxy, base_url));
        let address = proxy.address;
        drop(proxy);

        let fault = ask(&client).await.expect_err("a fault");

        assert_eq!((fault.class, fault.phase), (Class::Connect, Phase::Connect));
        assert_eq!(fault.reason, format!("connection refused by the proxy http://{address}"));
        assert_eq!(fault.advice, Some(NOT_THERE));
    }
}

#[tokio::test]
async fn a_proxy_that_is_slow_has_the_time_of_a_connection() {
    let proxy = Peer::bind().await;
    let client = client(past(&proxy, "https://provider.example/v1"));

    let (answer, _socket) =
        join!(peer::send_within(&client, vec![], Duration::from_millis(50)), proxy.accept());

    let fault = answer.expect_err("a fault");
    assert_eq!((fault.class, fault.phase), (Class::Timeout, Phase::Connect));
    assert_eq!(fault.reason, "no connection within 50ms (connect)");
}
