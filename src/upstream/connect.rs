//! From an address to a connection: name look-up, TCP, proxy, TLS, all within one limit.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderValue, Uri};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::Instant;

use super::connection::Connection;
use super::tls::Tls;
use super::tunnel::{self, Via};
use super::wire::Stream;
use crate::config::{Connections, Provider};
use crate::retry::patience::late;
use crate::retry::{Class, Fault, Phase};

/// How long an address may be silent before the next one is tried beside it (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// How long the addresses of a name are taken for known. To ask for them takes a thread of its own each time, so
/// that a storm of new connections, as retries make one, would be a storm of threads.
const KNOWN: Duration = Duration::from_secs(2);

/// What systems say where no file is left for a socket: `ENFILE` and `EMFILE`, the same numbers on all of them.
const NO_FILE: [i32; 2] = [23, 24];

const MORE_FILES: &str = "allow Backstop more open files: a stream takes two";

/// Where a provider is asked, and how to get there.
#[derive(Debug)]
pub(super) struct Endpoint {
    at: Address,
    tls: Option<Arc<Tls>>,
    via: Option<Via>,
}

/// A host and a port.
#[derive(Debug)]
pub(super) struct Address {
    host: String,
    port: u16,
    /// What errors call it in place of host and port, if it is a proxy.
    name: Option<String>,
    known: Mutex<Option<Known>>,
}

/// Where a name led, and when that was asked.
#[derive(Debug)]
struct Known {
    addresses: Vec<SocketAddr>,
    at: Instant,
}

impl Endpoint {
    /// The endpoint of an `http` or `https` URL, or nothing if it is neither or has no host.
    pub(super) fn try_new(url: &Uri, tls: &Arc<Tls>) -> Option<Self> {
        let secure = match url.scheme()? {
            scheme if *scheme == Scheme::HTTPS => true,
            scheme if *scheme == Scheme::HTTP => false,
            _ => return None,
        };
        let host = url.host()?.trim_matches(['[', ']']);
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let at = Address::new(host, port);
        (!host.is_empty()).then(|| Self { at, tls: secure.then(|| Arc::clone(tls)), via: None })
    }

    /// That of a provider, who is trusted as `tls` says unless it has authorities of its own.
    pub(super) fn of(provider: &Provider, tls: &Arc<Tls>) -> Option<Self> {
        let Connections { proxy, authorities, .. } = &provider.connections;
        let own = authorities.as_ref().map(|authorities| Arc::new(Tls::also_trusting(authorities)));
        let endpoint = Self::try_new(&provider.base_url, own.as_ref().unwrap_or(tls))?;
        Some(Self { via: proxy.as_ref().map(Via::new), ..endpoint })
    }

    /// The proxy that requests are handed to, instead of going through it.
    pub(super) fn forwarder(&self) -> Option<&Via> {
        self.via.as_ref().filter(|_| self.tls.is_none())
    }

    /// What a request for `path` at `host` names in its first line: all of the URL where a proxy has to
    /// find the way.
    pub(super) fn target(&self, host: &HeaderValue, path: Uri) -> Option<Uri> {
        if self.forwarder().is_none() {
            return Some(path);
        }
        let mut parts = path.into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(host.as_bytes().try_into().ok()?);
        Uri::from_parts(parts).ok()
    }

    /// A new connection, or a fault in phase `Connect` that says what stood in the way.
    pub(super) async fn connect(&self, limit: Duration) -> Result<Connection, Fault> {
        within(limit, async {
            let nearest = self.via.as_ref().map_or(&self.at, |via| &via.at);
            let socket = nearest.dial().await?;
            let socket = match (&self.via, &self.tls) {
                // In a box: few need it, and the others need not have room for it.
                (Some(via), Some(_)) => Box::pin(via.tunnel(socket, &self.at)).await?,
                _ => socket,
            };
            let stream = match &self.tls {
                Some(tls) => Stream::Tls(Box::new(tls.handshake(&self.at.host, socket).await?)),
                None => Stream::Plain(socket),
            };
            Ok(Connection::open(stream))
        })
        .await
    }
}

