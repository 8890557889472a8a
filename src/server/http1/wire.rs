//! The socket of a connection, and what has come in before anybody asked for it.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::request::{Framing, Head, HeadReader, Refusal};
use crate::http1::chunks::BadChunk;
use crate::http1::room;

/// How much of a request is read before anybody asks for its body, in bytes; also how much is read of requests that
/// a client sends without waiting for its answers. Only behind a chunked body, whose end nobody knows before, there
/// may be more: what came with it in one read.
const BEHIND: usize = 16 * 1024;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A socket that the task of its connection shares with the body of the request under way. Both run in that
/// task, so nobody ever waits for the lock.
#[derive(Debug, Clone)]
pub(in crate::server) struct SharedWire(Arc<Mutex<Wire>>);

impl SharedWire {
    /// A connection that has just been made.
    pub fn new(stream: TcpStream) -> Self {
        let framing = Framing::Length(0);
        let wire =
            Wire { stream, behind: Bytes::new(), gone: false, framing, interim: b"", is_wanted: false };
        Self(Arc::new(Mutex::new(wire)))
    }

    /// The socket, for a moment.
    pub fn lock(&self) -> MutexGuard<'_, Wire> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket.
#[derive(Debug)]
pub(in crate::server) struct Wire {
    stream: TcpStream,
    /// Read and not yet used.
    behind: Bytes,
    /// The client has closed, or at least its half.
    gone: bool,
    /// What is left of the body of the request under way.
    framing: Framing,
    /// What is left to be sent of a `100 Continue` before the client sends its body.
    interim: &'static [u8],
    /// Somebody holds the body of the request under way.
    is_wanted: bool,
}

/// What has come of a head.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is nearly always whole, and never kept")]
pub(in crate::server) enum Begun {
    /// All of it.
    Whole(Head),
    /// Nothing that could be one.
    Refused(Refusal),
    /// The client has closed.
    Gone,
}

impl Wire {
    /// The head of the next request, behind what is left of a body that nobody wants.
    pub fn poll_head(&mut self, heads: &mut HeadReader, cx: &mut Context<'_>) -> Poll<Begun> {
        if !self.is_at_end() {
            ready!(self.poll_skip(cx));
        }
        loop {
            let pushed = if self.behind.is_empty() {
                let Self { stream, behind, .. } = self;
                ready!(poll_read(stream, BEHIND, cx, |bytes| match bytes {
                    [] => None,
                    bytes => Some(heads.push(bytes).map(|whole| whole.map(|(head, rest)| {
                        *behind = Bytes::copy_from_slice(rest);
                        head
                    }))),
                }))
            } else {
                let bytes = std::mem::take(&mut self.behind);
                Some(heads.push(&bytes).map(|whole| {
                    whole.map(|(head, rest)| {
                        let at = bytes.len() - rest.len();
                        self.behind = bytes.slice(at..);
                        head
                    })
                }))
            };
            return Poll::Ready(match pushed {
                None => {
                    self.gone = true;
                    Begun::Gone
                }
                Some(Ok(None)) => continue,
                Some(Ok(Some(head))) => Begun::Whole(head),
                Some(Err(refusal)) => Begun::Refused(refusal),
            });
        }
    }

    /// A request with such a body is under way. Gives away the body if it is in already, as most are; else
    /// somebody holds it from now on.
    pub fn begin(&mut self, framing: Framing, expects_continue: bool) -> Option<Bytes> {
        self.framing = framing;
        let whole = self.take_whole();
        self.is_wanted = whole.is_none();
        self.interim = if expects_continue && self.is_wanted { CONTINUE } else { b"" };
        whole
    }

    /// Whether somebody holds the body of the request under way.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Nobody wants the rest of the body.
    pub fn abandon(&mut self) {
        self.is_wanted = false;
    }

