//! The whole of Backstop, in this process, from the text of a configuration.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use backstop::app;
use backstop::config::{self, Environment, Overrides, Runtime, Source};
use backstop::server::workers::Workers;
use backstop::server::{Limits, Summary};
use backstop::upstream::Upstream;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

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
    start(text, app::run).await
}

/// The same over an `upstream` of the test's own.
pub async fn proxy_over(text: &str, upstream: impl Upstream) -> Proxy {
    start(text, |listener, runtime, stop| {
        app::run_with(listener, runtime, upstream, Limits::default(), Workers::here(), stop)
    })
    .await
}

async fn start<F>(
    text: &str,
    run: impl FnOnce(TcpListener, Arc<Runtime>, WaitForCancellationFutureOwned) -> F,
) -> Proxy
where
    F: Future<Output = std::io::Result<Summary>> + Send + 'static,
{
    let source = Source::Text { name: "test.toml".to_owned(), text: text.to_owned() };
    let loaded = config::load(&source, &Environment::new(), &Overrides::default());
    let runtime = Arc::new(loaded.unwrap_or_else(|faults| panic!("{faults}")).runtime);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let mut task = JoinSet::new();
    task.spawn(run(listener, runtime, stop.clone().cancelled_owned()));
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
