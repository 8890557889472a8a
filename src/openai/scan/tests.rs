use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::openai::testing::{cases, members, noise, value};

fn balance(text: &str) -> Result<(), Unbalanced> {
    Cursor::new(text.as_bytes()).documents(|_| Ok(()))
}

#[test]
fn tells_balanced_from_unbalanced() {
    for text in ["", "{}", "[]", "{}{}", "{} x", r#"{"}":"]"}"#, r#"{"\"}":1}"#, "{a}", "{[{}]}", r#"{} "x"#]
    {
        assert_eq!(balance(text), Ok(()), "{text}");
    }
    for text in ["{", "}", "]", "{]", "[}", "{[}", "{[}]", "{[}}", "{}}", r#"{"}"#, r#"{"\"}"#, r#"{"a\"#] {
        assert_eq!(balance(text), Err(Unbalanced), "{text}");
    }
}

#[test]
fn checks_brackets_at_any_depth() {
    for depth in [1, 63, 64, 65, 128, 129, 1000] {
        let text = format!("{}{}", "{[".repeat(depth), "]}".repeat(depth));
        assert_eq!(balance(&text), Ok(()), "{depth}");
        let wrong = format!("{}]}}{}", "{[".repeat(depth), "}]".repeat(depth - 1));
        assert_eq!(balance(&wrong).is_ok(), depth == 1, "{depth}");
    }
}

#[test]
fn reads_what_python_would_read() {
    let mut found = Vec::new();
    let text = br#"{"a": NaN, "b":-Infinity ,"c":,"d" "e" : [1,,{}] "f":{}}"#;
    Cursor::new(text)
        .members(|cursor, key| {
            found.push((key.name().into_owned(), cursor.text()?));
            Ok(())
        })
        .unwrap();
    let found: Vec<_> = found.iter().map(|(key, text)| (&**key, *text)).collect();
    let expected: [(&[u8], &[u8]); 5] =
        [(b"a", b"NaN"), (b"b", b"-Infinity"), (b"c", b""), (b"e", b"[1,,{}]"), (b"f", b"{}")];
    assert_eq!(found, expected);
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn is_exact_on_json(members in members(&["a", "b"], value(&["a", "b"])), mut noise in noise()) {
        let mut text = String::new();
        noise.object(&mut text, members.iter().map(|(key, value)| (key, value)));
        let mut found = Vec::new();
        let mut cursor = Cursor::new(text.as_bytes());
        cursor.members(|cursor, key| {
            let name = String::from_utf8(key.name().into_owned()).unwrap();
            found.push((name, serde_json::from_slice::<Value>(cursor.text()?).unwrap()));
            Ok(())
        }).unwrap();
        prop_assert_eq!(found, members);
        prop_assert_eq!(cursor.offset(), text.len());
    }

    #[test]
    fn skipping_ends_where_walking_does(value in value(&["a"]), mut noise in noise()) {
        fn walk(cursor: &mut Cursor<'_>) -> Result<(), Unbalanced> {
            match cursor.kind() {
                Kind::Object => cursor.members(|cursor, _| walk(cursor)),
                Kind::Array => cursor.elements(walk),
                _ => cursor.value().map(drop),
            }
        }
        let mut text = String::new();
        noise.value(&mut text, &value);
        let mut walked = Cursor::new(text.as_bytes());
        walk(&mut walked).unwrap();
        prop_assert_eq!(Cursor::new(text.as_bytes()).value(), Ok(0..walked.offset()));
        prop_assert_eq!(walked.offset(), text.len());
    }

    #[test]
    fn never_panics(text in "[{}\\[\\]\":,\\\\ a1]{0,40}") {
        fn walk(cursor: &mut Cursor<'_>) -> Result<(), Unbalanced> {
            match cursor.kind() {
                Kind::Object => cursor.members(|cursor, _| walk(cursor)),
                Kind::Array => cursor.elements(walk),
                _ => Ok(()),
            }
        }
        let walked = Cursor::new(text.as_bytes()).documents(walk);
        prop_assert_eq!(walked, balance(&text));
    }
}
