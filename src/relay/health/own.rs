//! The desks of users' own keys: what is known of one says nothing of another, nor of the shared ones.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use super::desk::Desk;
use crate::config::UserKey;
use crate::route::ProviderId;

/// A desk for each key of a user that is in use or out of favour. It knows keys by a hash that means
/// nothing outside this process.
#[derive(Default)]
pub(super) struct OwnDesks {
    hasher: RandomState,
    desks: Mutex<HashMap<(ProviderId, u64), Arc<Desk>>>,
}

impl OwnDesks {
    /// The desk of a user's `key` for the provider whose shared desk is `shared`; known from now on.
    pub(super) fn desk(&self, provider: ProviderId, shared: &Desk, key: &UserKey) -> Arc<Desk> {
        let fingerprint = self.hasher.hash_one(key.expose());
        let mut desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        let desk = desks.entry((provider, fingerprint)).or_insert_with(|| Arc::new(shared.of_one_user()));
        Arc::clone(desk)
    }

    /// Forgets keys of which nothing is under way and that are back to normal.
    pub(super) fn tidy(&self) {
        let mut desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        // Who has a desk by now has it from this table, whose lock is held.
        desks.retain(|_, desk| !desk.tidy() || Arc::strong_count(desk) > 1);
    }

    /// How many keys it knows.
    pub(super) fn len(&self) -> usize {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl fmt::Debug for OwnDesks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnDesks({})", self.len())
    }
}
