//! The body of a request, read from the socket into the buffer of whoever wants it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

use super::wire::SharedWire;
use crate::http1::chunks::BadChunk;

/// How much is made ready for a piece whose reader brings no buffer, in bytes.
const PIECE: usize = 64 * 1024;

/// The body of a request on its way in.
///
/// It is never at its end if the client closes before: its connection drops the answer then.
#[derive(Debug)]
pub struct Incoming(SharedWire);

impl Incoming {
    /// The body of the request that is under way on `wire`.
    pub(in crate::server) fn new(wire: &SharedWire) -> Self {
        Self(wire.clone())
    }

    /// How many bytes are still to come, if it was said.
    pub(in crate::server) fn announced(&self) -> u64 {
        self.0.lock().announced()
    }

    /// All of it if it is in already, without a copy.
    pub(in crate::server) fn take_whole(&mut self) -> Option<Bytes> {
        self.0.lock().take_whole()
    }

    /// Adds what has come to `whole`: how many bytes, none at the end. An announced length is believed up to
    /// `ahead` bytes beyond what has come.
    pub(in crate::server) fn poll_more(
        &mut self,
        whole: &mut BytesMut,
        ahead: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, BadChunk>> {
        self.0.lock().poll_body(whole, ahead, cx)
    }
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = BadChunk;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BadChunk>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        if let Some(whole) = self.take_whole() {
            return Poll::Ready(Some(Ok(Frame::data(whole))));
        }
        let mut piece = BytesMut::new();
        Poll::Ready(match ready!(self.poll_more(&mut piece, PIECE, cx)) {
            Ok(0) => None,
            Ok(_) => Some(Ok(Frame::data(piece.freeze()))),
            Err(bad) => Some(Err(bad)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().is_at_end()
    }

    fn size_hint(&self) -> SizeHint {
        let wire = self.0.lock();
        if wire.is_counted() { SizeHint::with_exact(wire.announced()) } else { SizeHint::default() }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.0.lock().abandon();
    }
}
