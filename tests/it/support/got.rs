//! What a client got: one of the few things that an answer may be.

use serde_json::Value;

use super::{Answer, End, Refusal};

/// What a client got, whose connection lasted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// A whole answer with this text in its first choice.
    Whole(String),
    /// An error in place of an answer.
    Refused {
        /// The status; 200 if the error is an event after an early head.
        status: u16,
        /// The outcome.
        code: String,
        /// How many attempts the trail tells.
        attempts: usize,
    },
    /// The beginning of an answer, and then an error event.
    Broken {
        /// The text so far.
        text: String,
        /// The outcome.
        code: String,
        /// What happened.
        message: String,
    },
}

impl Got {
    /// Reads an answer to its end; panics with what has come if it is no answer and no clean error.
    pub async fn read(mut answer: Answer) -> Self {
        if answer.status != 200 {
            let refusal = Refusal::read(answer).await;
            let attempts = refusal.attempts().len();
            return Self::Refused { status: refusal.status, code: refusal.error.code, attempts };
        }
        if answer.header("content-type") == "text/event-stream" {
            return Reading::default().stream(&mut answer).await;
        }
        assert_eq!(answer.header("content-type"), "application/json");
        let body = answer.json().await;
        assert_eq!(body["choices"][0]["finish_reason"], "stop", "{body}");
        let content = body["choices"][0]["message"]["content"].as_str();
        Self::Whole(content.unwrap_or_else(|| panic!("no text: {body}")).to_owned())
    }
}

/// What has come of a stream.
#[derive(Debug, Default)]
struct Reading {
    begun: bool,
    text: String,
    id: Option<String>,
    roles: usize,
    finished: bool,
}

impl Reading {
    async fn stream(mut self, answer: &mut Answer) -> Got {
        loop {
            let data = answer.data().await.unwrap_or_else(|end| panic!("{end:?} without `[DONE]`: {self:?}"));
            if data == "[DONE]" {
                assert!(self.finished, "`[DONE]` of what is cut: {self:?}");
                nothing_follows(answer).await;
                return Got::Whole(self.text);
            }
            let chunk: Value = serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}"));
            if chunk.get("error").is_some() {
                assert_eq!(answer.data().await.as_deref(), Ok("[DONE]"), "after {data}");
                nothing_follows(answer).await;
                return self.error(&chunk);
            }
            self.chunk(&chunk);
        }
    }

    fn chunk(&mut self, chunk: &Value) {
        self.begun = true;
        if let Some(id) = chunk["id"].as_str() {
            let first = self.id.get_or_insert_with(|| id.to_owned());
            assert_eq!(id, first, "another answer goes on: {chunk}");
        }
        let choices = chunk["choices"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(choice) = choices.iter().find(|choice| choice["index"] == 0) else { return };
        let content = choice["delta"]["content"].as_str().unwrap_or_default();
        self.roles += usize::from(choice["delta"]["role"].is_string());
        assert!(self.roles <= 1, "it begins again after `{}`: {chunk}", self.text);
        assert!(content.is_empty() || !self.finished, "text after the end of `{}`: {chunk}", self.text);
        self.text += content;
        if !choice["finish_reason"].is_null() {
            assert!(!self.finished, "`{}` ends twice: {chunk}", self.text);
            self.finished = true;
        }
    }

    fn error(self, chunk: &Value) -> Got {
        assert!(chunk.get("choices").is_none(), "Open WebUI ignores an error beside choices: {chunk}");
        let word = |member: &str| chunk["error"][member].as_str().expect("a text").to_owned();
        if self.begun {
            return Got::Broken { text: self.text, code: word("code"), message: word("message") };
        }
        let attempts = chunk["error"]["metadata"]["attempts"].as_array().map_or(0, Vec::len);
        Got::Refused { status: 200, code: word("code"), attempts }
    }
}

async fn nothing_follows(answer: &mut Answer) {
    let (rest, end) = answer.rest().await;
    assert_eq!((&*rest, end), (&b""[..], End::Clean), "after `[DONE]`");
}
