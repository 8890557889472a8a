//! One attempt, as logs, trails and progress call it.

use std::sync::Arc;
use std::time::Duration;

use crate::retry::schedule::Send;
use crate::route::Candidate;

/// One attempt, as logs and trails call it.
#[derive(Debug, Clone)]
pub(in crate::relay) struct Try {
    pub(super) number: u32,
    pub(super) waited: Duration,
    pub(super) provider: Arc<str>,
    pub(super) model: Arc<str>,
    /// The name of its key, where the provider has several.
    pub(super) key: Option<Arc<str>>,
}

impl Try {
    pub(in crate::relay) fn new(send: &Send, candidate: &Candidate, key: Option<Arc<str>>) -> Self {
        Self {
            number: send.number,
            waited: send.wait,
            provider: Arc::clone(&candidate.provider_name),
            model: Arc::clone(&candidate.model),
            key,
        }
    }

    /// `provider/model`.
    pub(super) fn candidate(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }

    /// Whether it asks that model.
    pub(super) fn asks(&self, provider: &str, model: &str) -> bool {
        (&*self.provider, &*self.model) == (provider, model)
    }

    /// Whether both ask the same model.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        self.asks(&other.provider, &other.model)
    }
}
