//! One attempt: a request goes to a provider, a response comes back.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Body;
use tokio::time::Instant;

use crate::config::UserKey;
use crate::retry::Fault;
use crate::route::Candidate;

pub mod answer;
pub mod client;
mod connect;
mod connection;
pub mod decode;
pub mod discovery;
pub mod headers;
mod http1;
#[cfg(test)]
mod peer;
mod places;
mod pool;
mod tls;
mod tunnel;
mod wire;

/// Sends attempts. Dropping the future or the body ends the attempt at once.
pub trait Upstream: Send + Sync + 'static {
    /// The decoded body of an answer; its errors are `Broken` faults in phase `FirstToken`.
    type Body: Body<Data = Bytes, Error = Fault> + Send + Unpin + 'static;

    /// Sends one attempt and waits for the response head.
    ///
    /// Applies the `connect` limit only; the others belong to the relay. Any status is a response,
    /// not a fault.
    fn send(&self, call: Call<'_>) -> impl Future<Output = Result<Response<Self::Body>, Fault>> + Send;

    /// Lets go of what has been idle for too long; called every few seconds.
    fn tidy(&self) {}
}

/// The moment at which an attempt had a connection to send over.
///
/// Every attempt looks at it some five times, and locks are not for nothing.
#[derive(Debug)]
pub struct Connected {
    began: Instant,
    /// In nanoseconds since then, and one more; 0 as long as there is none.
    at: AtomicU64,
}

impl Connected {
    /// None yet, for an attempt that `began` by then.
    pub fn after(began: Instant) -> Self {
        Self { began, at: AtomicU64::new(0) }
    }

    /// When the attempt began.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// It has one `now`.
    pub fn mark(&self, now: Instant) {
        let since = now.saturating_duration_since(self.began).as_nanos();
        self.at.store(u64::try_from(since).unwrap_or(u64::MAX - 1) + 1, Ordering::Release);
    }

    /// It has none any more, and looks for another.
    pub fn lose(&self) {
        self.at.store(0, Ordering::Release);
    }

    /// When it had one, if it has.
    pub fn at(&self) -> Option<Instant> {
        let since = self.at.load(Ordering::Acquire).checked_sub(1)?;
        Some(self.began + Duration::from_nanos(since))
    }
}

impl Default for Connected {
    fn default() -> Self {
        Self::after(Instant::now())
    }
}

/// The key that an attempt carries.
#[derive(Debug, Clone, Copy)]
pub enum Credential<'a> {
    /// The provider's configured one in this place; nothing if it has none.
    Shared(usize),
    /// A user's own, in place of whatever is configured.
    Own(&'a UserKey),
}

/// What an attempt sends.
pub struct Call<'a> {
    /// To whom.
    pub candidate: &'a Candidate,
    /// The key that it carries.
    pub credential: Credential<'a>,
    /// The limit for name look-up, TCP and TLS; the candidate's own, or more after a timeout.
    pub connect: Duration,
    /// Told when there is a connection to send over.
    pub connected: &'a Connected,
    /// Whether it opens a connection, even if there is an idle one.
    pub fresh: bool,
    /// The client's headers; which of them go out is decided here.
    pub client_headers: &'a HeaderMap,
    /// The body, in slices that are sent one after the other.
    pub body: Vec<Bytes>,
    /// Whether the client asked for a stream.
    pub stream: bool,
}
