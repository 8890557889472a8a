//! What we read of a request: enough to act on, and where its `model` stands.

use bytes::Bytes;

use crate::route::Edits;

/// A checked chat request: whole JSON, valid UTF-8, one string `model` at the top.
#[derive(Debug, Clone)]
pub struct Envelope {
    body: Bytes,
}

/// Why a body is no chat request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidRequest {
    /// What is wrong, and where: line and column.
    pub message: String,
    /// The member at fault, for `error.param`.
    pub param: Option<&'static str>,
}

impl Envelope {
    /// Reads and checks `body`.
    pub fn parse(body: Bytes) -> Result<Self, InvalidRequest> {
        Ok(Self { body })
    }

    /// The model the client asks for, unescaped.
    pub fn model(&self) -> &str {
        ""
    }

    /// Whether the client asks for a stream.
    pub fn stream(&self) -> bool {
        false
    }

    /// Whether the client asks for the usage at the end of a stream.
    pub fn include_usage(&self) -> bool {
        false
    }

    /// The body for a candidate, in slices: the client's bytes but for the value of `model` and
    /// the configured `edits`.
    pub fn body_for(&self, model: &str, edits: &Edits) -> Vec<Bytes> {
        let _ = (model, edits);
        vec![self.body.clone()]
    }
}
