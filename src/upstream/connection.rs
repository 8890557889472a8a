//! One HTTP/1.1 connection, driven by the task that uses it.
//!
//! There is no task beside the request's own: whoever waits for a response head or for a piece of
//! its body moves the bytes. Dropping it closes the socket.

use std::borrow::Borrow;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::response::Parts;

use super::http1::framing::{BodyReader, Opened};
use super::http1::head::HeadReader;
use super::http1::request::{Cursor, Outgoing};
use super::pool::Birth;
use super::wire::Stream;
use crate::http1::room::SLICES;
use crate::retry::{Class, Fault, Phase};

/// A connection that is free to carry a request.
pub(super) struct Connection {
    stream: Stream,
    birth: Birth,
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
    /// Speaks HTTP/1.1 over `stream`, which was opened here and now.
    pub(super) fn open(stream: Stream) -> Self {
        Self { stream, birth: Birth::now() }
    }

    /// Where and when it was opened.
    pub(super) fn birth(&self) -> Birth {
        self.birth
    }

    /// The same connection, as if it had been opened on this thread.
    #[cfg(test)]
    pub(super) fn reborn(self) -> Self {
        Self { birth: Birth::now(), ..self }
    }

    /// Whether the connection can carry another request, as far as can be known without sending.
    pub(super) fn is_reusable(&mut self) -> bool {
        self.stream.is_quiet()
    }

    /// Has the runtime of this thread watch the socket, in place of that which did.
    pub(super) fn come_here(&mut self) -> io::Result<()> {
        if !self.birth.is_here() {
            self.stream.come_here()?;
            self.birth = self.birth.here();
        }
        Ok(())
    }

    /// Sends `request` and waits for the head of its response.
    ///
    /// The head may come before the request is out; then reading the body sends the rest.
    pub(super) async fn send(self, request: &Outgoing) -> Result<(Parts, Reading), Lost> {
        let Self { mut stream, birth } = self;
        let mut sending = Sending { request, cursor: Cursor::default(), progress: Progress::Under };
        let mut waiting = Waiting { heads: HeadReader::default(), heard: false };
        let opened = poll_fn(|cx| {
            sending.advance(&mut stream, cx);
            waiting.poll_opened(&mut stream, cx)
        });
        let Opened { head, body, first } = opened.await?;
        let Sending { cursor, progress, .. } = sending;
        let unsent =
            (progress != Progress::Done).then(|| Sending { request: request.clone(), cursor, progress });
        Ok((head, Reading { connection: Some(Self { stream, birth }), body, first, unsent }))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// A request on its way out.
struct Sending<R> {
    request: R,
    cursor: Cursor,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Under,
    Done,
    Failed,
}

impl<R: Borrow<Outgoing>> Sending<R> {
    /// Sends what the socket takes.
    ///
    /// Why it takes no more is left to the reader: a provider may have answered before it closed.
    fn advance(&mut self, stream: &mut Stream, cx: &mut Context<'_>) {
        if self.progress == Progress::Under
            && let Poll::Ready(sent) = self.poll_sent(stream, cx)
        {
            self.progress = if sent.is_ok() { Progress::Done } else { Progress::Failed };
        }
    }

    fn poll_sent(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let request = self.request.borrow();
        while !request.is_sent(self.cursor) {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let used = request.fill(self.cursor, &mut slices);
            let length = ready!(stream.poll_write(cx, &slices[..used]))?;
            if length == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.cursor = request.after(self.cursor, length);
        }
        stream.poll_flush(cx)
    }
}

/// A response that is waited for.
struct Waiting {
    heads: HeadReader,
    /// Whether a byte has come; those of TLS itself do not count.
    heard: bool,
}

impl Waiting {
    fn poll_opened(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Result<Opened, Lost>> {
        loop {
            let Self { heads, heard } = self;
            let read = ready!(stream.poll_read(cx, |bytes| {
                *heard |= !bytes.is_empty();
                if bytes.is_empty() { None } else { Some(Opened::read(heads, bytes)) }
            }));
            let (class, reason) = match read {
                Ok(Some(Ok(Some(opened)))) => return Poll::Ready(Ok(opened)),
                Ok(Some(Ok(None))) => continue,
                Ok(Some(Err(malformed))) => (Class::Broken, malformed.to_string()),
                Ok(None) => match self.heads.finish() {
                    Ok(()) => (Class::Reset, self.lost(&io::ErrorKind::UnexpectedEof.into())),
                    Err(malformed) => (Class::Broken, malformed.to_string()),
                },
                Err(error) => (Class::Reset, self.lost(&error)),
            };
            let fault = Fault::new(class, Phase::FirstByte, reason);
            return Poll::Ready(Err(Lost { fault, unheard: !self.heard }));
        }
    }

    fn lost(&self, error: &io::Error) -> String {
        let place = if self.heard { "inside" } else { "before" };
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                format!("connection reset {place} the response head")
            }
            io::ErrorKind::UnexpectedEof => format!("connection closed {place} the response head"),
            _ => format!("connection lost {place} the response head: {error}"),
        }
    }
}

/// A response body on its way in, as it is on the wire.
pub(super) struct Reading {
    /// Absent once the body has failed or the connection was taken.
    connection: Option<Connection>,
    body: BodyReader,
    /// Read and not yet given away.
    first: Bytes,
    /// What is left of a request whose response came early.
    unsent: Option<Sending<Outgoing>>,
}

impl Reading {
    /// The next bytes, all that have come; `None` at the end of the body, `Broken` if it ends too
    /// soon.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            if !self.first.is_empty() {
                return Poll::Ready(Some(Ok(std::mem::take(&mut self.first))));
            }
            let Some(Connection { stream, .. }) = &mut self.connection else {
                return Poll::Ready(None);
            };
            match self.body.end() {
                Some(Ok(())) => return Poll::Ready(None),
                Some(Err(broken)) => return self.fail(broken.to_string()),
                None => {}
            }
            if let Some(unsent) = &mut self.unsent {
                unsent.advance(stream, cx);
                if unsent.progress == Progress::Done {
                    self.unsent = None;
                }
            }
            let body = &mut self.body;
            let read = stream.poll_read(cx, |bytes| {
                if bytes.is_empty() {
                    body.close();
                }
                body.push(bytes)
            });
            match ready!(read) {
                Ok(data) => self.first = data,
                Err(error) => return self.fail(self.lost(&error)),
            }
        }
    }

    /// Whether the provider says that it is the last response of its connection.
    pub(super) fn is_last(&self) -> bool {
        !self.body.keeps_alive()
    }

    /// The connection, if it can carry another request; to be called at the end of the body.
    pub(super) fn take_connection(&mut self) -> Option<Connection> {
        let connection = self.connection.take();
        let whole = self.body.end() == Some(Ok(())) && self.unsent.is_none();
        connection.filter(|_| whole && self.body.keeps_alive())
    }

    fn fail(&mut self, reason: String) -> Poll<Option<Result<Bytes, Fault>>> {
        self.connection = None;
        Poll::Ready(Some(Err(Fault::new(Class::Broken, Phase::FirstToken, reason))))
    }

    fn lost(&self, error: &io::Error) -> String {
        match error.kind() {
            io::ErrorKind::ConnectionReset => "connection reset in the middle of the answer".to_owned(),
            io::ErrorKind::UnexpectedEof => self.body.cut().to_string(),
            _ => format!("connection lost in the middle of the answer: {error}"),
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("body", &self.body).finish_non_exhaustive()
    }
}
