use std::convert::Infallible;
use std::future::pending;
use std::net::Ipv4Addr;
use std::sync::Mutex;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http_body::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::{interval_at, sleep};

use super::*;
use crate::config::Cors;
use crate::relay::Drain;

/// Longer than the clock's smallest step.
const NEARLY: Duration = Duration::from_millis(5);

/// For how long a client is waited for that sends so many pieces, with so long before each.
async fn outlasted(pieces: usize, pause: Duration) -> Duration {
    let began = Instant::now();
    let mut patience = Patience::default();
    let mut ticks = interval_at(began + pause, pause);
    let mut left = pieces;
    outlast(&mut patience, |cx| {
        if left == 0 {
            return Poll::Pending;
        }
        ready!(ticks.poll_tick(cx));
        left -= 1;
        Poll::Ready(true)
    })
    .await;
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn who_goes_on_sending_is_waited_for_longer_than_who_is_silent() {
    let pause = LINGER * 3 / 4;
    for (pieces, pause, time) in [
        (0, pause, LINGER),
        (1, pause, pause + LINGER),
        (5, pause, 5 * pause + LINGER),
        (5, LINGER * 2, LINGER),
        (usize::MAX, pause, LINGER_IN_ALL),
    ] {
        let outlasted = outlasted(pieces, pause).await;
        assert!(outlasted.abs_diff(time) < NEARLY, "{pieces} pieces after {pause:?}: {outlasted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_closes_is_not_waited_for() {
    let began = Instant::now();
    let mut patience = Patience::default();
    let mut more = [true, true, false].into_iter();

    outlast(&mut patience, |_| more.next().map_or(Poll::Pending, Poll::Ready)).await;

    assert_eq!((began.elapsed(), more.next()), (Duration::ZERO, None));
}

#[tokio::test(start_paused = true)]
async fn who_never_pauses_is_not_waited_for_without_end() {
    let mut patience = Patience::default();
    let mut pieces = 0;
    let flood = outlast(&mut patience, |_| {
        pieces += 1;
        // Now and then somebody else has a turn, as a socket sees to.
        if pieces % 10 == 0 { Poll::Pending } else { Poll::Ready(true) }
    });
    let mut flood = pin!(flood);

    for _ in 0..=LINGER_IN_ALL.as_secs() {
        let polled = poll_fn(|cx| Poll::Ready(flood.as_mut().poll(cx))).await;
        if polled.is_ready() {
            return;
        }
        sleep(Duration::from_secs(1)).await;
    }
    panic!("a flood has no end");
}

/// Notes how many requests are under way when it is dropped.
#[derive(Clone)]
struct Witness {
    active: Active,
    noted: Arc<Mutex<Vec<usize>>>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.noted.lock().unwrap().push(self.active.count());
    }
}

/// A body that begins and does not go on.
struct Stream {
    begun: bool,
    _witness: Witness,
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if std::mem::replace(&mut self.begun, true) {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data("begun".into()))))
    }
}

#[tokio::test]
async fn a_request_counts_until_all_that_answers_it_is_gone() {
    for path in ["/wait", "/stream"] {
        let (active, noted) = (Active::default(), Arc::default());
        let witness =
            Arc::new(Mutex::new(Some(Witness { active: active.clone(), noted: Arc::clone(&noted) })));
        let asked = Arc::new(Notify::new());
        let heard = Arc::clone(&asked);
        let service = tower::service_fn(move |request: Request| {
            heard.notify_one();
            let witness = witness.lock().unwrap().take().expect("one request");
            async move {
                if request.uri().path() == "/wait" {
                    let _witness = witness;
                    return pending().await;
                }
                Ok::<_, Infallible>(Response::new(Body::new(Stream { begun: false, _witness: witness })))
            }
        });
        let front = Arc::new(Front::new(service, Cors::Loopback, Drain::default()));
        let shared = Shared {
            limits: Limits::default(),
            draining: Signal::default(),
            closing: Signal::default(),
            active: active.clone(),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();

        let leaves = async {
            client.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
            asked.notified().await;
            let mut read = Vec::new();
            while path == "/stream" && !read.ends_with(b"begun\r\n") {
                client.read_buf(&mut read).await.unwrap();
            }
            drop(client);
        };
        tokio::join!(serve(stream, peer.ip(), front, Arc::new(shared)), leaves);

        assert_eq!(*noted.lock().unwrap(), [1], "{path}");
        assert_eq!(active.count(), 0, "{path}");
    }
}
