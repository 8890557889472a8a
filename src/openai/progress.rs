//! What a stream says of its progress: chunks of our own, which hold no part of an answer.
//!
//! Each is a complete `chat.completion.chunk`, so that a reader which knows nothing of progress finds an empty
//! delta and goes on.

use bytes::Bytes;
use serde::Serialize;

use super::error::one_line;
use super::sse;

#[cfg(test)]
mod tests;

/// More characters of a line would not fit on a screen.
const LONGEST: usize = 300;

/// What all chunks of one stream have in common.
#[derive(Debug, Clone)]
pub struct Author {
    id: String,
    created: u64,
    model: String,
}

/// A kind of toast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Toast {
    /// It went well after all.
    Success,
    /// It takes longer.
    Warning,
    /// It does not work, for good.
    Error,
    /// It goes another way.
    Info,
}

impl Author {
    /// The author of the stream that answers the request `id` for the route `model`, begun at `created` (seconds
    /// since 1970).
    pub fn new(id: &str, created: u64, model: &str) -> Self {
        Self { id: format!("chatcmpl-{id}"), created, model: model.to_owned() }
    }

    /// An event that puts `description` into Open WebUI's status line; the last one is `done`.
    pub fn status(&self, description: &str, done: bool) -> Bytes {
        let description = &one_line(description, LONGEST);
        self.event(&Event { kind: "status", data: Data::Status { description, done } })
    }

    /// An event that makes Open WebUI show a toast.
    pub fn toast(&self, kind: Toast, content: &str) -> Bytes {
        let content = &one_line(content, LONGEST);
        self.event(&Event { kind: "notification", data: Data::Toast { kind, content } })
    }

    /// A paragraph of reasoning, for every UI that folds such away.
    pub fn reasoning(&self, line: &str) -> Bytes {
        let mut line = one_line(line, LONGEST);
        line.push_str("\n\n");
        self.chunk(Delta { reasoning_content: Some(&line) }, None)
    }

    fn event(&self, event: &Event<'_>) -> Bytes {
        self.chunk(Delta { reasoning_content: None }, Some(event))
    }

    fn chunk(&self, delta: Delta<'_>, event: Option<&Event<'_>>) -> Bytes {
        let Self { id, created, model } = self;
        let choices = [Choice { index: 0, delta, finish_reason: None }];
        let chunk = Chunk { id, object: "chat.completion.chunk", created: *created, model, choices, event };
        sse::data_event(&serde_json::to_string(&chunk).expect("it holds texts and numbers only"))
    }
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [Choice<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a Event<'a>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    delta: Delta<'a>,
    finish_reason: Option<&'static str>,
}

#[derive(Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
}

#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Status {
        description: &'a str,
        done: bool,
    },
    Toast {
        #[serde(rename = "type")]
        kind: Toast,
        content: &'a str,
    },
}