    /// Ready when the client has closed. What it sends instead is kept up to a limit.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.gone {
            if !self.listens() {
                return Poll::Pending;
            }
            let Self { stream, behind, .. } = self;
            let read = ready!(poll_read(stream, BEHIND - behind.len(), cx, |bytes| {
                *behind = [behind, bytes].concat().into();
                bytes.len()
            }));
            self.gone = read == 0;
        }
        Poll::Ready(())
    }

    /// Whether the close of the client is waited for: not before the body of its request is in, for that is
    /// another's to read, nor once as much is kept as may be.
    fn listens(&self) -> bool {
        self.behind.len() < BEHIND && self.has_body()
    }

    /// Whether the body of the request has come in, read or not.
    pub fn has_body(&self) -> bool {
        matches!(self.framing, Framing::Length(left) if left <= self.behind.len() as u64) || self.is_at_end()
    }

    /// Whether the body of the request has been read to its end.
    pub fn is_at_end(&self) -> bool {
        match &self.framing {
            Framing::Length(left) => *left == 0,
            Framing::Chunked(chunks) => chunks.is_ended(),
            Framing::Broken => false,
        }
    }

    /// What must go out before anything else may: the rest of a `100 Continue` that has gone out in part.
    pub fn take_owed(&mut self) -> &'static [u8] {
        if self.interim.len() == CONTINUE.len() { b"" } else { std::mem::take(&mut self.interim) }
    }

    /// Whether it was said how many bytes the body has.
    pub fn is_counted(&self) -> bool {
        matches!(self.framing, Framing::Length(_))
    }

    /// How many bytes of the body are still to come, if it was said.
    pub fn announced(&self) -> u64 {
        match self.framing {
            Framing::Length(left) => left,
            Framing::Chunked(_) | Framing::Broken => 0,
        }
    }

    /// The body if it is in already, without a copy.
    fn take_whole(&mut self) -> Option<Bytes> {
        let Framing::Length(left) = self.framing else {
            return None;
        };
        let left = usize::try_from(left).ok().filter(|left| *left <= self.behind.len())?;
        self.framing = Framing::Length(0);
        if left == self.behind.len() {
            return Some(std::mem::take(&mut self.behind));
        }
        Some(self.behind.split_to(left))
    }

    /// Adds what has come of the body to `whole`: how many bytes, none at the end. An announced length is
    /// believed up to `ahead` bytes beyond what has come. Never ready once the client has closed.
    pub fn poll_body(
        &mut self,
        whole: &mut BytesMut,
        ahead: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, BadChunk>> {
        while !self.is_at_end() {
            let before = whole.len();
            let from_socket = self.behind.is_empty();
            if from_socket {
                if self.gone || self.framing == Framing::Broken {
                    return Poll::Pending;
                }
                ready!(self.poll_continue(cx));
            } else if self.interim.len() == CONTINUE.len() {
                // The client did not wait for it.
                self.interim = b"";
            }
            let Self { stream, behind, framing, .. } = self;
            match framing {
                Framing::Broken => return Poll::Pending,
                Framing::Length(left) => {
                    let most = usize::try_from(*left).unwrap_or(usize::MAX);
                    if whole.capacity() == whole.len() {
                        whole.reserve(most.min(ahead.max(whole.len())));
                    }
                    let read = if from_socket {
                        ready!(read_into(stream, whole, most, cx))
                    } else {
                        let piece = behind.split_to(most.min(behind.len()));
                        whole.extend_from_slice(&piece);
                        piece.len()
                    };
                    *left -= read as u64;
                }
                Framing::Chunked(chunks) => {
                    let mut decode = |mut rest: &[u8]| {
                        let all = rest.len();
                        while let Some(payload) = chunks.payload(&mut rest)? {
                            whole.extend_from_slice(payload);
                        }
                        Ok(all - rest.len())
                    };
                    let decoded = if from_socket {
                        ready!(poll_read(stream, room::READ, cx, |bytes| {
                            let used = decode(bytes)?;
                            *behind = Bytes::copy_from_slice(&bytes[used..]);
                            Ok(bytes.is_empty())
                        }))
                    } else {
                        decode(behind).map(|used| {
                            behind.advance(used);
                            false
                        })
                    };
                    match decoded {
                        Ok(is_gone) => self.gone |= is_gone,
                        Err(bad) => {
                            self.framing = Framing::Broken;
                            return Poll::Ready(Err(bad));
                        }
                    }
                    if whole.len() == before {
                        continue;
                    }
                }
            }
            let read = whole.len() - before;
            if read > 0 {
                return Poll::Ready(Ok(read));
            }
            self.gone = true;
        }
        Poll::Ready(Ok(0))
    }

    /// Ready when the client knows that it may send its body. One that sends it already needs no word.
    fn poll_continue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.interim.is_empty() {
            let Ok(length @ 1..) = ready!(Pin::new(&mut self.stream).poll_write(cx, self.interim)) else {
                self.gone = true;
                return Poll::Pending;
            };
            self.interim = &self.interim[length..];
        }
        Poll::Ready(())
    }

    /// Sends a part of `slices`; how many bytes.
    pub fn poll_write(&mut self, slices: &[IoSlice<'_>], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        room::poll_send(&mut self.stream, slices, cx)
    }

    /// Closes our half.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    /// Reads and forgets a piece; whether another one may come, for the client has not closed.
    pub fn poll_forget(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.behind = Bytes::new();
        if !self.gone {
            self.gone = ready!(poll_read(&mut self.stream, room::READ, cx, <[u8]>::is_empty));
        }
        Poll::Ready(!self.gone)
    }

    /// Has the close of the socket throw away what the client has not read, and say so.
    pub fn reset(&self) {
        // Without it the client may take a cut answer for a whole one, but there is nothing to be done.
        let _ = self.stream.set_zero_linger();
    }
}

/// What `take` makes of at most `most` bytes that have come in; there are none once the client has closed, or
/// as good as.
fn poll_read<T>(
    stream: &mut TcpStream,
    most: usize,
    cx: &mut Context<'_>,
    take: impl FnOnce(&[u8]) -> T,
) -> Poll<T> {
    room::lend(|room| {
        let mut buffer = ReadBuf::new(&mut room[..most]);
        let read = ready!(Pin::new(stream).poll_read(cx, &mut buffer));
        Poll::Ready(take(if read.is_ok() { buffer.filled() } else { &[] }))
    })
}

/// Reads at most `most` bytes into the room that `whole` has left, of which there must be some; how many.
fn read_into(stream: &mut TcpStream, whole: &mut BytesMut, most: usize, cx: &mut Context<'_>) -> Poll<usize> {
    let most = most.min(whole.capacity() - whole.len());
    let mut limited = whole.limit(most);
    let read = ready!(pin!(stream.read_buf(&mut limited)).poll(cx));
    Poll::Ready(read.unwrap_or(0))
}

mod unwanted;

#[cfg(test)]
mod tests;
