//! The whole of Backstop, in this process, from the text of a configuration.

use std::net::SocketAddr;
use std::sync::Arc;

use backstop::app;
use backstop::config::{self, Environment, Overrides, Source};
use backstop::server::Summary;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::soon;

/// A Backstop that serves until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    stop: CancellationToken,
    task: JoinSet<std::io::Result<Summary>>,
}

/// Starts Backstop on a free port with the configuration `text`.
pub async fn proxy(text: &str) -> Proxy {
    let source = Source::Text { name: "test.toml".to_owned(), text: text.to_owned() };
    let loaded = config::load(&source, &Environment::new(), &Overrides::default());
    let runtime = Arc::new(loaded.unwrap_or_else(|faults| panic!("{faults}")).runtime);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let mut task = JoinSet::new();
    task.spawn(app::run(listener, runtime, stop.clone().cancelled_owned()));
    Proxy { address, stop, task }
}

impl Proxy {
    /// Tells it to stop, as a signal does, and waits for nothing.
    pub fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// Tells it to stop and waits until it has.
    pub async fn stop(mut self) -> Summary {
        self.begin_stop();
        let ended = soon("end of the drain", self.task.join_next()).await.expect("a task");
        ended.expect("no panic").expect("no error")
    }
}
