//! Reads the body of a request, once, to its cap.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use bytesize::ByteSize;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::error::ApiError;
use crate::relay::Outcome;
use crate::retry::Words;

/// What a client only announces is worth this much memory; the rest comes as it sends it.
const AHEAD: usize = 1024 * 1024;

/// A body up to this size leaves the buffer that it was read into, which its connection can use again then: a
/// request may wait for minutes, and the buffer has 8 KB.
const SMALL: usize = 4 * 1024;

/// The slowest that a body may come in the long run, in bytes a second.
///
/// No link that people chat over is slower than a modem of the nineties, and at this rate a client
/// that trickles on purpose must spend as much to hold a connection as an honest one.
const SLOWEST: u64 = 4 * 1024;

/// Reads a body of at most `cap` bytes: with at most `pause` between two pieces, and within `pause`
/// beyond what [`SLOWEST`] takes for as much as has come. Gives up when the server shuts down.
pub(super) struct Reader<'a> {
    /// The most bytes.
    pub cap: usize,
    /// How long nothing may come.
    pub pause: Duration,
    /// No request is waited for any more.
    pub draining: &'a CancellationToken,
}

/// How a body comes.
#[derive(Debug, Default)]
struct Pace {
    /// When it was first waited for.
    began: Option<Instant>,
    /// How many bytes have come.
    received: usize,
}

type Awaited = Option<Result<Frame<Bytes>, axum::Error>>;

