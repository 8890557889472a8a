//! A head that goes out before the answer: the body then owns the attempts, and a client that
//! leaves takes them along.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

use super::Failure;
use super::answer::{Answer, Content};
use super::heartbeat::Heartbeat;
use super::observer::Progress;
use crate::openai::sse;
use crate::upstream::Upstream;

type Attempts<U> = Pin<Box<dyn Future<Output = Result<Answer<U>, Failure>> + Send>>;

/// The attempts of a request whose head has gone out.
pub(super) struct Early<U: Upstream> {
    attempts: Attempts<U>,
    heartbeat: Heartbeat,
}

impl<U: Upstream> Early<U> {
    pub(super) fn new(
        attempts: Pin<Box<impl Future<Output = Result<Answer<U>, Failure>> + Send + 'static>>,
        progress: Progress,
    ) -> Self {
        // The first heartbeat is due at once: it is what the head goes out with.
        Self { attempts, heartbeat: Heartbeat::new(progress, Duration::ZERO) }
    }

    /// A heartbeat, or what the body becomes when the attempts are over.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next<U>> {
        if let Poll::Ready(result) = self.attempts.as_mut().poll(cx) {
            return Poll::Ready(match result {
                Ok(answer) => Next::Become(answer.content),
                Err(failure) => Next::Become(Content::over(in_band(&failure))),
            });
        }
        self.heartbeat.poll_next(cx).map(Next::Comment)
    }
}

pub(super) enum Next<U: Upstream> {
    Comment(Bytes),
    Become(Content<U>),
}

/// The failure as the last events of a stream.
fn in_band(failure: &Failure) -> Bytes {
    let event = sse::data_event(&failure.error_object().to_json());
    [&event[..], sse::DONE].concat().into()
}
