//! What we read of a request: enough to act on, and where its `model` stands.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::patch::Patch;
use super::scan::strict::{self, Flaw};
use super::scan::{Cursor, Cuts};
use crate::route::{Edits, ForeignReasoning};

mod facts;
mod members;
mod resume;
mod sealed;
#[cfg(test)]
mod tests;

use members::{Members, Messages, flag_of, text_of};

/// No provider has a model whose name is nearly that long, in bytes.
const LONGEST_NAME: usize = 512;

/// A checked chat request: whole JSON, valid UTF-8, one string `model` at the top.
#[derive(Clone)]
pub struct Envelope {
    body: Bytes,
    model: Box<str>,
    /// Where the value of `model` stands, quotes included.
    model_range: Range<usize>,
    stream: bool,
    include_usage: bool,
    choices: u32,
    messages: Messages,
    /// Whether it may hold sealed reasoning.
    sealed: bool,
}

/// Why a body is no chat request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidRequest {
    /// What is wrong, and where: line and column.
    pub message: String,
    /// The member at fault, for `error.param`.
    pub param: Option<&'static str>,
}

impl Envelope {
    /// Reads and checks `body`.
    ///
    /// Fails unless it is one JSON object with exactly one `model`, a string, and at most one
    /// `stream`, `true`, `false` or `null`. What else it holds is for the provider to judge.
    pub fn parse(body: Bytes) -> Result<Self, InvalidRequest> {
        let mut members = Members::default();
        let mut sealed = false;
        strict::object(
            &body,
            |key| sealed |= sealed::may_name(key),
            |key, value| members.read(&body, key, value),
        )
        .map_err(|flaw| invalid(&body, flaw))?;
        let Members { model, stream, include_usage, choices, messages, second } = members;
        if let Some((name, offset)) = second {
            return Err(wrong(&body, offset, Some(name), &format!("there is a second `{name}`")));
        }
        let Some(model_range) = model else {
            return Err(InvalidRequest {
                message: "the body has no `model`\nhint: name one of those that `GET /v1/models` lists"
                    .into(),
                param: Some("model"),
            });
        };
        let model = text_of(&body[model_range.clone()])
            .ok_or_else(|| wrong(&body, model_range.start, Some("model"), "`model` must be a string"))?;
        check_name(&model).map_err(|what| wrong(&body, model_range.start, Some("model"), what))?;
        let stream = match stream {
            None => false,
            Some(range) => flag_of(&body[range.clone()]).ok_or_else(|| {
                wrong(&body, range.start, Some("stream"), "`stream` must be `true` or `false`")
            })?,
        };
        let choices = choices.unwrap_or(1).max(1);
        Ok(Self { body, model, model_range, stream, include_usage, choices, messages, sealed })
    }

    /// The model the client asks for, unescaped.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether the client asks for a stream.
    pub fn stream(&self) -> bool {
        self.stream
    }

    /// Whether the client asks for the usage at the end of a stream.
    pub fn include_usage(&self) -> bool {
        self.include_usage
    }

    /// How many choices the client asks for: its `n`, or 1.
    pub fn choices(&self) -> u32 {
        self.choices
    }

    /// The body for a candidate, in slices: the client's bytes but for the value of `model`, the
    /// configured `edits`, and reasoning that another vendor than the model's has sealed, if that is to go.
    ///
    /// A member that is both set and unset is set; edits of `model` have no effect.
    pub fn body_for(&self, model: &str, edits: &Edits, foreign: ForeignReasoning) -> Vec<Bytes> {
        let sealed = self.sealed_for(model, foreign);
        if edits.is_empty() && sealed.is_empty() {
            let mut patch = Patch::new(&self.body);
            patch.replace(self.model_range.clone(), literal(model));
            return patch.finish();
        }
        self.rewritten(model, edits, Inner { sealed, insertion: None })
    }

