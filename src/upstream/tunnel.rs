//! The way past a proxy: to a provider over TLS by a tunnel, to others by handing it the request.

use std::future::poll_fn;
use std::io;

use http::header::{HeaderMap, PROXY_AUTHORIZATION};
use http::{HeaderValue, StatusCode};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::connect::Address;
use super::headers;
use super::http1::head::HeadReader;
use super::wire::Stream;
use crate::config::Proxy;
use crate::retry::{Class, Fault, Phase};

/// What to do where it is not there, or is something else.
pub(super) const NOT_THERE: &str = "check that the proxy is running, and its address";

const UNKNOWN: &str = "check the user and the password of the proxy";

const REFUSES: &str = "check whether the proxy lets anybody connect there";

/// A proxy on the way to a provider.
#[derive(Debug)]
pub(super) struct Via {
    /// Where it is.
    pub(super) at: Address,
    name: String,
    authorization: Option<HeaderValue>,
}

impl Via {
    /// Past `proxy`.
    pub(super) fn new(proxy: &Proxy) -> Self {
        let name = format!("the proxy {proxy}");
        Self {
            at: Address::new(proxy.host(), proxy.port()).called(&name),
            name,
            authorization: proxy.authorization().cloned(),
        }
    }

    /// Tells the proxy who asks, if it wants to know.
    pub(super) fn introduce(&self, headers: &mut HeaderMap) {
        if let Some(authorization) = &self.authorization {
            headers.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
    }

    /// The fault of an answer with this status that is the proxy's own.
    pub(super) fn refusal(&self, status: StatusCode) -> Option<Fault> {
        (status == StatusCode::PROXY_AUTHENTICATION_REQUIRED)
            .then(|| self.fault(&format!("refused the request: {}", in_words(status))).advising(UNKNOWN))
    }

    /// A tunnel over `socket` to the provider at `to`, as if that were connected to it.
    pub(super) async fn tunnel(&self, socket: TcpStream, to: &Address) -> Result<TcpStream, Fault> {
        let authority = to.authority();
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n").into_bytes();
        let agent = headers::AGENT;
        for (name, value) in
            [("user-agent", Some(&agent)), ("proxy-authorization", self.authorization.as_ref())]
        {
            if let Some(value) = value {
                request.extend_from_slice(name.as_bytes());
                request.extend_from_slice(b": ");
                request.extend_from_slice(value.as_bytes());
                request.extend_from_slice(b"\r\n");
            }
        }
        request.extend_from_slice(b"\r\n");
        let mut socket = socket;
        socket.write_all(&request).await.map_err(|error| self.lost(&error))?;
        let mut stream = Stream::Plain(socket);
        let mut heads = HeadReader::default();
        loop {
            let read = poll_fn(|cx| {
                stream.poll_read(cx, |bytes| match bytes {
                    [] => Some(Err(self.lost(&io::ErrorKind::UnexpectedEof.into()))),
                    bytes => match heads.push(bytes) {
                        Ok(None) => None,
                        Ok(Some((head, rest))) => Some(Ok((head.parts.status, rest.is_empty()))),
                        Err(_) => Some(Err(self.fault("does not speak HTTP/1.1"))),
                    },
                })
            });
            let Some(head) = read.await.map_err(|error| self.lost(&error))? else { continue };
            let (status, is_all) = head?;
            if !status.is_success() {
                let fault = self.fault(&format!("refused to connect to {authority}: {}", in_words(status)));
                let is_unknown = status == StatusCode::PROXY_AUTHENTICATION_REQUIRED;
                return Err(fault.advising(if is_unknown { UNKNOWN } else { REFUSES }));
            }
            // Over TLS, the client speaks first.
            return match stream {
                Stream::Plain(socket) if is_all => Ok(socket),
                _ => Err(self.fault(&format!("sends something of its own instead of {authority}"))),
            };
        }
    }

    fn lost(&self, error: &io::Error) -> Fault {
        let what = match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "reset",
            _ => "closed",
        };
        self.fault(&format!("{what} the connection before it answered"))
    }

    fn fault(&self, what: &str) -> Fault {
        Fault::new(Class::Connect, Phase::Connect, format!("{} {what}", self.name)).advising(NOT_THERE)
    }
}

/// The status as a status line has it.
fn in_words(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

#[cfg(test)]
mod tests;
