//! Panics, drains, and clients that leave.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use http_body::Frame;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;

/// A stream that says "begun", then waits for `end`, then says "done".
pub(super) struct Stream {
    begun: bool,
    end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _dropped: Option<DropGuard>,
}

impl Stream {
    pub(super) fn until(end: &Signal) -> Self {
        Self { begun: false, end: Some(Box::pin(end.given_owned())), _dropped: None }
    }

    pub(super) fn for_ever(dropped: DropGuard) -> Self {
        Self { _dropped: Some(dropped), ..Self::until(&Signal::default()) }
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.begun {
            self.begun = true;
            return Poll::Ready(Some(Ok(Frame::data("begun".into()))));
        }
        match &mut self.end {
            None => Poll::Ready(None),
            Some(end) => end.as_mut().poll(cx).map(|()| {
                self.end = None;
                Some(Ok(Frame::data("done".into())))
            }),
        }
    }
}

/// A stream that begins and then panics.
struct Mine(bool);

impl http_body::Body for Mine {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        assert!(!std::mem::replace(&mut self.0, true), "a mine in the body");
        Poll::Ready(Some(Ok(Frame::data("begun".into()))))
    }
}

fn open(drain: &Drain) -> impl Fn(Request) -> Response + Clone + Send + Sync + 'static {
    let end = drain.streams.clone();
    move |request: Request| match request.uri().path() {
        "/stream" => Response::new(Body::new(Stream::until(&end))),
        "/for-ever" => Response::new(Body::new(Stream::until(&Signal::default()))),
        _ => text("ok"),
    }
}

const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const STREAM: &str = "GET /stream HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_panic_is_a_500_and_harms_no_other() {
    let server = Running::answering(Drain::default(), |request| {
        assert!(request.uri().path() != "/mine", "a mine");
        text("ok")
    });
    let mut client = server.client().await;

    let answer = client.get("/mine").await;

    assert_eq!((answer.status(), answer.code().as_str()), (500, "internal"));
    assert_eq!(answer.message(), "unexpected error");
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(client.get("/").await.body, "ok", "the same connection goes on");
}

