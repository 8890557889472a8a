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
/// Calls `on_key` with every key in it, and `on_member` with those at the top and where their values stand. Only
/// the result tells whether all that was JSON, and UTF-8.
pub(in crate::openai) fn object<'a>(
    bytes: &'a [u8],
    on_key: impl FnMut(&Key<'a>),
    on_member: impl FnMut(&Key<'a>, Range<usize>),
) -> Result<(), Flaw> {
    let mut checker = Checker { bytes, at: 0, union: 0, on_key };
    let checked = checker.object(on_member);
    // Outside of strings only ASCII passes.
    if checked.is_none() || !strings::is_ascii(checker.union) {
        str::from_utf8(bytes).map_err(|error| Flaw::Utf8(error.valid_up_to()))?;
    }
    checked.ok_or(Flaw::Json)
}

/// Whether `bytes` are one object. Its strings need not be valid UTF-8, which `serde_json` does not ask either of
/// what it skips.
pub(in crate::openai) fn is_object(bytes: &[u8]) -> bool {
    Checker { bytes, at: 0, union: 0, on_key: |_: &Key<'_>| () }.object(|_, _| ()).is_some()
}

struct Checker<'a, F> {
    bytes: &'a [u8],
    at: usize,
    /// All bytes of all strings, and perhaps some behind them, or-ed together eight by eight.
    union: u64,
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
        match self.peek()? {
            b'{' | b'[' => self.container(),
            _ => self.scalar(),
        }
    }

    fn container(&mut self) -> Option<()> {
        let mut open = Brackets::default();
        loop {
            match self.peek()? {
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
                _ => self.scalar()?,
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

    /// A value that holds no other.
    fn scalar(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
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
        match strings::near(self.bytes, self.at + 1, strings::ends_checked_run(&mut self.union)) {
            Ok(at) if self.bytes[at] == b'"' => {
                self.at = at + 1;
                Some(false)
            }
            Ok(at) | Err(at) => {
                self.at = at;
                self.rest_of_string()
            }
        }
    }

    /// From a place within the string on. Apart from it for the reason that `strings::far_end` is.
    #[inline(never)]
    fn rest_of_string(&mut self) -> Option<bool> {
        let mut escaped = false;
        loop {
            self.at = strings::checked_run_end(self.bytes, self.at, &mut self.union)?;
            if self.bytes[self.at] == b'"' {
                self.at += 1;
                return Some(escaped);
            }
            escaped = true;
            self.at += escape(&self.bytes[self.at..])?;
        }
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

/// The length of the escape that `text` begins with, if it does. Which halves of surrogate pairs belong together
/// is for those to judge who read the string.
fn escape(text: &[u8]) -> Option<usize> {
    let b'\\' = text.first()? else { return None };
    match text.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => text.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}
