//! Walks JSON by its structure alone: brackets, strings, colons.
//!
//! It builds no DOM, recurses no deeper than its caller does, and copies nothing. On valid JSON it is
//! exact. On anything else it reads on as long as the brackets outside strings match, for a client may
//! be more lenient than we are (Python takes `NaN`), and what a client can read must not get past us.

use std::borrow::Cow;
use std::ops::Range;

mod brackets;
mod cuts;
pub(super) mod strict;
mod strings;
#[cfg(test)]
mod tests;

pub(super) use cuts::Cuts;

use brackets::Brackets;

/// The brackets outside strings do not match, or a string within them does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unbalanced;

/// What a value is by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `"…`
    String,
    /// `{…`
    Object,
    /// `[…`
    Array,
    /// `null`
    Null,
    /// A number, `true`, `false`, or something that is no JSON.
    Scalar,
    /// There is no value.
    Missing,
}

/// The key of a member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    /// Where its opening quote stands.
    pub start: usize,
    /// What stands between its quotes.
    pub raw: &'a [u8],
    /// Whether there is an escape in it.
    pub escaped: bool,
}

impl<'a> Key<'a> {
    /// The key, unescaped.
    pub fn name(&self) -> Cow<'a, [u8]> {
        if self.escaped { unescape(self.raw) } else { Cow::Borrowed(self.raw) }
    }
}

/// The inside of a string without its escapes; as it stands where the escapes are broken.
pub(super) fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.contains(&b'\\') {
        return Cow::Borrowed(raw);
    }
    let literal = [b"\"", raw, b"\""].concat();
    match serde_json::from_slice::<String>(&literal) {
        Ok(text) => Cow::Owned(text.into_bytes()),
        Err(_) => Cow::Borrowed(raw),
    }
}

/// A place in a JSON text.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The offset.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Walks a whole text, which may hold several values, and calls `on_object` with the cursor at
    /// each object that stands in no other value; one that it leaves alone is skipped.
    pub fn documents(
        &mut self,
        mut on_object: impl FnMut(&mut Self) -> Result<(), Unbalanced>,
    ) -> Result<(), Unbalanced> {
        while let Some(byte) = self.peek() {
            let start = self.at;
            match byte {
                b'{' => on_object(self)?,
                b'[' => {}
                b'}' | b']' => return Err(Unbalanced),
                b'"' => self.at = self.string_end().map_or(self.bytes.len(), |(end, _)| end),
                _ => self.at += 1,
            }
            if self.at == start {
                self.skip()?;
            }
        }
        Ok(())
    }

    /// Walks the members of the object at the cursor and calls `on` with the cursor at each value;
    /// one that it leaves alone is skipped.
    pub fn members(
        &mut self,
        mut on: impl FnMut(&mut Self, Key<'a>) -> Result<(), Unbalanced>,
    ) -> Result<(), Unbalanced> {
        self.at += 1;
        loop {
            match self.skip_space().ok_or(Unbalanced)? {
                b'"' => {
                    let start = self.at;
                    let (end, escaped) = self.string_end()?;
                    self.at = end;
                    let key = Key { start, raw: &self.bytes[start + 1..end - 1], escaped };
                    if self.skip_space() != Some(b':') {
                        continue;
                    }
                    self.at += 1;
                    self.skip_space();
                    let value = self.at;
                    on(self, key)?;
                    if self.at == value {
                        self.skip()?;
                    }
                }
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                b']' => return Err(Unbalanced),
                b'{' | b'[' => {
                    self.skip()?;
                }
                _ => self.at += 1,
            }
        }
    }

    /// Walks the elements of the array at the cursor and calls `on` with the cursor at each of them;
    /// one that it leaves alone is skipped.
    pub fn elements(
        &mut self,
        mut on: impl FnMut(&mut Self) -> Result<(), Unbalanced>,
    ) -> Result<(), Unbalanced> {
        self.at += 1;
        loop {
            match self.skip_space().ok_or(Unbalanced)? {
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                b'}' => return Err(Unbalanced),
                b',' => self.at += 1,
                _ => {
                    let start = self.at;
                    on(self)?;
                    if self.at == start {
                        self.skip()?;
                    }
                }
            }
        }
    }

    /// Moves into the object or array at the cursor and gives the first byte of what stands there.
    pub fn enter(&mut self) -> Option<u8> {
        self.at += 1;
        self.skip_space()
    }

    /// What stands at the cursor.
    pub fn kind(&self) -> Kind {
        match self.peek() {
            None | Some(b',' | b'}' | b']') => Kind::Missing,
            Some(b'"') => Kind::String,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(_) if self.bytes[self.at..].starts_with(b"null") => Kind::Null,
            Some(_) => Kind::Scalar,
        }
    }

    /// Moves past the value at the cursor and says where it stood.
    pub fn value(&mut self) -> Result<Range<usize>, Unbalanced> {
        let start = self.at;
        self.skip()?;
        Ok(start..self.at)
    }

    /// Moves past the value at the cursor.
    fn skip(&mut self) -> Result<(), Unbalanced> {
        match self.peek() {
            None | Some(b',' | b'}' | b']') => {}
            Some(b'"') => self.at = self.string_end()?.0,
            Some(b'{' | b'[') => self.skip_container()?,
            Some(_) => {
                let rest = &self.bytes[self.at..];
                self.at += rest.iter().position(|byte| ends_scalar(*byte)).unwrap_or(rest.len());
            }
        }
        Ok(())
    }

    /// Moves past the value at the cursor and gives its text.
    pub fn text(&mut self) -> Result<&'a [u8], Unbalanced> {
        let bytes = self.bytes;
        Ok(&bytes[self.value()?])
    }

    /// Moves past the string at the cursor and gives what stands between its quotes.
    pub fn string(&mut self) -> Result<&'a [u8], Unbalanced> {
        let start = self.at + 1;
        self.at = self.string_end()?.0;
        Ok(&self.bytes[start..self.at - 1])
    }

    /// Moves past white space and gives the byte that ends it.
    pub fn skip_space(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Where the string at the cursor ends, and whether there is a backslash in it.
    #[inline]
    fn string_end(&self) -> Result<(usize, bool), Unbalanced> {
        strings::end(self.bytes, self.at).ok_or(Unbalanced)
    }

    /// Apart from `skip`, which is mostly at a string or a number and needs no room for brackets.
    #[inline(never)]
    fn skip_container(&mut self) -> Result<(), Unbalanced> {
        let mut open = Brackets::default();
        loop {
            match self.peek().ok_or(Unbalanced)? {
                b'"' => {
                    self.at = self.string_end()?.0;
                    continue;
                }
                b'{' => open.push(true),
                b'[' => open.push(false),
                b'}' => open.pop(true)?,
                b']' => open.pop(false)?,
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            self.at += 1;
            if open.is_empty() {
                return Ok(());
            }
        }
    }
}

/// Whether a number or a word cannot go on with this byte.
fn ends_scalar(byte: u8) -> bool {
    matches!(byte, b',' | b']' | b'}' | b'[' | b'{' | b'"' | b' ' | b'\t' | b'\r' | b'\n')
}
