//! HTTP/1.1 itself: what goes over the wire, and what a client may do to it.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::ends::Stream;
use super::*;

/// A server that sends every body back, and the path of a request that has none.
fn echo() -> Running {
    Running::answering(Drain::default(), |request: Request| {
        let path = request.uri().path().to_owned();
        if path == "/deaf" {
            return text("heard nothing");
        }
        let is_empty = http_body::Body::is_end_stream(request.body());
        Response::new(if is_empty { Body::from(path) } else { request.into_body() })
    })
}

/// What comes back for `request` until the server closes, without the lines that differ each time.
async fn bytes(server: &Running, request: &str) -> String {
    let mut client = server.client().await;
    client.send(request).await;
    plain(&client.rest().await)
}

fn plain(answer: &str) -> String {
    let varies = |line: &&str| line.starts_with("date: ") || line.starts_with("x-request-id: ");
    answer.split_inclusive('\n').filter(|line| !varies(line)).collect()
}

#[tokio::test]
async fn answers_are_these_bytes() {
    let server = echo();
    for (request, answer) in [
        (
            "GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n/a",
        ),
        ("GET /a HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n/a"),
        (
            "GET /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n",
            "HTTP/1.0 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\n/a\
             HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n/b",
        ),
        (
            "HEAD /abc HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\n",
        ),
        (
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2;ext\r\nab\r\n1\r\nc\r\n0\r\nx: y\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ),
        (
            "GET http://elsewhere/path HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n/path",
        ),
    ] {
        assert_eq!(bytes(&server, request).await, answer, "{request:?}");
    }
}

#[tokio::test]
async fn a_stream_to_an_old_client_ends_with_its_connection() {
    let end = Signal::default();
    let stream_end = end.clone();
    let server =
        Running::answering(Drain::default(), move |_| Response::new(Body::new(Stream::until(&stream_end))));
    let mut client = server.client().await;

    client.send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
    let begun = client.until("begun").await;
    end.give();

    assert!(!begun.contains("transfer-encoding") && !begun.contains("keep-alive"), "{begun}");
    assert_eq!(client.rest().await, "done");
}

#[tokio::test]
async fn what_is_no_request_is_told_so_and_let_go() {
    let server = echo();
    for (request, status) in [
        ("NONSENSE\r\n\r\n".to_owned(), 400),
        (
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"
                .to_owned(),
            400,
        ),
        ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n".to_owned(), 501),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505),
        (format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(101)), 431),
        (format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(65_536)), 431),
    ] {
        let mut client = server.client().await;
        client.send(&request).await;
        // Nobody takes it for a second request.
        client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;

        let answer = client.answer().await;

        assert_eq!((answer.status(), answer.code().as_str()), (status, "invalid_request"), "{answer:?}");
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(answer.header("x-request-id").map(str::len), Some(16));
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn requests_may_come_all_at_once_and_in_any_pieces() {
    let server = echo();
    let requests = "GET /one HTTP/1.1\r\nhost: x\r\n\r\n\
                    POST /two HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody\
                    POST /three HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n\
                    POST /deaf HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nxyz\
                    GET /four HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    for size in (1..40).chain([requests.len()]) {
        let mut client = server.client().await;
        client.0.set_nodelay(true).unwrap();
        let (mut reading, mut writing) = client.0.split();
        let write = async {
            for piece in requests.as_bytes().chunks(size) {
                writing.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let mut all = String::new();
        let (read, ()) =
            tokio::join!(timeout(Duration::from_secs(10), reading.read_to_string(&mut all)), write);
        read.expect("an end in time").unwrap();

        let mut bodies = Vec::new();
        for answer in plain(&all).split("HTTP/1.1 200 OK\r\n").skip(1) {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            let mut payload = Vec::new();
            if head.contains("chunked") {
                let mut lines = body.split("\r\n");
                while let (Some(length @ ("1" | "2" | "3" | "4" | "5")), Some(piece)) =
                    (lines.next(), lines.next())
                {
                    assert_eq!(piece.len(), length.parse::<usize>().unwrap());
                    payload.extend_from_slice(piece.as_bytes());
                }
            } else {
                payload.extend_from_slice(body.as_bytes());
            }
            bodies.push(String::from_utf8(payload).unwrap());
        }
        assert_eq!(bodies, ["/one", "body", "abcde", "heard nothing", "/four"], "in pieces of {size}");
    }
}

#[tokio::test]
async fn a_client_that_waits_for_a_continue_gets_it_when_its_body_is_wanted() {
    let server = echo();
    let head = "POST /a HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";

    let mut patient = server.client().await;
    patient.send(head).await;
    assert_eq!(patient.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    patient.send("body").await;
    assert_eq!(patient.answer().await.body, "body");

    let mut hasty = server.client().await;
    hasty.send(&format!("{head}body")).await;
    assert_eq!(hasty.answer().await.body, "body", "it needs none any more");

    let mut refused = server.client().await;
    refused.send(&head.replace("/a", "/deaf")).await;
    let answer = refused.answer().await;
    assert_eq!((answer.status(), answer.header("connection")), (200, Some("close")));
    assert_eq!(refused.rest().await, "");
}

#[tokio::test]
async fn a_client_that_closes_its_half_has_left() {
    let gone = CancellationToken::new();
    let guard = gone.clone();
    let server = Running::answering(Drain::default(), move |_| {
        Response::new(Body::new(Stream::for_ever(guard.clone().drop_guard())))
    });
    let mut client = server.client().await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.until("begun\r\n").await;

    client.0.shutdown().await.unwrap();

    timeout(Duration::from_secs(1), gone.cancelled()).await.expect("the body to be dropped within a second");
}

#[tokio::test]
async fn an_answer_may_come_before_the_body() {
    let server = echo();
    let began = Instant::now();
    let mut client = server.client().await;

    client.send("POST /deaf HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n").await;
    let answer = client.answer().await;

    assert_eq!((answer.header("connection"), answer.body.as_str()), (Some("close"), "heard nothing"));
    client.0.write_all(&vec![b'x'; 1_000_000]).await.unwrap();
    assert_eq!(client.rest().await, "", "it is read over, not reset");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_large_body_comes_as_it_was_sent() {
    let server = echo();
    let body = (0..150_000).map(|number: u32| number.to_string()).collect::<Vec<_>>().join(" ");
    let mut client = server.client().await;
    let head =
        format!("POST /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    let request = head + &body;
    let (mut reading, mut writing) = client.0.split();

    let mut all = String::new();
    let (read, written) =
        tokio::join!(reading.read_to_string(&mut all), writing.write_all(request.as_bytes()));

    written.unwrap();
    read.unwrap();
    assert!(all.split_once("\r\n\r\n").unwrap().1 == body);
}