impl Address {
    /// The address of a host, which is a name or an IP address without brackets.
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, name: None, known: Mutex::default() }
    }

    /// The same, with a name for it in errors.
    pub(super) fn called(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// Host and port as a URL has them.
    pub(super) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    async fn dial(&self) -> Result<TcpStream, Fault> {
        let addresses = self.addresses().await.map_err(|error| self.unresolved(&error))?;
        let socket = first_to_connect(addresses).await.map_err(|error| {
            // They may be others by now.
            *self.known() = None;
            self.unreachable(&error)
        })?;
        socket.set_nodelay(true).map_err(|error| self.unreachable(&error))?;
        Ok(socket)
    }

    async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        if let Some(Known { addresses, at }) = &*self.known()
            && at.elapsed() < KNOWN
        {
            return Ok(addresses.clone());
        }
        let addresses: Vec<_> = lookup_host((&*self.host, self.port)).await?.collect();
        *self.known() = Some(Known { addresses: addresses.clone(), at: Instant::now() });
        Ok(addresses)
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unresolved(&self, error: &io::Error) -> Fault {
        let text = error.to_string();
        let who = self.name.clone().unwrap_or_else(|| format!("`{}`", self.host));
        let reason = match text.strip_prefix("failed to lookup address information: ") {
            Some(why) => format!("could not resolve {who}: {why}"),
            None => format!("could not resolve {who}"),
        };
        self.fault(reason)
    }

    fn unreachable(&self, error: &io::Error) -> Fault {
        let who = self.name.clone().unwrap_or_else(|| self.authority());
        if error.raw_os_error().is_some_and(|code| NO_FILE.contains(&code)) {
            let fault = self.fault(format!("no file is left for a connection to {who}")).advising(MORE_FILES);
            return Fault { clipped: true, ..fault };
        }
        let reason = match error.kind() {
            io::ErrorKind::ConnectionRefused => format!("connection refused by {who}"),
            io::ErrorKind::ConnectionReset => format!("connection reset by {who}"),
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                format!("no way to {who}: network unreachable")
            }
            _ => format!("could not connect to {who}: {error}"),
        };
        self.fault(reason)
    }

    fn fault(&self, reason: String) -> Fault {
        let advice = self.name.is_some().then_some(tunnel::NOT_THERE);
        Fault { advice, ..Fault::new(Class::Connect, Phase::Connect, reason) }
    }
}

/// The outcome of `connecting`, unless `limit` passes first.
pub(super) async fn within<T>(
    limit: Duration,
    connecting: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    tokio::time::timeout(limit, connecting).await.unwrap_or_else(|_| Err(late(Phase::Connect, limit)))
}

/// Tries `addresses` in turn; one that stays silent gets company, one that fails a successor.
async fn first_to_connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;
    let mut waiting = addresses.into_iter();
    let mut dialling: Vec<Attempt> = Vec::new();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        let next = waiting.next();
        let more = next.is_some();
        if let Some(address) = next {
            dialling.push(Box::pin(TcpStream::connect(address)));
        } else if dialling.is_empty() {
            return Err(failure);
        }
        let mut head_start = pin!(tokio::time::sleep(HEAD_START));
        let connected = poll_fn(|cx| {
            let mut index = 0;
            while let Some(attempt) = dialling.get_mut(index) {
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(Ok(socket)) => return Poll::Ready(Some(socket)),
                    Poll::Ready(Err(error)) => {
                        drop(dialling.swap_remove(index));
                        // A refusal says more than an address family that this machine lacks.
                        if failure.kind() != io::ErrorKind::ConnectionRefused {
                            failure = error;
                        }
                    }
                    Poll::Pending => index += 1,
                }
            }
            if dialling.is_empty() || (more && head_start.as_mut().poll(cx).is_ready()) {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await;
        if let Some(socket) = connected {
            return Ok(socket);
        }
    }
}

#[cfg(test)]
mod tests;
