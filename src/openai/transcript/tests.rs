use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::openai::sse::events;
use crate::openai::testing::{cases, noise, value};

fn after(chunks: &[&str]) -> Transcript {
    let mut transcript = Transcript::new();
    for chunk in chunks {
        transcript.observe(chunk.as_bytes());
    }
    transcript
}

/// A transcript of one chunk whose delta has these members.
fn delta(members: &str) -> Transcript {
    after(&[&format!(r#"{{"choices":[{{"index":0,"delta":{{{members}}},"finish_reason":null}}]}}"#)])
}

#[test]
fn keeps_what_the_client_has_been_given() {
    let transcript = after(&[
        r#"{"id":"","choices":[]}"#,
        r#"{"id":"a\/1","model":"m","choices":[{"delta":{"role":"assistant","content":""}}],"usage":null}"#,
        r#"{"id":"b","model":"n","choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#,
        r#"{"id":"b","choices":[{"index":0,"delta":{"content":"\u00e9\n"}}],"usage":{"completion_tokens":1}}"#,
        r#"{"id":"b","choices":[{"index":0,"delta":{"content":[{"type":"text","text":"x"},{"text":"y","type":"text"}]}}]}"#,
    ]);
    assert_eq!(transcript.resumable(), Ok(()));
    assert_eq!((transcript.id(), transcript.role()), (Some("a/1"), true));
    assert_eq!(transcript.text(), "é\nxy");
    assert_eq!(transcript.usage().unwrap().to_json(), r#"{"completion_tokens":1}"#);

    let transcript =
        delta(r#""role":null,"content":"x","reasoning":null,"reasoning_content":"","tool_calls":[]"#);
    assert!(!transcript.role());
    assert_eq!(transcript.resumable(), Ok(()));
    assert!(transcript.usage().is_none() && transcript.id().is_none());
}

#[test]
fn nothing_is_kept_without_end() {
    let long = "x".repeat(64 * 1024);
    assert_eq!(after(&[&format!(r#"{{"id":"{long}","choices":[]}}"#)]).resumable(), Err(Why::Unclear));
    let transcript = after(&[
        r#"{"choices":[],"usage":{"completion_tokens":1}}"#,
        &format!(r#"{{"choices":[],"usage":{{"x":"{long}"}}}}"#),
    ]);
    assert_eq!((transcript.resumable(), transcript.usage()), (Ok(()), None));
}

#[test]
fn plain_text_and_plain_reasoning_can_be_resumed() {
    for members in [
        "",
        r#""content":null"#,
        r#""content":[]"#,
        r#""reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","signature":null}]"#,
        r#""thinking_blocks":[{"type":"thinking","thinking":"a","signature":""}]"#,
        r#""tool_calls":null,"function_call":null,"refusal":null,"audio":null,"images":[]"#,
        r#""annotations":[{"type":"url_citation","data":"x"}]"#,
    ] {
        assert_eq!(delta(members).resumable(), Ok(()), "{members}");
    }
}

#[test]
fn anything_else_can_not() {
    for (members, why) in [
        (r#""tool_calls":[{"index":0}]"#, Why::ToolCall),
        (r#""function_call":{"name":"f"}"#, Why::ToolCall),
        (r#""refusal":"no""#, Why::Refusal),
        (r#""audio":{"id":"a"}"#, Why::Audio),
        (r#""images":[{}]"#, Why::Images),
        (r#""reasoning_details":[{"type":"reasoning.text","signature":"x"}]"#, Why::Signature),
        (r#""reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]"#, Why::Signature),
        (r#""thinking_blocks":[{"type":"redacted_thinking","data":"x"}]"#, Why::Signature),
        (r#""signature":"x""#, Why::Signature),
        (r#""extra_content":{"google":{"thought_signature":"x"}}"#, Why::Signature),
        (r#""content":[{"type":"image_url","image_url":{}}]"#, Why::Parts),
        (r#""content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]}]"#, Why::Parts),
        (r#""content":["x"]"#, Why::Parts),
        (r#""content":3"#, Why::Unclear),
        (r#""content":"a","\u0063ontent":"b""#, Why::Unclear),
        (r#""content":"\ud83d""#, Why::Unclear),
    ] {
        assert_eq!(delta(members).resumable(), Err(why), "{members}");
    }
    for (chunk, why) in [
        (r#"{"choices":[{"index":1,"delta":{}}]}"#, Why::Choices),
        (r#"{"choices":[{"index":0},{"index":0}]}"#, Why::Choices),
        (r#"{"choices":[{"index":0,"logprobs":{"content":[]}}]}"#, Why::Logprobs),
        (r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#, Why::Finished),
        (r#"{"choices":[{"finish_reason":"tool_calls"}]}"#, Why::ToolCall),
        (r#"{"choices":[{"text":"a"}]}"#, Why::Unclear),
        (r#"{"choices":[{"message":{"content":"a"}}]}"#, Why::Unclear),
        (r#"{"choices":[{"delta":{"content":"a"}}],"choices":[]}"#, Why::Unclear),
        (r#"{"choices":[{"delta":{},"delta":{}}]}"#, Why::Unclear),
        (r#"{"choices":[{"error":{"code":1}}]}"#, Why::Unclear),
        (r#"{"choices":{}}"#, Why::Unclear),
        (r#"{"choices":[]} {"choices":[]}"#, Why::Unclear),
        (r#"{"choices":[],"x":NaN}"#, Why::Unclear),
        ("[DONE]", Why::Unclear),
    ] {
        assert_eq!(after(&[chunk]).resumable(), Err(why), "{chunk}");
    }
    let deep = format!(r#""x":{}{}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(delta(&deep).resumable(), Err(Why::Signature));
}

#[test]
fn an_empty_finish_reason_and_an_absent_one_are_none() {
    for reason in ["", r#","finish_reason":null"#, r#","finish_reason":"""#] {
        let chunk = format!(r#"{{"choices":[{{"delta":{{"content":"a"}}{reason}}}]}}"#);
        assert_eq!(after(&[&chunk]).resumable(), Ok(()), "{reason}");
    }
}

#[test]
fn the_text_has_a_limit() {
    let piece = "x".repeat(MAX_TEXT / 2);
    let chunk = format!(r#"{{"choices":[{{"delta":{{"content":"{piece}"}}}}]}}"#);
    let mut transcript = after(&[&chunk, &chunk]);
    assert_eq!((transcript.resumable(), transcript.text().len()), (Ok(()), MAX_TEXT));
    transcript.observe(br#"{"choices":[{"delta":{"content":"y"}}]}"#);
    assert_eq!((transcript.resumable(), transcript.text().len()), (Err(Why::TooLong), MAX_TEXT));
}

#[test]
fn recorded_streams_can_be_resumed_until_they_finish() {
    let read = |name: &str| std::fs::read(format!("tests/fixtures/sse/{name}")).expect(name);
    for (name, beyond) in [
        ("openrouter.sse", Why::Finished),
        ("deepseek.sse", Why::Finished),
        ("vllm.sse", Why::Finished),
        ("llama-cpp.sse", Why::Finished),
        ("ollama.sse", Why::Finished),
        ("gemini.sse", Why::Signature),
        ("anthropic.sse", Why::Finished),
        ("mistral.sse", Why::Parts),
        ("tool-calls.sse", Why::ToolCall),
    ] {
        let mut transcript = Transcript::new();
        for event in events(&read(name)) {
            if let Some(data) = event.data() {
                transcript.observe(&data);
            }
        }
        assert_eq!(transcript.resumable(), Err(beyond), "{name}");
        assert!(!transcript.text().is_empty() || beyond != Why::Finished, "{name}");
    }
}

#[test]
fn debug_says_nothing_of_what_a_model_wrote() {
    assert!(!format!("{:?}", delta(r#""content":"private""#)).contains("private"));
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn the_text_is_all_the_content(
        pieces in prop::collection::vec(prop_oneof![any::<String>(), Just(String::new())], 0..8),
        rest in value(&["id", "model", "content", "x"]),
        mut noise in noise(),
    ) {
        let mut transcript = Transcript::new();
        for (position, piece) in pieces.iter().enumerate() {
            let content = if position % 3 == 2 { json!([{ "type": "text", "text": piece }]) } else { json!(piece) };
            let chunk = json!({
                "id": "1", "rest": rest, "choices": [{ "delta": { "content": content }, "rest": rest }],
            });
            let mut data = String::new();
            noise.value(&mut data, &chunk);
            transcript.observe(data.as_bytes());
        }
        prop_assert_eq!(transcript.resumable(), Ok(()));
        prop_assert_eq!(transcript.text(), pieces.concat());
    }

    #[test]
    fn never_panics(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        r#"\{?("choices"|"delta"|"content"|"usage"|"signature"|[{}\[\]:,"\\ \n1]){0,30}\}?"#.prop_map(String::into_bytes),
    ]) {
        let mut transcript = Transcript::new();
        transcript.observe(&bytes);
        if transcript.resumable().is_ok() {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }
}
