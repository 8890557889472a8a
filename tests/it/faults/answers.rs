//! What looks like a failure and is an answer.

use backstop::sim::{Act, Encoding, Framing, Provider, data};
use serde_json::json;

use crate::support::{Answer, Call, providers, proxy};

/// The answer to one request, whose provider was asked once.
async fn ask(name: &str, act: Act, stream: bool) -> Answer {
    let provider = Provider::start(act).unwrap();
    let proxy = proxy(&providers(&[("odd", &provider)])).await;
    let call = if stream { Call::stream("odd/m") } else { Call::whole("odd/m") };
    let answer = call.send(proxy.address).await;
    assert_eq!((answer.status, answer.header("x-backstop-attempts")), (200, "1"), "{name}");
    assert_eq!(provider.count(), 1, "{name}");
    answer
}

#[tokio::test]
async fn labels_lie_about_streams() {
    let act = || Act::answer("Hello there");
    for (name, act) in [
        ("labelled as JSON", act().header("content-type", "application/json")),
        ("labelled as text", act().header("content-type", "text/plain")),
        ("not labelled", act().without_header("content-type")),
        ("not chunked", act().framing(Framing::UntilClose)),
        ("zipped unasked", act().encode(Encoding::Gzip)),
        ("deflated", act().encode(Encoding::Deflate)),
        ("deflated without its wrapping", act().encode(Encoding::RawDeflate)),
        ("zipped without saying so", act().encode(Encoding::Gzip).without_header("content-encoding")),
        ("after comments", act().insert(0, "[]").split([1])),
    ] {
        let mut answer = ask(name, act, true).await;

        assert_eq!(answer.header("content-type"), "text/event-stream", "{name}");
        assert_eq!(answer.header("content-encoding"), "", "{name}");
        assert_eq!(answer.content().await, "Hello there", "{name}");
    }
}

#[tokio::test]
async fn json_for_a_stream_becomes_one() {
    let act = || Act::answer("Hello there").whole();
    for (name, act) in [
        ("labelled as it is", act()),
        ("labelled as a stream", act().header("content-type", "text/event-stream")),
        ("zipped", act().encode(Encoding::Gzip)),
    ] {
        let mut answer = ask(name, act, true).await;

        assert_eq!(answer.header("content-type"), "text/event-stream", "{name}");
        assert_eq!(answer.content().await, "Hello there", "{name}");
    }
}

#[tokio::test]
async fn whole_answers_survive_their_labels() {
    let act = || Act::answer("Hello there");
    for (name, act) in [
        ("labelled as a stream", act().header("content-type", "text/event-stream")),
        ("labelled as a page", act().header("content-type", "text/html")),
        ("zipped unasked", act().encode(Encoding::Gzip)),
        ("chunked", act().framing(Framing::Chunked)),
        ("until the end", act().framing(Framing::UntilClose)),
    ] {
        let mut answer = ask(name, act, false).await;

        assert_eq!(answer.header("content-type"), "application/json", "{name}");
        assert_eq!(answer.json().await["choices"][0]["message"]["content"], "Hello there", "{name}");
    }
}

/// No text, and yet no failure: each was sent by a provider that had done its work.
#[tokio::test]
async fn answers_without_text() {
    let usage = json!({"prompt_tokens": 9, "completion_tokens": 30});
    let rows = [
        ("hidden reasoning that ran out of length", json!({"content": ""}), "length", json!({})),
        ("tokens were counted", json!({"content": ""}), "stop", usage),
        ("reasoning", json!({"content": "", "reasoning_content": "Hm"}), "stop", json!({})),
        ("a refusal", json!({"content": null, "refusal": "I would rather not"}), "stop", json!({})),
        ("a filter", json!({"content": ""}), "content_filter", json!({})),
        ("audio", json!({"content": null, "audio": {"id": "a", "data": "AAAA"}}), "stop", json!({})),
        (
            "a call",
            json!({"content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}),
            "tool_calls",
            json!({}),
        ),
    ];
    for (name, message, reason, usage) in rows {
        let choice = json!({"index": 0, "message": message, "finish_reason": reason});
        let body = json!({"choices": [choice], "usage": usage}).to_string();
        let mut whole = ask(name, Act::answer("").json(body.clone()), false).await;
        assert_eq!(whole.text().await, body, "{name}");

        let mut framed = ask(name, Act::answer("").json(body), true).await;
        assert_eq!(framed.content().await, "", "{name}");

        let chunk = json!({"choices": [{"index": 0, "delta": message, "finish_reason": null}]});
        let last = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage});
        let act = Act::events([data(chunk.to_string()), data(last.to_string()), data("[DONE]")]);
        let (bytes, _) = ask(name, act, true).await.rest().await;
        let expected = format!("data: {chunk}\n\ndata: {last}\n\ndata: [DONE]\n\n");
        assert_eq!(String::from_utf8_lossy(&bytes), expected, "{name}");
    }
}

#[tokio::test]
async fn early_hints_are_no_answer() {
    let body = r#"{"choices":[{"message":{"content":"Hello"}}]}"#;
    let raw = format!(
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );

    let mut answer = ask("after a 103", Act::raw(raw), false).await;

    assert_eq!(answer.text().await, body);
}
