//! A request that got no answer, with the trail of its attempts.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::Outcome;

/// Why a request got no answer. The server gives it a status; its text is safe to show.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The error's `code`.
    pub outcome: Outcome,
    /// One sentence that says what happened and what to do.
    pub message: String,
    /// When asking again may help.
    pub retry_after: Option<Duration>,
    /// The status of the fault that decided the outcome, where it had one.
    pub provider_status: Option<u16>,
    /// Every attempt, in order.
    pub trail: Vec<Attempt>,
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
