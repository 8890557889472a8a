//! Candidates for tests.

use http::HeaderMap;

use super::{Candidate, Edits, ProviderId, Timeouts};
use crate::retry::Policy;

/// A candidate of provider `p0`, `p1`, … with everything else as it is built in.
pub(crate) fn candidate(provider: usize, model: &str) -> Candidate {
    Candidate {
        provider: ProviderId(provider),
        provider_name: format!("p{provider}").into(),
        model: model.into(),
        policy: Policy::default(),
        timeouts: Timeouts::default(),
        headers: HeaderMap::new(),
        edits: Edits::default(),
        prefill: None,
    }
}
