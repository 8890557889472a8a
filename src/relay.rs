//! Drives a schedule with an upstream: from a request to the body of its answer.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Response};
use tokio_util::sync::CancellationToken;

use crate::config::Secrets;
use crate::openai::envelope::Envelope;
use crate::route::Route;
use crate::upstream::Upstream;

pub mod body;
pub mod failure;
pub mod outcome;

pub use body::Body;
pub use failure::{Attempt, Failure};
pub use outcome::Outcome;

/// A request that is ready to be tried.
#[derive(Debug)]
pub struct Request {
    /// The value of `x-request-id`.
    pub id: Arc<str>,
    /// Who asked, for log lines.
    pub client: Arc<str>,
    /// The route the client asked for.
    pub route: Arc<Route>,
    /// The body, read and checked.
    pub envelope: Envelope,
    /// The client's headers, unfiltered.
    pub headers: HeaderMap,
}

/// Tries requests along their chains.
pub struct Relay<U> {
    /// Sends the attempts.
    pub upstream: Arc<U>,
    /// Masks secrets in whatever a provider says.
    pub secrets: Secrets,
    /// How long a stream waits before its head goes out without an answer.
    pub head_after: Duration,
    /// The largest answer that is not streamed, in bytes.
    pub max_answer: usize,
    /// The end of the process.
    pub drain: Drain,
}

/// Tells requests that the process is about to end.
#[derive(Debug, Clone, Default)]
pub struct Drain {
    /// Cancelled by the signal to stop: no wait and no retry is begun any more.
    pub pauses: CancellationToken,
    /// Cancelled when the grace is over: streams end with the error event.
    pub streams: CancellationToken,
}

impl<U: Upstream> Relay<U> {
    /// Tries `request` along its chain.
    ///
    /// The response carries the headers of an answer (`content-type`, the allowlisted ones of the
    /// provider, `x-backstop-route`, `-provider`, `-model`, `-attempts`), or those of an early head
    /// (`x-backstop-route`); `x-request-id` is the server's to add. Dropping the future or the
    /// response's body ends whatever is under way.
    pub async fn respond(&self, request: Request) -> Result<Response<Body<U>>, Failure> {
        let _ = request;
        std::future::pending().await
    }
}
