//! What a client has seen of a stream.

use serde_json::Value;

/// A stream, read as a client reads it.
#[derive(Debug, Default)]
pub struct Seen {
    pub text: String,
    pub reasoning: String,
    pub ids: Vec<String>,
    pub models: Vec<String>,
    roles: usize,
    finishes: usize,
    pub usages: Vec<Value>,
    pub metadata: Vec<Value>,
    pub comments: Vec<String>,
    error: Option<Value>,
    dones: usize,
}

impl Seen {
    /// Reads a stream to its end; panics at anything that no client could read.
    pub fn read(stream: &str) -> Self {
        let mut seen = Self::default();
        let events = stream.strip_suffix("\n\n").unwrap_or_else(|| panic!("the last event is cut: {stream}"));
        for event in events.split("\n\n") {
            assert_eq!(seen.dones, 0, "it goes on after `[DONE]`: {stream}");
            match event.strip_prefix("data: ") {
                Some("[DONE]") => seen.dones += 1,
                Some(data) => {
                    let chunk = serde_json::from_str(data);
                    seen.chunk(&chunk.unwrap_or_else(|error| panic!("{error}: {data}")));
                }
                None => {
                    let comment = event.strip_prefix(": ").unwrap_or_else(|| panic!("no event: {event:?}"));
                    assert!(!comment.contains('\n'), "a comment within an event: {event:?}");
                    seen.comments.push(comment.to_owned());
                }
            }
        }
        assert_eq!(seen.dones, 1, "{stream}");
        seen
    }

    fn chunk(&mut self, chunk: &Value) {
        assert!(self.error.is_none(), "it goes on after the error: {chunk}");
        if let Some(error) = chunk.get("error") {
            assert!(chunk.get("choices").is_none(), "{chunk}");
            self.error = Some(error.clone());
            return;
        }
        note(&mut self.ids, &chunk["id"]);
        note(&mut self.models, &chunk["model"]);
        if chunk["usage"].is_object() {
            self.usages.push(chunk["usage"].clone());
        }
        if chunk["metadata"].is_object() {
            self.metadata.push(chunk["metadata"]["backstop"].clone());
        }
        let choice = &chunk["choices"][0];
        let content = choice["delta"]["content"].as_str().unwrap_or_default();
        assert!(content.is_empty() || self.finishes == 0, "text after the end: {chunk}");
        self.text += content;
        self.reasoning += choice["delta"]["reasoning_content"].as_str().unwrap_or_default();
        self.roles += usize::from(choice["delta"]["role"].is_string());
        self.finishes += usize::from(choice["finish_reason"].is_string());
    }

    /// The text of a whole answer.
    #[track_caller]
    pub fn whole(&self) -> String {
        assert_eq!((self.error.as_ref(), self.finishes), (None, 1), "{self:?}");
        assert!(self.roles <= 1, "{self:?}");
        self.text.clone()
    }

    /// The text of an answer that ended with an error event of this code.
    #[track_caller]
    pub fn broken(&self, code: &str) -> String {
        assert_eq!(self.error()["code"], code, "{self:?}");
        assert_eq!(self.finishes, 0, "what is cut does not look finished: {self:?}");
        self.text.clone()
    }

    /// The error of an answer that ended with one.
    #[track_caller]
    pub fn error(&self) -> &Value {
        self.error.as_ref().unwrap_or_else(|| panic!("{self:?}"))
    }

    /// What the error says.
    #[track_caller]
    pub fn message(&self) -> &str {
        self.error()["message"].as_str().expect("a message")
    }

    /// Whether it is whole, and not broken.
    pub fn is_whole(&self) -> bool {
        self.error.is_none()
    }
}

fn note(names: &mut Vec<String>, name: &Value) {
    let Some(name) = name.as_str() else { return };
    if names.last().is_none_or(|last| last != name) {
        names.push(name.to_owned());
    }
}
