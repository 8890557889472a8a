//! The body of a request, read from the socket into the buffer of whoever wants it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

use super::request::Framing;
use super::wire::SharedWire;
use crate::http1::chunks::BadChunk;

/// How much is made ready for a piece whose reader brings no buffer, in bytes.
const PIECE: usize = 64 * 1024;

/// The body of a request on its way in.
///
/// It is never at its end if the client closes before: its connection drops the answer then.
#[derive(Debug)]
pub struct Incoming(Body);

#[derive(Debug)]
enum Body {
    /// It came with the head; nothing once it was taken.
    Whole(Bytes),
    /// It has to be waited for.
    Coming(SharedWire),
}

impl Incoming {
    /// The body of a request that begins on `wire`.
    pub(in crate::server) fn begin(wire: &SharedWire, framing: Framing, expects_continue: bool) -> Self {
        let whole = wire.lock().begin(framing, expects_continue);
        Self(whole.map_or_else(|| Body::Coming(wire.clone()), Body::Whole))
    }

    /// How many bytes are still to come, if it was said.
    pub(in crate::server) fn announced(&self) -> u64 {
        match &self.0 {
            Body::Whole(whole) => whole.len() as u64,
            Body::Coming(wire) => wire.lock().announced(),
        }
    }

    /// All of it if it came with the head, without a copy.
    pub(in crate::server) fn take_whole(&mut self) -> Option<Bytes> {
        match &mut self.0 {
            Body::Whole(whole) => Some(std::mem::take(whole)),
            Body::Coming(_) => None,
        }
    }

    /// Adds what has come to `whole`: how many bytes, none at the end. An announced length is believed up to
    /// `ahead` bytes beyond what has come.
    pub(in crate::server) fn poll_more(
        &mut self,
        whole: &mut BytesMut,
        ahead: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, BadChunk>> {
        match &mut self.0 {
            Body::Whole(rest) => {
                let rest = std::mem::take(rest);
                whole.extend_from_slice(&rest);
                Poll::Ready(Ok(rest.len()))
            }
            Body::Coming(wire) => wire.lock().poll_body(whole, ahead, cx),
        }
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
        match &self.0 {
            Body::Whole(whole) => whole.is_empty(),
            Body::Coming(wire) => wire.lock().is_at_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Body::Coming(wire) if !wire.lock().is_counted() => SizeHint::default(),
            Body::Whole(_) | Body::Coming(_) => SizeHint::with_exact(self.announced()),
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Body::Coming(wire) = &self.0 {
            wire.lock().abandon();
        }
    }
}
