//! A provider that misbehaves on purpose, over real sockets.
//!
//! It is written on bare TCP, for it has to do what no server library would: tear connections,
//! lie about lengths, break its chunks, fall silent in the middle of a word. A [`Script`] says how
//! each request is met, an [`Act`] is one such way, and the [`Provider`] keeps a log of what it was
//! asked. The tests, the bench and the demo all use it; it knows no other room of the crate.
//!
//! ```no_run
//! # use backstop::sim::{Act, Provider, Script};
//! # fn example() -> std::io::Result<()> {
//! let script = Script::sequence([Act::status(429).retry_after("2"), Act::hang(), Act::answer("Hello there")]);
//! let provider = Provider::start(script)?;
//! println!("ask me at {}/chat/completions", provider.base_url());
//! # Ok(())
//! # }
//! ```

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

mod act;
mod answer;
mod log;
mod perform;
mod render;
mod request;
pub mod script;
mod socket;

pub use act::{Act, Encoding, Finish, Framing};
pub use answer::{data, error, error_beside_choices};
pub use request::{Ended, Request};
pub use script::Script;

use log::Log;

/// A simulated provider that listens on loopback until it is dropped.
#[derive(Debug)]
pub struct Provider {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Owns the accept loop, which owns the connections.
    tasks: JoinSet<()>,
}

/// What the connections of a provider have in common.
#[derive(Debug)]
struct Shared {
    script: Script,
    log: Log,
}

impl Provider {
    /// Listens on a free port and meets requests as `script` says; call it inside a runtime.
    pub fn start(script: impl Into<Script>) -> io::Result<Self> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), script)
    }

    /// As [`Self::start`], at a given address: a provider that went away and comes back.
    pub fn start_at(address: SocketAddr, script: impl Into<Script>) -> io::Result<Self> {
        Self::listen(address, script.into(), Log::keeping())
    }

    /// As [`Self::start`], but requests are only counted, not kept: for load.
    pub fn start_counting(script: impl Into<Script>) -> io::Result<Self> {
        Self::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), script.into(), Log::counting())
    }

    fn listen(address: SocketAddr, script: Script, log: Log) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(4096)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { script, log });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of its API, as a configuration spells it.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Every request so far, in the order of arrival, except those for the model list.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log.requests()
    }

    /// The request that arrived as number `index`, counted from 0.
    pub fn request(&self, index: usize) -> Option<Request> {
        self.shared.log.request(index)
    }

    /// How many requests have arrived.
    pub fn count(&self) -> usize {
        self.shared.log.count()
    }

    /// How many requests the script had no act for; each was answered with 599.
    pub fn unexpected(&self) -> usize {
        self.shared.log.unexpected()
    }

    /// How many acts of the script have not been played.
    pub fn leftover(&self) -> usize {
        self.shared.script.leftover()
    }

    /// How many connections are open now.
    pub fn open_connections(&self) -> usize {
        self.shared.log.open_connections()
    }

    /// How many connections there have been.
    pub fn connections(&self) -> u64 {
        self.shared.log.connections()
    }

    /// Waits until `count` requests have arrived in all.
    pub async fn wait_for(&self, count: usize) {
        self.shared.log.wait_for(count).await;
    }

    /// Waits until request `index` is over, and says how it ended.
    pub async fn wait_ended(&self, index: usize) -> Ended {
        self.shared.log.wait_ended(index).await
    }

    /// Waits until the connection that carried request `index` is closed.
    pub async fn wait_closed(&self, index: usize) {
        self.shared.log.wait_closed(index).await;
    }

    /// Waits until at most `count` connections are open.
    pub async fn wait_connections(&self, count: usize) {
        self.shared.log.wait_connections(count).await;
    }

    /// Fails if the script met a call it did not expect, or has acts left.
    pub fn check(&self) -> Result<(), String> {
        match (self.unexpected(), self.leftover()) {
            (0, 0) => Ok(()),
            (0, left) => Err(format!("acts left to play: {left}")),
            (unexpected, _) => Err(format!("unexpected calls: {unexpected}")),
        }
    }

    /// Closes every socket before it returns; the port is free again.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(perform::serve(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// An address where every connection is refused, for as long as this lives.
#[derive(Debug)]
pub struct Refusing {
    address: SocketAddr,
    /// Bound but not listening, so that nobody else gets the port.
    _socket: TcpSocket,
}

impl Refusing {
    /// Takes a free port and listens on nothing.
    pub fn start() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Self { address: socket.local_addr()?, _socket: socket })
    }

    /// The base URL of the API that is not there.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

/// An address where connections are neither accepted nor refused, for as long as this lives.
#[derive(Debug)]
pub struct Unanswering {
    address: SocketAddr,
    _listener: TcpListener,
    /// Fills the queue of the listener, which accepts nothing.
    _queued: Vec<TcpStream>,
}

impl Unanswering {
    /// Listens with a queue that is full.
    pub async fn start() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let listener = socket.listen(0)?;
        let address = listener.local_addr()?;
        // A queue of length 0 holds one connection.
        let queued = vec![TcpStream::connect(address).await?];
        Ok(Self { address, _listener: listener, _queued: queued })
    }

    /// The base URL of the API that cannot be reached.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

#[cfg(test)]
mod tests;
