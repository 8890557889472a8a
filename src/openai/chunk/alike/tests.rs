use proptest::prelude::*;

use super::*;

/// A chunk as most providers write it.
fn chunk(text: &str) -> String {
    format!(
        r#"{{"id":"c-1","object":"chat.completion.chunk","created":1,"choices":[{{"index":0,"delta":{{"content":{text}}},"finish_reason":null}}]}}"#
    )
}

/// Which of `chunks` are known by the one before.
fn known(chunks: &[String]) -> Vec<bool> {
    let mut alike = Alike::default();
    let looked_at = chunks.iter().map(|chunk| {
        let known = alike.known.as_ref().is_some_and(|known| known.is_like(chunk.as_bytes()));
        assert_eq!(alike.inspect(chunk.as_bytes()), inspect(chunk.as_bytes()), "{chunk}");
        known
    });
    looked_at.collect()
}

#[test]
fn only_the_text_may_differ() {
    let first = chunk(r#""Hello""#);
    for (second, expected) in [
        (chunk(r#"" world""#), true),
        (chunk(r#""\"quoted\" \\""#), true),
        (chunk("\"Grüße 🎉\""), true),
        (chunk(r#""""#), false),
        (chunk("null"), false),
        (chunk("\"two\nlines\""), false),
        (chunk(r#""a","refusal":"b""#), false),
        (chunk(r#""a"},"error":{"message":"b""#), false),
        (chunk(r#""a\""#), false),
        (first.replace("null}", r#""stop"}"#), false),
        (first.replace("\"index\":0", "\"index\":1"), false),
        (first.replace("{\"id\"", "{\"event\":{},\"id\""), false),
        (first.replace("c-1", "c-2"), false),
        (format!("{first}{first}"), false),
        ("[DONE]".to_owned(), false),
    ] {
        assert_eq!(known(&[first.clone(), second.clone()]), [false, expected], "{second}");
    }
}

#[test]
fn a_chunk_with_more_than_a_text_is_none_to_know_others_by() {
    for odd in [
        chunk(r#""a","reasoning":"b""#),
        chunk(r#""a","tool_calls":[{}]"#),
        chunk("[1]"),
        chunk(r#""a""#).replace("\"id\"", "\"event\":{},\"id\""),
        format!("{0}{0}", chunk(r#""a""#)),
    ] {
        assert_eq!(known(&[odd.clone(), odd.clone()]), [false, false], "{odd}");
    }
}

#[test]
fn a_provider_that_writes_something_new_into_each_is_no_longer_compared() {
    let mut alike = Alike::default();
    for number in 0..=PATIENCE {
        let chunk = chunk(r#""a""#).replace("c-1", &format!("c-{number}"));
        alike.inspect(chunk.as_bytes()).unwrap();
    }

    assert!(alike.known.is_none());
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    let piece = prop_oneof![
        r#"[a-z"\\{}\[\],:\n]{0,8}"#,
        ".{0,6}",
        Just(r"a\u0022".to_owned()),
        Just(r#""},"finish_reason":"stop""#.to_owned()),
        Just(r#"x","error":"y"#.to_owned()),
    ];
    prop::collection::vec(piece, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn it_says_what_a_reading_says(
        texts in texts(),
        shapes in prop::collection::vec(0_usize..4, 8),
    ) {
        let mut alike = Alike::default();
        for (text, shape) in texts.iter().zip(shapes) {
            let text = match shape {
                0 => chunk(&format!("\"{text}\"")),
                1 => chunk(&serde_json::to_string(text).unwrap()),
                2 => chunk(text),
                _ => format!(r#"{{"choices":[{{"text":"{text}","delta":{{"reasoning":"{text}"}}}}]}}"#),
            };
            prop_assert_eq!(alike.inspect(text.as_bytes()), inspect(text.as_bytes()), "{}", text);
        }
    }
}
