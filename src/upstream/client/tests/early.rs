//! Both directions move at once: an answer is heard although its request is not out, and much of it at once.

use http_body_util::BodyExt as _;
use tokio::io::AsyncReadExt as _;

use super::*;

const LARGE: usize = 8 << 20;

#[tokio::test]
async fn a_provider_that_answers_and_closes_without_reading_is_heard() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());

    let (response, ()) = join!(send(&client, vec![Bytes::from(vec![0; LARGE])]), async {
        // What was sent and not read makes this a reset.
        peer.accept().await.say("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 5\r\n\r\nlarge").await;
    });

    let response = response.expect("an answer");
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(response.into_body().collect().await.expect("a body").to_bytes(), "large");
}

#[tokio::test]
async fn a_request_goes_on_while_its_answer_is_read() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());

    let (body, mut socket) = join!(
        async {
            let response = send(&client, vec![Bytes::from(vec![1; LARGE])]).await.expect("an answer");
            response.into_body().collect().await.expect("a body").to_bytes()
        },
        async {
            let mut socket = peer.accept().await;
            socket.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nyes\r\n").await;
            assert_eq!(socket.request().await.body.len(), LARGE);
            socket.say("3\r\nall\r\n0\r\n\r\n").await;
            socket
        }
    );

    assert_eq!(body, "yesall");
    let (second, ()) = join!(ask(&client), socket.answer(OK));
    assert!(second.is_ok(), "all of the request was out, so its connection is free");
    peer.expect_nobody().await;
}

#[tokio::test]
async fn a_connection_with_half_a_request_is_not_used_again() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());

    let (response, socket) = join!(send(&client, vec![Bytes::from(vec![1; LARGE])]), async {
        let mut socket = peer.accept().await;
        socket.say("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n").await;
        socket
    });
    drop(response.expect("an answer"));

    assert!(socket.drain().await.is_ok_and(|bytes| bytes < LARGE as u64));
    assert_eq!(client.targets[0].idle.count(), 0);
}

#[tokio::test]
async fn many_events_at_once_come_in_few_frames() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());
    let event = format!("data: {}\n\n", "x".repeat(120));
    let chunks = format!("{:x}\r\n{event}\r\n", event.len()).repeat(200);
    let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");

    let (response, ()) = join!(send(&client, vec![]), async { peer.accept().await.answer(answer).await });
    let mut body = response.expect("an answer").into_body();
    let (mut frames, mut length) = (0, 0);
    while let Some(frame) = body.frame().await {
        length += frame.expect("no fault").into_data().expect("data").len();
        frames += 1;
    }

    assert_eq!(length, 200 * event.len());
    assert!(frames < 10, "{frames} frames");
}

#[tokio::test]
async fn what_comes_behind_an_answer_ends_its_connection() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok!",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ] {
        let peer = Peer::bind().await;
        let client = peer::client(&peer.base_url());

        let (first, mut socket) = join!(ask(&client), async {
            let mut socket = peer.accept().await;
            socket.answer(answer).await;
            socket
        });

        assert_eq!(first, Ok((StatusCode::OK, Bytes::from("ok"))));
        assert_eq!(socket.stream.read(&mut [0; 8]).await.unwrap_or(0), 0, "a close");
    }
}
