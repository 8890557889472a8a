//! The inside of a JSON string, character by character.

use std::str;

#[cfg(test)]
mod tests;

/// It is not valid UTF-8, an escape is broken, or half a surrogate pair stands alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// The characters of what stands between the quotes of a string, each with the bytes that it takes there.
///
/// The last item is an error where the rest cannot be read.
pub(super) fn characters(inside: &[u8]) -> Result<Characters<'_>, Broken> {
    str::from_utf8(inside).map(|rest| Characters { rest }).map_err(|_| Broken)
}

/// The text that stands between the quotes of a string.
pub(super) fn text(inside: &[u8]) -> Result<String, Broken> {
    if !inside.iter().any(|byte| matches!(byte, b'\\' | b'"' | ..b' ')) {
        return str::from_utf8(inside).map(String::from).map_err(|_| Broken);
    }
    characters(inside)?.map(|item| item.map(|(character, _)| character)).collect()
}

/// `text` as it stands between the quotes of a string.
pub(super) fn escape(text: &str) -> String {
    let mut literal = serde_json::to_string(text).expect("a string is JSON");
    literal.pop();
    literal.remove(0);
    literal
}

/// See [`characters`].
pub(super) struct Characters<'a> {
    rest: &'a str,
}

impl Iterator for Characters<'_> {
    type Item = Result<(char, usize), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.rest.chars().next()?;
        let read = match first {
            '\\' => escaped(&self.rest.as_bytes()[1..]).map(|(character, length)| (character, length + 1)),
            '\0'..' ' | '"' => None,
            _ => Some((first, first.len_utf8())),
        };
        self.rest = read.and_then(|(_, length)| self.rest.get(length..)).unwrap_or_default();
        Some(read.ok_or(Broken))
    }
}

/// The character that `rest` begins with after a backslash, and how many bytes it takes from there.
fn escaped(rest: &[u8]) -> Option<(char, usize)> {
    let character = match rest.first()? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let high = unit(rest)?;
            if !(0xD800..0xDC00).contains(&high) {
                return Some((char::from_u32(high.into())?, 5));
            }
            let low = unit(rest[5..].strip_prefix(b"\\")?)?;
            let pair = char::decode_utf16([high, low]).next()?.ok()?;
            return Some((pair, 11));
        }
        _ => return None,
    };
    Some((character, 1))
}

/// The number in `uXXXX`.
fn unit(rest: &[u8]) -> Option<u16> {
    let digits = rest.strip_prefix(b"u")?.get(..4)?;
    let digits = str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_hexdigit))?;
    u16::from_str_radix(digits, 16).ok()
}
