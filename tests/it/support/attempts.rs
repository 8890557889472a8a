//! The attempts of a request, as its client and as the providers saw them.

use std::time::Duration;

use backstop::sim::Provider;
use serde::Deserialize;
use serde_json::Value;

use super::client::Answer;

/// An error that a client got in place of an answer.
#[derive(Debug)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// The error object.
    pub error: ErrorObject,
    /// The whole body.
    pub body: String,
}

/// The `error` member.
#[derive(Debug, Deserialize)]
pub struct ErrorObject {
    /// The sentence.
    pub message: String,
    /// OpenAI's kind of error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The outcome.
    pub code: String,
    metadata: Metadata,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    attempts: Vec<Tried>,
    /// What happened in full, where the sentence is for the user of a chat.
    #[serde(default, rename = "detail")]
    _detail: Option<String>,
}

/// One line of the trail.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tried {
    /// Its number, from 1.
    pub number: u32,
    /// Who was asked.
    pub provider: String,
    /// For which model.
    pub model: String,
    /// With which key, where the provider has several.
    pub key: Option<String>,
    /// How far it came.
    pub phase: String,
    /// The class of its failure.
    pub code: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// What happened.
    pub reason: String,
    /// The seconds waited before it.
    pub waited: f64,
}

impl Refusal {
    /// Reads an error response, and checks what all of them have in common.
    pub async fn read(mut answer: Answer) -> Self {
        let body = answer.text().await;
        assert_eq!(answer.header("content-type"), "application/json", "{body}");
        assert_eq!(answer.header("x-should-retry"), "false", "{body}");
        let document: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        let error = ErrorObject::deserialize(&document["error"]).unwrap_or_else(|e| panic!("{e}: {body}"));
        // The keys of a pool share the number of their attempt.
        let mut numbers: Vec<_> = error.metadata.attempts.iter().map(|tried| tried.number).collect();
        if error.metadata.attempts.iter().any(|tried| tried.key.is_some()) {
            numbers.dedup();
        }
        assert_eq!(answer.header("x-backstop-attempts"), numbers.len().to_string(), "{body}");
        assert!(numbers.iter().copied().eq(1..=u32::try_from(numbers.len()).unwrap()), "{body}");
        let retry_after = Some(answer.header("retry-after")).filter(|value| !value.is_empty());
        Self {
            status: answer.status,
            retry_after: retry_after.map(|value| value.parse().expect("whole seconds")),
            error,
            body,
        }
    }

    /// The trail.
    pub fn attempts(&self) -> &[Tried] {
        &self.error.metadata.attempts
    }

    /// Who was asked, in order.
    pub fn asked(&self) -> Vec<&str> {
        self.attempts().iter().map(|tried| tried.provider.as_str()).collect()
    }

    /// The waits before each attempt, in milliseconds.
    pub fn waits(&self) -> Vec<u64> {
        let millis = |tried: &Tried| Duration::from_secs_f64(tried.waited).as_millis();
        self.attempts().iter().map(|tried| u64::try_from(millis(tried)).unwrap()).collect()
    }
}

/// Which of the named providers was asked, in the order in which the requests arrived.
pub fn visits<'a>(providers: &[(&'a str, &Provider)]) -> Vec<&'a str> {
    let mut arrivals: Vec<_> = providers
        .iter()
        .flat_map(|(name, provider)| provider.requests().into_iter().map(|request| (request.at, *name)))
        .collect();
    arrivals.sort_by_key(|(at, _)| *at);
    arrivals.into_iter().map(|(_, name)| name).collect()
}
