//! Sockets, paths, status codes: what stands between clients and the relay.
//!
//! The accept loop is our own because each way of keeping a socket open for nothing needs a limit:
//! a slow head gets a 408, so does a slow body, an idle connection is closed without a word, and so
//! is that of a client which no longer reads its answer. Each connection is one task on one of the
//! [`workers`], owned by the loop; nothing on the way of a request spawns another.
//!
//! In a drain the listener is closed first, once those that waited are accepted, so whoever connects
//! is refused and another process can take the address. Connections that are open stay until the last answer is out, so that a
//! health check over one of them hears `503` from `/health/ready` in the meantime.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::relay::{Drain, Signal};
use crate::shutdown;

pub mod accept;
pub mod error;
pub mod front;
pub mod router;
pub mod workers;

mod access;
mod active;
mod body;
mod chat;
mod choice;
mod connection;
mod guard;
mod http1;
mod models;
mod origin;
mod profile;
mod request_id;
mod sending;
mod user;

use accept::Acceptor;
use active::Active;
use front::{Front, Service};
use workers::Workers;

/// How long clients may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte of a request to the end of its head.
    pub head: Duration,
    /// Without a request; also without reading any more of an answer.
    pub idle: Duration,
    /// Between two pieces of a request's body; also for the whole of it, beyond the time that the
    /// slowest honest link takes.
    pub body: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: Duration::from_secs(10), idle: Duration::from_secs(75), body: Duration::from_secs(30) }
    }
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Requests that were under way at the signal to stop.
    pub under_way: usize,
    /// How many of them did not come to their end.
    pub cut: usize,
}

/// Connections that have nothing left to do end within this time; it is also for clients to read the last answers.
const CLOSE: Duration = Duration::from_secs(1);

/// Serves `front` to the clients of `listener` on `workers` until `shutdown`, then drains.
///
/// Dropping the future drops every connection at once, and ends the workers.
pub async fn serve<S: Service>(
    listener: TcpListener,
    mut workers: Workers,
    front: Front<S>,
    limits: Limits,
    drain: &Drain,
    grace: Duration,
    shutdown: impl Future<Output = ()>,
) -> Summary {
    let front = Arc::new(front);
    let active = Active::default();
    let closing = Signal::default();
    let draining = drain.pauses.clone();
    let shared =
        Arc::new(connection::Shared { limits, draining, closing: closing.clone(), active: active.clone() });
    let mut connections = JoinSet::new();
    let mut acceptor = Acceptor::default();
    let mut shutdown = pin!(shutdown);
    let mut begin = |connections: &mut JoinSet<()>, (stream, peer): (TcpStream, SocketAddr)| {
        let (front, shared) = (Arc::clone(&front), Arc::clone(&shared));
        let serve = move |stream| connection::serve(stream, peer.ip(), front, shared);
        workers.spawn(connections, stream, serve);
    };
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = acceptor.next(&listener) => begin(&mut connections, accepted),
        }
    }
    for accepted in Acceptor::last(listener) {
        begin(&mut connections, accepted);
    }

    let under_way = active.count();
    if under_way > 0 {
        tracing::info!(under_way, grace = ?grace, "waiting for open requests");
    }
    let drained = shutdown::drain(drain, grace, active.none()).await;
    let cut = match drained {
        shutdown::Drained::All => 0,
        shutdown::Drained::Some => active.count(),
    };
    closing.give();
    if cut == 0 {
        let all = async { while connections.join_next().await.is_some() {} };
        // What is left after it has nothing to say, and goes with the set.
        let _ = timeout(CLOSE, all).await;
    }
    // A thread that is stuck never says that it has dropped its own.
    let _ = timeout(CLOSE, connections.shutdown()).await;
    Summary { under_way, cut }
}
