use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::openai::testing::{cases, noise};

#[test]
fn reads_every_escape() {
    let inside = r#"a\"\\\/\b\f\n\r\t\u00e9\u00E9é\ud83d\ude00😀"#;
    assert_eq!(text(inside.as_bytes()).unwrap(), "a\"\\/\u{8}\u{c}\n\r\téÉé😀😀".replace('É', "é"));
    let lengths: Vec<_> = characters(inside.as_bytes()).unwrap().map(|item| item.unwrap().1).collect();
    assert_eq!(lengths, [1, 2, 2, 2, 2, 2, 2, 2, 2, 6, 6, 2, 12, 4]);
    assert_eq!(lengths.iter().sum::<usize>(), inside.len());
}

#[test]
fn tells_what_is_broken() {
    for inside in [
        r"\",
        r"\x",
        r"\u12",
        r"\u+123",
        r"\ud83d",
        r"\ud83dx",
        r"\ud83d\n",
        r"\ud83d\u0041",
        r"\ude00",
        "\n",
        "\"",
    ] {
        let inside = format!("a{inside}");
        assert_eq!(text(inside.as_bytes()), Err(Broken), "{inside}");
    }
    assert_eq!(text(b"a\xFF"), Err(Broken));
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn agrees_with_the_parser(written in any::<String>(), mut noise in noise()) {
        let mut literal = String::new();
        noise.value(&mut literal, &Value::from(written.clone()));
        prop_assert_eq!(text(&literal.as_bytes()[1..literal.len() - 1]), Ok(written.clone()));
        prop_assert_eq!(text(escape(&written).as_bytes()), Ok(written));
    }

    #[test]
    fn breaks_where_the_parser_does(inside in r#"(\\(u[dD][89cCdD][0-9a]{0,2}|["ntx/]|\\)|[a"é\n]){0,8}"#) {
        let parsed = serde_json::from_str::<String>(&format!("\"{inside}\"")).map_err(|_| Broken);
        prop_assert_eq!(text(inside.as_bytes()), parsed);
    }
}
