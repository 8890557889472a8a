//! What we read of a request: enough to act on, and where its `model` stands.

use std::fmt;
use std::ops::Range;
use std::str;
use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::patch::Patch;
use super::scan::{Cursor, Cuts, Key, Kind, Unbalanced};
use crate::route::{Edits, ForeignReasoning};

mod facts;
mod resume;
mod sealed;
#[cfg(test)]
mod tests;

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
    /// Whether it may hold sealed reasoning, once somebody has looked.
    seals: OnceLock<bool>,
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
        let text = str::from_utf8(&body).map_err(|error| {
            let place = place(&body, error.valid_up_to());
            InvalidRequest { message: format!("the body is not valid UTF-8 at {place}"), param: None }
        })?;
        check_json(text)?;
        let mut members = Members::default();
        let mut cursor = Cursor::new(&body);
        cursor.skip_space();
        cursor
            .members(|cursor, key| members.read(cursor, key))
            .map_err(|Unbalanced| wrong(&body, cursor.offset(), None, "the body is not valid JSON"))?;
        let Members { model, stream, include_usage, choices, second } = members;
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
        let model: Box<str> = serde_json::from_str(&text[model_range.clone()])
            .map_err(|_| wrong(&body, model_range.start, Some("model"), "`model` must be a string"))?;
        check_name(&model).map_err(|what| wrong(&body, model_range.start, Some("model"), what))?;
        let stream = match stream {
            None => false,
            Some(range) => serde_json::from_str::<Option<bool>>(&text[range.clone()])
                .map_err(|_| wrong(&body, range.start, Some("stream"), "`stream` must be `true` or `false`"))?
                .unwrap_or_default(),
        };
        let choices = choices.unwrap_or(1).max(1);
        Ok(Self { body, model, model_range, stream, include_usage, choices, seals: OnceLock::new() })
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

/// The members of the top-level object that we act on, by where their values stand.
#[derive(Default)]
struct Members {
    model: Option<Range<usize>>,
    stream: Option<Range<usize>>,
    include_usage: bool,
    choices: Option<u32>,
    /// The first member that is there twice, and where its second key stands.
    second: Option<(&'static str, usize)>,
}

impl Members {
    fn read(&mut self, cursor: &mut Cursor<'_>, key: Key<'_>) -> Result<(), Unbalanced> {
        let (name, seen) = match &*key.name() {
            b"model" => ("model", &mut self.model),
            b"stream" => ("stream", &mut self.stream),
            b"stream_options" if cursor.kind() == Kind::Object => {
                return cursor.members(|cursor, key| {
                    if &*key.name() == b"include_usage" {
                        self.include_usage = cursor.text()? == b"true";
                    }
                    Ok(())
                });
            }
            b"n" => {
                self.choices = str::from_utf8(cursor.text()?).ok().and_then(|text| text.parse().ok());
                return Ok(());
            }
            _ => return Ok(()),
        };
        let value = cursor.value()?;
        if seen.replace(value).is_some() {
            self.second.get_or_insert((name, key.start));
        }
        Ok(())
    }
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

/// Checks all of `text`, however deeply it is nested.
fn check_json(text: &str) -> Result<(), InvalidRequest> {
    let start = text.trim_ascii_start();
    let offset = text.len() - start.len();
    if start.is_empty() {
        return Err(InvalidRequest { message: "the body is empty".into(), param: None });
    }
    if let Err(error) = serde_json::from_str::<&RawValue>(text) {
        let line_start = match error.line() {
            0 | 1 => 0,
            line => memchr::memchr_iter(b'\n', text.as_bytes()).nth(line - 2).map_or(0, |end| end + 1),
        };
        let offset = line_start + error.column().saturating_sub(1);
        let whole = error.to_string();
        let reason = whole.split(" at line ").next().unwrap_or(&whole);
        return Err(wrong(text.as_bytes(), offset, None, &format!("the body is not valid JSON: {reason}")));
    }
    if !start.starts_with('{') {
        return Err(wrong(text.as_bytes(), offset, None, "the body must be a JSON object"));
    }
    Ok(())
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
