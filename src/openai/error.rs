//! Error objects: ours, and what can be read out of a provider's.

use serde::Serialize;

mod provider;
mod text;

pub use provider::ProviderError;
pub use text::one_line;

/// The `error` member of an OpenAI error response.
#[derive(Debug, Clone, Serialize)]
pub struct ErrorObject {
    /// One sentence for a person.
    pub message: String,
    /// The OpenAI kind: `invalid_request_error`, `rate_limit_error`, `server_error`, …
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The outcome.
    pub code: &'static str,
    /// The member of the request at fault.
    pub param: Option<&'static str>,
    /// The attempt trail and whatever else explains it.
    pub metadata: Option<serde_json::Value>,
}

impl ErrorObject {
    /// The JSON document `{"error": …}`.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            error: &'a ErrorObject,
        }
        serde_json::to_string(&Document { error: self })
            .unwrap_or_else(|_| r#"{"error":{"message":"unexpected error"}}"#.into())
    }
}
