use std::str;

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::*;
use crate::openai::scan::Cursor;
use crate::openai::testing::{cases, members, noise, value};

type Members = Vec<(Vec<u8>, Range<usize>)>;

fn read(bytes: &[u8]) -> Result<Members, Flaw> {
    let mut members = Vec::new();
    object(bytes, |_| (), |key, value| members.push((key.name().into_owned(), value)))?;
    Ok(members)
}

/// What `serde_json` says of the same text.
fn reference(bytes: &[u8]) -> Result<(), Flaw> {
    str::from_utf8(bytes).map_err(|error| Flaw::Utf8(error.valid_up_to()))?;
    let text = serde_json::from_slice::<&RawValue>(bytes).map_err(|_| Flaw::Json)?;
    if text.get().starts_with('{') { Ok(()) } else { Err(Flaw::Json) }
}

fn agrees(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(read(bytes).map(drop), reference(bytes), "{text}");
    let skipped = serde_json::from_slice::<IgnoredAny>(bytes);
    assert_eq!(is_object(bytes), skipped.is_ok() && text.trim_ascii_start().starts_with('{'), "{text}");
}

/// Values, and what is almost one.
const VALUES: &[&str] = &[
    "0",
    "-0",
    "00",
    "01",
    "-",
    "-a",
    "1.",
    ".1",
    "1.0",
    "1.5e3",
    "1e",
    "1e+",
    "1E-07",
    "1e999",
    "+1",
    "0x1",
    "1_0",
    "true",
    "tru",
    "truee",
    "True",
    "null",
    "nul",
    "nulll",
    "false",
    "falsy",
    "NaN",
    "Infinity",
    "-Infinity",
    r#""a""#,
    r#""a"#,
    r#""\"""#,
    r#""\\""#,
    r#""\""#,
    r#""\/\b\f\n\r\t""#,
    r#""\a""#,
    r#""\'""#,
    r#""\u00e9""#,
    r#""\u00E9""#,
    r#""\u00g0""#,
    r#""\u+0e9""#,
    r#""\u00""#,
    r#""\U0041""#,
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    "\"\t\"",
    "\"\n\"",
    "\"\u{0}\"",
    "\"\u{1f}\"",
    "\"\u{7f}\"",
    "\"\u{80}\"",
    "'a'",
    "[]",
    "[ ]",
    "[1]",
    "[1,]",
    "[,1]",
    "[,]",
    "[1 2]",
    "[1,,2]",
    "[",
    "]",
    "[1",
    "[1}",
    "{}",
    "{ }",
    r#"{"a":1}"#,
    r#"{"a":1,}"#,
    r#"{,"a":1}"#,
    r#"{"a"}"#,
    r#"{"a":}"#,
    r#"{"a" 1}"#,
    r#"{"a"::1}"#,
    r#"{"a":1 "b":2}"#,
    "{a:1}",
    "{1:1}",
    r#"{"a":1]"#,
    r#"{"a":[}]"#,
    r#"{"a":1"#,
    r#"{"a":"#,
    r#"{"a""#,
    r#"{""#,
    "{",
    "",
    " ",
    ",",
    ":",
    "\u{b}1",
    "\u{c}1",
    "\u{a0}1",
    "\u{feff}1",
    "/**/1",
    "1//",
    r#"[{"a":[{"b":[[],{},"c",null,-1.5e-7,true]}]}]"#,
];

#[test]
fn takes_what_serde_takes() {
    for value in VALUES {
        for text in [
            (*value).to_owned(),
            format!(r#"{{"a":{value}}}"#),
            format!("\t{{ \"a\" : {value} ,\r\n\"b\":{value} }} "),
            format!(r#"{{"a":[[{value}]]}}"#),
            format!(r#"{{"a":{{"b":{value}}}}}"#),
            format!(r#"{{"a":{value}}}{value}"#),
            format!(r"{value}{{}}"),
        ] {
            agrees(text.as_bytes());
        }
    }
    agrees(b"{\"a\":\"\xFF\"}");
    agrees(b"{\"\xED\xA0\x80\":1}");
}

#[test]
fn checks_strings_of_any_length() {
    for length in 0..100 {
        for bad in ["", "\n", "\\n", "\\x", "\u{1f}", "\u{7f}", "é", "\\u00e9", "\\u00e"] {
            let text = "a".repeat(length);
            agrees(format!(r#"{{"{text}{bad}":"{text}{bad}{text}"}}"#).as_bytes());
            // Control characters elsewhere make none in a string.
            agrees(format!("{{\n\"{text}{bad}\":\"{text}{bad}{text}\"}}").as_bytes());
        }
    }
}

#[test]
fn shows_every_key() {
    let mut keys = Vec::new();
    let text = br#"{"a":{"b":[{"c":1},{"\u0064":"e"}]},"a":[{}]}"#;
    object(text, |key| keys.push((key.name().into_owned(), key.escaped, key.start)), |_, _| ()).unwrap();
    let keys: Vec<_> = keys.iter().map(|(name, escaped, start)| (&**name, *escaped, *start)).collect();
    let expected: [(&[u8], _, _); 5] =
        [(b"a", false, 1), (b"b", false, 6), (b"c", false, 12), (b"d", true, 20), (b"a", false, 36)];
    assert_eq!(keys, expected);
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn shows_the_members_at_the_top(
        members in members(&["a", "b", "\u{e9}"], value(&["a", "b"])),
        mut noise in noise(),
    ) {
        let mut text = String::new();
        noise.object(&mut text, members.iter().map(|(key, value)| (key, value)));

        let found = read(text.as_bytes()).unwrap();
        let values: Vec<_> = found
            .iter()
            .map(|(key, value)| {
                let value: Value = serde_json::from_str(&text[value.clone()]).unwrap();
                (String::from_utf8(key.clone()).unwrap(), value)
            })
            .collect();
        prop_assert_eq!(values, members);

        let mut walked = Vec::new();
        Cursor::new(text.trim_ascii_start().as_bytes())
            .members(|cursor, key| {
                walked.push((key.name().into_owned(), cursor.text().map(<[u8]>::to_vec)?));
                Ok(())
            })
            .unwrap();
        let found: Vec<_> =
            found.into_iter().map(|(key, value)| (key, text.as_bytes()[value].to_vec())).collect();
        prop_assert_eq!(found, walked);
    }

    #[test]
    fn agrees_with_serde_on_what_is_almost_json(
        members in members(&["a", "b"], value(&["a", "b"])),
        mut noise in noise(),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), prop_oneof![
                4 => prop::sample::select(&b"{}[]\",:\\u0189-+.eE \n\ttn\0\x1f\x80\xc3"[..]),
                1 => any::<u8>(),
            ], 0..3_u8),
            0..3,
        ),
    ) {
        let mut text = String::new();
        noise.object(&mut text, members.iter().map(|(key, value)| (key, value)));
        let mut bytes = text.into_bytes();
        for (place, byte, how) in changes {
            let at = place.index(bytes.len() + 1);
            match how {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                2 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        agrees(&bytes);
    }

    #[test]
    fn agrees_with_serde_on_noise(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        r#"\{("a"|"\\u00e9"|true|null|-?[01]|[.e+-]|[{}\[\]:, \n\\"]){0,16}\}?"#.prop_map(String::into_bytes),
    ]) {
        agrees(&bytes);
    }
}
