//! A request that got no answer, with the trail of its attempts.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::Outcome;
use crate::openai::error::ErrorObject;

/// Why a request got no answer. The server gives it a status; its text is safe to show.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The error's `code`.
    pub outcome: Outcome,
    /// One sentence that says what happened and what to do.
    pub message: String,
    /// The same for the user of a chat, shorter, where one asked; the message is then a detail.
    pub short: Option<String>,
    /// When asking again may help.
    pub retry_after: Option<Duration>,
    /// The status of the fault that decided the outcome, where it had one.
    pub provider_status: Option<u16>,
    /// How many attempts were sent, the one that a drain cut included.
    pub attempts: u32,
    /// The attempts that failed, in order; of very many only the first ones.
    pub trail: Vec<Attempt>,
}

impl Failure {
    /// The error a client gets for it, with the trail under `metadata.attempts`, and under `metadata.detail` the
    /// message where a shorter one stands in its place.
    pub fn error_object(&self) -> ErrorObject {
        let (message, metadata) = match &self.short {
            Some(short) => (short, json!({ "attempts": self.trail, "detail": self.message })),
            None => (&self.message, json!({ "attempts": self.trail })),
        };
        ErrorObject {
            message: message.clone(),
            kind: self.outcome.kind(),
            code: self.outcome.as_str(),
            param: None,
            metadata: Some(metadata),
        }
    }
}

/// One line of the trail.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    /// Its number within the request, from 1.
    pub number: u32,
    /// The provider's name.
    pub provider: Arc<str>,
    /// The model as the provider spells it.
    pub model: Arc<str>,
    /// The name of its key, where the provider has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// How far the attempt came.
    pub phase: &'static str,
    /// The class of the failure.
    pub code: &'static str,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// What happened, secrets masked.
    pub reason: String,
    /// The wait before this attempt, in seconds.
    pub waited: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::Class;

    #[test]
    fn the_error_object_carries_the_trail() {
        let attempt = Attempt {
            number: 1,
            provider: "nvidia".into(),
            model: "kimi".into(),
            key: None,
            phase: "first_byte",
            code: "rate_limited",
            status: Some(429),
            reason: "slow down".into(),
            waited: 0.0,
        };
        let failure = Failure {
            outcome: Outcome::Failed(Class::RateLimited),
            message: "no answer".into(),
            short: None,
            retry_after: None,
            provider_status: Some(429),
            attempts: 1,
            trail: vec![attempt],
        };

        let json: serde_json::Value = serde_json::from_str(&failure.error_object().to_json()).unwrap();

        assert_eq!(json["error"]["type"], "rate_limit_error");
        assert_eq!(json["error"]["code"], "rate_limited");
        assert_eq!(json["error"]["metadata"]["attempts"][0]["status"], 429);
        assert_eq!(json["error"]["metadata"]["attempts"][0]["reason"], "slow down");
    }
}
