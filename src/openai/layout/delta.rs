//! The delta of a chunk.

use std::ops::Range;

use super::Why;
use crate::openai::chunk;
use crate::openai::scan::{Cursor, Kind, Unbalanced, unescape};

/// How deep a member may be nested whose inside we read.
const MAX_DEPTH: usize = 32;

/// What a delta holds, by where it stands.
#[derive(Debug, Default)]
pub(in crate::openai) struct Delta {
    /// All of it, brackets included.
    pub value: Range<usize>,
    /// Its members, in order.
    pub members: Vec<Member>,
    pub content: Option<Content>,
    /// Whether reasoning in it is signed or encrypted.
    pub signed: bool,
}

/// A member of a delta.
#[derive(Debug)]
pub(in crate::openai) struct Member {
    /// From its key to the end of its value.
    pub range: Range<usize>,
    pub kind: MemberKind,
    /// Whether there is something in it.
    pub filled: bool,
}

/// What a member is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::openai) enum MemberKind {
    Role,
    Content,
    /// Reasoning in any vendor's spelling, and signatures.
    Thought,
    /// Something that we do not know.
    Other,
}

/// The content.
#[derive(Debug)]
pub(in crate::openai) enum Content {
    /// A string.
    Text(Range<usize>),
    /// An array of parts.
    Parts {
        value: Range<usize>,
        /// Each part, with the string that is its text; none if it is a thought.
        parts: Vec<(Range<usize>, Option<Range<usize>>)>,
    },
    /// Null.
    Null(Range<usize>),
}

impl Content {
    /// All of it.
    pub fn value(&self) -> Range<usize> {
        match self {
            Self::Text(value) | Self::Null(value) | Self::Parts { value, .. } => value.clone(),
        }
    }

    /// Its strings, in order.
    pub fn texts(&self) -> Vec<Range<usize>> {
        match self {
            Self::Text(value) => vec![value.clone()],
            Self::Null(_) => Vec::new(),
            Self::Parts { parts, .. } => parts.iter().filter_map(|(_, text)| text.clone()).collect(),
        }
    }

    /// Whether it has a part that is no text.
    pub fn has_thought(&self) -> bool {
        matches!(self, Self::Parts { parts, .. } if parts.iter().any(|(_, text)| text.is_none()))
    }
}

impl Delta {
    /// Reads the object at the cursor, and says what it holds beside plain text and reasoning.
    pub fn read(cursor: &mut Cursor<'_>) -> Result<(Self, Option<Why>), Unbalanced> {
        let start = cursor.offset();
        let mut delta = Self::default();
        let mut beyond = None;
        cursor.members(|cursor, key| {
            let mut value = cursor.clone();
            let filled = chunk::is_filled(&mut value)? || cursor.kind() == Kind::Scalar;
            let range = key.start..value.offset();
            let kind = delta.member(cursor, &key.name(), filled, &mut beyond)?;
            delta.members.push(Member { range, kind, filled });
            Ok(())
        })?;
        delta.value = start..cursor.offset();
        Ok((delta, beyond))
    }

    /// Whether a member of this kind with something in it is there.
    pub fn has(&self, kind: MemberKind) -> bool {
        self.members.iter().any(|member| member.kind == kind && member.filled)
    }

    /// Where the text of the content stands: strings with their quotes, in order.
    pub fn texts(&self) -> Vec<Range<usize>> {
        self.content.as_ref().map(Content::texts).unwrap_or_default()
    }

    fn member(
        &mut self,
        cursor: &mut Cursor<'_>,
        name: &[u8],
        filled: bool,
        beyond: &mut Option<Why>,
    ) -> Result<MemberKind, Unbalanced> {
        let why = match name {
            b"role" => return Ok(MemberKind::Role),
            b"content" => {
                let again = self.content.is_some().then_some(Why::Unclear);
                *beyond = beyond.or(again).or(self.read_content(cursor)?);
                return Ok(MemberKind::Content);
            }
            b"tool_calls" | b"function_call" => Why::ToolCall,
            b"refusal" => Why::Refusal,
            b"audio" => Why::Audio,
            b"images" => Why::Images,
            _ => {
                let thought = is_thought(name);
                let signed = filled && (is_signature(name) || is_signed(cursor, thought, MAX_DEPTH)?);
                self.signed |= signed;
                return Ok(if signed || thought { MemberKind::Thought } else { MemberKind::Other });
            }
        };
        if filled {
            beyond.get_or_insert(why);
        }
        Ok(MemberKind::Other)
    }

