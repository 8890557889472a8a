//! One connection carries many requests, and a stale one costs nothing.

use std::io::{Read as _, Write as _};

use http_body_util::BodyExt as _;

use super::*;

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// The connection that a first request has come over, and been answered.
async fn one_answered(peer: &Peer, client: &Client) -> peer::Socket {
    let (answer, socket) = join!(ask(client), async {
        let mut socket = peer.accept().await;
        socket.answer(OK).await;
        socket
    });
    answer.expect("an answer");
    socket
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());

    let (first, mut socket) = join!(ask(&client), async {
        let mut socket = peer.accept().await;
        socket.answer(OK).await;
        socket
    });
    let (second, ()) = join!(ask(&client), socket.answer(OK));

    assert_eq!(first, second);
    assert!(first.is_ok());
    peer.expect_nobody().await;
}

#[tokio::test]
async fn a_connection_of_a_thread_that_is_gone_is_used_by_another() {
    let peer = Peer::bind().await;
    let client = Arc::new(peer::client(&peer.base_url()));

    let first = peer::ask_on_a_thread(&client);
    let mut socket = peer.accept().await;
    socket.answer(OK).await;
    let first = first.await.expect("an answer");
    let both = async { join!(ask(&client), socket.answer(OK)) };
    let (second, ()) = tokio::time::timeout(peer::SOON, both).await.expect("an answer in time");

    assert_eq!(first, second);
    assert!(first.is_ok());
    peer.expect_nobody().await;
}

#[tokio::test]
async fn a_stream_dropped_at_its_last_event_leaves_its_connection_behind() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());

    let (response, mut socket) = join!(send(&client, vec![]), async {
        let mut socket = peer.accept().await;
        socket.answer(format!("{CHUNKED}6\r\n[DONE]\r\n0\r\n\r\n")).await;
        socket
    });
    let mut body = response.expect("an answer").into_body();
    let event = body.frame().await.expect("a frame").expect("no fault").into_data().expect("data");
    drop(body);

    assert_eq!(event, "[DONE]");
    let (second, ()) = join!(ask(&client), socket.answer(OK));
    assert!(second.is_ok());
    peer.expect_nobody().await;
}

#[tokio::test]
async fn an_unread_body_that_is_all_there_leaves_its_connection_behind() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());

    let (response, mut socket) = join!(send(&client, vec![]), async {
        let mut socket = peer.accept().await;
        socket.answer("HTTP/1.1 429 Slow\r\ncontent-length: 4\r\n\r\nslow").await;
        socket
    });
    drop(response);

    let (second, ()) = join!(ask(&client), socket.answer(OK));
    assert!(second.is_ok());
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());
    let (first, ()) = join!(ask(&client), async { peer.accept().await.answer(OK).await });

    let (second, ()) = join!(ask(&client), async { peer.accept().await.answer(OK).await });

    assert!(first.is_ok());
    assert!(second.is_ok());
}

#[tokio::test]
async fn a_request_that_met_a_closing_connection_is_sent_again_once() {
    for reset in [false, true] {
        let peer = Peer::bind().await;
        let client = peer::client(&peer.base_url());
        let mut socket = one_answered(&peer, &client).await;

        let (second, seen) = join!(ask(&client), async {
            socket.request().await;
            if reset {
                socket.reset();
            } else {
                drop(socket);
            }
            let mut fresh = peer.accept().await;
            let seen = fresh.request().await;
            fresh.say(OK).await;
            seen
        });

        assert!(second.is_ok());
        assert_eq!(seen.body, b"{}");
    }
}

#[tokio::test]
async fn a_new_connection_gets_no_second_chance() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());
    let mut socket = one_answered(&peer, &client).await;

    let (second, ()) = join!(ask(&client), async {
        socket.request().await;
        drop(socket);
        peer.accept().await.request().await;
    });

    let fault = second.expect_err("a fault");
    assert_eq!((fault.class, fault.phase), (Class::Reset, Phase::FirstByte));
    assert_eq!(fault.reason, "connection closed before the response head");
    peer.expect_nobody().await;
}

#[tokio::test]
async fn a_connection_that_had_begun_to_answer_gets_no_second_chance() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());
    let mut socket = one_answered(&peer, &client).await;

    let (second, ()) = join!(ask(&client), async {
        socket.answer("HTTP/1.1 20").await;
        drop(socket);
    });

    assert_eq!(second.expect_err("a fault").reason, "connection closed inside the response head");
    peer.expect_nobody().await;
}

#[tokio::test]
async fn a_connection_the_provider_wants_closed_is_closed() {
    for head in ["HTTP/1.1 200 OK\r\nconnection: close", "HTTP/1.0 200 OK"] {
        let peer = Peer::bind().await;
        let client = peer::client(&peer.base_url());

        let (answer, socket) = join!(ask(&client), async {
            let mut socket = peer.accept().await;
            socket.answer(format!("{head}\r\ncontent-length: 2\r\n\r\nok")).await;
            socket
        });

        assert!(answer.is_ok());
        socket.expect_close().await;
    }
}

#[tokio::test]
async fn words_nobody_asked_for_end_an_idle_connection() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());
    let mut socket = one_answered(&peer, &client).await;
    socket.say("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong").await;

    let (second, ()) = join!(ask(&client), async { peer.accept().await.answer(OK).await });

    assert_eq!(second, Ok((StatusCode::OK, Bytes::from("ok"))));
}

