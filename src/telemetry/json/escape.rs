//! The inside of a JSON string, made where it stands: nearly all texts are their own.

use std::fmt::Write as _;

#[cfg(test)]
mod tests;

/// Every byte a one.
const ONES: u64 = u64::MAX / 0xff;

/// The highest bit of every byte.
const HIGH: u64 = ONES << 7;

/// Makes what stands in `line` from `start` on the inside of a JSON string.
pub(super) fn behind(line: &mut String, start: usize) {
    if let Some(at) = special(&line.as_bytes()[start..]) {
        rewrite(line, start + at);
    }
}

/// Escapes what stands in `line` from the special character at `first` on.
#[cold]
fn rewrite(line: &mut String, first: usize) {
    let rest = line.split_off(first);
    for character in rest.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            ..' ' => write!(line, "\\u{:04x}", u32::from(character)).expect("a string takes everything"),
            other => line.push(other),
        }
    }
}

/// Where the first byte stands that must be escaped, looking at eight at a time.
fn special(text: &[u8]) -> Option<usize> {
    let Some(last) = text.last_chunk() else {
        return text.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20));
    };
    let (words, _) = text.as_chunks();
    let inside = words.iter().enumerate().find_map(|(at, word)| Some(8 * at + special_in(*word)?));
    // The last eight overlap those before, which are clean.
    inside.or_else(|| Some(text.len() - 8 + special_in(*last)?))
}

/// The same in eight bytes. A borrow may mark bytes that are none, but only behind one that is.
fn special_in(word: [u8; 8]) -> Option<usize> {
    let word = u64::from_le_bytes(word);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let is = |byte: u8| {
        let differs = word ^ (ONES * u64::from(byte));
        differs.wrapping_sub(ONES) & !differs
    };
    let found = (control | is(b'"') | is(b'\\')) & HIGH;
    (found != 0).then(|| found.trailing_zeros() as usize / 8)
}
