use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::openai::sse::events;
use crate::openai::testing::{cases, noise, value};

fn rendered(body: &str, include_usage: bool) -> String {
    String::from_utf8(as_events(body.as_bytes(), include_usage).unwrap().to_vec()).unwrap()
}

#[test]
fn checks_an_answer() {
    let full = Ok(Completion { empty: false });
    let empty = Ok(Completion { empty: true });
    for (body, expected) in [
        (r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}"#, full),
        (r#"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"c"}]}}]}"#, full),
        (r#"{"choices":[{"message":{"content":"","reasoning_content":"a"}}]}"#, full),
        (r#"{"choices":[{"message":{"refusal":"no"}}]}"#, full),
        (r#"{"choices":[{"text":"a"}]}"#, full),
        (r#"{"choices":[{"message":{"content":""},"finish_reason":"length"}]}"#, full),
        (r#"{"choices":[{"message":{},"finish_reason":"stop"}],"usage":{"completion_tokens":7}}"#, full),
        ("\n {\"error\":null,\"choices\":[{\"message\":{\"content\":\"a\"},\"logprobs\":NaN}]}\r\n", full),
        (r#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}]}"#, empty),
        (
            r#"{"choices":[{"message":{"content":null},"finish_reason":null}],"usage":{"completion_tokens":0}}"#,
            empty,
        ),
        (r#"{"choices":[{}]}"#, empty),
        (r#"{"choices":[]}"#, Err(Flaw::NoChoices)),
        (r#"{"choices":null}"#, Err(Flaw::NoChoices)),
        (r#"{"message":{"content":"a"}}"#, Err(Flaw::NoChoices)),
        ("{}", Err(Flaw::NoChoices)),
        (r#"{"error":{"message":"x","code":429}}"#, Err(Flaw::Error)),
        (r#"{"error":"x","choices":[{"message":{"content":"a"}}]}"#, Err(Flaw::Error)),
        (r#"{"choices":[{"message":{"content":"a"},"error":{"code":502}}]}"#, Err(Flaw::Error)),
        (r#"{"choices":[{"message":{"content":"a"},"finish_reason":"error"}]}"#, Err(Flaw::Error)),
        ("", Err(Flaw::NotJson)),
        ("[]", Err(Flaw::NotJson)),
        ("<html>", Err(Flaw::NotJson)),
        ("data: {}\n\n", Err(Flaw::NotJson)),
        (r#"{"choices":[{"message":{"content":"a"#, Err(Flaw::NotJson)),
        (r#"{"choices":[{"text":"a"}]} x"#, Err(Flaw::NotJson)),
    ] {
        assert_eq!(inspect(body.as_bytes()), expected, "{body}");
        assert_eq!(as_events(body.as_bytes(), true).err(), expected.err(), "{body}");
    }
    assert_eq!(inspect(b"{\"choices\":[{\"text\":\"\xFF\"}]}"), Err(Flaw::NotJson));
}

#[test]
fn renders_an_answer_as_a_stream() {
    let body = r#"{
  "id": "chatcmpl-1",
  "object": "chat.completion",
  "created": 1741570283,
  "model": "gpt-4o",
  "choices": [
    {
      "index": 0,
      "message": {"role": "assistant", "content": "a\nb é \u00e9", "refusal": null, "annotations": [], "score": 123456789012345678901234567890},
      "logprobs": null,
      "finish_reason": "length",
      "stop_reason": 7
    }
  ],
  "usage": {"prompt_tokens": 1, "completion_tokens": 1E+0},
  "system_fingerprint": "fp"
}
"#;
    let head = r#"data: {"id":"chatcmpl-1","created":1741570283,"model":"gpt-4o","system_fingerprint":"fp","object":"chat.completion.chunk","#;
    let choices = [
        format!(
            "{head}{}\n\n",
            r#""choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}"#
        ),
        format!(
            "{head}{}\n\n",
            r#""choices":[{"index":0,"delta":{"content":"a\nb é \u00e9","refusal":null,"annotations":[],"score":123456789012345678901234567890},"logprobs":null,"finish_reason":null}]}"#
        ),
        format!(
            "{head}{}\n\n",
            r#""choices":[{"index":0,"delta":{},"stop_reason":7,"finish_reason":"length"}]}"#
        ),
    ]
    .concat();
    let usage =
        format!("{head}{}\n\n", r#""choices":[],"usage":{"prompt_tokens": 1, "completion_tokens": 1E+0}}"#);
    assert_eq!(rendered(body, false), format!("{choices}data: [DONE]\n\n"));
    assert_eq!(rendered(body, true), format!("{choices}{usage}data: [DONE]\n\n"));
}

#[test]
fn numbers_tool_calls_and_fills_in_what_is_missing() {
    let body = r#"{"id":null,"event":{"type":"execute"},"choices":[{"message":{"content":null,"tool_calls":[{"id":"a","index":0,"type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}, {"id":"b","index":0}, {}]}},{"text":"t","index":5,"finish_reason":""}]}"#;
    let head = r#"data: {"object":"chat.completion.chunk","id":"chatcmpl-backstop","created":0,"model":"","choices":[{"index":"#;
    let expected = [
        r#"0,"delta":{"role":"assistant"},"finish_reason":null}]}"#,
        r#"0,"delta":{"content":null,"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"index":1,"id":"b"},{"index":2}]},"finish_reason":null}]}"#,
        r#"0,"delta":{},"finish_reason":"stop"}]}"#,
        r#"5,"delta":{"role":"assistant"},"finish_reason":null}]}"#,
        r#"5,"delta":{"content":"t"},"finish_reason":null}]}"#,
        r#"5,"delta":{},"finish_reason":"stop"}]}"#,
    ]
    .map(|rest| format!("{head}{rest}\n\n"))
    .concat();
    assert_eq!(rendered(body, true), format!("{expected}data: [DONE]\n\n"));
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_stream_says_what_the_answer_said(
        content in "\\PC{1,12}",
        extra in value(&["content", "a"]),
        other in value(&["choices", "usage"]),
        mut noise in noise(),
    ) {
        let answer = serde_json::json!({
            "id": "x", "object": "chat.completion", "created": 1, "model": "m", "extra": other,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": content, "extra": extra},
                "finish_reason": "length",
            }],
        });
        let mut body = String::new();
        noise.value(&mut body, &answer);
        let stream = as_events(body.as_bytes(), true).unwrap();

        let chunks: Vec<Value> = events(&stream)
            .map(|event| event.data().unwrap())
            .filter(|data| !chunk::is_done(data))
            .map(|data| serde_json::from_slice(&data).unwrap())
            .collect();
        prop_assert_eq!(chunks.len(), 3);
        for chunk in &chunks {
            prop_assert_eq!(&chunk["object"], "chat.completion.chunk");
            prop_assert_eq!(&chunk["extra"], &answer["extra"]);
        }
        let message = &answer["choices"][0]["message"];
        prop_assert_eq!(&chunks[0]["choices"][0]["delta"]["role"], "assistant");
        prop_assert_eq!(&chunks[1]["choices"][0]["delta"]["content"], &message["content"]);
        prop_assert_eq!(&chunks[1]["choices"][0]["delta"]["extra"], &message["extra"]);
        prop_assert_eq!(&chunks[2]["choices"][0]["finish_reason"], "length");
    }

    #[test]
    fn takes_one_object_and_space_around_it(body in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "[ \\n\u{c}]{0,2}[{}](\"choices\"|\"text\"|[{}\\[\\]:,\"\\\\ \\n1é]){0,20}\\}?[ \\n\u{c}x]{0,2}"
            .prop_map(String::into_bytes),
    ]) {
        let mut cursor = Cursor::new(&body);
        let begins = cursor.skip_space() == Some(b'{');
        let ends = begins && cursor.value().is_ok() && cursor.skip_space().is_none();
        let taken = ends && std::str::from_utf8(&body).is_ok();
        prop_assert_eq!(inspect(&body) != Err(Flaw::NotJson), taken, "{}", String::from_utf8_lossy(&body));
    }

    #[test]
    fn reads_what_an_event_of_the_same_text_says(
        choices in prop::collection::vec(value(&["message", "content", "error", "finish_reason"]), 0..3),
        mut noise in noise(),
    ) {
        let mut body = String::new();
        noise.value(&mut body, &serde_json::json!({ "choices": choices, "error": null }));
        let facts = chunk::inspect(body.as_bytes()).unwrap();
        let expected = if facts.error || facts.finish == Some(Finish::Error) {
            Err(Flaw::Error)
        } else if facts.choices {
            let other = facts.finish == Some(Finish::Other);
            Ok(Completion { empty: !facts.payload && !other && facts.completion_tokens == 0 })
        } else {
            Err(Flaw::NoChoices)
        };
        prop_assert_eq!(inspect(body.as_bytes()), expected, "{}", body);
    }

    #[test]
    fn never_panics(body in r#"\{?("choices"|"message"|"tool_calls"|"usage"|[{}\[\]:,"\\ \n1]){0,30}\}?"#) {
        let _ = as_events(body.as_bytes(), true);
    }
}
