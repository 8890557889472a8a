//! What the tests of every topic share.

pub mod attempts;
pub mod client;
pub mod events;
pub mod got;
pub mod log;
pub mod peer;
pub mod program;
pub mod proxy;
pub mod settings;

pub use attempts::{Refusal, visits};
pub use client::{Answer, Call, Connection, End};
pub use got::Got;
pub use log::Log;
pub use peer::Peer;
pub use program::Program;
pub use proxy::{Proxy, proxy, proxy_over};
pub use settings::{providers, route, route_to};

use std::future::Future;
use std::time::Duration;

/// How long a test waits for what must come; far more than it takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// What `future` gives; panics with the name of `what` is missing if it does not come.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let timely = tokio::time::timeout(PATIENCE, future).await;
    timely.unwrap_or_else(|_| panic!("no {what} within {PATIENCE:?}"))
}

/// The most connections to one provider that are kept for later: 32 on each thread.
pub fn pooled() -> usize {
    32 * std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests;
