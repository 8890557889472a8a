//! What a stream says while there is nothing else to say: SSE comments, which keep it open.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use super::observer::Progress;
use crate::openai::sse;

/// Proxies and clients that give up on silence do so after ten seconds or more.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(5);

/// A comment with the newest progress, every few seconds.
pub(super) struct Heartbeat {
    progress: Progress,
    timer: Pin<Box<Sleep>>,
}

impl Heartbeat {
    /// The first one is due after `first`.
    pub(super) fn new(progress: Progress, first: Duration) -> Self {
        Self { progress, timer: Box::pin(tokio::time::sleep(first)) }
    }

    /// The comment that is due.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        ready!(self.timer.as_mut().poll(cx));
        self.timer.as_mut().reset(Instant::now() + HEARTBEAT);
        Poll::Ready(sse::comment(&self.progress.text()))
    }
}
