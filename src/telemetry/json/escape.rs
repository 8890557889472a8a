//! The inside of a JSON string, made where it stands: nearly all texts are their own.

use std::fmt::Write as _;

use super::Text;

#[cfg(test)]
mod tests;

/// How many bytes are looked at at a time: what the processor compares in one step.
const WIDE: usize = 16;

/// From the length of a short text on, this covers what stands before the text in its piece.
const COVER: [u8; 2 * WIDE] = {
    let mut cover = [0; 2 * WIDE];
    let mut at = 0;
    while at < WIDE {
        cover[at] = 0xff;
        at += 1;
    }
    cover
};

/// Makes what stands in `line` from `start` on the inside of a JSON string.
pub(super) fn behind(line: &mut Vec<u8>, start: usize) {
    if !is_inside(line, start) {
        rewrite(line, start);
    }
}

#[cold]
fn rewrite(line: &mut Vec<u8>, start: usize) {
    for byte in line.split_off(start) {
        match byte {
            b'"' => line.extend(b"\\\""),
            b'\\' => line.extend(b"\\\\"),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            b'\t' => line.extend(b"\\t"),
            ..0x20 => write!(Text(line), "\\u{byte:04x}").expect("a vector takes everything"),
            other => line.push(other),
        }
    }
}

/// Whether nothing behind `start` has to be escaped, for all that was seen. All of it is looked at, as nearly
/// every text is so.
fn is_inside(line: &[u8], start: usize) -> bool {
    let text = &line[start..];
    if let Some(last) = text.last_chunk() {
        // The last ones overlap those before.
        return is_clean(last) && text.as_chunks().0.iter().all(is_clean);
    }
    let (Some(last), Some(cover)) = (line.last_chunk(), COVER[text.len()..].first_chunk::<WIDE>()) else {
        return false;
    };
    let mut last: [u8; WIDE] = *last;
    last.iter_mut().zip(cover).for_each(|(byte, cover)| *byte |= cover);
    is_clean(&last)
}

#[inline]
fn is_clean(piece: &[u8; WIDE]) -> bool {
    // Without a branch it becomes a handful of instructions.
    let marks = piece.iter().fold(0, |marks, byte| {
        marks | u8::from(*byte < 0x20) | u8::from(*byte == b'"') | u8::from(*byte == b'\\')
    });
    marks == 0
}
