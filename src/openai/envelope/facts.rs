//! What a request is: what it holds, how large it is, whether it is a task.

use std::collections::BTreeSet;

use memchr::memmem;

use super::{Envelope, Messages};
use crate::openai::literal;
use crate::openai::scan::{Cursor, Kind as Json, Unbalanced, unescape};
use crate::route::{Facts, Kind, Trait};

#[cfg(test)]
mod tests;

/// `OpenAI`'s rule of thumb for English: a token is about four characters.
const BYTES_IN_A_TOKEN: u64 = 4;

/// What a picture counts for, whatever its size: at 1024 × 1024 it is 765 tokens for GPT-4o, 1398 for Claude and
/// 1032 for Gemini, by what their makers say.
const TOKENS_OF_AN_IMAGE: u64 = 1000;

/// How the prompts of Open `WebUI`'s tasks begin: titles, tags, follow-ups, searches, pictures, autocompletion.
const TASK: &str = "### Task:";

/// And what stands in all of them besides, as the end of the chat that they are about: many people begin
/// their own prompts like that, and do wait for the answer.
const OF_A_CHAT: &[u8] = b"/chat_history";

/// The one for an emoji is about a single message.
const EMOJI: &str = "Your task is to reflect the speaker's likely facial expression";

/// What goes on like this after `### Task:` is no task: a chat with documents, and the summary of a long chat, for
/// which the chat itself waits.
const CHATS: [&str; 2] = [
    "Respond to the user query using the provided context",
    "Summarize the conversation history that will be compacted",
];

/// So many characters tell all of these apart.
const LONGEST_BEGINNING: usize = 100;

impl Envelope {
    /// Whether it may be a task; for most requests a look at the beginning of their only message says that it
    /// is none.
    pub fn may_be_task(&self) -> bool {
        !self.stream
            && match &self.messages {
                Messages::Missing => false,
                Messages::Once(range) => is_one_that_may_ask(&self.body[range.clone()]),
                Messages::Often => true,
            }
    }

    /// What the request is. It walks the whole body, but for what stands in strings.
    ///
    /// It is a task by its shape: no stream, no tools, and one message of a user that is worded as those of Open
    /// `WebUI`'s tasks are.
    pub fn facts(&self) -> Facts {
        let mut reading = Reading::default();
        let mut cursor = Cursor::new(&self.body);
        cursor.skip_space();
        let walked = cursor.members(|cursor, key| reading.top(cursor, &key.name()));
        debug_assert_eq!(walked, Ok(()), "the body was checked");
        let Reading { has, bytes, images, messages, asks } = reading;
        let task = !self.stream && !has.contains(&Trait::Tools) && messages == 1 && asks;
        Facts {
            has,
            tokens: bytes.div_ceil(BYTES_IN_A_TOKEN) + images * TOKENS_OF_AN_IMAGE,
            kind: if task { Kind::Task } else { Kind::Chat },
        }
    }
}

/// What has been found.
#[derive(Default)]
struct Reading {
    has: BTreeSet<Trait>,
    /// Of text and tools.
    bytes: u64,
    images: u64,
    messages: usize,
    /// Whether the latest message is a user's and the prompt of a task.
    asks: bool,
}

/// What has been found of one message or one part of it.
#[derive(Default)]
struct Part {
    kind: Vec<u8>,
    user: bool,
    asks: Option<bool>,
}

impl Reading {
    fn top(&mut self, cursor: &mut Cursor<'_>, name: &[u8]) -> Result<(), Unbalanced> {
        match (name, cursor.kind()) {
            (b"messages", Json::Array) => cursor.elements(|cursor| self.message(cursor)),
            (b"tools" | b"functions", Json::Array) => {
                let text = cursor.text()?;
                if !is_empty(text)? {
                    self.has.insert(Trait::Tools);
                    self.bytes += compact(text);
                }
                Ok(())
            }
            (b"modalities", Json::Array) => cursor.elements(|cursor| {
                if cursor.kind() == Json::String && &*unescape(cursor.string()?) == b"audio" {
                    self.has.insert(Trait::Audio);
                }
                Ok(())
            }),
            (b"response_format", Json::Object) => cursor.members(|cursor, key| {
                if &*key.name() == b"type"
                    && cursor.kind() == Json::String
                    && &*unescape(cursor.string()?) == b"json_schema"
                {
                    self.has.insert(Trait::JsonSchema);
                }
                Ok(())
            }),
            _ => Ok(()),
        }
    }

