use proptest::prelude::*;

use super::*;
use crate::openai::testing::cases;

/// The same, byte by byte.
fn reference(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
    let mut at = start + 1;
    let mut escaped = false;
    loop {
        match bytes.get(at)? {
            b'"' => return Some((at + 1, escaped)),
            b'\\' => {
                escaped = true;
                at += 2;
            }
            _ => at += 1,
        }
    }
}

#[test]
fn finds_the_end_at_any_distance() {
    for length in 0..200 {
        for behind in [0, 1, 40] {
            let text = format!("\"{}\"{}", "a".repeat(length), "\"\\".repeat(behind));
            assert_eq!(end(text.as_bytes(), 0), Some((length + 2, false)), "{text}");
            let text = format!("\"{}\\\"\"{}", "a".repeat(length), "b".repeat(behind));
            assert_eq!(end(text.as_bytes(), 0), Some((length + 4, true)), "{text}");
        }
        let text = format!("\"{}", "a".repeat(length));
        assert_eq!(end(text.as_bytes(), 0), None);
        assert_eq!(end(format!("{text}\\").as_bytes(), 0), None);
        assert_eq!(end(format!("{text}\\\"").as_bytes(), 0), None);
    }
}

/// Where a checked run ends, byte by byte; nothing where a control character is in it, or no end.
fn reference_of_checked(bytes: &[u8], start: usize) -> Option<usize> {
    let stop = (start..bytes.len()).find(|at| matches!(bytes[*at], b'"' | b'\\' | ..b' '))?;
    (bytes[stop] >= b' ').then_some(stop)
}

fn checked(bytes: &[u8], start: usize) -> Option<usize> {
    let mut union = 0;
    let end = checked_run_end(bytes, start, &mut union).filter(|end| bytes[*end] >= b' ');
    if let Some(end) = end {
        assert!(bytes[start..end].is_ascii() || !is_ascii(union));
    }
    end
}

#[test]
fn checks_runs_in_blocks() {
    for length in [1, 31, 32, 33, 64, 65, BLOCK - 1, BLOCK, BLOCK + 33, 2 * BLOCK + 100] {
        for special in ["", "\"", "\\", "\n", "\0", "\u{1f}", " ", "\u{7f}", "é"] {
            for at in [0, 1, length / 2, length - 1, length] {
                let bytes = format!("{}{special}{}\"", "a".repeat(at), "a".repeat(length - at)).into_bytes();
                assert_eq!(checked(&bytes, 0), reference_of_checked(&bytes, 0), "{length} {special:?} {at}");
                assert_eq!(
                    checked(&bytes[..bytes.len() - 1], 0),
                    reference_of_checked(&bytes[..bytes.len() - 1], 0)
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn checked_runs_agree_with_a_look_at_every_byte(
        bytes in prop::collection::vec(
            prop_oneof![2 => any::<u8>(), 40 => b' '..=b'!', 1 => b'\x1e'..=b'#', 1 => b'['..=b']'],
            0..120,
        ),
        start in 0..120_usize,
    ) {
        prop_assert_eq!(checked(&bytes, start), reference_of_checked(&bytes, start));
    }

    #[test]
    fn agrees_with_a_look_at_every_byte(
        bytes in prop::collection::vec(
            // Neighbours of what is looked for, and bytes whose highest bit is set.
            prop_oneof![8 => any::<u8>(), 8 => Just(b'a'), 1 => b'!'..=b'#', 1 => b'['..=b']'],
            0..120,
        ),
        start in 0..120_usize,
    ) {
        prop_assert_eq!(end(&bytes, start), reference(&bytes, start));
    }
}
