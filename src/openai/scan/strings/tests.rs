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

proptest! {
    #![proptest_config(cases(512))]

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
