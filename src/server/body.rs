//! Reads the body of a request, once, to its cap.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use bytesize::ByteSize;
use tokio::time::Instant;

use super::error::ApiError;
use super::http1::incoming::Incoming;
use crate::relay::{Outcome, Signal};
use crate::retry::Words;
use crate::timers;

/// What a client only announces is worth this much memory; the rest comes as it sends it.
const AHEAD: usize = 1024 * 1024;

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
    pub draining: &'a Signal,
}

/// What a body is read out of.
pub(super) trait Source {
    /// How many bytes are still to come, if it was said.
    fn announced(&self) -> u64;

    /// All of it if it is there already, without a copy.
    fn take_whole(&mut self) -> Option<Bytes>;

    /// Adds what has come to `whole`: how many bytes, none at the end; or why there will be no end.
    fn poll_more(&mut self, whole: &mut BytesMut, cx: &mut Context<'_>) -> Poll<Result<usize, String>>;
}

impl Source for Incoming {
    fn announced(&self) -> u64 {
        Self::announced(self)
    }

    fn take_whole(&mut self) -> Option<Bytes> {
        Self::take_whole(self)
    }

    fn poll_more(&mut self, whole: &mut BytesMut, cx: &mut Context<'_>) -> Poll<Result<usize, String>> {
        Self::poll_more(self, whole, AHEAD, cx).map_err(|bad| bad.to_string())
    }
}

impl Reader<'_> {
    /// The whole of `body`.
    pub async fn read(&self, mut body: impl Source) -> Result<Bytes, ApiError> {
        if body.announced() > self.cap as u64 {
            return Err(self.too_large());
        }
        // Mostly it is there, and nothing needs a clock.
        match body.take_whole() {
            Some(whole) => Ok(whole),
            None => Box::pin(self.collect(body)).await,
        }
    }

    async fn collect(&self, mut body: impl Source) -> Result<Bytes, ApiError> {
        let mut whole = BytesMut::new();
        let mut began = None;
        loop {
            let more = poll_fn(|cx| Poll::Ready(body.poll_more(&mut whole, cx))).await;
            let more = match more {
                Poll::Ready(more) => more,
                Poll::Pending => self.wait(&mut body, &mut whole, &mut began).await?,
            };
            match more {
                Ok(0) => return Ok(whole.freeze()),
                Ok(_) if whole.len() > self.cap => return Err(self.too_large()),
                Ok(_) => {}
                Err(bad) => {
                    let message = format!("the body of the request could not be read: {bad}");
                    return Err(ApiError::new(Outcome::InvalidRequest, message));
                }
            }
        }
    }

    /// Waits for more. The body was first waited for when it `began`.
    async fn wait(
        &self,
        body: &mut impl Source,
        whole: &mut BytesMut,
        began: &mut Option<Instant>,
    ) -> Result<Result<usize, String>, ApiError> {
        let now = Instant::now();
        let began = *began.get_or_insert(now);
        let received = whole.len();
        let silent = now + self.pause;
        let slow = began + self.pause + Duration::from_millis(received as u64 * 1000 / SLOWEST);
        let more = pin!(poll_fn(|cx| body.poll_more(whole, cx)));
        let late = tokio::select! {
            biased;
            more = timers::within(more, || silent.min(slow)) => more,
            () = self.draining.given() => return Err(ApiError::shutting_down()),
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
    use std::pin::Pin;

    use proptest::prelude::*;
    use tokio::time::{Sleep, sleep};

    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    /// A body in pieces of unknown number, which may never end.
    struct Pieces(VecDeque<Bytes>, bool);

    impl Source for Pieces {
        fn announced(&self) -> u64 {
            0
        }

        fn take_whole(&mut self) -> Option<Bytes> {
            None
        }

        fn poll_more(&mut self, whole: &mut BytesMut, _: &mut Context<'_>) -> Poll<Result<usize, String>> {
            match self.0.pop_front() {
                Some(piece) => {
                    whole.extend_from_slice(&piece);
                    Poll::Ready(Ok(piece.len()))
                }
                None if self.1 => Poll::Ready(Ok(0)),
                None => Poll::Pending,
            }
        }
    }

    fn pieces(parts: &[&[u8]], ends: bool) -> Pieces {
        let parts = parts.iter().filter(|part| !part.is_empty());
        Pieces(parts.map(|part| Bytes::copy_from_slice(part)).collect(), ends)
    }

    async fn read(body: impl Source, cap: usize) -> Result<Bytes, ApiError> {
        Reader { cap, pause: PAUSE, draining: &Signal::default() }.read(body).await
    }

    async fn status(body: impl Source, cap: usize) -> u16 {
        read(body, cap).await.unwrap_err().status().as_u16()
    }

    /// A body that is announced, or there.
    struct Announced(u64, Option<&'static str>);

    impl Source for Announced {
        fn announced(&self) -> u64 {
            self.0
        }

        fn take_whole(&mut self) -> Option<Bytes> {
            self.1.map(Bytes::from)
        }

        fn poll_more(&mut self, _: &mut BytesMut, _: &mut Context<'_>) -> Poll<Result<usize, String>> {
            unreachable!("it is refused, or there")
        }
    }

    #[tokio::test]
    async fn the_cap_holds_for_what_is_announced_and_for_what_comes() {
        assert_eq!(read(Announced(5, Some("12345")), 5).await.unwrap(), "12345");
        assert_eq!(status(Announced(6, None), 5).await, 413);
        assert_eq!(status(Announced(u64::MAX, Some("")), 5).await, 413);
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

    impl Source for Paced {
        fn announced(&self) -> u64 {
            0
        }

        fn take_whole(&mut self) -> Option<Bytes> {
            None
        }

        fn poll_more(&mut self, whole: &mut BytesMut, cx: &mut Context<'_>) -> Poll<Result<usize, String>> {
            if self.left == 0 {
                return Poll::Ready(Ok(0));
            }
            std::task::ready!(self.sleep.as_mut().poll(cx));
            self.left -= 1;
            self.sleep = Box::pin(sleep(self.pause));
            whole.extend_from_slice(&vec![b' '; self.length]);
            Poll::Ready(Ok(self.length))
        }
    }

    fn paced(left: usize, length: usize, pause: Duration) -> Paced {
        Paced { left, length, pause, sleep: Box::pin(sleep(pause)) }
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
        let draining = Signal::default();
        let reader = Reader { cap: 1000, pause: PAUSE, draining: &draining };

        let (read, ()) = tokio::join!(reader.read(pieces(&[b"1"], false)), async { draining.give() });

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