const TIMED_OUT: &str = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn a_provider_that_was_tired_of_waiting_costs_nothing() {
    for met_on_the_way in [false, true] {
        let peer = Peer::bind().await;
        let client = peer::client(&peer.base_url());
        let mut socket = one_answered(&peer, &client).await;
        if !met_on_the_way {
            socket.say(TIMED_OUT).await;
        }

        let (second, ()) = join!(ask(&client), async {
            if met_on_the_way {
                socket.answer(TIMED_OUT).await;
            }
            drop(socket);
            peer.accept().await.answer(OK).await;
        });

        assert_eq!(second, Ok((StatusCode::OK, Bytes::from("ok"))), "{met_on_the_way}");
    }
}

#[tokio::test]
async fn a_408_on_a_new_connection_is_the_answer() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());

    let (answer, ()) = join!(ask(&client), async { peer.accept().await.answer(TIMED_OUT).await });

    assert_eq!(answer, Ok((StatusCode::REQUEST_TIMEOUT, Bytes::new())));
    peer.expect_nobody().await;
}

#[tokio::test]
async fn a_connection_that_is_old_is_closed_instead_of_kept() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());
    let (response, first) = join!(send(&client, vec![]), async {
        let mut socket = peer.accept().await;
        socket.answer(OK).await;
        socket
    });
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(5)).await;
    tokio::time::resume();

    let body = response.expect("an answer").into_body().collect().await.expect("a body");

    assert_eq!(body.to_bytes(), "ok");
    assert_eq!(client.targets[0].idle.count(), 0);
    first.expect_close().await;
}

#[tokio::test]
async fn a_connection_that_waited_too_long_is_closed() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());
    let (_, first) = join!(ask(&client), async {
        let mut socket = peer.accept().await;
        socket.answer(OK).await;
        socket
    });
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(30)).await;
    tokio::time::resume();

    let (second, ()) = join!(ask(&client), async { peer.accept().await.answer(OK).await });

    assert!(second.is_ok());
    first.expect_close().await;
}

/// Each thread has a runtime of its own, and the first keeps running, as the threads of a server do.
#[tokio::test]
async fn a_thread_without_connections_borrows_that_of_another() {
    let peer = Peer::bind().await;
    let client = Arc::new(peer::client(&peer.base_url()));
    let (done, wait) = tokio::sync::oneshot::channel::<()>();
    let (opened, mut has_opened) = tokio::sync::mpsc::unbounded_channel();
    let on_thread = |work: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(work);
        })
    };
    let owner = Arc::clone(&client);
    let first = on_thread(Box::pin(async move {
        opened.send(ask(&owner).await).expect("a listener");
        wait.await.expect("a word");
        opened.send(ask(&owner).await).expect("a listener");
    }));
    let mut socket = peer.accept().await;
    socket.answer(OK).await;
    assert!(has_opened.recv().await.expect("an answer").is_ok());

    let borrower = Arc::clone(&client);
    let second = on_thread(Box::pin(async move {
        assert!(ask(&borrower).await.is_ok());
    }));
    socket.answer(OK).await;
    tokio::task::spawn_blocking(|| second.join().expect("an answer")).await.expect("no panic");
    done.send(()).expect("a listener");
    socket.answer(OK).await;

    assert!(has_opened.recv().await.expect("an answer").is_ok());
    tokio::task::spawn_blocking(|| first.join().expect("no panic")).await.expect("no panic");
    peer.expect_nobody().await;
    assert_eq!(client.targets[0].idle.count(), 1);
}

/// Answers two requests on one connection, each event once the one before it has been read.
fn pedantic_provider(listener: &std::net::TcpListener, read: &std::sync::mpsc::Receiver<()>) {
    let (mut socket, _) = listener.accept().expect("a connection");
    socket.set_nodelay(true).expect("an option");
    for _ in 0..2 {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"{}") {
            let mut buffer = [0; 1024];
            let length = socket.read(&mut buffer).expect("a request");
            assert_ne!(length, 0, "closed before the end of a request");
            bytes.extend_from_slice(&buffer[..length]);
        }
        socket.write_all(CHUNKED.as_bytes()).expect("a reader");
        for part in ["1\r\na", "\r\n", "1\r\nb\r\n", "1\r\nc\r\n"] {
            socket.write_all(part.as_bytes()).expect("a reader");
            if part.len() > 2 {
                read.recv().expect("a reader");
            }
        }
        socket.write_all(b"0\r\n\r\n").expect("a reader");
    }
}

#[tokio::test]
async fn nothing_but_the_socket_wakes_a_reader() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let client = peer::client(&format!("http://{}/v1", listener.local_addr().expect("an address")));
    let (has_read, read) = std::sync::mpsc::channel();
    let provider = std::thread::spawn(move || pedantic_provider(&listener, &read));

    for _ in 0..2 {
        let sent = send(&client, vec![Bytes::from_static(b"{}")]);
        let response = tokio::time::timeout(peer::SOON, sent).await.expect("a head").expect("an answer");
        let mut body = response.into_body();
        let mut events = Vec::new();
        while let Some(frame) = tokio::time::timeout(peer::SOON, body.frame()).await.expect("a frame") {
            events.extend_from_slice(&frame.expect("no fault").into_data().expect("data"));
            has_read.send(()).expect("a provider");
        }
        assert_eq!(events, b"abc");
    }
    provider.join().expect("a provider that got what it wanted");
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed() {
    let peer = Peer::bind().await;
    let client = peer::client(&peer.base_url());
    let (answer, socket) = join!(ask(&client), async {
        let mut socket = peer.accept().await;
        socket.answer(OK).await;
        socket
    });
    assert!(answer.is_ok());

    client.tidy();
    assert_eq!(client.targets[0].idle.count(), 1, "it is not old yet");
    client.targets[0].idle.tidy(Duration::ZERO);

    socket.expect_close().await;
}
