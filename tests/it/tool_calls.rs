//! Tool calls make the round trip, also where a fallback answers.

use std::fmt::Write as _;

use backstop::sim::{Act, Finish, Provider, Script};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::settings::ONCE;
use crate::support::{Call, End, proxy, route};

const PATH: &str = "/v1/chat/completions";

/// Two calls whose pieces come by turns, as OpenAI streams them.
fn stream() -> String {
    let delta = |delta: Value| {
        let chunk = json!({ "id": "c-1", "object": "chat.completion.chunk", "model": "m",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] });
        format!("data: {chunk}\n\n")
    };
    let piece = |index: u32, part: &str| json!({ "tool_calls": [{ "index": index, "function": { "arguments": part } }] });
    let begin = |index: u32, name: &str| {
        json!({ "tool_calls": [{ "index": index, "id": format!("call_{index}"),
        "type": "function", "function": { "name": name, "arguments": "" } }] })
    };
    let mut text = delta(json!({ "role": "assistant", "content": null }));
    text += &delta(begin(0, "weather"));
    text += &delta(piece(0, "{\"ci"));
    text += &delta(piece(0, "ty\": \"K\u{f6}ln \\u2014 \\\"x\\\"\"}"));
    text += &delta(begin(1, "time"));
    for part in ["{", "\"zone\"", ":", "\"Europe/Berlin\"", "}"] {
        text += &delta(piece(1, part));
    }
    let _ = write!(
        text,
        "data: {{\"id\":\"c-1\", \"choices\":[ {{\"delta\":{{}}, \"index\":0,\"finish_reason\":\"tool_calls\"}} ]}}\n\n"
    );
    text + "data: [DONE]\n\n"
}

#[tokio::test]
async fn streamed_calls_arrive_as_they_are_from_the_fallback() {
    let expected = stream();
    for sizes in [&[usize::MAX][..], &[1], &[7, 64, 3], &[100, 1, 1]] {
        for first in [
            Act::status(503),
            Act::close(),
            Act::events(["data: [DONE]\n\n"]),
            Act::tool_call("f", "{}").cut_after(1).then(Finish::Eof),
        ] {
            let first = Provider::start(first).unwrap();
            let second = Provider::start(Act::events([expected.clone()]).split(sizes)).unwrap();
            let proxy = proxy(&route([first.base_url(), second.base_url()], ONCE)).await;

            let mut answer = Call::stream("r").send(proxy.address).await;
            let by = answer.header("x-backstop-provider").to_owned();
            let (body, end) = answer.rest().await;

            assert_eq!((by.as_str(), end), ("q", End::Clean));
            assert_eq!(String::from_utf8_lossy(&body), expected, "in frames of {sizes:?}");
        }
    }
}

#[tokio::test]
async fn the_results_go_out_as_they_are_whoever_answers() {
    let (first, second) =
        (Provider::start(Act::status(503)).unwrap(), Provider::start(Act::answer("Sunny")).unwrap());
    let proxy = proxy(&route([first.base_url(), second.base_url()], ONCE)).await;
    let body = |model: &str| {
        format!(
            r#"{{ "messages":[{{"role":"user","content":"Weather?"}},
            {{"role":"assistant","content":null,"tool_calls":[{{"index":0,"id":"call_0","type":"function","function":{{"name":"weather","arguments":"{{\"city\": \"K\u00f6ln\"}}"}}}},{{"id":"call_1","type":"function","function":{{"name":"time","arguments":""}}}}]}},
            {{"role":"tool","tool_call_id":"call_0","content":"{{\"sun\":true}}"}},{{"role":"tool","tool_call_id":"call_1","content":[{{"type":"text","text":"12:00"}}]}}],
            "model":"{model}", "tools":[{{"type":"function","function":{{"name":"weather","parameters":{{"type":"object"}}}}}}],"tool_choice":"auto","parallel_tool_calls":true,"stream":true }}"#
        )
    };

    let answer = Call::post(PATH, body("r")).send(proxy.address).await.content().await;

    assert_eq!(answer, "Sunny");
    for provider in [&first, &second] {
        assert_eq!(provider.request(0).unwrap().body, Bytes::from(body("m")));
    }
}

#[tokio::test]
async fn what_another_vendor_has_sealed_stays_with_it() {
    let provider = || Provider::start(Act::answer("Hello")).unwrap();
    let (claude, other) = (Provider::start(Act::status(503)).unwrap(), provider());
    let config = |keep: &str| {
        let urls = [claude.base_url(), other.base_url()];
        let text = route(urls, &format!("{keep}{ONCE}"));
        text.replace("\"p/m\"", "\"p/anthropic/claude-sonnet-4.5\"").replace("\"q/m\"", "\"q/openai/gpt-5\"")
    };
    let body = |model: &str, sealed: &str| {
        format!(
            r#"{{"model":"{model}","messages":[{{"role":"assistant","content":"a","reasoning":"t"{sealed}}},{{"role":"user","content":"b"}}]}}"#
        )
    };
    let sealed = r#","reasoning_details":[{"type":"reasoning.text","text":"t","signature":"s","format":"anthropic-claude-v1","index":0}]"#;
    for (keep, left) in [("", ""), ("foreign_reasoning = \"keep\"\n", sealed)] {
        let proxy = proxy(&config(keep)).await;
        let answer = Call::post(PATH, body("r", sealed)).send(proxy.address).await;
        assert_eq!((answer.status, answer.header("x-backstop-provider")), (200, "q"));

        let last = |provider: &Provider| provider.request(provider.count() - 1).unwrap().body;
        assert_eq!(last(&claude), body("anthropic/claude-sonnet-4.5", sealed), "its own");
        assert_eq!(last(&other), body("openai/gpt-5", left));
    }
}

#[tokio::test]
async fn a_stream_that_breaks_after_a_call_is_never_resumed() {
    let act = Act::tool_call("weather", r#"{"city":"Bonn"}"#).cut_after(2).then(Finish::Eof);
    let first = Provider::start(Script::exactly([act])).unwrap();
    let second = Provider::start(Script::exactly(Vec::<Act>::new())).unwrap();
    let text = route([first.base_url(), second.base_url()], &format!("on_break = \"resume\"\n{ONCE}"));
    let proxy = proxy(&text).await;

    let mut answer = Call::stream("r").send(proxy.address).await;
    let (body, end) = answer.rest().await;

    let body = String::from_utf8_lossy(&body);
    assert_eq!(end, End::Clean);
    assert!(body.contains("\"tool_calls\"") && body.contains("\"error\""), "{body}");
    assert!(body.ends_with("data: [DONE]\n\n"), "{body}");
    assert_eq!((first.count(), second.count()), (1, 0));
}
