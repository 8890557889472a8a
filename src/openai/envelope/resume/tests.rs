use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::openai::testing::{cases, members, noise, value};

fn continued(text: &str, edits: &Edits, said: &str, prefill: Prefill) -> Option<String> {
    let envelope = Envelope::parse(text.to_owned().into()).unwrap();
    let slices = envelope.body_to_continue("m", edits, said, prefill, ForeignReasoning::Strip)?;
    Some(String::from_utf8(slices.concat()).unwrap())
}

fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}

#[test]
fn the_answer_so_far_is_the_last_message() {
    let text = r#"{ "messages" : [ {"role":"user","content":"\u0068i"} ] ,"model":"x", "top_p":1.0}"#;
    for (prefill, message, rest) in [
        (Prefill::Message, r#"{"role":"assistant","content":"a\"\n"}"#, ""),
        (Prefill::Prefix { echoes: true }, r#"{"role":"assistant","content":"a\"\n","prefix":true}"#, ""),
        (
            Prefill::ContinueFinal,
            r#"{"role":"assistant","content":"a\"\n"}"#,
            r#","continue_final_message":true,"add_generation_prompt":false"#,
        ),
    ] {
        let expected = format!(
            r#"{{ "messages" : [ {{"role":"user","content":"\u0068i"}},{message} ] ,"model":"m", "top_p":1.0{rest}}}"#
        );
        assert_eq!(continued(text, &Edits::default(), "a\"\n", prefill), Some(expected));
    }
    let text = r#"{"model":"x","add_generation_prompt":true,"messages":[{"role":"tool"}]}"#;
    let expected = r#"{"model":"m","add_generation_prompt":false,"messages":[{"role":"tool"},{"role":"assistant","content":"a"}],"continue_final_message":true}"#;
    assert_eq!(continued(text, &Edits::default(), "a", Prefill::ContinueFinal).as_deref(), Some(expected));
}

#[test]
fn where_no_answer_can_follow_there_is_no_body() {
    for messages in [
        "",
        r#","messages":null"#,
        r#","messages":[]"#,
        r#","messages":{"role":"user"}"#,
        r#","messages":["hi"]"#,
        r#","messages":[{"content":"hi"}]"#,
        r#","messages":[{"role":"user"},{"role":"assist\u0061nt"}]"#,
        r#","messages":[{"role":"user"}],"messages":[{"role":"user"}]"#,
    ] {
        let text = format!(r#"{{"model":"x"{messages}}}"#);
        assert_eq!(continued(&text, &Edits::default(), "a", Prefill::Message), None, "{text}");
    }
    let text = r#"{"model":"x","messages":[{"role":"assistant"},{"role":"user"}]}"#;
    assert!(continued(text, &Edits::default(), "a", Prefill::Message).is_some());
    assert_eq!(continued(text, &Edits::default(), "", Prefill::Message), None);
    let set = Edits { set: vec![("messages".into(), raw(&json!([])))], unset: vec![] };
    let unset = Edits { set: vec![], unset: vec!["messages".into()] };
    for edits in [set, unset] {
        assert_eq!(continued(text, &edits, "a", Prefill::Message), None);
    }
}

#[test]
fn only_a_stream_of_one_choice_can_be_resumed() {
    for (members, expected) in [
        (r#","stream":true"#, true),
        (r#","stream":true,"n":1,"tools":[{}]"#, true),
        (r#","stream":true,"n":2"#, false),
        (r#","stream":false"#, false),
        ("", false),
    ] {
        let envelope = Envelope::parse(format!(r#"{{"model":"x"{members}}}"#).into()).unwrap();
        assert_eq!(envelope.may_resume(), expected, "{members}");
    }
}

const KEYS: &[&str] = &["a", "b", "messages", "continue_final_message", "add_generation_prompt"];

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn it_is_the_same_request_with_one_message_more(
        mut before in members(KEYS, value(KEYS)),
        after in members(KEYS, value(KEYS)),
        mut messages in prop::collection::vec(value(KEYS), 0..3),
        set in members(&["a", "c"], value(KEYS)),
        unset in prop::collection::vec(prop::sample::select(&["b", "c"][..]).prop_map(String::from), 0..3),
        said in "\\PC{1,9}",
        prefill in prop::sample::select(&[Prefill::Message, Prefill::Prefix { echoes: false }, Prefill::ContinueFinal][..]),
        mut noise in noise(),
    ) {
        messages.push(json!({ "role": "user", "content": "hi" }));
        before.retain(|(key, _)| key != "messages" && key != "model");
        before.push(("messages".into(), messages.into()));
        before.push(("model".into(), "x".into()));
        before.extend(after.into_iter().filter(|(key, _)| key != "messages" && key != "model"));
        // Of `stream` we are as strict as of the model.
        before.retain(|(key, _)| key != "stream");
        let mut text = String::new();
        noise.object(&mut text, before.iter().map(|(key, value)| (key, value)));
        let set = set.iter().filter(|(key, _)| KEYS[..2].contains(&key.as_str()) || key == "c");
        let edits = Edits { set: set.map(|(key, value)| (key.clone(), raw(value))).collect(), unset };

        let result = continued(&text, &edits, &said, prefill).unwrap();

        let envelope = Envelope::parse(text.into()).unwrap();
        let mut expected: Value = serde_json::from_slice(&envelope.body_for("m", &edits, ForeignReasoning::Strip).concat()).unwrap();
        let mut message = json!({ "role": "assistant", "content": said });
        match prefill {
            Prefill::Message => {}
            Prefill::Prefix { .. } => message["prefix"] = true.into(),
            Prefill::ContinueFinal => {
                expected["continue_final_message"] = true.into();
                expected["add_generation_prompt"] = false.into();
            }
        }
        expected["messages"].as_array_mut().unwrap().push(message);
        prop_assert_eq!(serde_json::from_str::<Value>(&result).unwrap(), expected);
    }
}
