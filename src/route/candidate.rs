//! Whom a chain is made of: a provider and a model each, with the limits of an attempt at it.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use serde_json::value::RawValue;

use crate::retry::Policy;

/// A provider and a model that it knows, with what is particular to the pair.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Where the provider stands in the list of providers.
    pub provider: ProviderId,
    /// The provider's name, for logs, errors and `x-backstop-provider`.
    pub provider_name: Arc<str>,
    /// The model's name as the provider spells it.
    pub model: Arc<str>,
    /// The schedule this candidate is tried on.
    pub policy: Policy,
    /// The limits of an attempt.
    pub timeouts: Timeouts,
    /// Configured headers that every attempt carries; secret ones are marked sensitive.
    pub headers: HeaderMap,
    /// Configured edits of the body beside its `model`.
    pub edits: Edits,
    /// How it continues an answer that another one began; `None` if it cannot.
    pub prefill: Option<Prefill>,
}

impl Candidate {
    /// What messages call it: `provider/model`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.provider_name, self.model)
    }

    /// Whether both ask the same model of the same provider.
    pub fn is_same_model(&self, other: &Self) -> bool {
        self.provider == other.provider && self.model == other.model
    }
}

/// How a provider is asked to go on from the beginning of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefill {
    /// By a last message of the assistant; it says what follows.
    Message,
    /// The same, marked with `"prefix": true`.
    Prefix {
        /// Whether it says the beginning again (Mistral does, `DeepSeek` does not).
        echoes: bool,
    },
    /// By a last message of the assistant and `"continue_final_message": true` (vLLM).
    ContinueFinal,
}

/// The position of a provider in the runtime's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProviderId(pub usize);

/// Members of the request body that a candidate sets or removes; empty unless configured.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    /// Top-level members to write, with their JSON text.
    pub set: Vec<(String, Box<RawValue>)>,
    /// Top-level members to leave out.
    pub unset: Vec<String>,
}

impl Edits {
    /// Whether the body goes out as the client wrote it, but for the model.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.unset.is_empty()
    }
}

/// The limits of one attempt. The fifth limit, the deadline, belongs to the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name look-up, TCP and TLS together.
    pub connect: Duration,
    /// From sending the request to the head of a streamed answer.
    pub first_byte_stream: Duration,
    /// From sending the request to the head of a whole answer, which most providers hold back
    /// until they are done.
    pub first_byte_whole: Duration,
    /// From the head to the first payload.
    pub first_token: Duration,
    /// Between two bytes, once the answer has opened.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte_stream: Duration::from_mins(1),
            first_byte_whole: Duration::from_mins(5),
            first_token: Duration::from_mins(1),
            idle: Duration::from_mins(1),
        }
    }
}

impl Timeouts {
    /// The limit for the response head of an answer that is streamed or not.
    pub fn first_byte(&self, stream: bool) -> Duration {
        if stream { self.first_byte_stream } else { self.first_byte_whole }
    }
}
