//! Every fault, before and after the first word, streamed and whole, in both orders: what the client
//! and each provider see of it.
//!
//! The chain has two candidates. The first one fails in the same way whenever it is asked; what the
//! second one would say depends on the column of the table. The faults themselves are the rows of
//! [`crate::faults`] and [`crate::ends`].

use backstop::sim::Provider;
use serde_json::Value;

use crate::support::{Call, Got, Log, Proxy, proxy, soon};

mod after;
mod before;

/// The orders in which the candidates of a route may be visited.
const ORDERS: [&str; 2] = ["depth", "breadth"];

/// One field of the table: Backstop in front of the two candidates, for one request to route `r`.
struct Field {
    name: String,
    proxy: Proxy,
    log: Log,
}

impl Field {
    async fn new(name: String, config: &str) -> Self {
        Self { name, log: Log::begin(), proxy: proxy(config).await }
    }

    fn call(stream: bool) -> Call {
        if stream { Call::stream("r") } else { Call::whole("r") }
    }

    /// The one line that is logged about the request once it has ended.
    async fn access(&self) -> Value {
        self.log.ended(1).await;
        let mut lines = self.log.access();
        assert_eq!(lines.len(), 1, "{}: {lines:?}", self.name);
        lines.remove(0)
    }

    /// Backstop stops, and lets go of every connection.
    async fn close(self, providers: &[&Provider]) {
        self.proxy.stop().await;
        for provider in providers {
            soon("close of every connection", provider.wait_connections(0)).await;
        }
    }
}
