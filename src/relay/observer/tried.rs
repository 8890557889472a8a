//! One attempt, as logs, trails and progress call it.

use std::sync::Arc;
use std::time::Duration;

use crate::retry::schedule::Send;

/// One attempt, as logs and trails call it.
#[derive(Debug, Clone)]
pub(in crate::relay) struct Try {
    pub(super) number: u32,
    pub(super) waited: Duration,
    /// The place of its candidate in the chain.
    pub(in crate::relay) candidate: usize,
    /// The name of its key, where the provider has several.
    pub(super) key: Option<Arc<str>>,
}

impl Try {
    pub(in crate::relay) fn new(send: &Send, key: Option<Arc<str>>) -> Self {
        Self { number: send.number, waited: send.wait, candidate: send.candidate, key }
    }
}
