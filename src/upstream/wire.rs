//! The socket of a connection, plain or encrypted.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::http1::room;

/// A connected socket.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Calls the method of whichever stream it is.
macro_rules! either {
    ($self:ident.$method:ident($($argument:expr),*)) => {
        match $self {
            Stream::Plain(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Tls(stream) => Pin::new(&mut **stream).$method($($argument),*),
        }
    };
}

impl Stream {
    /// What `take` makes of the bytes that have come in; there are none once the peer has closed.
    pub(super) fn poll_read<T>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Poll<io::Result<T>> {
        room::lend(|room| {
            let mut buffer = ReadBuf::new(room);
            ready!(either!(self.poll_read(cx, &mut buffer)))?;
            Poll::Ready(Ok(take(buffer.filled())))
        })
    }

    /// Sends a part of `slices`; how many bytes.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => room::poll_send(stream, slices, cx),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write_vectored(cx, slices),
        }
    }

    /// Ready when nothing that was written is held back.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.poll_flush(cx))
    }

    /// Has the runtime of this thread watch the socket, in place of that which did.
    pub(super) fn come_here(&mut self) -> io::Result<()> {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_mut().0,
        };
        // A second handle of the same socket, since the first cannot be taken out of a TLS stream.
        let same = SockRef::from(&*socket).try_clone()?;
        *socket = TcpStream::from_std(same.into())?;
        Ok(())
    }

    /// Whether the peer has neither closed nor said anything.
    ///
    /// It asks the system (0.35 µs), since the runtime may not have heard yet what has come in: a
    /// request sent behind bytes nobody asked for would take them for its answer, and that answer
    /// may be another request's. `try_io` would save the call, but knows only what the runtime
    /// heard when it last looked, up to 61 polls of other tasks ago. Nothing read later tells such
    /// bytes from an answer, so this is the one place where they can be told.
    /// Over TLS, whatever the runtime has not fetched yet counts as speech.
    pub(super) fn is_quiet(&mut self) -> bool {
        let socket = match self {
            Self::Plain(socket) => &*socket,
            Self::Tls(stream) => {
                let mut cx = Context::from_waker(Waker::noop());
                let mut byte = [0];
                let read = Pin::new(&mut **stream).poll_read(&mut cx, &mut ReadBuf::new(&mut byte));
                if read.is_ready() {
                    return false;
                }
                stream.get_ref().0
            }
        };
        let peeked = SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}
