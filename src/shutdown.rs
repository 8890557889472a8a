//! The end: what happens between the signal to stop and the last line of the log.
//!
//! 1. No connection is accepted any more, `/health/ready` says 503 on those that are open.
//! 2. Pauses end at once: a request that waits for its next attempt fails with `shutting_down`.
//! 3. Streams may go on for the grace, then they end with the error event.
//! 4. What is still open a little later is dropped, and counted.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

use crate::relay::Drain;

/// How long clients may take to read the end of their answers, once the grace is over.
pub const LAST_WORDS: Duration = Duration::from_secs(5);

/// Whether the drain came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every request had ended.
    All,
    /// Some had not, and will be dropped.
    Some,
}

/// Ends what is under way, step by step, until `quiet` resolves or the patience ends.
pub async fn drain(drain: &Drain, grace: Duration, quiet: impl Future<Output = ()>) -> Drained {
    let mut quiet = pin!(quiet);
    drain.pauses.give();
    if timeout(grace, &mut quiet).await.is_ok() {
        return Drained::All;
    }
    drain.streams.give();
    match timeout(LAST_WORDS, quiet).await {
        Ok(()) => Drained::All,
        Err(_) => Drained::Some,
    }
}

/// SIGTERM and SIGINT, from now on ours: the first process of a container has no default for them.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Installs the handlers; needs a running tokio.
    pub fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The next signal to stop.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl Signals {
    /// The signal after the next: who sends it does not want to wait for the drain.
    pub async fn second(&mut self) {
        self.next().await;
        self.next().await;
    }
}

#[cfg(not(unix))]
impl Signals {
    /// Nothing to install: Ctrl-C is awaited.
    pub fn install() -> io::Result<Self> {
        Ok(Self {})
    }

    /// The next Ctrl-C.
    pub async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::{Instant, sleep};

    use super::*;

    const GRACE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn with_nothing_under_way_it_ends_at_once() {
        let (began, state) = (Instant::now(), Drain::default());

        assert_eq!(drain(&state, GRACE, ready(())).await, Drained::All);

        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(state.pauses.is_given());
        assert!(!state.streams.is_given());
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_end_at_once_and_streams_after_the_grace() {
        let (began, state) = (Instant::now(), Drain::default());
        let quiet = async {
            state.pauses.given().await;
            assert_eq!(began.elapsed(), Duration::ZERO);
            state.streams.given().await;
            assert!(began.elapsed().abs_diff(GRACE) < Duration::from_millis(5));
            sleep(Duration::from_secs(1)).await;
        };

        assert_eq!(drain(&state, GRACE, quiet).await, Drained::All);

        assert!(began.elapsed() < GRACE + Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_given_up() {
        let (began, state) = (Instant::now(), Drain::default());

        assert_eq!(drain(&state, GRACE, pending()).await, Drained::Some);

        assert!(began.elapsed().abs_diff(GRACE + LAST_WORDS) < Duration::from_millis(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_within_the_grace_is_left_alone() {
        let state = Drain::default();

        assert_eq!(drain(&state, GRACE, sleep(GRACE / 2)).await, Drained::All);

        assert!(!state.streams.is_given());
    }
}