    fn read_content(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<Why>, Unbalanced> {
        let (content, beyond) = match cursor.kind() {
            Kind::String => (Content::Text(cursor.value()?), None),
            Kind::Null => (Content::Null(cursor.value()?), None),
            Kind::Array => {
                let value = cursor.clone().value()?;
                let mut parts = Vec::new();
                let mut beyond = None;
                cursor.elements(|cursor| {
                    let (part, found) = read_part(cursor)?;
                    beyond = beyond.or(found);
                    parts.push(part);
                    Ok(())
                })?;
                (Content::Parts { value, parts }, beyond)
            }
            Kind::Object | Kind::Scalar | Kind::Missing => {
                cursor.value()?;
                return Ok(Some(Why::Unclear));
            }
        };
        self.content = Some(content);
        Ok(beyond)
    }
}

type Part = (Range<usize>, Option<Range<usize>>);

fn read_part(cursor: &mut Cursor<'_>) -> Result<(Part, Option<Why>), Unbalanced> {
    let start = cursor.offset();
    if cursor.kind() != Kind::Object {
        return Ok(((cursor.value()?, None), Some(Why::Parts)));
    }
    let (mut kind, mut text, mut again) = (None, None, false);
    cursor.members(|cursor, key| {
        match (&*key.name(), cursor.kind()) {
            (b"type", Kind::String) => again |= kind.replace(unescape(cursor.string()?)).is_some(),
            (b"text", Kind::String) => again |= text.replace(cursor.value()?).is_some(),
            _ => {}
        }
        Ok(())
    })?;
    let range = start..cursor.offset();
    Ok(match (kind.as_deref(), text) {
        _ if again => ((range, None), Some(Why::Unclear)),
        (Some(b"text"), Some(text)) => ((range, Some(text)), None),
        (Some(b"thinking" | b"reasoning"), None) => ((range, None), None),
        _ => ((range, None), Some(Why::Parts)),
    })
}

/// Whether a member of this name is the model's thinking.
fn is_thought(name: &[u8]) -> bool {
    [&b"reasoning"[..], b"thinking", b"thought"].iter().any(|word| name.starts_with(word))
        || is_signature(name)
}

/// Whether a member of this name holds what only the model that wrote it can check or read.
fn is_signature(name: &[u8]) -> bool {
    name.ends_with(b"signature")
        || name.ends_with(b"Signature")
        || matches!(name, b"encrypted_content" | b"reasoning_opaque")
}

/// Moves past a value and says whether a signature stands anywhere in it, or, in a `thought`, encrypted
/// data; so does one that is nested too deeply to tell.
fn is_signed(cursor: &mut Cursor<'_>, thought: bool, depth: usize) -> Result<bool, Unbalanced> {
    let mut signed = false;
    match cursor.kind() {
        Kind::Object | Kind::Array if depth == 0 => {
            cursor.value()?;
            signed = true;
        }
        Kind::Object => cursor.members(|cursor, key| {
            let name = key.name();
            // `{"type":"reasoning.encrypted","data":…}` and `{"type":"redacted_thinking","data":…}`
            signed |= if is_signature(&name) || thought && &*name == b"data" {
                chunk::is_filled(cursor)?
            } else {
                is_signed(cursor, thought, depth - 1)?
            };
            Ok(())
        })?,
        Kind::Array => cursor.elements(|cursor| {
            signed |= is_signed(cursor, thought, depth - 1)?;
            Ok(())
        })?,
        _ => {
            cursor.value()?;
        }
    }
    Ok(signed)
}
