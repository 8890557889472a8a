use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::openai::testing::{cases, noise};
use crate::route::{Edits, Prefill};

fn stripped(text: &str, model: &str) -> String {
    let envelope = Envelope::parse(text.to_owned().into()).unwrap();
    let slices = envelope.body_for(model, &Edits::default(), ForeignReasoning::Strip);
    String::from_utf8(slices.concat()).unwrap()
}

#[test]
fn a_seal_stays_with_its_vendor_and_goes_from_all_others() {
    for (message, vendor, without) in [
        (
            r#""reasoning_details":[{"type":"reasoning.text","format":"anthropic-claude-v1","signature":"s"}]"#,
            "claude",
            "",
        ),
        (
            r#""reasoning_details":[{"type":"reasoning.encrypted","format":"openai-responses-v1"}]"#,
            "gpt-5",
            "",
        ),
        (r#""reasoning_details":[{"format":"azure-openai-responses-v1"}]"#, "gpt-5", ""),
        (r#""reasoning_details":[{"format":"bedrock-xai-responses-v1"}]"#, "grok-4", ""),
        (r#""reasoning_details":[{"format":"meta-responses-v1"}]"#, "llama-5", ""),
        (
            r#""reasoning_details" : [ {"format":"google-gemini-v1"} , {"format":"unknown"} ]"#,
            "gemini-3",
            r#""reasoning_details" : [ {"format":"unknown"} ]"#,
        ),
        (
            r#""reasoning_details":[{"format":"unknown"},{"format":"google-gemini-v1"},{"a":1},{"format":"google-gemini-v2"}]"#,
            "gemini-3",
            r#""reasoning_details":[{"format":"unknown"},{"a":1}]"#,
        ),
        (
            r#""thinking_blocks":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"x"}]"#,
            "claude",
            "",
        ),
        (
            r#""thinking_blocks":[{"type":"thinking","thinking":"t"},{"signature":"s"}]"#,
            "claude",
            r#""thinking_blocks":[{"type":"thinking","thinking":"t"}]"#,
        ),
        (r#""extra_content":{"google":{"thought_signature":"s"}}"#, "gemini-3", ""),
        (
            r#""extra_content":{"google":{"thought":true,"thought_signature":"s"}}"#,
            "gemini-3",
            r#""extra_content":{"google":{"thought":true}}"#,
        ),
        (
            r#""provider_specific_fields":{"thought_signatures":["s"],"citations":null}"#,
            "gemini-3",
            r#""provider_specific_fields":{"citations":null}"#,
        ),
        (
            r#""tool_calls":[{"id":"1","extra_content":{"google":{"thought_signature":"s"}},"function":{"name":"f","provider_specific_fields":{"thought_signature":"s"}}}]"#,
            "gemini-3",
            r#""tool_calls":[{"id":"1","function":{"name":"f"}}]"#,
        ),
        (r#""tool_calls":[{"thought_signature":"s"}]"#, "models/gemini-3", r#""tool_calls":[{}]"#),
        (r#""\u0072easoning_details":[{"f\u006frmat":"anthropic\u002dclaude-v1"}]"#, "claude", ""),
    ] {
        let body = |message: &str, model: &str| {
            let comma = if message.is_empty() { "" } else { "," };
            format!(
                r#"{{"messages":[{{"role":"assistant","content":"a"{comma}{message}}},{{"role":"user"}}],"model":"{model}"}}"#
            )
        };
        let sealed = body(message, "r");
        assert_eq!(stripped(&sealed, vendor), body(message, vendor), "its own");
        for other in ["kimi-k2", "a-local-model"] {
            assert_eq!(stripped(&sealed, other), body(without, other), "{message}");
        }
        let kept = Envelope::parse(sealed.into()).unwrap();
        let kept = kept.body_for("kimi-k2", &Edits::default(), ForeignReasoning::Keep).concat();
        assert_eq!(kept, body(message, "kimi-k2").as_bytes());
    }
}

#[test]
fn what_is_nobodys_seal_stays() {
    for message in [
        r#""reasoning":"t","reasoning_content":"t""#,
        r#""reasoning_details":"text","thinking_blocks":null,"extra_content":[],"tool_calls":{}"#,
        r#""reasoning_details":[],"extra_content":{},"provider_specific_fields":{"a":{}}"#,
        r#""reasoning_details":[1,null,{},{"format":null},{"format":["google"]},{"format":"googly-v1"}]"#,
        r#""content":[{"type":"text","text":"reasoning_details","thought_signature":"s"}]"#,
        r#""extra_content":{"openai":{"thought_signature":"s"}}"#,
    ] {
        let body = format!(r#"{{"messages":[{{{message}}}],"model":"m","thought_signature":"s"}}"#);
        assert_eq!(stripped(&body, "m"), body);
    }
}

#[test]
fn only_bodies_with_such_a_name_are_looked_through() {
    for (message, expected) in [
        (r#"{"reasoning_details":[]}"#, true),
        (r#"{"tool_calls":[{"thought_signature":"s"}]}"#, true),
        (r#"{"\u0072easoning_details":[]}"#, true),
        (r#"{"content":"reasoning_details, \"thinking_blocks\" and \u00e9"}"#, false),
        (r#"{"reasoning":"thought_signature"}"#, false),
    ] {
        let body = format!(r#"{{"model":"m","messages":[{message}]}}"#);
        assert_eq!(Envelope::parse(body.into()).unwrap().sealed, expected, "{message}");
    }
}

#[test]
fn a_continued_answer_follows_on_what_is_left() {
    let text = r#"{"model":"x","messages":[{"role":"assistant","reasoning_details":[{"format":"xai-responses-v1"}]},{"thought_signature":"s","role":"user"}]}"#;
    let envelope = Envelope::parse(text.into()).unwrap();
    let edits = Edits { set: Vec::new(), unset: vec!["model".into(), "none".into()] };
    let body = |prefill| {
        let slices = envelope.body_to_continue("m", &edits, "so", prefill, ForeignReasoning::Strip);
        String::from_utf8(slices.unwrap().concat()).unwrap()
    };
    assert_eq!(
        body(Prefill::Message),
        r#"{"model":"m","messages":[{"role":"assistant"},{"role":"user"},{"role":"assistant","content":"so"}]}"#
    );
    let all = Edits { set: Vec::new(), unset: vec!["messages".into()] };
    let slices = envelope.body_for("m", &all, ForeignReasoning::Strip);
    assert_eq!(slices.concat(), br#"{"model":"m"}"#);
}

/// What is left of a message, by way of a DOM.
fn strip(value: &mut Value, rules: Rules, reader: Option<Vendor>) -> Fate {
    let Value::Object(members) = value else { return Fate::Stays };
    let before = members.len();
    members.retain(|name, value| {
        let rule = rules.iter().find(|(known, _)| *known == name.as_bytes()).map(|(_, rule)| *rule);
        let foreign = |vendor: Option<Vendor>| vendor.is_some() && vendor != reader;
        match (rule, value) {
            (Some(Rule::Details), Value::Array(entries)) => {
                let before = entries.len();
                entries.retain(|entry| {
                    let format = entry["format"].as_str().unwrap_or_default();
                    !foreign(of_format(format.as_bytes()))
                });
                before == 0 || !entries.is_empty()
            }
            (Some(Rule::Blocks), Value::Array(entries)) => {
                let before = entries.len();
                entries.retain(|entry| {
                    let signed = entry["signature"].as_str().is_some_and(|text| !text.is_empty());
                    let sealed = signed || entry["type"] == "redacted_thinking";
                    !(sealed && foreign(Some(Vendor::Anthropic)))
                });
                before == 0 || !entries.is_empty()
            }
            (Some(Rule::Signature), Value::String(_) | Value::Array(_)) => !foreign(Some(Vendor::Google)),
            (Some(Rule::Object(rules)), value) => strip(value, rules, reader) == Fate::Stays,
            (Some(Rule::Kept(rules)), value) => {
                strip(value, rules, reader);
                true
            }
            (Some(Rule::Each(rules)), Value::Array(elements)) => {
                for element in elements {
                    strip(element, rules, reader);
                }
                true
            }
            _ => true,
        }
    });
    if before > 0 && members.is_empty() { Fate::Goes } else { Fate::Stays }
}

const NAMES: [&str; 14] = [
    "reasoning_details",
    "thinking_blocks",
    "extra_content",
    "provider_specific_fields",
    "thought_signature",
    "thought_signatures",
    "tool_calls",
    "function",
    "google",
    "format",
    "signature",
    "type",
    "role",
    "content",
];

const WORDS: [&str; 7] = [
    "anthropic-claude-v1",
    "google-gemini-v1",
    "openai-responses-v1",
    "unknown",
    "redacted_thinking",
    "",
    "x",
];

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => prop::sample::select(&WORDS[..]).prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<i32>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let members = prop::collection::vec((prop::sample::select(&NAMES[..]), inner.clone()), 0..5);
        let object = members.prop_map(|members| {
            Value::from(
                members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>(),
            )
        });
        prop_oneof![object, prop::collection::vec(inner, 0..4).prop_map(Value::from)]
    })
}

/// Entries as vendors write them, and anything.
fn entries() -> impl Strategy<Value = Value> {
    let word = || prop::sample::select(&WORDS[..]);
    let entry = (word(), word(), word()).prop_map(
        |(format, signature, kind)| json!({ "format": format, "signature": signature, "type": kind }),
    );
    prop::collection::vec(prop_oneof![4 => entry, 1 => anything()], 0..4).prop_map(Value::from)
}

/// A message as providers write them, with anything among it.
fn message() -> impl Strategy<Value = Value> {
    let fields = || {
        let names = prop::sample::subsequence(&NAMES[..], 0..4);
        (names, entries(), entries()).prop_map(|(names, first, second)| {
            let values =
                [first, json!({ "google": { "thought_signature": "s" } }), second].into_iter().cycle();
            Value::from(names.into_iter().map(String::from).zip(values).collect::<Map<_, _>>())
        })
    };
    (fields(), fields(), prop::collection::vec(fields(), 0..3)).prop_map(|(mut message, inner, calls)| {
        message["provider_specific_fields"] = inner;
        message["tool_calls"] = calls.into();
        message
    })
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn cuts_what_an_edit_of_a_dom_removes(
        messages in prop::collection::vec(prop_oneof![message(), anything()], 0..4),
        model in prop::sample::select(&["claude", "gemini", "gpt-5", "else"][..]),
        before in any::<bool>(),
        mut noise in noise(),
    ) {
        let mut text = String::new();
        let members = [("model".to_owned(), json!(model)), ("messages".to_owned(), json!(messages))];
        let (first, second) = if before { (&members[0], &members[1]) } else { (&members[1], &members[0]) };
        noise.object(&mut text, [first, second].map(|(key, value)| (key, value)));

        let result = stripped(&text, model);

        let mut expected = messages.clone();
        for message in &mut expected {
            strip(message, MESSAGE, Vendor::of_model(model));
        }
        let parsed: Value = serde_json::from_str(&result).unwrap();
        prop_assert_eq!(&parsed, &json!({ "model": model, "messages": &expected }), "{}", text);
        if expected == messages {
            let envelope = Envelope::parse(text.clone().into()).unwrap();
            let mut same = text.clone();
            same.replace_range(envelope.model_range.clone(), &format!("\"{model}\""));
            prop_assert_eq!(&result, &same);
        }
        prop_assert_eq!(stripped(&result, model), result.as_str(), "a second time changes nothing");
    }
}