    /// The body with its model, the `edits`, and changes within the members that they leave alone.
    fn rewritten(&self, model: &str, edits: &Edits, inner: Inner) -> Vec<Bytes> {
        let Inner { sealed, mut insertion } = inner;
        let mut sealed = sealed.into_iter().peekable();
        let mut patch = Patch::new(&self.body);
        let literal = literal(model);
        let mut cuts = Cuts::default();
        let mut unseen: Vec<_> = edits.set.iter().map(|(name, _)| name.as_str()).collect();
        unseen.retain(|name| *name != "model");
        let mut end = self.model_range.end;
        let mut cursor = Cursor::new(&self.body);
        cursor.skip_space();
        let walked = cursor.members(|cursor, key| {
            let name = key.name();
            let value = cursor.value()?;
            let member = key.start..value.end;
            end = member.end;
            let is = |other: &str| other.as_bytes() == &*name;
            let new = if is("model") {
                Some(literal.as_str())
            } else {
                edits.set.iter().rfind(|(name, _)| is(name)).map(|(_, json)| json.get())
            };
            match new {
                Some(new) if is("model") || unseen.iter().any(|name| is(name)) => {
                    patch.cut(cuts.keep(member));
                    patch.replace(value, new.to_owned());
                    unseen.retain(|name| !is(name));
                }
                // Set already: a member of the same name would undo that.
                Some(_) => patch.cut(cuts.cut(member)),
                None if edits.unset.iter().any(|name| is(name)) => patch.cut(cuts.cut(member)),
                None => {
                    patch.cut(cuts.keep(member.clone()));
                    while let Some(cut) = sealed.next_if(|cut| cut.start < member.end) {
                        if cut.start >= member.start {
                            patch.cut(Some(cut));
                        }
                    }
                    if let Some((at, text)) = insertion.take_if(|(at, _)| member.contains(at)) {
                        patch.replace(at..at, text);
                    }
                }
            }
            Ok(())
        });
        debug_assert_eq!(walked, Ok(()), "the body was checked");
        patch.cut(cuts.finish());
        patch.replace(end..end, appended(edits, &unseen));
        patch.finish()
    }
}

/// What changes within the members of a body.
struct Inner {
    /// What goes, in order.
    sealed: Vec<Range<usize>>,
    /// What comes in, and where: behind all that goes from the same member.
    insertion: Option<(usize, String)>,
}

/// Says nothing of what people wrote.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("model", &self.model)
            .field("stream", &self.stream)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// `text` as JSON.
fn literal(text: &str) -> String {
    if text.bytes().all(|byte| !matches!(byte, b'"' | b'\\' | ..b' ')) {
        return ["\"", text, "\""].concat();
    }
    serde_json::to_string(text).expect("a string is JSON")
}

/// The members that the body does not have yet, each after a comma.
fn appended(edits: &Edits, unseen: &[&str]) -> String {
    let mut text = String::new();
    for (position, (name, json)) in edits.set.iter().enumerate() {
        let is_last = !edits.set[position + 1..].iter().any(|(later, _)| later == name);
        if is_last && unseen.contains(&name.as_str()) {
            text.extend([",", &literal(name), ":", json.get()]);
        }
    }
    text
}

/// Names reach log lines and headers, so they are held to what can stand there.
fn check_name(model: &str) -> Result<(), &'static str> {
    if model.len() > LONGEST_NAME {
        return Err("`model` must not be longer than 512 bytes");
    }
    if model.chars().any(char::is_control) {
        return Err("`model` must not hold control characters");
    }
    Ok(())
}

/// Says what is wrong with a body that is not a JSON object.
fn invalid(body: &[u8], flaw: Flaw) -> InvalidRequest {
    if let Flaw::Utf8(valid) = flaw {
        return wrong(body, valid, None, "the body is not valid UTF-8");
    }
    let start = body.trim_ascii_start();
    if start.is_empty() {
        return InvalidRequest { message: "the body is empty".into(), param: None };
    }
    let Err(error) = serde_json::from_slice::<&RawValue>(body) else {
        return wrong(body, body.len() - start.len(), None, "the body must be a JSON object");
    };
    let line_start = match error.line() {
        0 | 1 => 0,
        line => memchr::memchr_iter(b'\n', body).nth(line - 2).map_or(0, |end| end + 1),
    };
    let offset = line_start + error.column().saturating_sub(1);
    let whole = error.to_string();
    let reason = whole.split(" at line ").next().unwrap_or(&whole);
    wrong(body, offset, None, &format!("the body is not valid JSON: {reason}"))
}

fn wrong(body: &[u8], offset: usize, param: Option<&'static str>, what: &str) -> InvalidRequest {
    InvalidRequest { message: format!("{what} at {}", place(body, offset)), param }
}

/// The line and the column, in characters, both counted from 1.
fn place(body: &[u8], offset: usize) -> String {
    let before = &body[..offset.min(body.len())];
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    let characters = before[line_start..].iter().filter(|byte| **byte & 0xC0 != 0x80).count();
    format!("line {line} column {}", characters + 1)
}
