//! Configuration: file < environment < flags, checked into a [`Runtime`] that cannot be wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Uri};
use secrecy::SecretString;

use crate::route::Routes;

pub mod secrets;

pub use secrets::Secrets;

/// Everything a running Backstop needs to know; one snapshot serves a request from end to end.
#[derive(Debug)]
pub struct Runtime {
    /// How clients are served.
    pub server: Server,
    /// The providers, in the order of their [`crate::route::ProviderId`]s.
    pub providers: Vec<Provider>,
    /// What clients can ask for.
    pub routes: Routes,
    /// Every configured secret, to be masked wherever it occurs.
    pub secrets: Secrets,
}

/// How clients are served.
#[derive(Debug, Clone)]
pub struct Server {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The largest request body, in bytes.
    pub max_body: usize,
    /// The largest answer that is not streamed, in bytes.
    pub max_answer: usize,
    /// The web pages that may ask.
    pub cors: Cors,
    /// How long open streams may go on after the signal to stop.
    pub grace: Duration,
    /// How long a stream waits before its head goes out without an answer.
    pub head_after: Duration,
}

/// The origins of web pages that may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cors {
    /// Pages served from this machine: any port of `localhost`, `127.0.0.0/8`, `[::1]`.
    Loopback,
    /// Any page at all.
    Any,
    /// Exactly these origins; an empty list means none.
    Origins(Vec<String>),
}

/// An API with a base URL and a key.
#[derive(Debug)]
pub struct Provider {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// `http` or `https`, an authority, and a path without a slash at its end.
    pub base_url: Uri,
    /// Sent as a bearer token.
    pub key: Option<SecretString>,
    /// Headers that every attempt carries; secret ones are marked sensitive.
    pub headers: HeaderMap,
}
