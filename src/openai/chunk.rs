//! What the relay wants to know of one event's data, read in one structural scan.

use std::ops::Range;
use std::str;

use super::scan::{Cursor, Cuts, Key, Kind, Unbalanced, unescape};
use super::sse::fold_lines;

pub mod alike;
#[cfg(test)]
mod tests;

/// What a chunk holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, no states of a machine")]
pub struct Facts {
    /// Content, reasoning, a refusal, a tool call or audio that is not empty, in any choice.
    pub payload: bool,
    /// The finish reason; of several choices the most telling one.
    pub finish: Option<Finish>,
    /// The choices that have a finish reason.
    pub finished: Choices,
    /// The choices that have payload.
    pub spoke: Choices,
    /// An `error` member that is not null, at the top or in a choice.
    pub error: bool,
    /// `usage.completion_tokens`; 0 where there is none.
    pub completion_tokens: u64,
    /// A `usage` member that is not null.
    pub usage: bool,
    /// A `choices` member that is an array and not empty.
    pub choices: bool,
    /// A top-level member that a chunk has no business to hold: see [`without_foreign`].
    pub foreign: bool,
}

/// Some choices of an answer, by their `index`.
///
/// `OpenAI` allows 128 of them; whatever is beyond counts as the last one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choices(u128);

impl Choices {
    fn add(&mut self, index: u32) {
        self.0 |= 1 << index.min(u128::BITS - 1);
    }

    /// These and `others`.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether one of these is among `others`.
    pub fn meet(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// How many there are.
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }
}

/// A finish reason, from the least telling to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finish {
    /// `stop`
    Stop,
    /// `length`, `tool_calls`, …: an answer even without payload.
    Other,
    /// `error`
    Error,
}

/// The data does not start with `{`, or its brackets outside strings do not close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not JSON")]
pub struct NotJson;

/// Reads `data`, the joined `data` lines of an event.
pub fn inspect(data: &[u8]) -> Result<Facts, NotJson> {
    let mut facts = read(data)?;
    if !facts.foreign && memchr::memchr(b'\n', data).is_some() {
        // Open WebUI reads each `data` line by itself.
        let mut lines = data.split(|byte| *byte == b'\n');
        facts.foreign = lines.any(|line| read(line).is_ok_and(|facts| facts.foreign));
    }
    Ok(facts)
}

/// Whether `data` marks the end of a stream.
pub fn is_done(data: &[u8]) -> bool {
    data.trim_ascii() == b"[DONE]"
}

/// `data` without its top-level `event` and `selected_model_id` members, on one line, and byte for
/// byte the same otherwise.
///
/// Open WebUI runs what an `event` member says, scripts for the browser included. Data that is not
/// JSON comes back unchanged.
pub fn without_foreign(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    fold_lines(&mut data);
    let mut kept = Vec::with_capacity(data.len());
    let mut copied = 0;
    let mut cut = |range: Option<Range<usize>>| {
        if let Some(range) = range {
            kept.extend_from_slice(&data[copied..range.start]);
            copied = range.end;
        }
    };
    let walked = Cursor::new(&data).documents(|cursor| {
        let mut cuts = Cuts::default();
        cursor.members(|cursor, key| {
            let member = key.start..cursor.value()?.end;
            cut(if is_foreign(&key.name()) { cuts.cut(member) } else { cuts.keep(member) });
            Ok(())
        })?;
        cut(cuts.finish());
        Ok(())
    });
    if walked.is_err() {
        return data;
    }
    kept.extend_from_slice(&data[copied..]);
    kept
}

/// Whether a top-level member of this name is kept from clients.
pub(super) fn is_foreign(name: &[u8]) -> bool {
    matches!(name, b"event" | b"selected_model_id")
}

fn read(data: &[u8]) -> Result<Facts, NotJson> {
    let data = data.trim_ascii();
    if !data.starts_with(b"{") {
        return Err(NotJson);
    }
    let mut facts = Facts::default();
    Cursor::new(data).documents(|cursor| facts.object(cursor)).map_err(|Unbalanced| NotJson)?;
    Ok(facts)
}

