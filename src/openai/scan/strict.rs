//! Checks a JSON text token by token.
//!
//! It takes what `serde_json` takes and nothing else, in one pass that shows the members at the top on its way.
//! What exactly is wrong with a text it does not say.

use std::ops::Range;
use std::str;

use super::brackets::Brackets;
use super::{Key, strings};

#[cfg(test)]
mod tests;

/// Why a text is not an object in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::openai) enum Flaw {
    /// It is not valid UTF-8 behind so many bytes.
    Utf8(usize),
    /// It is no JSON, or something else than one object.
    Json,
}

/// Reads `bytes`, which must be one object, however deeply it is nested.
///
/// Calls `on_key` with every key in it, and `on_member` with those at the top and where their values stand.
pub(in crate::openai) fn object<'a>(
    bytes: &'a [u8],
    on_key: impl FnMut(&Key<'a>),
    on_member: impl FnMut(&Key<'a>, Range<usize>),
) -> Result<(), Flaw> {
    let (union, lowest) =
        bytes.iter().fold((0, u8::MAX), |(union, lowest), byte| (union | byte, lowest.min(*byte)));
    if union >= 0x80 {
        str::from_utf8(bytes).map_err(|error| Flaw::Utf8(error.valid_up_to()))?;
    }
    let mut checker = Checker { bytes, at: 0, has_control: lowest < b' ', on_key };
    checker.object(on_member).ok_or(Flaw::Json)
}

/// Whether `bytes` are one object. Its strings need not be valid UTF-8, which `serde_json` does not ask either of
/// what it skips.
pub(in crate::openai) fn is_object(bytes: &[u8]) -> bool {
    let has_control = bytes.iter().fold(u8::MAX, |lowest, byte| lowest.min(*byte)) < b' ';
    Checker { bytes, at: 0, has_control, on_key: |_: &Key<'_>| () }.object(|_, _| ()).is_some()
}

struct Checker<'a, F> {
    bytes: &'a [u8],
    at: usize,
    /// Whether there is any control character, line breaks included.
    has_control: bool,
    on_key: F,
}

/// Each of these moves past what it is named for, or fails.
impl<'a, F: FnMut(&Key<'a>)> Checker<'a, F> {
    fn object(&mut self, mut on_member: impl FnMut(&Key<'a>, Range<usize>)) -> Option<()> {
        self.space();
        self.byte(b'{')?;
        if self.space() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                let key = self.key()?;
                let start = self.at;
                self.value()?;
                on_member(&key, start..self.at);
                if self.space() != Some(b',') {
                    break;
                }
                self.at += 1;
                self.space();
            }
            self.byte(b'}')?;
        }
        self.space().is_none().then_some(())
    }

    fn value(&mut self) -> Option<()> {
        let mut open = Brackets::default();
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' => {
                    self.at += 1;
                    if self.space()? != b'}' {
                        open.push(true);
                        self.key()?;
                        continue;
                    }
                    self.at += 1;
                }
                b'[' => {
                    self.at += 1;
                    if self.space()? != b']' {
                        open.push(false);
                        continue;
                    }
                    self.at += 1;
                }
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => self.number()?,
            }
            loop {
                if open.is_empty() {
                    return Some(());
                }
                let byte = self.space()?;
                self.at += 1;
                match byte {
                    b',' => break,
                    b'}' => open.pop(true).ok()?,
                    b']' => open.pop(false).ok()?,
                    _ => return None,
                }
            }
            self.space();
            if open.in_braces() {
                self.key()?;
            }
        }
    }

    /// And past what stands between the key and its value.
    fn key(&mut self) -> Option<Key<'a>> {
        let start = self.at;
        if self.peek()? != b'"' {
            return None;
        }
        let escaped = self.string()?;
        let key = Key { start, raw: &self.bytes[start + 1..self.at - 1], escaped };
        (self.on_key)(&key);
        self.space();
        self.byte(b':')?;
        self.space();
        Some(key)
    }

    /// And says whether there is an escape in it.
    fn string(&mut self) -> Option<bool> {
        let start = self.at;
        let mut end = strings::quote_or_backslash(self.bytes, start + 1)?;
        let escaped = self.bytes[end] == b'\\';
        while self.bytes[end] == b'\\' {
            let length = escape(&self.bytes[end..])?;
            end = strings::quote_or_backslash(self.bytes, end + length)?;
        }
        self.at = end + 1;
        if self.has_control {
            let lowest = self.bytes[start..end].iter().fold(u8::MAX, |lowest, byte| lowest.min(*byte));
            if lowest < b' ' {
                return None;
            }
        }
        Some(escaped)
    }

    fn number(&mut self) -> Option<()> {
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Some(())
    }

    /// One or more.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// And gives the byte that ends it.
    fn space(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

/// The length of the escape that `text` begins with. Which halves of surrogate pairs belong together is for
/// those to judge who read the string.
fn escape(text: &[u8]) -> Option<usize> {
    match text.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => text.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}
