//! What of a response has not gone out yet.

use std::io::IoSlice;

use bytes::Bytes;

use super::response::Ending;
use crate::http1::numbers::push_number;
use crate::http1::room::SLICES;
use crate::relay::AT_ONCE;

/// How many pieces of a body go out in one write, beside what comes before and behind them.
pub(in crate::server) const PIECES: usize = SLICES - 2;

/// So many bytes are worth a write of their own: no more pieces are asked for.
const PLENTY: usize = AT_ONCE;

/// Bytes on their way out: a head or the size of a chunk, pieces of a body, and what ends them.
#[derive(Debug)]
pub(in crate::server) struct Outbox {
    ending: Ending,
    lead: Vec<u8>,
    pieces: Vec<Bytes>,
    tail: &'static [u8],
    /// How many bytes of the pieces there are.
    payload: usize,
    /// How much of it all has gone out.
    sent: usize,
}

/// A body does not have the length that was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) struct WrongLength;

impl Outbox {
    /// One that begins with `head`, to be followed by a body that ends so.
    pub fn new(head: Vec<u8>, ending: Ending) -> Self {
        Self { ending, lead: head, pieces: Vec::new(), tail: b"", payload: 0, sent: 0 }
    }

    /// Whether the body is in, as far as its length tells.
    pub fn is_whole(&self) -> bool {
        matches!(self.ending, Ending::Bodiless | Ending::Length(0))
    }

    /// Whether it is worth asking for another piece before the next write.
    pub fn has_room(&self) -> bool {
        self.pieces.len() < PIECES && self.payload < PLENTY
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.lead.is_empty() && self.payload == 0 && self.tail.is_empty()
    }

    /// Adds a piece of the body, or what of it belongs there.
    pub fn push(&mut self, mut piece: Bytes) -> Result<(), WrongLength> {
        let mut fits = Ok(());
        if let Ending::Length(left) = &mut self.ending {
            if piece.len() as u64 > *left {
                fits = Err(WrongLength);
                piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            }
            *left -= piece.len() as u64;
        }
        if !piece.is_empty() {
            self.payload += piece.len();
            self.pieces.push(piece);
        }
        fits
    }

    /// Puts what goes round the pieces into place before they are sent; nothing comes behind them if they are
    /// the last ones.
    pub fn seal(&mut self, is_last: bool) -> Result<(), WrongLength> {
        if self.ending == Ending::Chunked {
            if self.payload > 0 {
                push_number(&mut self.lead, self.payload as u64, 16);
                self.lead.extend_from_slice(b"\r\n");
            }
            self.tail = match (self.payload > 0, is_last) {
                (true, true) => b"\r\n0\r\n\r\n",
                (true, false) => b"\r\n",
                (false, true) => b"0\r\n\r\n",
                (false, false) => b"",
            };
        }
        match self.ending {
            Ending::Length(1..) if is_last => Err(WrongLength),
            _ => Ok(()),
        }
    }

    /// Points `room` at what is to be sent; how many slices of it are in use.
    pub fn fill<'s>(&'s self, room: &mut [IoSlice<'s>; SLICES]) -> usize {
        let mut skip = self.sent;
        let mut used = 0;
        let pieces = self.pieces.iter().map(|piece| &piece[..]);
        for slice in [&self.lead[..]].into_iter().chain(pieces).chain([self.tail]) {
            if skip >= slice.len() {
                skip -= slice.len();
            } else if let Some(place) = room.get_mut(used) {
                *place = IoSlice::new(&slice[skip..]);
                skip = 0;
                used += 1;
            }
        }
        used
    }

    /// So many bytes have gone out.
    pub fn advance(&mut self, length: usize) {
        self.sent += length;
        if self.sent < self.lead.len() + self.payload + self.tail.len() {
            return;
        }
        // A stream may be silent for long, and a head is much longer than the size of a chunk.
        if self.lead.capacity() > 32 {
            self.lead = Vec::new();
        }
        self.lead.clear();
        self.pieces.clear();
        self.tail = b"";
        self.payload = 0;
        self.sent = 0;
    }
}

#[cfg(test)]
mod tests;
