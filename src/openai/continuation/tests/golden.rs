//! Events byte for byte.

use super::*;

/// A client that has an id, a role and some text.
fn given(text: &str) -> Transcript {
    let mut transcript = Transcript::new();
    transcript.observe(br#"{"id":"first","choices":[{"delta":{"role":"assistant","content":""}}]}"#);
    transcript.observe(content(text).as_bytes());
    transcript
}

fn push(text: &str, mode: Mode, data: &str) -> Option<String> {
    let pushed = Continuation::new(&given(text), mode).push(data.as_bytes()).unwrap();
    pushed.map(|data| String::from_utf8(data.into()).unwrap())
}

#[test]
fn only_what_must_change_does() {
    for (data, expected) in [
        (
            r#"{"id":"second","object":"chat.completion.chunk","created":1.0,"model":"m","choices":[{"index":0,"delta":{"content":"x"},"logprobs":null,"finish_reason":null}]}"#,
            r#"{"id":"first","object":"chat.completion.chunk","created":1.0,"model":"m","choices":[{"index":0,"delta":{"content":"x"},"logprobs":null,"finish_reason":null}]}"#,
        ),
        (
            "{ \"choices\" : [ {\n \"delta\" : { \"role\" : \"assistant\" , \"content\" : \"\\u0078\\/\" } } ] , \"obfuscation\" : \"Zq\" ,\r\n \"\\u0069d\" : \"2\" }",
            r#"{ "choices" : [ {  "delta" : { "content" : "\u0078\/" } } ] , "obfuscation" : "Zq" ,   "\u0069d" : "first" }"#,
        ),
        (
            r#"{"provider":"P","choices":[{"delta":{"reasoning":"hm","content":"x","reasoning_details":[{"text":"hm","signature":"s"}]},"native_finish_reason":null}],"system_fingerprint":"fp"}"#,
            r#"{"provider":"P","choices":[{"delta":{"content":"x"},"native_finish_reason":null}],"system_fingerprint":"fp"}"#,
        ),
        (
            r#"{"choices":[{"delta":{"extra_content":{"google":{"thought_signature":"s"}},"content":"x"},"logprobs":{"content":[]}}]}"#,
            r#"{"choices":[{"delta":{"content":"x"},"logprobs":null}]}"#,
        ),
        (
            r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[]},{"type":"text","text":"x"},{"type":"thinking"}]}}]}"#,
            r#"{"choices":[{"delta":{"content":[{"type":"text","text":"x"}]}}]}"#,
        ),
        (
            r#"{"choices":[{"delta":{"role":"assistant","annotations":[1],"thinking":"hm"}}]}"#,
            r#"{"choices":[{"delta":{"annotations":[1]}}]}"#,
        ),
        (
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"length"}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"length"}]}"#,
        ),
        (r#"{"choices":[],"usage":{"a":1}}"#, r#"{"choices":[],"usage":{"a":1}}"#),
    ] {
        assert_eq!(push(" ", Mode::Continues, data).as_deref(), Some(expected));
    }
}

#[test]
fn nothing_goes_out_where_nothing_is_left() {
    for data in [
        "{}",
        r#"{"choices":[]}"#,
        r#"{"choices":[{"delta":null}],"usage":null}"#,
        r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"choices":[{"delta":{"content":null,"reasoning_content":"hm","tool_calls":[]}}]}"#,
        r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[]}]}}]}"#,
    ] {
        assert_eq!(push("abc", Mode::Continues, data), None, "{data}");
        assert_eq!(push("abc", Mode::Repeats, data), None, "{data}");
    }
}

