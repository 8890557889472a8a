//! An answer that is not streamed: checked whole, and as a stream for a client that asked for one.

use bytes::Bytes;

use super::chunk::{self, Facts, Finish};
use super::scan::{Cursor, Kind, Unbalanced};
use super::sse::{DONE, push_data_event};

#[cfg(test)]
mod tests;

/// What is known of a whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    /// There is nothing in it: no content, reasoning, refusal, tool call or audio, no finish reason
    /// but `stop`, no completion tokens counted.
    pub empty: bool,
}

/// Why a body is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// No JSON object, or one that does not end.
    #[error("the answer is not JSON")]
    NotJson,
    /// It says that something went wrong.
    #[error("the answer holds an error")]
    Error,
    /// `choices` is missing or empty.
    #[error("the answer has no `choices`")]
    NoChoices,
}

impl From<Unbalanced> for Flaw {
    fn from(_: Unbalanced) -> Self {
        Self::NotJson
    }
}

/// Checks a whole answer.
///
/// Its structure is checked, not its every token: some servers write `NaN`, which many clients take.
pub fn inspect(body: &[u8]) -> Result<Completion, Flaw> {
    let mut facts = Facts::default();
    let mut cursor = Cursor::new(body);
    if cursor.skip_space() != Some(b'{') {
        return Err(Flaw::NotJson);
    }
    facts.object(&mut cursor)?;
    if cursor.skip_space().is_some() || !is_utf8(body) {
        return Err(Flaw::NotJson);
    }
    let Facts { payload, finish, error, completion_tokens, choices, .. } = facts;
    if error || finish == Some(Finish::Error) {
        return Err(Flaw::Error);
    }
    if !choices {
        return Err(Flaw::NoChoices);
    }
    Ok(Completion { empty: !payload && finish != Some(Finish::Other) && completion_tokens == 0 })
}

fn is_utf8(text: &[u8]) -> bool {
    // Of the last bytes, which fill no block, `is_ascii` would look at each by itself.
    let (blocks, rest) = text.as_chunks::<64>();
    let is_ascii = blocks.as_flattened().is_ascii() && rest.iter().fold(0, |all, byte| all | byte) < 0x80;
    is_ascii || std::str::from_utf8(text).is_ok()
}

