use proptest::prelude::*;

use super::*;

fn inside(text: &str) -> String {
    let mut line = "\"\\\n".to_owned();
    let start = line.len();
    line.push_str(text);
    behind(&mut line, start);
    line.split_off(start)
}

/// Texts in which what is special is neither rare nor all there is.
fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        12 => prop::char::range('a', 'z'),
        4 => any::<char>(),
        2 => prop::char::range('\0', '\u{1f}'),
        2 => prop::sample::select(vec!['"', '\\', ' ', '!', '#', '[', ']', '\u{7f}', '\u{80}', '¢', 'Ü']),
    ];
    prop::collection::vec(character, 0..80).prop_map(|characters| characters.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..Default::default() })]
    #[test]
    fn any_text_comes_back(text in text()) {
        let inside = inside(&text);
        let back: String = serde_json::from_str(&format!("\"{inside}\"")).unwrap();
        prop_assert_eq!(back, text);
    }

    #[test]
    fn nothing_else_is_escaped(text in "[^\"\\\\\u{0}-\u{1f}]{0,80}") {
        prop_assert_eq!(inside(&text), text);
    }

    #[test]
    fn the_first_special_byte_is_found(text in text()) {
        let first = text.bytes().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20));
        prop_assert_eq!(special(text.as_bytes()), first);
    }
}

#[test]
fn each_byte_is_told_at_each_place() {
    for byte in 0..=u8::MAX {
        for length in 1..26 {
            for at in 0..length {
                for filler in [b'a', 0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0xff] {
                    let mut text = vec![filler; length];
                    text[at] = byte;
                    let expected = matches!(byte, b'"' | b'\\' | ..0x20).then_some(at);
                    assert_eq!(special(&text), expected, "{byte:#x} at {at} of {length}");
                }
            }
        }
    }
}

#[test]
fn characters_are_escaped_as_they_always_were() {
    assert_eq!(
        inside("a\"b\\c\nd\re\tf\0g\u{8}h\u{c}i\u{1f}j\u{7f}é"),
        "a\\\"b\\\\c\\nd\\re\\tf\\u0000g\\u0008h\\u000ci\\u001fj\u{7f}é"
    );
}
