//! Bodies that nobody wants, for their requests are answered without them.

use std::task::{Context, Poll};

use bytes::BytesMut;

use super::{BEHIND, Wire};
use crate::server::http1::request::Framing;

/// How much of such a body is read so that the connection can go on, in bytes; and as much again, if it is said
/// that no more will come.
const UNWANTED: usize = 64 * 1024;

impl Wire {
    /// Reads over what has come of a body that nobody wants; whether another request can follow. It can where the
    /// rest is short: many a client sends a body right behind its head, but on its own.
    pub fn skip(&mut self, cx: &mut Context<'_>) -> bool {
        let mut scrap = BytesMut::new();
        let mut skipped = 0;
        // A client that still waits for a `100 Continue` may or may not send its body now.
        let may_come = self.interim.is_empty() || !self.behind.is_empty();
        while !self.is_at_end() && !self.is_wanted && may_come && skipped < UNWANTED {
            scrap.clear();
            match self.poll_body(&mut scrap, BEHIND, cx) {
                Poll::Ready(Ok(read)) => skipped += read,
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        let is_short = matches!(self.framing, Framing::Length(left) if left <= UNWANTED as u64);
        self.is_at_end() || (is_short && may_come && !self.is_wanted)
    }

    /// Ready when the rest of such a body is read over, or will never come.
    pub(super) fn poll_skip(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scrap = BytesMut::new();
        while !self.is_at_end() && !self.gone {
            scrap.clear();
            if self.poll_body(&mut scrap, BEHIND, cx).is_pending() && !self.gone {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }
}
