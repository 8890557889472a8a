//! What a provider says, in the shape of OpenAI's API.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::{Value, json};

use super::Request;

const ID: &str = "chatcmpl-sim";
const CREATED: u64 = 1_760_000_000;

/// What an answer says.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    /// Nothing to say the name of the model that was asked for.
    pub(super) text: Option<String>,
    pub(super) reasoning: String,
    /// The name of a function and its arguments.
    pub(super) tool_call: Option<(String, String)>,
    /// Whether it goes on with what the request has already put into the assistant's mouth.
    pub(super) continues: bool,
}

/// How much of the end of a stream is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    Whole,
    NoDone,
    NoFinish,
}

impl Answer {
    fn finish_reason(&self) -> &'static str {
        if self.tool_call.is_some() { "tool_calls" } else { "stop" }
    }

    fn text(&self, request: &Request) -> String {
        let text = self.text.clone().unwrap_or_else(|| request.model());
        let said = request.prefill().filter(|_| self.continues);
        match said.and_then(|said| text.strip_prefix(&said).map(str::to_owned)) {
            Some(rest) => rest,
            None => text,
        }
    }

    fn usage(&self, text: &str) -> Value {
        let tokens = words(text).count() + words(&self.reasoning).count();
        json!({"prompt_tokens": 7, "completion_tokens": tokens, "total_tokens": tokens + 7})
    }

    /// The answer as one `chat.completion`.
    pub(super) fn whole(&self, request: &Request) -> Bytes {
        let (model, content) = (quoted(&request.model()), self.text(request));
        let mut message = format!(r#"{{"role":"assistant","content":{}"#, quoted(&content));
        if !self.reasoning.is_empty() {
            let _ = write!(message, r#","reasoning_content":{}"#, quoted(&self.reasoning));
        }
        if let Some((name, arguments)) = &self.tool_call {
            let _ = write!(message, r#","tool_calls":{}"#, tool_calls(name, arguments, ""));
        }
        let (reason, usage) = (self.finish_reason(), self.usage(&content));
        Bytes::from(format!(
            r#"{{"id":"{ID}","object":"chat.completion","created":{CREATED},"model":{model},"choices":[{{"index":0,"message":{message}}},"logprobs":null,"finish_reason":"{reason}"}}],"usage":{usage}}}"#
        ))
    }

    /// The answer as the events of a stream, a word at a time.
    pub(super) fn events(&self, request: &Request, tail: Tail) -> Vec<Bytes> {
        let body = request.json();
        let content = self.text(request);
        let model = quoted(body["model"].as_str().unwrap_or_default());
        let chunk = |choices: &str, more: &str| {
            data(format!(
                r#"{{"id":"{ID}","object":"chat.completion.chunk","created":{CREATED},"model":{model},"choices":[{choices}]{more}}}"#
            ))
        };
        let delta = |delta: &str, reason: &str| {
            chunk(&format!(r#"{{"index":0,"delta":{{{delta}}},"finish_reason":{reason}}}"#), "")
        };

        let mut events = vec![delta(r#""role":"assistant","content":"""#, "null")];
        for word in words(&self.reasoning) {
            events.push(delta(&format!(r#""reasoning_content":{}"#, quoted(word)), "null"));
        }
        for word in words(&content) {
            events.push(delta(&format!(r#""content":{}"#, quoted(word)), "null"));
        }
        if let Some((name, arguments)) = &self.tool_call {
            let opening = tool_calls(name, "", r#""index":0,"#);
            events.push(delta(&format!(r#""tool_calls":{opening}"#), "null"));
            for piece in words(arguments) {
                let piece = quoted(piece);
                let call = format!(r#""tool_calls":[{{"index":0,"function":{{"arguments":{piece}}}}}]"#);
                events.push(delta(&call, "null"));
            }
        }
        if tail != Tail::NoFinish {
            events.push(delta("", &format!(r#""{}""#, self.finish_reason())));
            if body["stream_options"]["include_usage"] == Value::Bool(true) {
                events.push(chunk("", &format!(r#","usage":{}"#, self.usage(&content))));
            }
        }
        if tail == Tail::Whole {
            events.push(data("[DONE]"));
        }
        events
    }
}

/// An event with `data` in it.
pub fn data(data: impl AsRef<str>) -> Bytes {
    Bytes::from(format!("data: {}\n\n", data.as_ref()))
}

/// An error as a provider words it: a whole body, or the data of an event.
pub fn error(message: &str, code: impl Into<Value>) -> String {
    let code: Value = code.into();
    format!(
        r#"{{"error":{{"message":{},"type":"server_error","param":null,"code":{code}}}}}"#,
        quoted(message)
    )
}

/// An error as `OpenRouter` words it in the middle of a stream, beside `choices`.
pub fn error_beside_choices(message: &str, code: impl Into<Value>) -> String {
    let code: Value = code.into();
    format!(
        r#"{{"id":"{ID}","object":"chat.completion.chunk","created":{CREATED},"model":"sim","error":{{"code":{code},"message":{}}},"choices":[{{"index":0,"delta":{{"content":""}},"finish_reason":"error"}}]}}"#,
        quoted(message)
    )
}

/// The list of models with these names.
pub(super) fn models<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let models: Vec<String> = names
        .into_iter()
        .map(|name| {
            format!(r#"{{"id":{},"object":"model","created":{CREATED},"owned_by":"sim"}}"#, quoted(name))
        })
        .collect();
    format!(r#"{{"object":"list","data":[{}]}}"#, models.join(","))
}

fn tool_calls(name: &str, arguments: &str, index: &str) -> String {
    let (name, arguments) = (quoted(name), quoted(arguments));
    format!(
        r#"[{{{index}"id":"call_sim","type":"function","function":{{"name":{name},"arguments":{arguments}}}}}]"#
    )
}

/// `value` as a JSON string.
fn quoted(value: &str) -> String {
    Value::from(value).to_string()
}

/// The words of `text`, each with the space before it, as most providers cut their tokens.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
        let end = rest[start..].find(char::is_whitespace).map_or(rest.len(), |length| start + length);
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn words_join_up_to_the_text(text in "\\PC*") {
            prop_assert_eq!(words(&text).collect::<String>(), text);
        }
    }

    #[test]
    fn a_word_carries_the_space_before_it() {
        assert_eq!(words("Hello  there ").collect::<Vec<_>>(), ["Hello", "  there", " "]);
    }

    #[test]
    fn what_we_write_is_json() {
        for body in [
            error("no", 429),
            error("\"no\"", "rate_limited"),
            error_beside_choices("no", 502),
            models(["a", "b"]),
        ] {
            assert!(serde_json::from_str::<Value>(&body).is_ok(), "{body}");
        }
    }
}
