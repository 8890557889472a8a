//! One HTTP/1.1 connection, driven by the task that uses it.
//!
//! There is no task beside the request's own: whoever waits for a response head or for a piece of
//! its body polls the connection first. Dropping it closes the socket.

use std::error::Error as _;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::response::Parts;
use http::{Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::slices::Slices;
use super::wire::{Heard, Stream, Wire};
use crate::retry::{Class, Fault, Phase};

/// A connection that is free to carry a request.
pub(super) struct Connection {
    sender: http1::SendRequest<Slices>,
    /// Absent once the connection has ended.
    driver: Option<Box<http1::Connection<TokioIo<Wire>, Slices>>>,
    heard: Heard,
}

/// The connection ended before the response head.
#[derive(Debug)]
pub(super) struct Lost {
    /// What happened.
    pub(super) fault: Fault,
    /// Not one byte had come back.
    pub(super) unheard: bool,
}

impl Connection {
    /// Speaks HTTP/1.1 over `stream`.
    pub(super) async fn open(stream: Stream) -> Result<Self, Fault> {
        let heard = Heard::default();
        let io = TokioIo::new(Wire::new(stream, heard.clone()));
        let (sender, driver) = http1::Builder::new()
            .ignore_invalid_headers_in_responses(true)
            .handshake(io)
            .await
            .map_err(|error| Fault::new(Class::Connect, Phase::Connect, error.to_string()))?;
        Ok(Self { sender, driver: Some(Box::new(driver)), heard })
    }

    /// Whether the connection can carry another request, as far as is known on this side.
    ///
    /// Nobody is woken by a connection that was asked this.
    pub(super) fn is_reusable(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Sends `request` and waits for the head of its response.
    pub(super) async fn send(mut self, mut request: Request<Slices>) -> Result<(Parts, Reading), Lost> {
        *request.version_mut() = Version::HTTP_11;
        self.heard.lower();
        let mut answer = pin!(self.sender.send_request(request));
        let driver = &mut self.driver;
        let answer = poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(answer);
            }
            drive(driver, cx);
            answer.as_mut().poll(cx)
        })
        .await;
        match answer {
            Ok(response) => Ok(Reading::begin(response, self)),
            Err(error) => {
                let heard = self.heard.is_raised();
                Err(Lost { fault: lost_before_head(&error, heard), unheard: !heard || error.is_canceled() })
            }
        }
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.driver, cx);
    }
}

/// Moves bytes both ways. What ends the connection reaches whoever waits for its answer.
fn drive(driver: &mut Option<Box<http1::Connection<TokioIo<Wire>, Slices>>>, cx: &mut Context<'_>) {
    if let Some(polled) = driver.as_mut()
        && Pin::new(&mut **polled).poll(cx).is_ready()
    {
        *driver = None;
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("open", &self.driver.is_some()).finish_non_exhaustive()
    }
}

/// A response body on its way in, as it is on the wire.
#[derive(Debug)]
pub(super) struct Reading {
    incoming: Incoming,
    /// Absent once the body has ended or failed.
    connection: Option<Connection>,
    expected: Option<u64>,
    received: u64,
}

impl Reading {
    fn begin(response: Response<Incoming>, connection: Connection) -> (Parts, Self) {
        let (parts, incoming) = response.into_parts();
        let expected =
            parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        (parts, Self { incoming, connection: Some(connection), expected, received: 0 })
    }

    /// The next bytes; `None` at the end of the body, `Broken` if it ends too soon.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            let Some(connection) = &mut self.connection else {
                return Poll::Ready(None);
            };
            let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    connection.drive(cx);
                    ready!(Pin::new(&mut self.incoming).poll_frame(cx))
                }
            };
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.received += data.len() as u64;
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Some(Err(error)) => {
                    self.connection = None;
                    return Poll::Ready(Some(Err(self.broken(&error))));
                }
                None => return Poll::Ready(None),
            }
        }
    }

    /// The connection, for the next request; to be called at the end of the body.
    pub(super) fn take_connection(&mut self) -> Option<Connection> {
        self.connection.take()
    }

    fn broken(&self, error: &hyper::Error) -> Fault {
        let reason = match (io_cause(error), self.expected) {
            (Some(cause), _) if cause.kind() == io::ErrorKind::ConnectionReset => {
                "connection reset in the middle of the answer".to_owned()
            }
            (Some(cause), Some(expected)) if cause.kind() == io::ErrorKind::UnexpectedEof => {
                format!("the answer was cut after {} of {expected} bytes", self.received)
            }
            (Some(cause), None) if cause.kind() == io::ErrorKind::UnexpectedEof => {
                "the answer was cut before its end".to_owned()
            }
            (Some(cause), _)
                if matches!(cause.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) =>
            {
                format!("the answer's chunks are broken: {cause}")
            }
            (Some(cause), _) => format!("connection lost in the middle of the answer: {cause}"),
            (None, _) => format!("connection lost in the middle of the answer: {error}"),
        };
        Fault::new(Class::Broken, Phase::FirstToken, reason)
    }
}

fn lost_before_head(error: &hyper::Error, heard: bool) -> Fault {
    let place = if heard { "inside" } else { "before" };
    let (class, reason) = if error.is_parse_too_large() {
        (Class::Broken, "the response head is too large".to_owned())
    } else if error.is_parse() {
        (Class::Broken, format!("the response head is not HTTP/1.1: {error}"))
    } else if error.is_incomplete_message() {
        (Class::Reset, format!("connection closed {place} the response head"))
    } else {
        match io_cause(error).map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
                (Class::Reset, format!("connection reset {place} the response head"))
            }
            Some(io::ErrorKind::UnexpectedEof) => {
                (Class::Reset, format!("connection closed {place} the response head"))
            }
            _ => (Class::Reset, format!("connection lost {place} the response head: {error}")),
        }
    };
    Fault::new(class, Phase::FirstByte, reason)
}

fn io_cause(error: &hyper::Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return Some(io);
        }
        cause = inner.source();
    }
    None
}
