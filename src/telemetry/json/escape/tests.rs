use proptest::prelude::*;

use super::*;

/// What stands before a text in its line.
const BEFORE: &str = "{\"timestamp\":\"now\",\"name\":\"";

fn inside(text: &str) -> String {
    let [short, usual] = ["\"\\\n", BEFORE].map(|before| {
        let mut line = format!("{before}{text}").into_bytes();
        behind(&mut line, before.len());
        String::from_utf8(line.split_off(before.len())).unwrap()
    });
    assert_eq!(short, usual);
    usual
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
    fn what_must_be_escaped_is_seen(text in text()) {
        let expected = !text.bytes().any(|byte| matches!(byte, b'"' | b'\\' | ..0x20));
        prop_assert_eq!(is_inside(format!("{BEFORE}{text}").as_bytes(), BEFORE.len()), expected);
    }
}

#[test]
fn each_byte_is_told_at_each_place() {
    for byte in 0..=u8::MAX {
        for length in 1..40 {
            for at in 0..length {
                for filler in [b'a', 0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0xff] {
                    let mut line = BEFORE.as_bytes().to_vec();
                    line.resize(BEFORE.len() + length, filler);
                    line[BEFORE.len() + at] = byte;
                    let expected = !matches!(byte, b'"' | b'\\' | ..0x20);
                    assert_eq!(is_inside(&line, BEFORE.len()), expected, "{byte:#x} at {at} of {length}");
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
