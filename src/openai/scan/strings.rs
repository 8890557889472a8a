//! Where strings end.

use memchr::memchr2;

#[cfg(test)]
mod tests;

/// So many bytes are looked at before the rest is left to `memchr`, whose call costs more than this.
const NEAR: usize = 32;

/// How many bytes are looked at together.
const WORD: usize = size_of::<u64>();

/// Where the string whose opening quote stands at `start` ends, behind its closing quote, and whether there
/// is a backslash in it; nothing where it does not end.
#[inline]
pub(super) fn end(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
    let mut at = quote_or_backslash(bytes, start + 1)?;
    let escaped = bytes[at] == b'\\';
    while bytes[at] == b'\\' {
        at = quote_or_backslash(bytes, at + 2)?;
    }
    Some((at + 1, escaped))
}

/// Where the next quote or backslash stands, from `start` on.
#[inline]
pub(super) fn quote_or_backslash(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    let mut rest = bytes.get(at..)?;
    if let Some((near, far)) = rest.split_first_chunk::<NEAR>() {
        for word in near.as_chunks::<WORD>().0 {
            let word = u64::from_le_bytes(*word);
            let found = zeros(word ^ each(b'"')) | zeros(word ^ each(b'\\'));
            if found != 0 {
                return Some(at + found.trailing_zeros() as usize / 8);
            }
            at += WORD;
        }
        rest = far;
    }
    memchr2(b'"', b'\\', rest).map(|found| at + found)
}

/// A word of this byte alone.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; WORD])
}

/// Marks bytes by their highest bit: the first that is zero, none before it, and perhaps others behind it.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(each(1)) & !word & each(0x80)
}
