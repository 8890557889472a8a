use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::openai::sse::events;
use crate::openai::testing::{cases, members, noise, value};

fn facts(text: &str) -> Facts {
    inspect(text.as_bytes()).unwrap()
}

/// One word for each event: what there is in it.
fn story(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sse").join(name);
    let bytes = fs::read(path).unwrap();
    let words = events(&bytes).map(|event| {
        let Some(data) = event.data() else {
            return if event.raw.starts_with(b":") { ":".into() } else { "nothing".into() };
        };
        if is_done(&data) {
            return "done".into();
        }
        let Ok(facts) = inspect(&data) else {
            return "not-json".into();
        };
        let finish = match facts.finish {
            None => "",
            Some(Finish::Stop) => "stop",
            Some(Finish::Other) => "other",
            Some(Finish::Error) => "error!",
        };
        let tokens = facts.completion_tokens.to_string();
        let words: Vec<_> = [
            (facts.foreign, "foreign"),
            (facts.error, "error"),
            (!facts.choices, "no-choices"),
            (facts.payload, "payload"),
            (facts.finish.is_some(), finish),
            (facts.usage, &tokens),
        ]
        .into_iter()
        .filter_map(|(there, word)| there.then_some(word))
        .collect();
        if words.is_empty() { "-".into() } else { words.join("+") }
    });
    words.collect::<Vec<String>>().join(" ")
}

#[test]
fn reads_the_streams_of_vendors() {
    let table = [
        ("openai.sse", "- payload payload payload stop no-choices+10 done"),
        ("tool-calls.sse", "payload payload payload payload payload payload payload payload other done"),
        ("openrouter.sse", ": : : payload payload : payload stop 5 done"),
        ("openrouter-broken.sse", ": payload error+error! done"),
        ("openrouter-refused.sse", ": : error+no-choices done"),
        ("deepseek.sse", ": : - payload payload payload payload stop+9 done"),
        ("vllm.sse", "- payload payload stop no-choices+5 done"),
        ("anthropic.sse", "- payload payload stop done"),
        ("llama-cpp.sse", "- payload payload other no-choices+2 done"),
        ("gemini.sse", "payload+7 payload+stop+7 done"),
        ("hidden-reasoning.sse", "- other no-choices+1024 done"),
        ("ollama.sse", "payload payload stop done"),
        ("mistral.sse", "- payload payload stop+6 done"),
        ("empty.sse", "- stop no-choices+0 done"),
        ("foreign.sse", "payload foreign+no-choices foreign+payload not-json not-json stop done"),
    ];
    for (name, expected) in table {
        assert_eq!(story(name), expected, "{name}");
    }
}

