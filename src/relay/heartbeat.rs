//! What a stream says while there is no answer to give: its progress where its reader shows such, and else
//! SSE comments, which keep it open.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use super::progress::Progress;
use crate::openai::sse;

/// Proxies and clients that give up on silence do so after ten seconds or more.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(5);

/// The progress that is due; where there is none for some seconds, a comment with the newest.
pub(super) struct Heartbeat {
    progress: Progress,
    silence: Pin<Box<Sleep>>,
    due: Option<Pin<Box<Sleep>>>,
}

impl Heartbeat {
    /// The first comment is due after `first`, progress whenever there is some.
    pub(super) fn new(progress: Progress, first: Duration) -> Self {
        Self { progress, silence: Box::pin(tokio::time::sleep(first)), due: None }
    }

    /// What is due. To be polled after whatever makes progress.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        let bytes = match self.poll_progress(cx) {
            Poll::Ready(bytes) => bytes,
            Poll::Pending => {
                ready!(self.silence.as_mut().poll(cx));
                sse::comment(&self.progress.text())
            }
        };
        self.silence.as_mut().reset(Instant::now() + HEARTBEAT);
        Poll::Ready(bytes)
    }

    /// The last of the progress, if it needs one: see [`Progress::close`].
    pub(super) fn close(&self, early: bool) -> Option<Bytes> {
        self.progress.close(early)
    }

    fn poll_progress(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        let Some(due) = self.progress.due() else { return Poll::Pending };
        // A timer takes until its next tick, and by then there may be something newer.
        if due > Instant::now() {
            let timer = self.due.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(cx));
        }
        self.progress.take().map_or(Poll::Pending, Poll::Ready)
    }
}
