//! One attempt: a request goes to a provider, a response comes back.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
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
#[derive(Debug, Default)]
pub struct Connected(Mutex<Option<Instant>>);

impl Connected {
    /// It has one now.
    pub fn mark(&self) {
        self.set(Some(Instant::now()));
    }

    /// It has none any more, and looks for another.
    pub fn lose(&self) {
        self.set(None);
    }

    /// When it had one, if it has.
    pub fn at(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, at: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
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
