//! Dropping an attempt closes its connection, wherever it stands.

use std::future::{Future, poll_fn};
use std::pin::pin;

use http_body_util::BodyExt as _;

use super::*;

/// Polls `future` for as long as `other` takes, then drops it.
async fn during<T>(future: impl Future, other: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut other = pin!(other);
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending(), "over before it could be dropped");
        other.as_mut().poll(cx)
    })
    .await
}

#[tokio::test]
async fn while_it_waits_for_the_head() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());

    let socket = during(send(&client, vec![Bytes::from_static(b"{}")]), async {
        let mut socket = peer.accept().await;
        socket.request().await;
        socket
    })
    .await;

    socket.expect_close().await;
    peer.expect_nobody().await;
}

#[tokio::test]
async fn while_the_request_goes_out() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());

    let socket = during(send(&client, vec![Bytes::from(vec![0; 50 << 20])]), peer.accept()).await;

    assert!(socket.drain().await.is_ok_and(|bytes| bytes < 50 << 20));
}

#[tokio::test]
async fn while_it_shakes_hands() {
    let peer = Peer::bind().await;
    let client = peer::client(&format!("https://{}/v1", peer.address));

    let socket = during(send(&client, vec![]), peer.accept()).await;

    socket.drain().await.expect("a clean close");
}

#[tokio::test]
async fn before_the_first_byte_of_the_body_and_after_it() {
    for read_first in [false, true] {
        let peer = Peer::bind().await;
        let client = peer::client(&peer.base_url());
        let (response, socket) = join!(send(&client, vec![]), async {
            let mut socket = peer.accept().await;
            socket.answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
            socket
        });
        let mut body = response.expect("an answer").into_body();
        if read_first {
            body.frame().await.expect("a frame").expect("no fault");
        }

        drop(body);

        socket.expect_close().await;
    }
}
