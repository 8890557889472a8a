//! Server-sent events: cut from a byte stream, read, written.

use std::borrow::Cow;
use std::mem;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

#[cfg(test)]
mod tests;

/// The event that ends a stream.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// An event whose data is the JSON text `json`.
pub fn data_event(json: &str) -> Bytes {
    let mut event = Vec::with_capacity(json.len() + 8);
    push_data_event(&mut event, json.as_bytes());
    event.into()
}

/// A comment, which every reader skips; line breaks in `text` become spaces.
pub fn comment(text: &str) -> Bytes {
    let mut event = Vec::with_capacity(text.len() + 4);
    event.extend_from_slice(b": ");
    push_line(&mut event, text.as_bytes());
    event.extend_from_slice(b"\n\n");
    event.into()
}

/// Writes an event whose data is the JSON text `json`. JSON has line breaks between tokens only, so a
/// space does as well.
pub(super) fn push_data_event(out: &mut Vec<u8>, json: &[u8]) {
    out.extend_from_slice(b"data: ");
    push_line(out, json);
    out.extend_from_slice(b"\n\n");
}

fn push_line(out: &mut Vec<u8>, text: &[u8]) {
    let start = out.len();
    out.extend_from_slice(text);
    fold_lines(&mut out[start..]);
}

/// Turns every line break into a space.
pub(super) fn fold_lines(text: &mut [u8]) {
    let mut rest = text;
    while let Some(at) = memchr2(b'\n', b'\r', rest) {
        rest[at] = b' ';
        rest = &mut rest[at + 1..];
    }
}

/// Cuts a byte stream into blocks of whole events.
///
/// An event ends with a blank line; a line ends in LF, CRLF or CR. A CR at the very end of the bytes
/// so far waits for the next one, so that the events never depend on how the bytes were split.
#[derive(Debug, Default)]
pub struct EventSplitter {
    held: BytesMut,
    line: Line,
}

impl EventSplitter {
    /// Takes the next bytes and gives back the whole events that they complete, if any, as one block:
    /// a slice of `frame` where nothing was held.
    pub fn push(&mut self, mut frame: Bytes) -> Option<Bytes> {
        let end = self.line.last_event_end(&frame);
        if self.held.is_empty() {
            let block = end.map(|end| frame.split_to(end));
            self.held.extend_from_slice(&frame);
            return block;
        }
        let end = end.map(|end| self.held.len() + end);
        self.held.extend_from_slice(&frame);
        end.map(|end| self.held.split_to(end).freeze())
    }

    /// How many bytes of an event that is not complete yet are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The stream is over: gives back what is left, as it is.
    pub fn finish(&mut self) -> Bytes {
        self.line = Line::default();
        mem::take(&mut self.held).freeze()
    }
}

/// What is known of the line that the bytes so far end in.
#[derive(Debug)]
struct Line {
    blank: bool,
    /// The last byte is a CR, to which an LF may still belong.
    after_cr: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self { blank: true, after_cr: false }
    }
}

impl Line {
    /// Reads on and gives the end of the last event that ends in `bytes`; 0 for one that ended before
    /// them, as a CR turned out to have no LF.
    fn last_event_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let first = *bytes.first()?;
        let mut last = None;
        let mut at = 0;
        if mem::take(&mut self.after_cr) {
            at = usize::from(first == b'\n');
            last = self.blank.then_some(at);
            self.blank = true;
        }
        while let Some(length) = memchr2(b'\n', b'\r', &bytes[at..]) {
            self.blank &= length == 0;
            at += length + 1;
            if bytes[at - 1] == b'\r' {
                match bytes.get(at) {
                    None => {
                        self.after_cr = true;
                        return last;
                    }
                    Some(b'\n') => at += 1,
                    Some(_) => {}
                }
            }
            if self.blank {
                last = Some(at);
            }
            self.blank = true;
        }
        self.blank &= at == bytes.len();
        last
    }
}

/// The events of `block`, in order; their `raw` bytes, one after the other, are the block.
///
/// A byte order mark, which readers skip at the very beginning of a stream, is for the caller to take away;
/// anywhere else it makes its line one that says nothing.
pub fn events(block: &[u8]) -> Events<'_> {
    Events { block, at: 0 }
}

/// See [`events`].
#[derive(Debug, Clone)]
pub struct Events<'a> {
    block: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Events<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        let start = self.at;
        let mut lines = Lines { rest: &self.block[start..] };
        let mut fields = Fields::default();
        while let Some(line) = lines.next().filter(|line| !line.is_empty()) {
            fields.read(line);
        }
        self.at = self.block.len() - lines.rest.len();
        let raw = &self.block[start..self.at];
        (!raw.is_empty()).then_some(Event { raw, start, fields })
    }
}

/// The lines of some bytes, without what ends them.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr2(b'\n', b'\r', self.rest).unwrap_or(self.rest.len());
        let (line, ending) = self.rest.split_at(end);
        let ending_length = if ending.starts_with(b"\r\n") { 2 } else { ending.len().min(1) };
        self.rest = &ending[ending_length..];
        Some(line)
    }
}

/// One event: its fields, up to and with the blank line that ends it. A blank line more than needed
/// is an event without fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its bytes as they stand in the stream.
    pub raw: &'a [u8],
    start: usize,
    fields: Fields<'a>,
}

/// What is read of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Fields<'a> {
    name: Option<&'a [u8]>,
    /// The first `data` line.
    data: Option<&'a [u8]>,
    /// Whether there are more of them.
    has_more: bool,
}

impl<'a> Event<'a> {
    /// Where it stands in its block.
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.raw.len()
    }

    /// The `data` lines, joined by line feeds; nothing where there are none.
    pub fn data(&self) -> Option<Cow<'a, [u8]>> {
        let first = self.fields.data?;
        if !self.fields.has_more {
            return Some(Cow::Borrowed(first));
        }
        let values: Vec<_> = Lines { rest: self.raw }.filter_map(|line| value(line, b"data")).collect();
        Some(Cow::Owned(values.join(&b'\n')))
    }

    /// The `event` field; the last one counts.
    pub fn name(&self) -> Option<&'a [u8]> {
        self.fields.name
    }
}

impl<'a> Fields<'a> {
    fn read(&mut self, line: &'a [u8]) {
        if let Some(data) = value(line, b"data") {
            self.has_more = self.data.is_some();
            self.data.get_or_insert(data);
        } else if let Some(name) = value(line, b"event") {
            self.name = Some(name);
        }
    }
}

/// The value of a line that is a field of this name.
fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(name)?.split_first() {
        None => Some(b""),
        Some((b':', value)) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        Some(_) => None,
    }
}