/// The same answer as the events of a stream: for each choice its role, everything its message holds,
/// and its finish reason; then the usage, if asked for, and `[DONE]`.
///
/// Values keep their text, so numbers stay exact and members that we do not know survive.
pub fn as_events(body: &[u8], include_usage: bool) -> Result<Bytes, Flaw> {
    inspect(body)?;
    let answer = Answer::read(body)?;
    let mut events = Events { head: answer.head, out: Vec::with_capacity(body.len() + 1024) };
    for (position, choice) in answer.choices.iter().enumerate() {
        let position = position.to_string();
        let index = choice.index.unwrap_or(position.as_bytes());
        let role = [br#""role":"#, choice.role.unwrap_or(br#""assistant""#)].concat();
        events.push_choice(index, &role, br#","finish_reason":null"#);
        events.push_choice(
            index,
            &choice.delta,
            &[&choice.logprobs, &br#","finish_reason":null"#[..]].concat(),
        );
        events.push_choice(index, b"", &choice.finish);
    }
    if let Some(usage) = answer.usage.filter(|_| include_usage) {
        events.push(&[br#""choices":[],"usage":"#, usage].concat());
    }
    events.out.extend_from_slice(DONE);
    Ok(events.out.into())
}

struct Events {
    head: Vec<u8>,
    out: Vec<u8>,
}

impl Events {
    fn push_choice(&mut self, index: &[u8], delta: &[u8], rest: &[u8]) {
        self.push(&[br#""choices":[{"index":"#, index, br#","delta":{"#, delta, b"}", rest, b"}]"].concat());
    }

    fn push(&mut self, members: &[u8]) {
        push_data_event(&mut self.out, &[b"{", &*self.head, members, b"}"].concat());
    }
}

/// The parts of an answer, as JSON text.
struct Answer<'a> {
    /// Members of every chunk, each with a comma after it.
    head: Vec<u8>,
    choices: Vec<Choice<'a>>,
    usage: Option<&'a [u8]>,
}

#[derive(Default)]
struct Choice<'a> {
    index: Option<&'a [u8]>,
    role: Option<&'a [u8]>,
    /// The members of the message but for its role.
    delta: Vec<u8>,
    /// What belongs beside the delta; a comma before each member.
    logprobs: Vec<u8>,
    /// What belongs beside the finish reason, and that itself; a comma before each member.
    finish: Vec<u8>,
}

impl<'a> Answer<'a> {
    fn read(body: &'a [u8]) -> Result<Self, Unbalanced> {
        let mut head = Members::default();
        let (mut id, mut created, mut model) = (false, false, false);
        let mut choices = Vec::new();
        let mut usage = None;
        let mut cursor = Cursor::new(body);
        cursor.skip_space();
        cursor.members(|cursor, key| {
            let (name, kind) = (key.name(), cursor.kind());
            match &*name {
                b"choices" if kind == Kind::Array => {
                    return cursor.elements(|cursor| {
                        choices.extend(Choice::read(cursor)?);
                        Ok(())
                    });
                }
                b"usage" => usage = Some(cursor.text()?).filter(|_| kind != Kind::Null),
                b"object" | b"error" | b"choices" => {}
                b"id" | b"created" | b"model" if kind == Kind::Null => {}
                name if chunk::is_foreign(name) => {}
                name => {
                    id |= name == b"id";
                    created |= name == b"created";
                    model |= name == b"model";
                    head.push(key.raw, cursor.text()?);
                }
            }
            Ok(())
        })?;
        head.push(b"object", br#""chat.completion.chunk""#);
        for (there, name, value) in [
            (id, &b"id"[..], &br#""chatcmpl-backstop""#[..]),
            (created, b"created", b"0"),
            (model, b"model", br#""""#),
        ] {
            if !there {
                head.push(name, value);
            }
        }
        let mut head = head.0;
        head.push(b',');
        Ok(Self { head, choices, usage })
    }
}

impl<'a> Choice<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Option<Self>, Unbalanced> {
        if cursor.kind() != Kind::Object {
            return Ok(None);
        }
        let mut choice = Self::default();
        let mut delta = Members::default();
        let mut beside = Members::default();
        let mut finish = Members::default();
        let mut reason: &[u8] = br#""stop""#;
        cursor.members(|cursor, key| {
            match (&*key.name(), cursor.kind()) {
                (b"message" | b"delta", Kind::Object) => {
                    return cursor.members(|cursor, key| {
                        match (&*key.name(), cursor.kind()) {
                            (b"role", Kind::String) => choice.role = Some(cursor.text()?),
                            (b"tool_calls", Kind::Array) => delta.push(b"tool_calls", &indexed(cursor)?),
                            _ => delta.push(key.raw, cursor.text()?),
                        }
                        Ok(())
                    });
                }
                (b"text", Kind::String) => delta.push(b"content", cursor.text()?),
                (b"index", Kind::Scalar) => choice.index = Some(cursor.text()?),
                (b"finish_reason", Kind::String) => {
                    let text = cursor.text()?;
                    reason = if text == br#""""# { reason } else { text };
                }
                (b"message" | b"delta" | b"text" | b"index" | b"finish_reason" | b"error", _) => {}
                (b"logprobs", _) => beside.push(b"logprobs", cursor.text()?),
                _ => finish.push(key.raw, cursor.text()?),
            }
            Ok(())
        })?;
        finish.push(b"finish_reason", reason);
        choice.delta = delta.0;
        choice.logprobs = beside.after_comma();
        choice.finish = finish.after_comma();
        Ok(Some(choice))
    }
}

/// Tool calls with the `index` that those of a stream have: their position, whatever the provider says,
/// for two calls with one index become one.
fn indexed(cursor: &mut Cursor<'_>) -> Result<Vec<u8>, Unbalanced> {
    let mut calls = vec![b'['];
    let mut position = 0;
    cursor.elements(|cursor| {
        if position > 0 {
            calls.push(b',');
        }
        if cursor.kind() == Kind::Object {
            let mut call = Members::default();
            call.push(b"index", position.to_string().as_bytes());
            cursor.members(|cursor, key| {
                if &*key.name() != b"index" {
                    call.push(key.raw, cursor.text()?);
                }
                Ok(())
            })?;
            calls.extend([b"{", &*call.0, b"}"].concat());
        } else {
            calls.extend_from_slice(cursor.text()?);
        }
        position += 1;
        Ok(())
    })?;
    calls.push(b']');
    Ok(calls)
}

/// The members of an object that is being written, with commas between them.
#[derive(Default)]
struct Members(Vec<u8>);

impl Members {
    /// `key` is what stands between its quotes.
    fn push(&mut self, key: &[u8], value: &[u8]) {
        if !self.0.is_empty() {
            self.0.push(b',');
        }
        for part in [b"\"", key, b"\":", value] {
            self.0.extend_from_slice(part);
        }
    }

    fn after_comma(self) -> Vec<u8> {
        if self.0.is_empty() { self.0 } else { [b",", &*self.0].concat() }
    }
}