impl Reader<'_> {
    /// The whole of `body`.
    pub async fn read(&self, mut body: Body) -> Result<Bytes, ApiError> {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > self.cap {
            return Err(self.too_large());
        }
        let mut pace = Pace::default();
        let Some(first) = self.next(&mut body, &mut pace).await? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.next(&mut body, &mut pace).await? else {
            return Ok(if first.len() <= SMALL { Bytes::copy_from_slice(&first) } else { first });
        };
        let mut whole = BytesMut::with_capacity(announced.min(AHEAD).max(pace.received));
        whole.extend_from_slice(&first);
        drop(first);
        whole.extend_from_slice(&second);
        drop(second);
        while let Some(bytes) = self.next(&mut body, &mut pace).await? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole.freeze())
    }

    /// The next bytes, or nothing at the end.
    async fn next(&self, body: &mut Body, pace: &mut Pace) -> Result<Option<Bytes>, ApiError> {
        loop {
            // Mostly they are there already, and nothing needs a clock.
            let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut *body).poll_frame(cx))).await;
            let frame = match polled {
                Poll::Ready(frame) => frame,
                Poll::Pending => Box::pin(self.wait(body, pace)).await?,
            };
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data()
                        && !bytes.is_empty()
                    {
                        pace.received += bytes.len();
                        return if pace.received > self.cap {
                            Err(self.too_large())
                        } else {
                            Ok(Some(bytes))
                        };
                    }
                }
                Some(Err(error)) => {
                    let message = format!("the body of the request could not be read: {error}");
                    return Err(ApiError::new(Outcome::InvalidRequest, message));
                }
            }
        }
    }

    /// Waits for the next frame.
    async fn wait(&self, body: &mut Body, pace: &mut Pace) -> Result<Awaited, ApiError> {
        let now = Instant::now();
        let began = *pace.began.get_or_insert(now);
        let received = pace.received;
        let silent = now + self.pause;
        let slow = began + self.pause + Duration::from_millis(received as u64 * 1000 / SLOWEST);
        let late = tokio::select! {
            biased;
            frame = timeout_at(silent.min(slow), body.frame()) => frame,
            () = self.draining.cancelled() => return Err(ApiError::shutting_down()),
        };
        late.map_err(|_| {
            let message = if received == 0 || silent <= slow {
                format!("the body of the request stopped coming for {}", Words(self.pause))
            } else {
                let took = Words::about(began.elapsed());
                format!("the body of the request came too slowly: {received} bytes in {took}")
            };
            ApiError::new(Outcome::RequestTimeout, message)
        })
    }

    fn too_large(&self) -> ApiError {
        let message = format!(
            "the body of the request is larger than {}\nhint: the limit is `server.max_body`",
            ByteSize::b(self.cap as u64).display().si()
        );
        ApiError::new(Outcome::TooLarge, message)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::task::Context;

    use proptest::prelude::*;
    use tokio::time::{Sleep, sleep};

    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    /// A body in pieces of unknown number, which may never end.
    struct Pieces(VecDeque<Bytes>, bool);

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.pop_front() {
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
                None if self.1 => Poll::Ready(None),
                None => Poll::Pending,
            }
        }
    }

    fn pieces(parts: &[&[u8]], ends: bool) -> Body {
        Body::new(Pieces(parts.iter().map(|part| Bytes::copy_from_slice(part)).collect(), ends))
    }

    async fn read(body: Body, cap: usize) -> Result<Bytes, ApiError> {
        Reader { cap, pause: PAUSE, draining: &CancellationToken::new() }.read(body).await
    }

    async fn status(body: Body, cap: usize) -> u16 {
        read(body, cap).await.unwrap_err().status().as_u16()
    }

    #[tokio::test]
    async fn one_piece_is_not_copied_unless_it_is_small() {
        for (size, shared) in [(SMALL, false), (SMALL + 1, true)] {
            let bytes = Bytes::from(vec![b' '; size]);

            let read = read(Body::from(bytes.clone()), size).await.unwrap();

            assert_eq!(read, bytes);
            assert_eq!(read.as_ptr() == bytes.as_ptr(), shared, "{size}");
        }
    }

    #[tokio::test]
    async fn the_cap_holds_for_what_is_announced_and_for_what_comes() {
        assert_eq!(read(Body::from("12345"), 5).await.unwrap(), "12345");
        assert_eq!(status(Body::from("123456"), 5).await, 413);
        assert_eq!(read(pieces(&[b"123", b"45"], true), 5).await.unwrap(), "12345");
        assert_eq!(status(pieces(&[b"123456"], true), 5).await, 413);
        assert_eq!(status(pieces(&[b"1", b"23", b"456"], false), 5).await, 413);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_a_timeout() {
        assert_eq!(status(pieces(&[], false), 5).await, 408);
        assert_eq!(status(pieces(&[b"1"], false), 5).await, 408);
        assert_eq!(status(pieces(&[b"1", b"2"], false), 5).await, 408);
    }

    /// A body of `left` pieces of `length` bytes, one each `pause`.
    struct Paced {
        left: usize,
        length: usize,
        pause: Duration,
        sleep: Pin<Box<Sleep>>,
    }

    impl http_body::Body for Paced {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            std::task::ready!(self.sleep.as_mut().poll(cx));
            self.left -= 1;
            self.sleep = Box::pin(sleep(self.pause));
            Poll::Ready(Some(Ok(Frame::data(vec![b' '; self.length].into()))))
        }
    }

    fn paced(left: usize, length: usize, pause: Duration) -> Body {
        Body::new(Paced { left, length, pause, sleep: Box::pin(sleep(pause)) })
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_a_timeout_and_one_that_is_slow_is_not() {
        let second = Duration::from_secs(1);
        let began = Instant::now();
        let trickled = read(paced(1000, 1, 5 * second), 1000).await.unwrap_err();
        assert_eq!(trickled.status(), 408);
        assert!(trickled.to_json().contains("came too slowly"), "{}", trickled.to_json());
        assert!(began.elapsed() < PAUSE + second, "{:?}", began.elapsed());

        assert_eq!(status(paced(1000, 3000, second), 10_000_000).await, 408);
        assert_eq!(read(paced(1000, 10_000, second), 10_000_000).await.unwrap().len(), 10_000_000);
        assert_eq!(read(paced(10, 10, 2 * second), 1000).await.unwrap().len(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn much_that_came_fast_buys_no_silence() {
        let began = Instant::now();

        assert_eq!(status(pieces(&[&vec![b' '; 1_000_000]], false), 10_000_000).await, 408);

        assert!(began.elapsed() < PAUSE + Duration::from_secs(1), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_does_not_wait_for_the_rest() {
        let began = Instant::now();
        let draining = CancellationToken::new();
        let reader = Reader { cap: 1000, pause: PAUSE, draining: &draining };

        let (read, ()) = tokio::join!(reader.read(pieces(&[b"1"], false)), async { draining.cancel() });

        assert_eq!(read.unwrap_err().status(), 503);
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(reader.read(pieces(&[b"1", b"2"], true)).await.unwrap(), "12", "what is there counts");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
        #[test]
        fn however_it_is_split_it_reads_the_same(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..8),
            cap in 0_usize..100,
        ) {
            let whole = parts.concat();
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let outcome = runtime.block_on(read(pieces(&parts, true), cap));
            match outcome {
                Ok(bytes) => prop_assert!(bytes == whole && whole.len() <= cap),
                Err(error) => prop_assert!(error.status() == 413 && whole.len() > cap),
            }
        }
    }
}
