//! Where strings end.

use memchr::memchr2;

#[cfg(test)]
mod tests;

/// So many bytes are looked at here before the rest is left to `memchr`, whose call costs more than this; most
/// keys and values are shorter.
const NEAR: usize = 32;

/// How many bytes are looked at together.
const WORD: usize = size_of::<u64>();

/// So much is searched for the end before it is read again for control characters: it is in the nearest cache
/// then, which a long string as a whole would not be. `memchr` takes 32 bytes at a time, so these two passes are
/// quicker than one that does both here.
const BLOCK: usize = 16 * 1024;

/// Where the string whose opening quote stands at `start` ends, behind its closing quote, and whether there
/// is a backslash in it; nothing where it does not end. Its code is there once: whoever calls it is there often.
#[inline(never)]
pub(super) fn end(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
    match near(bytes, start + 1, ends_run) {
        Ok(at) if bytes[at] == b'"' => Some((at + 1, false)),
        Ok(at) | Err(at) => far_end(bytes, at),
    }
}

/// The same from a place within the string on. It stands apart because the registers that its calls need would
/// cost most strings more than their search does.
#[inline(never)]
fn far_end(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut escaped = false;
    loop {
        at = match near(bytes, at, ends_run) {
            Ok(at) => at,
            Err(at) => at + memchr2(b'"', b'\\', bytes.get(at..)?)?,
        };
        if bytes[at] == b'"' {
            return Some((at + 1, escaped));
        }
        escaped = true;
        at += 2;
    }
}

/// Where the next quote or backslash stands, from `at` on, or a control character before it that is near; nothing
/// where neither follows, or a control character stands before it farther away. All bytes on the way are or-ed to `union`.
pub(super) fn checked_run_end(bytes: &[u8], at: usize, union: &mut u64) -> Option<usize> {
    let mut at = match near(bytes, at, ends_checked_run(union)) {
        Ok(at) => return Some(at),
        Err(at) => at,
    };
    for block in bytes.get(at..)?.chunks(BLOCK) {
        let stop = memchr2(b'"', b'\\', block);
        let run = &block[..stop.unwrap_or(block.len())];
        let (all, lowest) =
            run.iter().fold((0, u8::MAX), |(all, lowest), byte| (all | byte, lowest.min(*byte)));
        *union |= u64::from(all);
        if lowest < b' ' {
            return None;
        }
        at += run.len();
        if stop.is_some() {
            return Some(at);
        }
    }
    None
}

/// Where the first byte stands, from `at` on, that `marks` marks by its highest bit, if that is near; otherwise
/// where to go on.
#[inline]
pub(super) fn near(bytes: &[u8], mut at: usize, mut marks: impl FnMut(u64) -> u64) -> Result<usize, usize> {
    let near = bytes.get(at..).and_then(<[u8]>::first_chunk::<NEAR>).ok_or(at)?;
    for word in near.as_chunks::<WORD>().0 {
        let found = marks(u64::from_le_bytes(*word));
        if found != 0 {
            return Ok(at + found.trailing_zeros() as usize / 8);
        }
        at += WORD;
    }
    Err(at)
}

/// Marks quotes and backslashes.
#[inline]
fn ends_run(word: u64) -> u64 {
    zeros(word ^ each(b'"')) | zeros(word ^ each(b'\\'))
}

/// Marks control characters too, and or-s every word to `union`.
#[inline]
pub(super) fn ends_checked_run(union: &mut u64) -> impl FnMut(u64) -> u64 {
    |word| {
        *union |= word;
        // With this bit turned the quote, 0x22, stands right behind the control characters, so that one
        // subtraction finds them all.
        let quote_or_control = (word ^ each(0x02)).wrapping_sub(each(0x21)) & !word & each(0x80);
        quote_or_control | zeros(word ^ each(b'\\'))
    }
}

/// Marks bytes by their highest bit: the first that is zero, none before it, and perhaps others behind it.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(each(1)) & !word & each(0x80)
}

/// Whether there are no bytes but ASCII in a union.
pub(super) const fn is_ascii(union: u64) -> bool {
    union & each(0x80) == 0
}

/// A word of this byte alone.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; WORD])
}