    fn message(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Unbalanced> {
        self.messages += 1;
        self.asks = false;
        if cursor.kind() != Json::Object {
            return Ok(());
        }
        let mut message = Part::default();
        cursor.members(|cursor, key| match (&*key.name(), cursor.kind()) {
            (b"role", Json::String) => {
                message.user = &*unescape(cursor.string()?) == b"user";
                Ok(())
            }
            (b"content", Json::String) => self.text(cursor, &mut message),
            (b"content", Json::Array) => cursor.elements(|cursor| self.part(cursor, &mut message)),
            (b"reasoning" | b"reasoning_content" | b"refusal" | b"name", Json::String) => {
                self.bytes += length(cursor.string()?);
                Ok(())
            }
            (b"tool_calls" | b"function_call", Json::Array | Json::Object) => {
                self.bytes += compact(cursor.text()?);
                Ok(())
            }
            _ => Ok(()),
        })?;
        self.asks = message.user && message.asks == Some(true);
        Ok(())
    }

    fn part(&mut self, cursor: &mut Cursor<'_>, message: &mut Part) -> Result<(), Unbalanced> {
        if cursor.kind() != Json::Object {
            return Ok(());
        }
        let mut part = Part::default();
        cursor.members(|cursor, key| match (&*key.name(), cursor.kind()) {
            (b"type", Json::String) => {
                part.kind = unescape(cursor.string()?).into_owned();
                Ok(())
            }
            (b"text", Json::String) => self.text(cursor, message),
            _ => Ok(()),
        })?;
        match &*part.kind {
            b"image_url" | b"input_image" | b"image" => {
                self.has.insert(Trait::Images);
                self.images += 1;
            }
            b"input_audio" | b"audio_url" => {
                self.has.insert(Trait::Audio);
            }
            _ => {}
        }
        Ok(())
    }

    /// Counts the text at the cursor; the first one of a message tells whether it begins as a task does.
    fn text(&mut self, cursor: &mut Cursor<'_>, message: &mut Part) -> Result<(), Unbalanced> {
        let raw = cursor.string()?;
        self.bytes += length(raw);
        message.asks.get_or_insert_with(|| is_of_a_task(raw));
        Ok(())
    }
}

/// Whether `messages` is an array of one message that may be the prompt of a task.
fn is_one_that_may_ask(messages: &[u8]) -> bool {
    let mut cursor = Cursor::new(messages);
    if cursor.kind() != Json::Array || cursor.enter() != Some(b'{') {
        return false;
    }
    let mut content = None;
    // An error ends the walk where there is no need to go on.
    let _ = cursor.clone().members(|cursor, key| {
        if &*key.name() == b"content" {
            content = Some(cursor.clone());
            return Err(Unbalanced);
        }
        Ok(())
    });
    let may_ask = content.is_some_and(|content| {
        content.kind() != Json::String || may_be_of_a_task(&messages[content.offset() + 1..])
    });
    may_ask && cursor.value().is_ok() && cursor.skip_space() == Some(b']')
}

/// Whether a string begins with a letter that those of tasks begin with, or with what may stand for one or for
/// white space: an escape, or the first byte of such a character.
fn may_be_of_a_task(raw: &[u8]) -> bool {
    matches!(raw.trim_ascii_start().first(), Some(b'#' | b'Y' | b'\\' | 0xC2 | 0xE1..=0xE3))
}

/// Whether a text is the prompt of a task.
fn is_of_a_task(raw: &[u8]) -> bool {
    if !may_be_of_a_task(raw) {
        return false;
    }
    let Ok(text) = literal::characters(raw) else { return false };
    let text = text.map_while(Result::ok).map(|(character, _)| character);
    let text: String =
        text.skip_while(|character| character.is_whitespace()).take(LONGEST_BEGINNING).collect();
    match text.strip_prefix(TASK).map(str::trim_start) {
        Some(rest) => {
            !CHATS.iter().any(|chat| rest.starts_with(chat)) && memmem::find(raw, OF_A_CHAT).is_some()
        }
        None => text.starts_with(EMOJI),
    }
}

fn is_empty(array: &[u8]) -> Result<bool, Unbalanced> {
    let mut empty = true;
    Cursor::new(array).elements(|_| {
        empty = false;
        Ok(())
    })?;
    Ok(empty)
}

/// How many bytes stand in a string, escapes aside.
fn length(raw: &[u8]) -> u64 {
    let mut length = raw.len() as u64;
    let mut high = false;
    let mut rest = raw;
    let mut between = false;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        between = between && at == 0;
        let unit = match rest.get(at + 1) {
            Some(b'u') => rest.get(at + 2..at + 6).and_then(hexadecimal),
            _ => None,
        };
        let (written, bytes) = match unit {
            // The second half of a pair: both of them are four bytes, of which three are counted.
            Some(0xDC00..0xE000) if high && between => (6, 1),
            Some(0..0x80) => (6, 1),
            Some(0x80..0x800) => (6, 2),
            Some(_) => (6, 3),
            None => (2, 1),
        };
        high = matches!(unit, Some(0xD800..0xDC00));
        between = high;
        length -= written - bytes;
        rest = rest.get(at + usize::try_from(written).unwrap_or(2)..).unwrap_or_default();
    }
    length
}

fn hexadecimal(digits: &[u8]) -> Option<u16> {
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// How many bytes a value takes that is written without space and escapes.
fn compact(json: &[u8]) -> u64 {
    let mut bytes = 0;
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                let Ok(raw) = Cursor::new(&json[at..]).string() else { return bytes };
                bytes += length(raw) + 2;
                at += raw.len() + 2;
            }
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            _ => {
                bytes += 1;
                at += 1;
            }
        }
    }
    bytes
}
