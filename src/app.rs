//! Puts the parts together: the client, the relay, the paths, the listener, the signals.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::config::Runtime;
use crate::relay::resume::Prefills;
use crate::relay::{Drain, Health, Relay};
use crate::route::{Current, Route};
use crate::server::accept;
use crate::server::front::Front;
use crate::server::router::{App, Paths};
use crate::server::workers::Workers;
use crate::server::{self, Limits, Summary};
use crate::shutdown::Signals;
use crate::upstream::Upstream;
use crate::upstream::client::Client;

mod discover;
pub mod files;

/// An idle connection to a provider outstays its time by this much at most.
const BETWEEN_TIDYING: Duration = Duration::from_secs(5);

/// Why nothing was served.
#[derive(Debug, thiserror::Error)]
pub enum CouldNotStart {
    /// The address cannot be listened on.
    #[error("could not listen on `{address}`: {error}\nhint: {}", hint(error))]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// There are not as many threads as there are to be workers.
    #[error(
        "could not start the workers: {0}\nhint: lower `server.workers`, or allow more threads and open files"
    )]
    Workers(io::Error),
    /// Something else that the system denies.
    #[error("could not start: {0}")]
    Other(#[from] io::Error),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there, maybe another Backstop: stop it, or choose another port with `--listen` or `server.listen`"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need a privilege: choose a higher one with `--listen` or `server.listen`"
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this machine has the address: it may be `127.0.0.1:8420`, or `0.0.0.0:8420` for all"
        }
        _ => "the address is `--listen`, or `server.listen` in the configuration",
    }
}

/// How serving came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// After a drain.
    Drained(Summary),
    /// A second signal would not wait for the drain.
    AtOnce,
}

/// Serves `runtime` on its address until SIGTERM or SIGINT.
pub async fn serve(runtime: Arc<Runtime>) -> Result<Stopped, CouldNotStart> {
    let address = runtime.server.listen;
    // The handlers come first: whoever can connect can also rely on a drain.
    let (mut first, mut both) = (Signals::install()?, Signals::install()?);
    let listener = listen(address)?;
    let workers = Workers::start(runtime.server.workers).map_err(CouldNotStart::Workers)?;
    let client = client(&runtime)?;
    tokio::select! {
        summary = run_with(listener, runtime, client, Limits::default(), workers, async {
            first.next().await;
            tracing::info!("told to stop; once more to stop at once");
        }) => Ok(Stopped::Drained(summary?)),
        () = both.second() => {
            tracing::warn!("told twice: stopped at once");
            Ok(Stopped::AtOnce)
        }
    }
}

/// Listens on `address`; the error says what to do.
pub fn listen(address: SocketAddr) -> Result<TcpListener, CouldNotStart> {
    accept::listen(address).map_err(|error| CouldNotStart::Listen { address, error })
}

fn client(runtime: &Arc<Runtime>) -> io::Result<Client> {
    Client::new(Arc::clone(runtime)).map_err(io::Error::other)
}

/// Serves `runtime` to the clients of `listener` until `shutdown` resolves, then drains; all in the runtime that
/// it is called in.
///
/// Dropping the future drops every connection and whatever is under way at once.
pub async fn run(
    listener: TcpListener,
    runtime: Arc<Runtime>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Summary> {
    let client = client(&runtime)?;
    run_with(listener, runtime, client, Limits::default(), Workers::here(), shutdown).await
}

/// The same with another way of sending attempts, other limits for clients, and workers.
pub async fn run_with<U: Upstream>(
    listener: TcpListener,
    runtime: Arc<Runtime>,
    upstream: U,
    limits: Limits,
    workers: Workers,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Summary> {
    announce(&listener, &runtime)?;
    let drain = Drain::default();
    let relay = Arc::new(Relay {
        upstream,
        prefills: Prefills::default(),
        secrets: runtime.secrets.clone(),
        health: Arc::new(Health::new(&runtime.providers)),
        head_after: runtime.server.head_after,
        max_answer: runtime.server.max_answer,
        status: server::error::status,
        drain: drain.clone(),
    });
    let grace = runtime.server.grace;
    let cors = runtime.server.cors.clone();
    let routes = Arc::new(Current::new(&runtime.routes));
    let lists = discover::keep_fresh(Arc::clone(&runtime), Arc::clone(&routes));
    let paths = Paths::new(Arc::new(App { runtime, routes, relay: Arc::clone(&relay), limits }));
    let front = Front::new(paths, cors, drain.clone());
    let serving = async {
        let serving = pin!(server::serve(listener, workers, front, limits, &drain, grace, shutdown));
        // Dropped before what is served, so that nobody who is cut off passes for one who left.
        let _cut = drain.streams.on_drop();
        serving.await
    };
    let summary = tokio::select! {
        summary = serving => summary,
        never = tidy(&relay) => match never {},
        never = lists => match never {},
    };
    match summary {
        Summary { cut: 0, under_way } => tracing::info!(under_way, "stopped"),
        Summary { cut, under_way } => tracing::warn!(under_way, cut, "stopped with requests cut off"),
    }
    Ok(summary)
}

/// Has connections that nobody uses closed, also when no request comes that would notice them, and
/// forgets what is back to normal.
async fn tidy<U: Upstream>(relay: &Relay<U>) -> Infallible {
    loop {
        tokio::time::sleep(BETWEEN_TIDYING).await;
        relay.upstream.tidy();
        relay.health.tidy();
    }
}

/// Says what is being served, and where.
fn announce(listener: &TcpListener, runtime: &Runtime) -> io::Result<()> {
    let address = listener.local_addr()?;
    let version = env!("CARGO_PKG_VERSION");
    let providers = runtime.providers.len();
    tracing::info!(providers, "backstop {version} listens on http://{address}/v1");
    for route in runtime.routes.named() {
        tracing::info!("route {}: {}", route.name, chain(route));
    }
    for direct in runtime.routes.direct() {
        tracing::info!("direct: any model of {0}, as `{0}/…`", direct.template.provider_name);
    }
    for provider in &runtime.providers {
        if let Some(proxy) = &provider.connections.proxy {
            tracing::info!("provider {}: over the proxy {proxy}", provider.name);
        }
    }
    for offer in runtime.routes.sources().iter().filter_map(|source| source.offer.as_ref()) {
        let provider = &offer.direct.template.provider_name;
        tracing::info!("to be listed: {}", offer.filter.words(None, provider));
    }
    let offers = runtime.routes.sources().iter().any(|source| source.offer.is_some());
    if runtime.routes.named().is_empty() && runtime.routes.direct().is_empty() && !offers {
        tracing::warn!("nothing can be asked for: no route and no provider is configured");
    }
    Ok(())
}

fn chain(route: &Route) -> String {
    let names: Vec<String> = route
        .chain
        .candidates()
        .iter()
        .enumerate()
        .map(|(index, candidate)| match route.chain.live(index) {
            Some(live) => live.words(&candidate.provider_name),
            None => candidate.name(),
        })
        .collect();
    names.join(" → ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_address_is_told_with_a_way_out() {
        let error = io::Error::from(io::ErrorKind::AddrInUse);
        let address = SocketAddr::from(([127, 0, 0, 1], 8420));

        let text = CouldNotStart::Listen { address, error }.to_string();

        assert!(text.starts_with("could not listen on `127.0.0.1:8420`: "), "{text}");
        assert!(text.contains("\nhint: another program listens there"), "{text}");
    }
}
