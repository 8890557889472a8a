//! Walks JSON by its structure alone: brackets, strings, colons.
//!
//! It builds no DOM, recurses no deeper than its caller does, and copies nothing. On valid JSON it is
//! exact. On anything else it reads on as long as the brackets outside strings match, for a client may
//! be more lenient than we are (Python takes `NaN`), and what a client can read must not get past us.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

#[cfg(test)]
mod tests;

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
}

impl<'a> Key<'a> {
    /// The key, unescaped.
    pub fn name(&self) -> Cow<'a, [u8]> {
        unescape(self.raw)
    }
}

/// The inside of a string without its escapes; as it stands where the escapes are broken.
pub(super) fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', raw).is_none() {
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
                b'"' => self.at = self.string_end().unwrap_or(self.bytes.len()),
                _ => self.at += 1,
            }
            if self.at == start {
                self.value()?;
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
                    let raw = self.string()?;
                    if self.skip_space() != Some(b':') {
                        continue;
                    }
                    self.at += 1;
                    self.skip_space();
                    let value = self.at;
                    on(self, Key { start, raw })?;
                    if self.at == value {
                        self.value()?;
                    }
                }
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                b']' => return Err(Unbalanced),
                b'{' | b'[' => {
                    self.value()?;
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
                        self.value()?;
                    }
                }
            }
        }
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
        match self.kind() {
            Kind::String => self.at = self.string_end()?,
            Kind::Object | Kind::Array => self.skip_container()?,
            Kind::Missing => {}
            Kind::Null | Kind::Scalar => {
                let rest = &self.bytes[start..];
                let end = rest.iter().position(|byte| b",]}[{\" \t\r\n".contains(byte));
                self.at += end.unwrap_or(rest.len());
            }
        }
        Ok(start..self.at)
    }

    /// Moves past the value at the cursor and gives its text.
    pub fn text(&mut self) -> Result<&'a [u8], Unbalanced> {
        let bytes = self.bytes;
        Ok(&bytes[self.value()?])
    }

    /// Moves past the string at the cursor and gives what stands between its quotes.
    pub fn string(&mut self) -> Result<&'a [u8], Unbalanced> {
        let start = self.at + 1;
        self.at = self.string_end()?;
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

    fn string_end(&self) -> Result<usize, Unbalanced> {
        let mut at = self.at + 1;
        loop {
            let rest = self.bytes.get(at..).ok_or(Unbalanced)?;
            at += memchr2(b'"', b'\\', rest).ok_or(Unbalanced)?;
            if self.bytes[at] == b'"' {
                return Ok(at + 1);
            }
            at += 2;
        }
    }

    fn skip_container(&mut self) -> Result<(), Unbalanced> {
        let mut open = Brackets::default();
        loop {
            match self.peek().ok_or(Unbalanced)? {
                b'"' => {
                    self.at = self.string_end()?;
                    continue;
                }
                b'{' => open.push(true),
                b'[' => open.push(false),
                b'}' => open.pop(true)?,
                b']' => open.pop(false)?,
                _ => {}
            }
            self.at += 1;
            if open.depth == 0 {
                return Ok(());
            }
        }
    }
}

/// The brackets that are open, a bit for each; allocates below the 64th level only.
#[derive(Debug, Default)]
struct Brackets {
    depth: usize,
    innermost: u64,
    outer: Vec<u64>,
}

impl Brackets {
    fn push(&mut self, brace: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.innermost);
        }
        self.innermost = self.innermost << 1 | u64::from(brace);
        self.depth += 1;
    }

    fn pop(&mut self, brace: bool) -> Result<(), Unbalanced> {
        if self.innermost & 1 != u64::from(brace) {
            return Err(Unbalanced);
        }
        self.innermost >>= 1;
        self.depth -= 1;
        if self.depth.is_multiple_of(64)
            && let Some(outer) = self.outer.pop()
        {
            self.innermost = outer;
        }
        Ok(())
    }
}

/// Finds what to cut from an object so that members vanish together with one comma each.
///
/// Every member is shown to it in order, by where it begins and ends.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    previous_end: Option<usize>,
    leading: Option<Range<usize>>,
}

impl Cuts {
    /// A member stays; gives what must go before it.
    pub fn keep(&mut self, member: Range<usize>) -> Option<Range<usize>> {
        self.previous_end = Some(member.end);
        self.leading.take().map(|leading| leading.start..member.start)
    }

    /// A member goes; gives what can be cut already.
    pub fn cut(&mut self, member: Range<usize>) -> Option<Range<usize>> {
        if let Some(end) = self.previous_end.replace(member.end).filter(|_| self.leading.is_none()) {
            return Some(end..member.end);
        }
        let start = self.leading.as_ref().map_or(member.start, |leading| leading.start);
        self.leading = Some(start..member.end);
        None
    }

    /// The object is over; gives what is left to cut.
    pub fn finish(self) -> Option<Range<usize>> {
        self.leading
    }
}
