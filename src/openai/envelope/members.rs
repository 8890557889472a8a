//! The members of a request that we act on.

use std::ops::Range;
use std::str;

use crate::openai::scan::{Cursor, Key};

/// The members of the top-level object that we act on, by where their values stand.
#[derive(Default)]
pub(super) struct Members {
    pub model: Option<Range<usize>>,
    pub stream: Option<Range<usize>>,
    pub include_usage: bool,
    pub choices: Option<u32>,
    pub messages: Messages,
    /// The first member that is there twice, and where its second key stands.
    pub second: Option<(&'static str, usize)>,
}

/// Where the value of `messages` stands.
#[derive(Debug, Clone, Default)]
pub(super) enum Messages {
    /// There is none.
    #[default]
    Missing,
    /// There is this one.
    Once(Range<usize>),
    /// There is more than one.
    Often,
}

impl Members {
    /// Reads the next one of them.
    pub fn read(&mut self, body: &[u8], key: &Key<'_>, value: Range<usize>) {
        let (name, seen) = match &*key.name() {
            b"model" => ("model", &mut self.model),
            b"stream" => ("stream", &mut self.stream),
            b"stream_options" => return self.read_options(&body[value]),
            b"n" => {
                self.choices = str::from_utf8(&body[value]).ok().and_then(|text| text.parse().ok());
                return;
            }
            b"messages" => {
                self.messages = match self.messages {
                    Messages::Missing => Messages::Once(value),
                    Messages::Once(_) | Messages::Often => Messages::Often,
                };
                return;
            }
            _ => return,
        };
        if seen.replace(value).is_some() {
            self.second.get_or_insert((name, key.start));
        }
    }

    fn read_options(&mut self, options: &[u8]) {
        if !options.starts_with(b"{") {
            return;
        }
        let walked = Cursor::new(options).members(|cursor, key| {
            if &*key.name() == b"include_usage" {
                self.include_usage = cursor.text()? == b"true";
            }
            Ok(())
        });
        debug_assert_eq!(walked, Ok(()), "it has been checked");
    }
}

/// The string in a JSON text; nothing if it is none, or holds half a surrogate pair.
pub(super) fn text_of(json: &[u8]) -> Option<Box<str>> {
    if json.contains(&b'\\') {
        return serde_json::from_slice(json).ok();
    }
    let inside = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    str::from_utf8(inside).ok().map(Box::from)
}

/// Whether a JSON text is `true`; nothing if it is not even `false` or `null`.
pub(super) fn flag_of(json: &[u8]) -> Option<bool> {
    match json {
        b"true" => Some(true),
        b"false" | b"null" => Some(false),
        _ => None,
    }
}
