//! A request as the provider saw it.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

/// A request as the provider saw it, and what became of it.
#[derive(Debug, Clone)]
pub struct Request {
    /// When its last byte had arrived.
    pub at: Instant,
    /// The method.
    pub method: Method,
    /// The path with its query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, without chunks.
    pub body: Bytes,
    /// The number of the connection it came on, from 0; kept-alive requests share one.
    pub connection: u64,
    /// How the act that met it ended, once it has.
    pub ended: Option<Ended>,
    /// When the connection it came on was closed by either side.
    pub closed: Option<Instant>,
}

/// How the act that met a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was played to its end, whatever end that is.
    Played,
    /// The client closed the connection first.
    ClientLeft,
}

impl Request {
    /// The body as JSON, or `null`.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The model it asks for, or nothing.
    pub fn model(&self) -> String {
        self.json()["model"].as_str().unwrap_or_default().to_owned()
    }

    /// The messages of the conversation, or nothing.
    pub fn messages(&self) -> Vec<Value> {
        match self.json()["messages"].take() {
            Value::Array(messages) => messages,
            _ => Vec::new(),
        }
    }

    /// The text that the assistant is asked to go on with: that of the last message, if it is its own.
    pub fn prefill(&self) -> Option<String> {
        let last = self.messages().pop().filter(|message| message["role"] == "assistant")?;
        last["content"].as_str().map(str::to_owned)
    }

    /// The key it was sent with as a bearer token, or nothing.
    pub fn key(&self) -> &str {
        self.header("authorization").strip_prefix("Bearer ").unwrap_or_default()
    }

    /// A header as text, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether it asks for the list of models.
    pub(super) fn wants_models(&self) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        self.method == Method::GET && path.trim_end_matches('/').ends_with("/models")
    }
}