#[test]
fn the_text_is_cut_between_characters() {
    for (text, said, rest) in [
        ("a\"", r#"a\"b\""#, r#"b\""#),
        ("é", r"\u00e9\u00e9", r"\u00e9"),
        ("😀", r"\uD83D\ude00\n", r"\n"),
        ("\n/", r"\n\/\/", r"\/"),
        ("é😀", "é😀é", "é"),
        ("\\", r"\\\\", r"\\"),
    ] {
        let data = |content| format!(r#"{{"choices":[{{"delta":{{"content":"{content}"}}}}]}}"#);
        assert_eq!(push(text, Mode::Repeats, &data(said)), Some(data(rest)), "{text}");
    }
}

#[test]
fn the_first_role_stays() {
    let mut transcript = Transcript::new();
    transcript.observe(content(" ").as_bytes());
    let mut continuation = Continuation::new(&transcript, Mode::Continues);
    let role = r#"{"choices":[{"delta":{"role":"assistant"}}]}"#;
    assert_eq!(continuation.push(role.as_bytes()).unwrap().unwrap(), role);
    assert_eq!(continuation.push(role.as_bytes()), Ok(None));
}

#[test]
fn what_was_held_back_goes_out_with_what_shows_that_it_is_new() {
    let held = &LONG[..9];
    for (data, expected) in [
        (r#"{"choices":[{"delta":{"content":"x"}}]}"#, r#"{"choices":[{"delta":{"content":"The quickx"}}]}"#),
        (
            r#"{"choices":[{"delta":{"content":[{"type":"text","text":" "},{"type":"text","text":"x"}]}}]}"#,
            r#"{"choices":[{"delta":{"content":[{"type":"text","text":"The quick "},{"type":"text","text":"x"}]}}]}"#,
        ),
        (
            r#"{"choices":[{"delta":{"content":" "},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"delta":{"content":"The quick "},"finish_reason":"stop"}]}"#,
        ),
        (
            r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"delta":{"content":"The quick"},"finish_reason":"stop"}]}"#,
        ),
        (
            r#"{"choices":[{"delta":{"role":"assistant","reasoning":"hm"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"delta":{"content":"The quick"},"finish_reason":"stop"}]}"#,
        ),
        (
            r#"{"choices":[{"delta":{ "reasoning":"hm", "x":1},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"delta":{"content":"The quick", "x":1},"finish_reason":"stop"}]}"#,
        ),
        (
            r#"{"choices":[{"delta":{"role":"assistant","content":null},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"delta":{"content":"The quick"},"finish_reason":"stop"}]}"#,
        ),
        (
            r#"{"choices":[{"delta":null,"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"delta":{"content":"The quick"},"finish_reason":"stop"}]}"#,
        ),
        (
            r#"{"choices":[{"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"delta":{"content":"The quick"},"finish_reason":"stop"}]}"#,
        ),
    ] {
        let mut continuation = Continuation::new(&given(LONG), Mode::Continues);
        assert_eq!(continuation.push(content(held).as_bytes()), Ok(None));
        assert_eq!(continuation.push(data.as_bytes()).unwrap().unwrap(), expected, "{data}");
        assert!(continuation.caught_up());
    }
    let mut continuation = Continuation::new(&given(LONG), Mode::Continues);
    assert_eq!(continuation.push(content("The ").as_bytes()), Ok(None));
    assert_eq!(continuation.push(content("quick").as_bytes()), Ok(None));
    let last = continuation.end().unwrap().unwrap();
    assert_eq!(last, content("The quick").replace(r#""2""#, r#""first""#));
    assert_eq!(continuation.end(), Ok(None));
}

fn part(name: &str, usage: Option<&str>) -> Part {
    let usage = usage.map(|json| Usage::parse(json.as_bytes()).unwrap());
    Part { provider: name.into(), model: "m".into(), usage }
}

#[test]
fn one_usage_tells_of_all_parts() {
    let one = r#"{"metadata":{"backstop":{"parts":[{"model":"m","provider":"a","usage":null},{"model":"m","provider":"b","usage":{"t":2}}]}}}"#;
    let metadata = &one[1..one.len() - 1];
    let backstop = &metadata[r#""metadata":{"#.len()..metadata.len() - 1];
    for (data, expected) in [
        (r#"{"choices":[],"usage":{"t":2}}"#, format!(r#"{{"choices":[],"usage":{{"t":2}},{metadata}}}"#)),
        (r#"{"usage":{"t":2} , "x":1 }"#, format!(r#"{{"usage":{{"t":2}} , "x":1,{metadata} }}"#)),
        (r#"{"metadata":null,"usage":{"t":2}}"#, format!(r#"{{{metadata},"usage":{{"t":2}}}}"#)),
        (r#"{"metadata":{},"usage":{"t":2}}"#, format!(r#"{{"metadata":{{{backstop}}},"usage":{{"t":2}}}}"#)),
        (
            r#"{"metadata":{ "a":1},"usage":{"t":2}}"#,
            format!(r#"{{"metadata":{{{backstop}, "a":1}},"usage":{{"t":2}}}}"#),
        ),
        (
            r#"{"metadata":{"backstop":{"x":1},"a":1,"backstop":2},"usage":{"t":2}}"#,
            format!(r#"{{"metadata":{{{backstop},"a":1}},"usage":{{"t":2}}}}"#),
        ),
    ] {
        let mut continuation = Continuation::new(&given(" "), Mode::Continues).after(
            vec![part("a", None)],
            "b".into(),
            "m".into(),
        );
        assert_eq!(continuation.push(data.as_bytes()).unwrap().unwrap(), expected, "{data}");
    }
}

#[test]
fn usages_add_up_over_two_breaks() {
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"cost":0.25,"details":{"cached":1}}}"#;
    let mut second = Continuation::new(&given(" "), Mode::Continues).after(
        vec![part("a", Some(r#"{"prompt_tokens":10,"details":{"cached":4}}"#))],
        "b".into(),
        "m".into(),
    );
    let passed: Value = serde_json::from_slice(&second.push(usage.as_bytes()).unwrap().unwrap()).unwrap();
    let sum = serde_json::json!({
        "prompt_tokens": 13, "completion_tokens": 2, "cost": 0.25, "details": { "cached": 5 },
    });
    assert_eq!(passed["usage"], sum);
    assert_eq!(second.usage().unwrap().to_value()["prompt_tokens"], 3);

    let mut third =
        Continuation::new(&given(" "), Mode::Continues).after(second.into_parts(), "c".into(), "m".into());
    let passed: Value = serde_json::from_slice(&third.push(usage.as_bytes()).unwrap().unwrap()).unwrap();
    assert_eq!(passed["usage"]["prompt_tokens"], 16);
    let parts = passed["metadata"]["backstop"]["parts"].as_array().unwrap();
    let tokens: Vec<_> = parts.iter().map(|part| part["usage"]["prompt_tokens"].as_u64()).collect();
    assert_eq!(tokens, [Some(10), Some(3), Some(3)]);

    let unused =
        Continuation::new(&given("abc"), Mode::Repeats).after(third.into_parts(), "d".into(), "m".into());
    assert_eq!(unused.into_parts().len(), 3, "a candidate of which nothing went out is no part");
}
