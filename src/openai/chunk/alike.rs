//! A quick look at chunks of a stream that differ from each other in one string: most of them.
//!
//! What a chunk holds does not depend on what its text says, so one whose text stands between the same bytes
//! as that of the chunk before holds the same.

use std::ops::Range;

use super::{Facts, NotJson, inspect, is_filled, is_payload};
use crate::openai::scan::{Cursor, Kind, Unbalanced};

#[cfg(test)]
mod tests;

/// After so many chunks in a row that are like none before, no more are compared: some providers write
/// something new into each.
const PATIENCE: u32 = 8;

/// Reads the chunks of one stream.
#[derive(Debug, Default)]
pub struct Alike {
    /// The latest chunk that was read through, if it holds one text and nothing odd.
    known: Option<Known>,
    misses: u32,
}

#[derive(Debug)]
struct Known {
    /// To the opening quote of its text, that included.
    before: Box<[u8]>,
    /// From the closing quote on.
    after: Box<[u8]>,
    facts: Facts,
}

impl Alike {
    /// What [`inspect`] says of `data`.
    pub fn inspect(&mut self, data: &[u8]) -> Result<Facts, NotJson> {
        if let Some(known) = &self.known
            && known.is_like(data)
        {
            self.misses = 0;
            return Ok(known.facts);
        }
        let facts = inspect(data)?;
        if self.misses < PATIENCE {
            self.misses += 1;
            self.known = Known::new(data, facts);
        } else {
            self.known = None;
        }
        Ok(facts)
    }
}

impl Known {
    fn new(data: &[u8], facts: Facts) -> Option<Self> {
        let is_plain = facts.payload && !facts.error && !facts.foreign && !data.contains(&b'\n');
        let text = if is_plain { lone_text(data)? } else { return None };
        Some(Self { before: data[..=text.start].into(), after: data[text.end - 1..].into(), facts })
    }

    /// Whether `data` differs in its text alone, and has some.
    fn is_like(&self, data: &[u8]) -> bool {
        let Some(rest) = data.strip_prefix(&*self.before) else { return false };
        // Only an event of several lines has one in its text.
        let Some(text) = rest.strip_suffix(&*self.after).filter(|text| !text.contains(&b'\n')) else {
            return false;
        };
        let from_quote = &data[self.before.len() - 1..];
        !text.is_empty() && Cursor::new(from_quote).string() == Ok(text)
    }
}

/// Where the one payload of a chunk stands, if it is a string.
fn lone_text(data: &[u8]) -> Option<Range<usize>> {
    let (mut texts, mut payloads) = (Vec::new(), 0);
    let mut payload = |cursor: &mut Cursor<'_>| {
        let (start, kind) = (cursor.offset(), cursor.kind());
        if is_filled(cursor)? {
            payloads += 1;
            texts.extend((kind == Kind::String).then(|| start..cursor.offset()));
        }
        Ok(())
    };
    let mut choice = |cursor: &mut Cursor<'_>| {
        if cursor.kind() != Kind::Object {
            return Ok(());
        }
        cursor.members(|cursor, key| match (&*key.name(), cursor.kind()) {
            (b"delta" | b"message", Kind::Object) => {
                cursor.members(|cursor, key| if is_payload(&key.name()) { payload(cursor) } else { Ok(()) })
            }
            (b"text", Kind::String) => payload(cursor),
            _ => Ok(()),
        })
    };
    let mut cursor = Cursor::new(data);
    cursor.skip_space();
    let walked: Result<(), Unbalanced> = cursor.members(|cursor, key| match (&*key.name(), cursor.kind()) {
        (b"choices", Kind::Array) => cursor.elements(&mut choice),
        _ => Ok(()),
    });
    // Behind the object there is nothing but space, so what was walked is what `inspect` has read.
    let is_all = walked.is_ok() && cursor.skip_space().is_none();
    texts.pop().filter(|_| is_all && payloads == 1)
}
