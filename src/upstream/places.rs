//! How many attempts are under way at a provider, where that is limited.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Provider;
use crate::retry::{Class, Fault, Phase, Words};

const ADVICE: &str = "try again in a moment, or allow more with `max_connections`";

/// The places of a provider; whoever waits for one gets it in the order of coming.
#[derive(Debug)]
pub(super) struct Places {
    provider: Arc<str>,
    most: u32,
    free: Arc<Semaphore>,
}

/// The place of an attempt, free again once it is dropped.
pub(super) type Place = OwnedSemaphorePermit;

impl Places {
    /// The places of `provider`, if they are limited.
    pub(super) fn of(provider: &Provider) -> Option<Self> {
        let most = provider.connections.most?.get();
        let free = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        Some(Self { provider: Arc::clone(&provider.name), most, free: Arc::new(Semaphore::new(free)) })
    }

    /// A place, waited for no longer than `limit`. Dropping the future gives up the place in line.
    pub(super) async fn take(&self, limit: Duration) -> Result<Place, Fault> {
        let waiting = Arc::clone(&self.free).acquire_owned();
        tokio::time::timeout(limit, waiting).await.ok().and_then(Result::ok).ok_or_else(|| {
            let Self { provider, most, .. } = self;
            let reason = match most {
                1 => format!(
                    "the one connection to `{provider}` has been in use for {} (max_connections)",
                    Words(limit)
                ),
                most => format!(
                    "all {most} connections to `{provider}` have been in use for {} (max_connections)",
                    Words(limit)
                ),
            };
            let fault = Fault::new(Class::Connect, Phase::Connect, reason).advising(ADVICE);
            // The provider has done nothing wrong: it is not to rest for that.
            Fault { clipped: true, ..fault }
        })
    }
}

#[cfg(test)]
mod tests;
