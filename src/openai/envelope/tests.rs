use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::openai::testing::{cases, members, noise, value};

fn parse(text: &str) -> Result<Envelope, InvalidRequest> {
    Envelope::parse(Bytes::copy_from_slice(text.as_bytes()))
}

fn edits(set: &[(&str, &str)], unset: &[&str]) -> Edits {
    Edits {
        set: set
            .iter()
            .map(|(name, json)| ((*name).into(), RawValue::from_string((*json).into()).unwrap()))
            .collect(),
        unset: unset.iter().map(|name| (*name).into()).collect(),
    }
}

fn edited(text: &str, edits: &Edits) -> String {
    String::from_utf8(parse(text).unwrap().body_for("m", edits, ForeignReasoning::Strip).concat()).unwrap()
}

/// Odd, and valid: none of it may change on its way.
const ODD: &str = concat!(
    "\u{20}{\"messages\" :  [{\"role\":\"user\",\"content\":\"\\u00e9é \\\"model\\\":\\\"decoy\\\"\",\"model\":\"decoy\"}],\r\n",
    "\t\"seed\":123456789012345678901234567890, \"t\":1E+2,\"p\":0.10, \"model\" : \"a\\/b\\u002fc\" ,\n",
    "\"metadata\":{\"model\":1,\"model\":2,\"stream\":\"x\"},\"\":{},\"x\":\"\\ud800\",\"stream\":true,",
    "\"stream_options\":{\"a\":{\"include_usage\":false},\"include_usage\":true}}\n",
);

