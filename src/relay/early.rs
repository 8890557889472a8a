//! A head that goes out before the answer: the body then owns the attempts, and a client that
//! leaves takes them along.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use tokio::time::Sleep;

use super::Failure;
use super::answer::{Answer, Content};
use super::observer::Progress;
use crate::openai::sse;
use crate::retry::Fault;

/// Proxies and clients that give up on silence do so after ten seconds or more.
const HEARTBEAT: Duration = Duration::from_secs(5);

type Attempts<B> = Pin<Box<dyn Future<Output = Result<Answer<B>, Failure>> + Send>>;

/// The attempts of a request whose head has gone out.
pub(super) struct Early<B> {
    attempts: Attempts<B>,
    progress: Progress,
    heartbeat: Pin<Box<Sleep>>,
}

impl<B> Early<B>
where
    B: Body<Data = Bytes, Error = Fault> + Unpin,
{
    pub(super) fn new(
        attempts: Pin<Box<impl Future<Output = Result<Answer<B>, Failure>> + Send + 'static>>,
        progress: Progress,
    ) -> Self {
        // The first heartbeat is due at once: it is what the head goes out with.
        Self { attempts, progress, heartbeat: Box::pin(tokio::time::sleep(Duration::ZERO)) }
    }

    /// A heartbeat, or what the body becomes when the attempts are over.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next<B>> {
        if let Poll::Ready(result) = self.attempts.as_mut().poll(cx) {
            return Poll::Ready(match result {
                Ok(answer) => Next::Become(answer.content),
                Err(failure) => Next::Become(Content::over(in_band(&failure))),
            });
        }
        ready!(self.heartbeat.as_mut().poll(cx));
        let next = tokio::time::Instant::now() + HEARTBEAT;
        self.heartbeat.as_mut().reset(next);
        Poll::Ready(Next::Comment(sse::comment(&self.progress.text())))
    }
}

pub(super) enum Next<B> {
    Comment(Bytes),
    Become(Content<B>),
}

/// The failure as the last events of a stream.
fn in_band(failure: &Failure) -> Bytes {
    let event = sse::data_event(&failure.error_object().to_json());
    [&event[..], sse::DONE].concat().into()
}
