use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::openai::chunk;

const HEAD: &str =
    r#"data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000000,"model":"r""#;

fn author() -> Author {
    Author::new("7", 1_700_000_000, "r")
}

/// The JSON of an event.
fn data(event: &[u8]) -> &[u8] {
    event.strip_prefix(b"data: ").and_then(|rest| rest.strip_suffix(b"\n\n")).expect("an event of one line")
}

#[test]
fn every_kind_of_chunk_byte_for_byte() {
    let empty = r#""choices":[{"index":0,"delta":{},"finish_reason":null}]"#;
    for (event, rest) in [
        (
            author().status("Attempt 5/60 in progress…", false),
            format!(r#"{empty},"event":{{"type":"status","data":{{"description":"Attempt 5/60 in progress…","done":false}}}}"#),
        ),
        (
            author().status("Response received", true),
            format!(r#"{empty},"event":{{"type":"status","data":{{"description":"Response received","done":true}}}}"#),
        ),
        (
            author().toast(Toast::Success, "Response received after 3 attempts"),
            format!(r#"{empty},"event":{{"type":"notification","data":{{"type":"success","content":"Response received after 3 attempts"}}}}"#),
        ),
        (
            author().toast(Toast::Warning, "\"w\""),
            format!(r#"{empty},"event":{{"type":"notification","data":{{"type":"warning","content":"\"w\""}}}}"#),
        ),
        (
            author().toast(Toast::Error, "e\r\nf"),
            format!(r#"{empty},"event":{{"type":"notification","data":{{"type":"error","content":"e f"}}}}"#),
        ),
        (
            author().toast(Toast::Info, "i"),
            format!(r#"{empty},"event":{{"type":"notification","data":{{"type":"info","content":"i"}}}}"#),
        ),
        (
            author().reasoning("Attempt 5/60 in progress…"),
            r#""choices":[{"index":0,"delta":{"reasoning_content":"Attempt 5/60 in progress…\n\n"},"finish_reason":null}]"#.to_owned(),
        ),
    ] {
        assert_eq!(std::str::from_utf8(&event).unwrap(), format!("{HEAD},{rest}}}\n\n"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
    #[test]
    fn whatever_is_said_is_one_event_without_a_part_of_an_answer(
        id in "\\PC{0,20}", model in "(\\PC|\n){0,20}", text in "(\\PC|[\\x00-\\x1f\"\\\\]){0,400}", done: bool,
    ) {
        let author = Author::new(&id, 1, &model);
        let (status, toast) = (author.status(&text, done), author.toast(Toast::Info, &text));
        for (event, member) in [(&status, "description"), (&toast, "content")] {
            let value: Value = serde_json::from_slice(data(event)).unwrap();
            prop_assert_eq!(value["model"].as_str(), Some(&*model));
            let said = value["event"]["data"][member].as_str().unwrap();
            prop_assert!(said.chars().count() <= LONGEST + 1 && !said.contains(char::is_control));
            let facts = chunk::inspect(data(event)).unwrap();
            prop_assert!(!facts.payload && facts.finish.is_none() && !facts.error);
        }
        let reasoning = author.reasoning(&text);
        let value: Value = serde_json::from_slice(data(&reasoning)).unwrap();
        prop_assert!(value.get("event").is_none());
        prop_assert!(value["choices"][0]["delta"]["reasoning_content"].as_str().unwrap().ends_with("\n\n"));
    }
}