#[tokio::test]
async fn a_panic_within_a_stream_ends_it_with_an_error_event() {
    let server = Running::answering(Drain::default(), |request| {
        let mut response = Response::new(Body::new(Mine(false)));
        if request.uri().path() == "/events" {
            let kind = http::HeaderValue::from_static("text/event-stream");
            response.headers_mut().insert("content-type", kind);
        }
        response
    });

    let mut client = server.client().await;
    client.send("GET /events HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let stream = client.until("0\r\n\r\n").await;
    assert!(stream.contains(r#""code":"internal""#), "{stream}");
    assert!(stream.contains("data: [DONE]"), "{stream}");

    let mut client = server.client().await;
    client.send(GET).await;
    let torn = client.rest().await;
    assert!(!torn.ends_with("0\r\n\r\n"), "a cut answer must not look whole: {torn}");
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn a_panic_within_an_answer_to_an_old_client_is_no_end_of_it() {
    let server = Running::answering(Drain::default(), |_| Response::new(Body::new(Mine(false))));
    let mut client = server.client().await;

    client.send("GET / HTTP/1.0\r\n\r\n").await;

    let mut read = Vec::new();
    let end = timeout(Duration::from_secs(10), client.0.read_to_end(&mut read)).await.unwrap();
    assert!(end.is_err(), "a cut answer must not look whole: {:?}", String::from_utf8_lossy(&read));
}

#[tokio::test]
async fn with_nothing_under_way_it_stops_at_once() {
    let drain = Drain::default();
    let server = Running::answering(drain.clone(), open(&drain));
    let mut kept = server.client().await;
    assert_eq!(kept.get("/").await.body, "ok");
    let address = server.address;
    let began = Instant::now();

    let summary = server.stop().await;

    assert_eq!(summary, Summary { under_way: 0, cut: 0 });
    assert!(began.elapsed() < Duration::from_millis(250), "{:?}", began.elapsed());
    assert_eq!(kept.rest().await, "");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_stream_may_end_within_the_grace() {
    let drain = Drain::default();
    let end = Signal::default();
    let stream_end = end.clone();
    let server =
        Running::answering(drain.clone(), move |_| Response::new(Body::new(Stream::until(&stream_end))));
    let mut client = server.client().await;
    client.send(STREAM).await;
    client.until("begun\r\n").await;

    let stop = server.stop();
    let finish = async {
        drain.pauses.given().await;
        end.give();
    };
    let (summary, ()) = tokio::join!(stop, finish);

    assert_eq!(summary, Summary { under_way: 1, cut: 0 });
    assert!(client.rest().await.ends_with("done\r\n0\r\n\r\n"));
    assert!(!drain.streams.is_given());
}

#[tokio::test]
async fn a_stream_that_goes_on_is_ended_after_the_grace() {
    let drain = Drain::default();
    let server = Running::answering(drain.clone(), open(&drain));
    let mut client = server.client().await;
    client.send(STREAM).await;
    client.until("begun\r\n").await;
    let began = Instant::now();

    let summary = server.stop().await;

    assert_eq!(summary, Summary { under_way: 1, cut: 0 });
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(client.rest().await.ends_with("done\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn a_stream_that_will_not_end_is_cut_and_counted() {
    let drain = Drain::default();
    let server = Running::answering(drain.clone(), open(&drain));
    let mut client = server.client().await;
    client.send("GET /for-ever HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.until("begun\r\n").await;

    assert_eq!(server.stop().await, Summary { under_way: 1, cut: 1 });
}

#[tokio::test]
async fn ready_says_no_in_a_drain_on_connections_that_are_open() {
    let server = Running::paths(Cors::Loopback, Limits::default()).await;
    let mut busy = server.client().await;
    busy.send(&post(r#"{"model":"fullfat","messages":[]}"#)).await;
    let mut kept = server.client().await;
    assert_eq!(kept.get("/health/ready").await.status(), 200);
    let address = server.address;

    let watch = async {
        while TcpStream::connect(address).await.is_ok() {}
        let ready = kept.get("/health/ready").await;
        assert_eq!(ready.status(), 503);
        assert_eq!(ready.header("connection"), Some("close"));
        drop(busy);
    };
    let (summary, ()) = tokio::join!(server.stop(), watch);

    assert_eq!(summary, Summary { under_way: 1, cut: 0 });
}

#[tokio::test]
async fn a_body_that_is_not_in_yet_holds_nothing_up() {
    let server = Running::paths(Cors::Loopback, Limits::default()).await;
    let mut client = server.client().await;
    client
        .send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n")
        .await;
    client.until("100 Continue\r\n\r\n").await;
    let began = Instant::now();

    let reads = async move {
        let answer = client.answer().await;
        assert_eq!(client.rest().await, "");
        answer
    };
    let (summary, answer) = tokio::join!(server.stop(), reads);

    assert_eq!(summary, Summary { under_way: 1, cut: 0 });
    assert!(began.elapsed() < Duration::from_millis(250), "{:?}", began.elapsed());
    assert_eq!((answer.status(), answer.code().as_str()), (503, "shutting_down"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("x-should-retry"), None);
    assert_eq!(answer.header("connection"), Some("close"));
}

#[tokio::test]
async fn who_still_sends_in_a_drain_reads_why_it_is_over() {
    let server = Running::with_bodies_of(1_000_000, Cors::Loopback, Limits::default()).await;
    let mut client = server.client().await;
    client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 900000\r\n\r\n").await;
    client.until("100 Continue\r\n\r\n").await;

    let reads = async move {
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.code().as_str()), (503, "shutting_down"));
        client.send(&"x".repeat(900_000)).await;
        assert_eq!(client.rest().await, "");
    };
    let (summary, ()) = tokio::join!(server.stop(), reads);

    assert_eq!(summary, Summary { under_way: 1, cut: 0 });
}

#[tokio::test]
async fn who_still_sends_a_body_that_nobody_wants_is_not_reset() {
    let drain = Drain::default();
    let server = Running::answering(drain.clone(), open(&drain));
    let mut client = server.client().await;
    client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n").await;
    assert_eq!(client.answer().await.header("connection"), None);

    let sends = async move {
        assert_eq!(client.rest().await, "");
        for _ in 0..6 {
            client.send(&"x".repeat(10_000)).await;
        }
    };
    let (summary, ()) = tokio::join!(server.stop(), sends);

    assert_eq!(summary, Summary { under_way: 0, cut: 0 });
}

#[tokio::test]
async fn who_waits_to_be_accepted_when_a_drain_begins_is_answered() {
    let drain = Drain::default();
    let server = Running::answering(drain.clone(), open(&drain));
    assert_eq!(server.client().await.get("/").await.body, "ok", "it runs");
    let mut waiting = Vec::new();
    for _ in 0..3 {
        // Nothing else runs meanwhile: the kernel takes it all.
        let mut client = std::net::TcpStream::connect(server.address).unwrap();
        io::Write::write_all(&mut client, GET.as_bytes()).unwrap();
        client.set_nonblocking(true).unwrap();
        waiting.push(Client(TcpStream::from_std(client).unwrap()));
    }

    assert_eq!(server.stop().await.cut, 0);

    for mut client in waiting {
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.header("connection")), (200, Some("close")));
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_answer_along() {
    let gone = CancellationToken::new();
    let guard = gone.clone();
    let server = Running::answering(Drain::default(), move |_| {
        Response::new(Body::new(Stream::for_ever(guard.clone().drop_guard())))
    });
    let mut client = server.client().await;
    client.send(STREAM).await;
    client.until("begun\r\n").await;

    drop(client);

    timeout(Duration::from_secs(1), gone.cancelled()).await.expect("the body to be dropped within a second");
}