#[test]
fn reads_what_we_act_on() {
    let envelope = parse(ODD).unwrap();
    assert_eq!(envelope.model(), "a/b/c");
    assert!(envelope.stream());
    assert!(envelope.include_usage());

    let envelope = parse(r#"{"model":""}"#).unwrap();
    assert_eq!(envelope.model(), "");
    assert!(!envelope.stream());
    assert!(!envelope.include_usage());

    let envelope = parse(r#"{"\u006dodel":"x","stream":null,"stream_options":null}"#).unwrap();
    assert_eq!(envelope.model(), "x");
    assert!(!envelope.stream());
    assert!(parse(r#"{"model":"x","\u0073tream":true}"#).unwrap().stream());
    assert!(!parse(r#"{"model":"x","stream_options":{"include_usage":"true"}}"#).unwrap().include_usage());
}

#[test]
fn only_the_model_changes() {
    let envelope = parse(ODD).unwrap();
    let slices = envelope.body_for("x\"y/é", &Edits::default(), ForeignReasoning::Strip);

    let expected = ODD.replace(r#""a\/b\u002fc""#, r#""x\"y/é""#);
    assert_eq!(slices.concat(), expected.as_bytes());
    assert_eq!(slices.len(), 3);
    assert_eq!(slices[0].as_ptr(), envelope.body.as_ptr(), "slices, not copies");
    let after = ODD.len() - slices[2].len();
    assert_eq!(slices[2].as_ptr(), envelope.body[after..].as_ptr(), "slices, not copies");
}

#[test]
fn says_what_is_wrong_and_where() {
    let hint = "\nhint: name one of those that `GET /v1/models` lists";
    let table: [(&[u8], String, Option<&str>); 22] = [
        (b"", "the body is empty".into(), None),
        (b" \n", "the body is empty".into(), None),
        (b"{}", format!("the body has no `model`{hint}"), Some("model")),
        (br#"{"messages":[{"model":"x"}]}"#, format!("the body has no `model`{hint}"), Some("model")),
        (b"[]", "the body must be a JSON object at line 1 column 1".into(), None),
        (b"\n \"model\"", "the body must be a JSON object at line 2 column 2".into(), None),
        (br#"{"model":1}"#, "`model` must be a string at line 1 column 10".into(), Some("model")),
        (br#"{"model":null}"#, "`model` must be a string at line 1 column 10".into(), Some("model")),
        (br#"{"model":["x"]}"#, "`model` must be a string at line 1 column 10".into(), Some("model")),
        (br#"{"model":"\ud800"}"#, "`model` must be a string at line 1 column 10".into(), Some("model")),
        (
            b"{\"model\":\"x\",\n \"stream\": 1}",
            "`stream` must be `true` or `false` at line 2 column 12".into(),
            Some("stream"),
        ),
        (
            b"{\"model\":\"x\",\n  \"\xC3\xA9\":1, \"model\":\"x\"}",
            "there is a second `model` at line 2 column 10".into(),
            Some("model"),
        ),
        (
            br#"{"model":"x","\u006dodel":"y","model":"z"}"#,
            "there is a second `model` at line 1 column 14".into(),
            Some("model"),
        ),
        (
            br#"{"stream":true,"model":"x","stream":true}"#,
            "there is a second `stream` at line 1 column 28".into(),
            Some("stream"),
        ),
        (
            br#"{"model":"x"} x"#,
            "the body is not valid JSON: trailing characters at line 1 column 15".into(),
            None,
        ),
        (
            b"{\n\"model\":\"x\"\n\"a\":1}",
            "the body is not valid JSON: expected `,` or `}` at line 3 column 1".into(),
            None,
        ),
        (
            b"{\"\xC3\xA9\": nul}",
            "the body is not valid JSON: expected ident at line 1 column 10".into(),
            None,
        ),
        (
            br#"{"model":"x""#,
            "the body is not valid JSON: EOF while parsing an object at line 1 column 12".into(),
            None,
        ),
        (
            b"{\"model\":\"x\n\"}",
            "the body is not valid JSON: control character (\\u0000-\\u001F) found while parsing a string at line 1 column 11"
                .into(),
            None,
        ),
        (b"\xEF\xBB\xBF{}", "the body is not valid JSON: expected value at line 1 column 1".into(), None),
        (b"{\"a\":\"\n\xC3\xA9\xFF\"}", "the body is not valid UTF-8 at line 2 column 2".into(), None),
        (b"{\"model\":\"x\xED\xA0\x80\"}", "the body is not valid UTF-8 at line 1 column 12".into(), None),
    ];
    for (body, message, param) in table {
        let error = Envelope::parse(Bytes::from_static(body)).unwrap_err();
        assert_eq!((error.message, error.param), (message, param), "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn takes_any_depth_and_size() {
    let depth = 1_000_000;
    let deep = format!(r#"{{"a":{}{},"model":"x"}}"#, "[".repeat(depth), "]".repeat(depth));
    assert_eq!(parse(&deep).unwrap().model(), "x");
    let cut = format!(r#"{{"model":"x","a":{}"#, "[{\"a\":".repeat(depth));
    assert!(parse(&cut).unwrap_err().message.contains("EOF while parsing"));

    let large = format!(r#"{{"image":"{}","model":"x"}}"#, "A".repeat(5_000_000));
    let envelope = parse(&large).unwrap();
    assert_eq!(
        envelope.body_for("y", &Edits::default(), ForeignReasoning::Strip).concat().len(),
        large.len()
    );
}

#[test]
fn edits_set_and_unset_members() {
    for (text, set, unset, expected) in [
        (r#"{"model":"x"}"#, &[("a", "1")][..], &[][..], r#"{"model":"m","a":1}"#),
        (r#"{ "model" : "x" }"#, &[("a", "1")], &["b"], r#"{ "model" : "m","a":1 }"#),
        (r#"{"a":0 , "model":"x"}"#, &[("a", "[1]")], &[], r#"{"a":[1] , "model":"m"}"#),
        (r#"{"a":0 , "model":"x"}"#, &[], &["a"], r#"{"model":"m"}"#),
        (r#"{"model":"x" , "a":0 }"#, &[], &["a"], r#"{"model":"m" }"#),
        (r#"{"b":0,"a":0,"model":"x","a":0,"c":0}"#, &[], &["a", "b"], r#"{"model":"m","c":0}"#),
        (r#"{"a":0,"model":"x","\u0061":1}"#, &[("a", "2")], &[], r#"{"a":2,"model":"m"}"#),
        (r#"{"model":"x","a":0}"#, &[("b", "1")], &["a"], r#"{"model":"m","b":1}"#),
        (r#"{"model":"x","a":0}"#, &[("a", "1"), ("a", "2")], &["a"], r#"{"model":"m","a":2}"#),
        (r#"{"model":"x"}"#, &[("a", "1"), ("a", "2")], &[], r#"{"model":"m","a":2}"#),
        (r#"{"model":"x"}"#, &[("model", "1")], &["model"], r#"{"model":"m"}"#),
        (r#"{"n":{"a":0},"model":"x"}"#, &[("a", "1.0")], &[], r#"{"n":{"a":0},"model":"m","a":1.0}"#),
        (r#"{"model":"x"}"#, &[("\"", "{}")], &[], r#"{"model":"m","\"":{}}"#),
    ] {
        assert_eq!(edited(text, &edits(set, unset)), expected, "{text}");
    }
}

const KEYS: &[&str] = &["a", "b", "c", "stream_options", "messages"];

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn edits_do_what_editing_a_dom_does(
        mut before in members(KEYS, value(KEYS)),
        after in members(KEYS, value(KEYS)),
        set in members(KEYS, value(KEYS)),
        unset in prop::collection::vec(prop::sample::select(KEYS).prop_map(String::from), 0..3),
        mut noise in noise(),
    ) {
        before.push(("model".into(), "x".into()));
        before.extend(after);
        before.retain(|(key, value)| key != "model" || value == "x");
        let mut text = String::new();
        noise.object(&mut text, before.iter().map(|(key, value)| (key, value)));
        let edits = Edits {
            set: set
                .iter()
                .map(|(key, value)| (key.clone(), RawValue::from_string(value.to_string()).unwrap()))
                .collect(),
            unset: unset.clone(),
        };

        let result = edited(&text, &edits);

        let mut expected: Map<_, _> = before.into_iter().collect();
        expected.retain(|key, _| !unset.contains(key));
        expected.extend(set);
        expected.insert("model".into(), "m".into());
        prop_assert_eq!(serde_json::from_str::<Value>(&result).unwrap(), Value::from(expected), "{}", text);
        // Beside what was edited, nothing is touched: an edit of nothing gives the same text.
        let untouched = Edits { set: vec![], unset: vec!["not there".into()] };
        prop_assert_eq!(edited(&text, &untouched), edited(&text, &Edits::default()));
    }

    #[test]
    fn takes_json_and_nothing_else(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        r#"\{"model":"x"[,:"a{}\[\]1 \n]{0,12}\}"#.prop_map(String::into_bytes),
    ]) {
        let parsed = Envelope::parse(bytes.clone().into());
        if let Ok(envelope) = parsed {
            prop_assert!(serde_json::from_slice::<Value>(&bytes).is_ok());
            prop_assert_eq!(envelope.body_for("x", &Edits::default(), ForeignReasoning::Strip).concat().len(), bytes.len());
        } else if let Ok(Value::Object(members)) = serde_json::from_slice(&bytes) {
            prop_assert!(!members.contains_key("model"));
        }
    }
}

#[test]
fn a_name_that_no_log_line_can_carry_is_refused() {
    for (model, message) in [
        ("a\\nb".to_owned(), "`model` must not hold control characters at line 1 column 10"),
        ("x".repeat(513), "`model` must not be longer than 512 bytes at line 1 column 10"),
    ] {
        let body = format!(r#"{{"model":"{model}"}}"#);
        let error = Envelope::parse(body.into()).unwrap_err();
        assert_eq!((error.message.as_str(), error.param), (message, Some("model")));
    }
}

#[test]
fn debug_says_nothing_of_what_people_wrote() {
    let envelope = Envelope::parse(r#"{"model":"m","messages":["private"]}"#.into()).unwrap();

    assert!(!format!("{envelope:?}").contains("private"));
}