impl Facts {
    /// Moves past the object at the cursor and adds what it holds.
    pub(super) fn object(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Unbalanced> {
        cursor.members(|cursor, key| self.top(cursor, key))
    }

    fn top(&mut self, cursor: &mut Cursor<'_>, key: Key<'_>) -> Result<(), Unbalanced> {
        let name = key.name();
        match (&*name, cursor.kind()) {
            (_, Kind::Missing) => Ok(()),
            (b"choices", Kind::Array) => cursor.elements(|cursor| {
                self.choices = true;
                self.choice(cursor)
            }),
            (b"usage", Kind::Object) => {
                self.usage = true;
                cursor.members(|cursor, key| self.count(cursor, key))
            }
            (b"usage", kind) => {
                self.usage |= kind != Kind::Null;
                Ok(())
            }
            (b"error", kind) => {
                self.error |= kind != Kind::Null;
                Ok(())
            }
            (name, _) => {
                self.foreign |= is_foreign(name);
                Ok(())
            }
        }
    }

    fn choice(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Unbalanced> {
        if cursor.kind() != Kind::Object {
            return Ok(());
        }
        let (mut index, mut payload, mut finish) = (0, false, None);
        cursor.members(|cursor, key| {
            match (&*key.name(), cursor.kind()) {
                (_, Kind::Missing | Kind::Null) => {}
                (b"index", Kind::Scalar) => index = small_number(cursor.text()?),
                (b"delta" | b"message", Kind::Object) => cursor.members(|cursor, key| {
                    if is_payload(&key.name()) {
                        payload |= is_filled(cursor)?;
                    }
                    Ok(())
                })?,
                (b"text", Kind::String) => payload |= is_filled(cursor)?,
                (b"finish_reason", Kind::String) => {
                    finish = match &*unescape(cursor.string()?) {
                        // Some providers write this for null.
                        b"" => None,
                        b"stop" => Some(Finish::Stop),
                        b"error" => Some(Finish::Error),
                        _ => Some(Finish::Other),
                    };
                }
                (b"finish_reason", _) => finish = Some(Finish::Other),
                (b"error", _) => self.error = true,
                _ => {}
            }
            Ok(())
        })?;
        self.payload |= payload;
        self.finish = self.finish.max(finish);
        if payload {
            self.spoke.add(index);
        }
        if finish.is_some() {
            self.finished.add(index);
        }
        Ok(())
    }

    fn count(&mut self, cursor: &mut Cursor<'_>, key: Key<'_>) -> Result<(), Unbalanced> {
        if &*key.name() == b"completion_tokens" {
            let text = str::from_utf8(cursor.text()?).unwrap_or_default();
            self.completion_tokens = self.completion_tokens.max(whole_number(text));
        }
        Ok(())
    }
}

/// The members of a delta or message that carry an answer, reasoning in every vendor's spelling.
fn is_payload(name: &[u8]) -> bool {
    matches!(
        name,
        b"content"
            | b"reasoning"
            | b"reasoning_content"
            | b"reasoning_details"
            | b"thinking"
            | b"thinking_blocks"
            | b"refusal"
            | b"tool_calls"
            | b"function_call"
            | b"audio"
            | b"images"
    )
}

/// Moves past a value and says whether it is a string, an array or an object with something in it.
pub(super) fn is_filled(cursor: &mut Cursor<'_>) -> Result<bool, Unbalanced> {
    let kind = cursor.kind();
    let text = cursor.text()?;
    Ok(match kind {
        Kind::String => text.len() > 2,
        Kind::Array | Kind::Object => !text[1..text.len() - 1].trim_ascii().is_empty(),
        Kind::Null | Kind::Scalar | Kind::Missing => false,
    })
}

/// An index; one that is no number counts as the first.
fn small_number(text: &[u8]) -> u32 {
    str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
fn whole_number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| text.parse::<f64>().map_or(0, |number| number as u64))
}
