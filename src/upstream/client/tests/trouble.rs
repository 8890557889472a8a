//! Whatever goes wrong says so in words.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::net::TcpListener;

use super::*;

async fn fault_of(bytes: &[u8], reset: bool) -> Fault {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());
    let (answer, ()) = join!(ask(&client), async {
        let mut socket = peer.accept().await;
        socket.answer(bytes).await;
        if reset {
            socket.reset();
        }
    });
    peer.expect_nobody().await;
    answer.expect_err("a fault")
}

#[tokio::test]
async fn an_answer_that_breaks_says_how() {
    for (body, reason) in [
        ("content-length: 40\r\n\r\nnot all of it", "the answer was cut after 13 of 40 bytes"),
        ("transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", "the answer was cut before its end"),
        ("transfer-encoding: chunked\r\n\r\n3\r\nab", "the answer was cut before its end"),
        (
            "content-encoding: br\r\ncontent-length: 2\r\n\r\n\x01\x02",
            "content-encoding `br` was not asked for",
        ),
        (
            "content-encoding: gzip, ZSTD\r\ncontent-length: 2\r\n\r\n\x01\x02",
            "content-encoding `gzip, zstd` was not asked for",
        ),
        (
            "content-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}",
            "the answer's gzip data is broken: no gzip header",
        ),
    ] {
        let fault = fault_of(format!("HTTP/1.1 200 OK\r\n{body}").as_bytes(), false).await;

        assert_eq!((fault.class, fault.phase), (Class::Broken, Phase::FirstToken), "{body}");
        assert_eq!(fault.reason, reason);
    }
}

#[tokio::test]
async fn broken_chunks_are_broken() {
    let fault =
        fault_of(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", false).await;

    assert_eq!(fault.class, Class::Broken);
    assert!(fault.reason.starts_with("the answer's chunks are broken: "), "{}", fault.reason);
}

#[tokio::test]
async fn a_reset_in_the_body_is_broken() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());
    let (response, socket) = join!(send(&client, vec![]), async {
        let mut socket = peer.accept().await;
        socket.answer("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n").await;
        socket
    });
    socket.reset();

    let fault = http_body_util::BodyExt::collect(response.expect("an answer")).await.expect_err("a fault");

    assert_eq!(fault.class, Class::Broken);
    assert_eq!(fault.reason, "connection reset in the middle of the answer");
}

#[tokio::test]
async fn truncated_gzip_is_broken_although_its_length_is_right() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(b"data: {}\n\n").expect("memory");
    let mut packed = packed.finish().expect("memory");
    packed.truncate(packed.len() - 3);
    let mut bytes =
        format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", packed.len());
    let mut bytes = std::mem::take(&mut bytes).into_bytes();
    bytes.extend(packed);

    let fault = fault_of(&bytes, false).await;

    assert_eq!(fault.class, Class::Broken);
    assert_eq!(fault.reason, "the answer's gzip data ends too soon");
}

#[tokio::test]
async fn a_head_that_never_comes_says_so() {
    for (bytes, reset, class, reason) in [
        ("", false, Class::Reset, "connection closed before the response head"),
        ("", true, Class::Reset, "connection reset before the response head"),
        ("HTTP/1.1 200", false, Class::Reset, "connection closed inside the response head"),
    ] {
        let fault = fault_of(bytes.as_bytes(), reset).await;

        assert_eq!((fault.class, fault.phase), (class, Phase::FirstByte));
        assert_eq!(fault.reason, reason);
    }
    let fault = fault_of(b"SSH-2.0-OpenSSH_9.9\r\n", false).await;
    assert_eq!((fault.class, fault.phase), (Class::Broken, Phase::FirstByte));
    assert!(fault.reason.starts_with("the response head is not HTTP/1.1: "), "{}", fault.reason);
}

#[tokio::test]
async fn a_refused_connection_says_by_whom() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);

    let fault = ask(&peer::client(&format!("http://{address}"))).await.expect_err("a fault");

    assert_eq!((fault.class, fault.phase), (Class::Connect, Phase::Connect));
    assert_eq!(fault.reason, format!("connection refused by {address}"));
}

#[tokio::test]
async fn a_plain_provider_asked_for_tls_says_so() {
    let peer = Peer::bind().await;
    let client = peer::client(&format!("https://{}/v1", peer.address));

    let (answer, ()) = join!(ask(&client), async {
        peer.accept().await.say("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });

    let fault = answer.expect_err("a fault");
    assert_eq!((fault.class, fault.phase), (Class::Connect, Phase::Connect));
    assert!(fault.reason.starts_with("TLS handshake with `127.0.0.1` failed: "), "{}", fault.reason);
}
