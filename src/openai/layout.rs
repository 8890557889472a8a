//! Where things stand in a chunk of an answer that has one choice and is text.

use std::ops::Range;

use super::chunk;
use super::scan::{Cursor, Key, Kind, Unbalanced, strict, unescape};

mod delta;

pub(super) use delta::{Content, Delta, MemberKind};

/// Why an answer cannot be continued by another model: what it holds beside plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// A tool call, or the older function call.
    #[error("a tool call")]
    ToolCall,
    /// A refusal.
    #[error("a refusal")]
    Refusal,
    /// Audio.
    #[error("audio")]
    Audio,
    /// Images.
    #[error("images")]
    Images,
    /// A choice beside the first one.
    #[error("more than one choice")]
    Choices,
    /// Log probabilities.
    #[error("log probabilities")]
    Logprobs,
    /// Reasoning that is signed or encrypted, which only its own model can go on from.
    #[error("signed reasoning")]
    Signature,
    /// Parts of content that are no text.
    #[error("parts that are no text")]
    Parts,
    /// More text than is kept.
    #[error("more than 256 KiB of text")]
    TooLong,
    /// A finish reason: nothing is missing.
    #[error("a finish reason")]
    Finished,
    /// Something that readers may take in different ways: broken JSON, a member that is there twice.
    #[error("something that cannot be read for certain")]
    Unclear,
}

impl From<Unbalanced> for Why {
    fn from(_: Unbalanced) -> Self {
        Self::Unclear
    }
}

/// What a chunk holds, by where it stands; values with their quotes or brackets.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub id: Option<Range<usize>>,
    /// An object.
    pub usage: Option<Range<usize>>,
    /// Any value.
    pub metadata: Option<Range<usize>>,
    /// The end of the last member.
    pub end: usize,
    pub choice: Option<Choice>,
    /// The first thing found that plain text does not hold.
    beyond: Option<Why>,
}

/// The choice of a chunk.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// After its opening bracket.
    pub start: usize,
    /// The `delta` that is null.
    pub no_delta: Option<Range<usize>>,
    pub delta: Option<Delta>,
    /// Any but null.
    pub logprobs: Option<Range<usize>>,
    /// Whether there is a finish reason.
    pub finish: bool,
    seen: Seen,
}

/// Which of some names have been there, a bit for each.
#[derive(Debug, Default)]
struct Seen(u8);

impl Seen {
    /// Whether `name` is one of `names`, always the same ones, and has been there before.
    fn again(&mut self, names: [&[u8]; 4], name: &[u8]) -> bool {
        let Some(position) = names.iter().position(|other| *other == name) else { return false };
        let again = self.0 >> position & 1 == 1;
        self.0 |= 1 << position;
        again
    }
}

impl Layout {
    /// Reads a chunk; fails on anything beside plain text and reasoning.
    pub fn read(data: &[u8]) -> Result<Self, Why> {
        let mut layout = Self::default();
        let mut seen = Seen::default();
        // With anything but valid JSON, readers may differ from us and from each other.
        if !strict::is_object(data) {
            return Err(Why::Unclear);
        }
        let mut cursor = Cursor::new(data);
        cursor.skip_space();
        cursor.members(|cursor, key| {
            if seen.again([b"id", b"choices", b"usage", b"metadata"], &key.name()) {
                layout.find(Why::Unclear);
            }
            layout.top(cursor, key)?;
            layout.end = cursor.offset();
            Ok(())
        })?;
        layout.beyond.map_or(Ok(layout), Err)
    }

    /// The delta, if there is one.
    pub fn delta(&self) -> Option<&Delta> {
        self.choice.as_ref()?.delta.as_ref()
    }

    /// Where the text of the content stands: strings with their quotes, in order.
    pub fn texts(&self) -> impl Iterator<Item = Range<usize>> {
        self.delta().map(Delta::texts).unwrap_or_default().into_iter()
    }

    /// Whether the choice has a finish reason.
    pub fn finish(&self) -> bool {
        self.choice.as_ref().is_some_and(|choice| choice.finish)
    }

    fn find(&mut self, why: Why) {
        self.beyond.get_or_insert(why);
    }

    fn top(&mut self, cursor: &mut Cursor<'_>, key: Key<'_>) -> Result<(), Unbalanced> {
        let (name, kind) = (key.name(), cursor.kind());
        if (&*name, kind) == (b"choices", Kind::Array) {
            return cursor.elements(|cursor| self.choice(cursor));
        }
        let value = cursor.value()?;
        match (&*name, kind) {
            (b"id", Kind::String) => self.id = Some(value),
            (b"usage", Kind::Object) => self.usage = Some(value),
            (b"metadata", _) => self.metadata = Some(value),
            (b"choices" | b"error", kind) if kind != Kind::Null => self.find(Why::Unclear),
            _ => {}
        }
        Ok(())
    }

    fn choice(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Unbalanced> {
        if self.choice.is_some() {
            self.find(Why::Choices);
        }
        if cursor.kind() != Kind::Object {
            self.find(Why::Unclear);
            return Ok(());
        }
        let mut choice = Choice { start: cursor.offset() + 1, ..Choice::default() };
        cursor.members(|cursor, key| {
            if let Some(why) = choice.member(cursor, key)? {
                self.find(why);
            }
            Ok(())
        })?;
        self.choice = Some(choice);
        Ok(())
    }
}

impl Choice {
    /// Reads a member and says what it holds beside plain text.
    fn member(&mut self, cursor: &mut Cursor<'_>, key: Key<'_>) -> Result<Option<Why>, Unbalanced> {
        let name = key.name();
        if self.seen.again([b"index", b"delta", b"finish_reason", b"logprobs"], &name) {
            return Ok(Some(Why::Unclear));
        }
        Ok(match (&*name, cursor.kind()) {
            (b"delta", Kind::Null) => {
                self.no_delta = Some(cursor.value()?);
                None
            }
            (b"index" | b"finish_reason" | b"logprobs" | b"error", Kind::Null) => None,
            (b"index", _) => (cursor.text()? != b"0").then_some(Why::Choices),
            (b"delta", Kind::Object) => {
                let (delta, beyond) = Delta::read(cursor)?;
                self.delta = Some(delta);
                beyond
            }
            (b"finish_reason", Kind::String) => match &*unescape(cursor.string()?) {
                // Some providers write this for null.
                b"" => None,
                b"tool_calls" | b"function_call" => Some(Why::ToolCall),
                _ => {
                    self.finish = true;
                    None
                }
            },
            (b"finish_reason", _) => {
                self.finish = true;
                None
            }
            (b"logprobs", _) => {
                self.logprobs = Some(cursor.value()?);
                None
            }
            (b"delta" | b"error", _) => Some(Why::Unclear),
            (b"message" | b"text", _) => chunk::is_filled(cursor)?.then_some(Why::Unclear),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_again_however_often_it_is_there() {
        let names: [&[u8]; 4] = [b"id", b"choices", b"usage", b"metadata"];
        let mut seen = Seen::default();
        for round in 0..1000 {
            for name in names {
                assert_eq!(seen.again(names, name), round > 0);
            }
            assert!(!seen.again(names, b"x"));
        }
        let data = format!("{{{}\"choices\":[]}}", "\"id\":0,".repeat(200_000));
        assert_eq!(Layout::read(data.as_bytes()).err(), Some(Why::Unclear));
    }
}