#[test]
fn knows_payload_from_its_absence() {
    let payload = [
        r#""content":"a""#,
        r#""content":"\"""#,
        r#""content":[{"type":"text","text":"a"}]"#,
        r#""reasoning":"a""#,
        r#""reasoning_content":" ""#,
        r#""reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]"#,
        r#""refusal":"no""#,
        r#""tool_calls":[{"index":0}]"#,
        r#""function_call":{"name":"f"}"#,
        r#""audio":{"id":"a"}"#,
        r#""images":[{}]"#,
        r#""content":null,"\u0063ontent":"a""#,
    ];
    let nothing = [
        "",
        r#""role":"assistant""#,
        r#""content":"""#,
        r#""content":null"#,
        r#""content":[ ]"#,
        r#""content":3"#,
        r#""reasoning":null,"reasoning_details":[]"#,
        r#""tool_calls":[]"#,
        r#""tool_calls":null"#,
        r#""function_call":{ }"#,
        r#""name":"content","x":{"content":"decoy"}"#,
        r#""role":"\"content\":\"decoy\"""#,
    ];
    for (members, expected) in
        payload.iter().map(|members| (members, true)).chain(nothing.iter().map(|members| (members, false)))
    {
        for place in ["delta", "message"] {
            let text =
                format!(r#"{{"choices":[{{"index":0,"{place}":{{{members}}},"finish_reason":null}}]}}"#);
            assert_eq!(facts(&text).payload, expected, "{text}");
        }
    }
    assert!(facts(r#"{"choices":[{"text":"a"}]}"#).payload);
    assert!(!facts(r#"{"choices":[{"text":""}]}"#).payload);
    assert!(!facts(r#"{"delta":{"content":"decoy"},"content":"decoy"}"#).payload);
}

#[test]
fn reads_finish_reasons() {
    let table = [
        ("null", None),
        (r#""""#, None),
        (r#""stop""#, Some(Finish::Stop)),
        (r#""st\u006fp""#, Some(Finish::Stop)),
        (r#""length""#, Some(Finish::Other)),
        (r#""content_filter""#, Some(Finish::Other)),
        ("1", Some(Finish::Other)),
        (r#""error""#, Some(Finish::Error)),
        (r#""stop"},{"finish_reason":"tool_calls"},{"finish_reason":null"#, Some(Finish::Other)),
        (r#""error"},{"finish_reason":"stop""#, Some(Finish::Error)),
    ];
    for (reason, expected) in table {
        assert_eq!(
            facts(&format!(r#"{{"choices":[{{"finish_reason":{reason}}}]}}"#)).finish,
            expected,
            "{reason}"
        );
    }
    assert_eq!(facts(r#"{"finish_reason":"stop"}"#).finish, None);
}

#[test]
fn sees_errors_and_no_decoys() {
    for text in [
        r#"{"error":{"code":1}}"#,
        r#"{"error":"down"}"#,
        r#"{"\u0065rror":{}}"#,
        r#"{"choices":[{"error":{"code":502}}]}"#,
        r#"{"error":null,"error":1}"#,
        " \t{ \"x\" : [1] , \"error\" : 1 } ",
    ] {
        assert!(facts(text).error, "{text}");
    }
    for text in [
        "{}",
        r#"{"error":null}"#,
        r#"{"choices":[{"error":null,"delta":{"error":1}}]}"#,
        r#"{"a":"\"error\":1","b":{"error":1},"c":[{"error":1}],"d":"error"}"#,
        r#"{"a":"}{\"error\":1}"}"#,
    ] {
        assert!(!facts(text).error, "{text}");
    }
}

#[test]
fn reads_usage() {
    for (usage, there, tokens) in [
        ("null", false, 0),
        ("{}", true, 0),
        (r#"{"completion_tokens":null}"#, true, 0),
        (r#"{"completion_tokens":12,"x":{"completion_tokens":99}}"#, true, 12),
        (r#"{"completion_tokens":12.0}"#, true, 12),
        (r#"{"completion_tokens":-1}"#, true, 0),
        (r#"{"completion_tokens":1e99}"#, true, u64::MAX),
        ("3", true, 0),
    ] {
        let facts = facts(&format!(r#"{{"usage":{usage}}}"#));
        assert_eq!((facts.usage, facts.completion_tokens), (there, tokens), "{usage}");
    }
}

#[test]
fn tells_what_is_no_json() {
    for text in
        ["", " ", "[]", "hello", "null", "{", "{]", "}{", "{}}", r#"{"a"#, r#"{"a":"}"#, "\u{feff}{}", "[{}]"]
    {
        assert_eq!(inspect(text.as_bytes()), Err(NotJson), "{text}");
    }
    for text in ["{}", " {}\n", "{a}", r#"{"a":NaN}"#, "{} trailing", r#"{"a":"}"}"#] {
        assert_eq!(inspect(text.as_bytes()), Ok(Facts::default()), "{text}");
    }
    assert!(is_done(b" [DONE] "));
    assert!(!is_done(b"[done]"));
}

#[test]
fn cuts_foreign_members() {
    for (text, expected) in [
        (r#"{"event":1}"#, "{}"),
        (r#"{ "event" : {"a":[1,"}"]} }"#, "{  }"),
        (r#"{"event":1,"a":2}"#, r#"{"a":2}"#),
        (r#"{"a":2, "event":1}"#, r#"{"a":2}"#),
        (r#"{"a":1E+2, "event":1 , "b": 0.10}"#, r#"{"a":1E+2 , "b": 0.10}"#),
        (r#"{"event":1,"selected_model_id":2,"a":3,"\u0065vent":4,"event":5}"#, r#"{"a":3}"#),
        (r#"{"a":{"event":1},"b":"\"event\":1"}"#, r#"{"a":{"event":1},"b":"\"event\":1"}"#),
        ("{\"a\":1}\n{\"event\":2}", r#"{"a":1} {}"#),
        ("no json", "no json"),
        (r#"{"event":1"#, r#"{"event":1"#),
    ] {
        assert_eq!(String::from_utf8(without_foreign(text.as_bytes())).unwrap(), expected, "{text}");
    }
}

#[test]
fn sees_foreign_members_in_each_line() {
    for text in [
        "{\"choices\":[]}\n{\"event\":{}}",
        "{\"x\":\n{\"event\":{}}\n}",
        "{\"x\":[\n  {\"a\":1,\"selected_model_id\":2}\n]}",
    ] {
        assert!(facts(text).foreign, "{text}");
        let kept = without_foreign(text.as_bytes());
        assert!(!inspect(&kept).unwrap().foreign, "{text}");
        assert!(!kept.contains(&b'\n'), "{text}");
    }
    assert!(!facts("{\"x\":\n{\"y\":{\"event\":1}}}").foreign);
}

/// The same reading, from a DOM.
fn reference(value: &Value) -> Facts {
    let filled = |value: &Value| match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => false,
    };
    let mut facts = Facts {
        error: !value["error"].is_null(),
        usage: !value["usage"].is_null(),
        completion_tokens: value["usage"]["completion_tokens"].as_u64().unwrap_or(0),
        choices: value["choices"].as_array().is_some_and(|choices| !choices.is_empty()),
        foreign: value.get("event").is_some() || value.get("selected_model_id").is_some(),
        ..Facts::default()
    };
    for choice in value["choices"].as_array().into_iter().flatten() {
        let mut payload = false;
        for place in ["delta", "message"] {
            payload |= choice[place].as_object().is_some_and(|members| {
                members.iter().any(|(key, value)| is_payload(key.as_bytes()) && filled(value))
            });
        }
        payload |= choice["text"].as_str().is_some_and(|text| !text.is_empty());
        facts.payload |= payload;
        facts.error |= !choice["error"].is_null();
        let finish = match &choice["finish_reason"] {
            Value::Null => None,
            Value::String(reason) if reason.is_empty() => None,
            Value::String(reason) if reason == "stop" => Some(Finish::Stop),
            Value::String(reason) if reason == "error" => Some(Finish::Error),
            _ => Some(Finish::Other),
        };
        let index = choice["index"].as_u64().and_then(|index| index.try_into().ok()).unwrap_or(0);
        if payload {
            facts.spoke.add(index);
        }
        if finish.is_some() {
            facts.finished.add(index);
        }
        facts.finish = facts.finish.max(finish);
    }
    facts
}

const KEYS: &[&str] = &["choices", "delta", "content", "error", "event", "usage", "finish_reason"];

fn object(
    keys: &'static [&'static str],
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Value> {
    members(keys, value).prop_map(|members| members.into_iter().collect::<Map<_, _>>().into())
}

fn chunk() -> impl Strategy<Value = Value> {
    let anything = || value(KEYS);
    let reason = prop::sample::select(&["stop", "length", "error", ""][..]).prop_map(Value::from);
    let delta = object(&["content", "reasoning", "tool_calls", "refusal", "role"], anything());
    let choice = object(
        &["delta", "message", "text", "finish_reason", "error", "index"],
        prop_oneof![4 => delta, 2 => reason, 1 => anything()],
    );
    let choices =
        prop::collection::vec(prop_oneof![4 => choice, 1 => anything()], 0..3).prop_map(Value::from);
    let usage = object(&["completion_tokens", "prompt_tokens"], any::<i64>().prop_map(Value::from));
    let other = prop_oneof![2 => Just(Value::Null), 1 => anything()];
    object(
        &["choices", "choices", "usage", "error", "event", "selected_model_id", "id"],
        prop_oneof![4 => choices, 1 => usage, 2 => other],
    )
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn agrees_with_a_dom(chunk in chunk(), mut noise in noise()) {
        let mut text = String::new();
        noise.value(&mut text, &chunk);
        let mut expected = reference(&chunk);
        let found = inspect(text.as_bytes()).unwrap();
        // A line that is an object by itself may be more foreign than the whole.
        expected.foreign |= found.foreign && text.contains('\n');
        prop_assert_eq!(found, expected, "{}", text);
    }

    #[test]
    fn cuts_what_is_foreign_and_nothing_else(
        members in members(&["event", "selected_model_id", "a", "b"], value(KEYS)),
        mut noise in noise(),
    ) {
        let mut text = String::new();
        noise.object(&mut text, members.iter().map(|(key, value)| (key, value)));
        let kept = String::from_utf8(without_foreign(text.as_bytes())).unwrap();

        let mut expected: Map<_, _> = members.iter().cloned().collect();
        expected.retain(|key, _| !is_foreign(key.as_bytes()));
        prop_assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), Value::from(expected));
        if !members.iter().any(|(key, _)| is_foreign(key.as_bytes())) {
            prop_assert_eq!(kept, text.replace(['\n', '\r'], " "));
        }
    }

    #[test]
    fn never_panics(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        r#"\{?("choices"|"delta"|"event"|"usage"|"error"|[{}\[\]:,"\\ \n1]){0,30}\}?"#.prop_map(String::into_bytes),
    ]) {
        let inspected = inspect(&bytes);
        let kept = without_foreign(&bytes);
        if let (Ok(_), Ok(kept)) = (inspected, inspect(&kept)) {
            prop_assert!(!kept.foreign);
        }
    }
}
