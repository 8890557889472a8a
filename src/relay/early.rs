//! A head that goes out before the answer: the body then owns the attempts, and a client that
//! leaves takes them along.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::Failure;
use super::answer::{Answer, Content};
use super::heartbeat::Heartbeat;
use crate::openai::sse;
use crate::upstream::Upstream;

/// All that is tried for a request, to its answer or its failure.
pub(super) type Attempts<U> = Pin<Box<dyn Future<Output = Result<Answer<U>, Failure>> + Send>>;

/// The attempts of a request that has no head yet.
pub(super) struct Waiting<U: Upstream> {
    attempts: Attempts<U>,
    heartbeat: Heartbeat,
}

impl<U: Upstream> Waiting<U> {
    pub(super) fn new(attempts: Attempts<U>, heartbeat: Heartbeat) -> Self {
        Self { attempts, heartbeat }
    }

    /// What comes of the attempts; or as soon as there is something to say before that, the same with an early
    /// head.
    pub(super) async fn head(mut self) -> Result<Early<U>, Result<Answer<U>, Failure>> {
        let first = std::future::poll_fn(|cx| match self.attempts.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Err(result)),
            Poll::Pending => self.heartbeat.poll_next(cx).map(Ok),
        });
        let first = Some(first.await?);
        Ok(Early { attempts: self.attempts, heartbeat: self.heartbeat, first })
    }
}

/// The attempts of a request whose head has gone out.
pub(super) struct Early<U: Upstream> {
    attempts: Attempts<U>,
    heartbeat: Heartbeat,
    /// What the head goes out with.
    first: Option<Bytes>,
}

impl<U: Upstream> Early<U> {
    /// What is to say, or what the body becomes when the attempts are over.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next<U>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Next::Say(first));
        }
        let Poll::Ready(result) = self.attempts.as_mut().poll(cx) else {
            return self.heartbeat.poll_next(cx).map(Next::Say);
        };
        let last = self.heartbeat.close(true).unwrap_or_default();
        Poll::Ready(match result {
            Ok(answer) => Next::Become(last, answer.content),
            Err(failure) => Next::Become(last, Content::over(in_band(&failure))),
        })
    }
}

pub(super) enum Next<U: Upstream> {
    Say(Bytes),
    /// The last that is said, which may be nothing, and what follows it.
    Become(Bytes, Content<U>),
}

/// The failure as the last events of a stream.
fn in_band(failure: &Failure) -> Bytes {
    let event = sse::data_event(&failure.error_object().to_json());
    [&event[..], sse::DONE].concat().into()
}
