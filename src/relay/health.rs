//! What all requests share: who rests, who waits for whom, which key is next, what quotas leave.
//!
//! An attempt asks for leave (`Health::admit`) and holds it as a `Pass` while it is under way.
//! Whoever drops a pass gives everything back, so that a client that leaves blocks nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use crate::config::{Provider, UserKey};
use crate::retry::{Class, Cooldown};
use crate::route::{Candidate, ProviderId};

mod book;
mod choice;
mod desk;
mod news;
mod obstacles;
mod own;
mod pass;
#[cfg(test)]
mod tests;

use choice::{Step, Wait};
use desk::{Desk, Place};
use own::OwnDesks;

pub(super) use desk::USERS_OWN;
pub(super) use news::News;
pub(super) use pass::{Pass, Waiting};

/// The shared state of all providers.
#[derive(Debug)]
pub struct Health {
    /// One for each provider.
    desks: Vec<Arc<Desk>>,
    /// One for each key of a user.
    own: OwnDesks,
    requests: AtomicU64,
}

/// What an attempt needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    /// Whom it is for.
    pub(super) candidate: &'a Candidate,
    /// The user's own key, if it is sent in place of a shared one.
    pub(super) key: Option<&'a UserKey>,
    /// When the candidate is left alone.
    pub(super) cooldown: Cooldown,
    /// Whose it is: a number from [`Health::request`].
    pub(super) request: u64,
    /// Whether the request has itself met a fault of the candidate, and so keeps to its own schedule.
    pub(super) own: bool,
    /// The keys that are not to be taken.
    pub(super) tried: &'a [usize],
    /// Until when it may wait for its turn after a 429.
    pub(super) patience: Instant,
    /// Until when it may wait for a place in a quota.
    pub(super) quota_patience: Instant,
    /// Whether it may spend a quota.
    pub(super) spends_quota: bool,
}

/// Whom something is known about: a candidate, under the shared keys or a user's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whom<'a> {
    pub(super) candidate: &'a Candidate,
    pub(super) key: Option<&'a UserKey>,
}

#[cfg(test)]
impl<'a> From<&'a Candidate> for Whom<'a> {
    fn from(candidate: &'a Candidate) -> Self {
        Self { candidate, key: None }
    }
}

/// Why no attempt may be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rest {
    /// When asking again may help.
    pub(super) until: Instant,
    /// What is said of the candidate, after its name: `rests after 5 failures`.
    pub(super) why: String,
    /// What a request fails with that cannot wait for the end of it: `RateLimited` where that is why, else
    /// `Overloaded`.
    pub(super) class: Class,
    /// Whether there is a line to wait in.
    pub(super) queue: bool,
}

impl Health {
    /// A table of `providers` about which nothing is known.
    pub fn new(providers: &[Provider]) -> Self {
        let began = Instant::now();
        Self {
            desks: providers.iter().map(|provider| Arc::new(Desk::new(provider, began))).collect(),
            own: OwnDesks::default(),
            requests: AtomicU64::new(0),
        }
    }

    /// A number for a request, by which its attempts are told from those of others.
    pub(super) fn request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    /// Leave to send one attempt, if nothing has to be waited for; as a rule nothing has.
    pub(super) fn admit_at_once(&self, ask: &Ask<'_>) -> Option<Box<Pass>> {
        let desk = self.desk(Whom { candidate: ask.candidate, key: ask.key });
        let step = desk.step(ask, &mut Place::new(&desk, ask.candidate));
        match step {
            Step::Pass(granted) => Some(Pass::new(desk, ask, granted)),
            Step::Rest(_) | Step::Wait(_) => None,
        }
    }

    /// Leave to send one attempt.
    ///
    /// Chooses the key; takes the place of the probe after a rest, a place behind the gate after a 429,
    /// and one request of the quotas. Waits for the last two, but not beyond the patience of `ask`.
    /// Dropping the future gives up the place in the line.
    ///
    /// # Errors
    ///
    /// A [`Rest`] where the candidate is to be left alone for now.
    pub(super) async fn admit(&self, ask: Ask<'_>) -> Result<Box<Pass>, Rest> {
        self.admit_telling(ask, &|_| ()).await
    }

    /// The same; `waits` is told what it waits for, again and again.
    ///
    /// # Errors
    ///
    /// As [`Self::admit`].
    pub(super) async fn admit_telling(
        &self,
        ask: Ask<'_>,
        waits: &(dyn Fn(&Rest) + Sync),
    ) -> Result<Box<Pass>, Rest> {
        let desk = &self.desk(Whom { candidate: ask.candidate, key: ask.key });
        let mut place = Place::new(desk, ask.candidate);
        loop {
            let changed = desk.changed.notified();
            let wait = match desk.step(&ask, &mut place) {
                Step::Pass(granted) => return Ok(Pass::new(Arc::clone(desk), &ask, granted)),
                Step::Rest(rest) => return Err(rest),
                Step::Wait(wait) => wait,
            };
            let Wait { rest, look, patience } = wait;
            if Instant::now() >= patience {
                return Err(rest);
            }
            waits(&rest);
            // Too late or just in time: the next step tells.
            let _late = tokio::time::timeout_at(look.min(patience), changed).await;
        }
    }

    /// Leave to send one attempt although `whom` rests: one a second over all requests that may ask
    /// any of `chain`.
    ///
    /// Quotas are kept even so, and the keys that were `tried` are not taken.
    pub(super) fn insist<'a>(
        &self,
        whom: impl Into<Whom<'a>>,
        chain: &[Whom<'_>],
        cooldown: Cooldown,
        request: u64,
        tried: &'a [usize],
    ) -> Option<Box<Pass>> {
        if chain.iter().any(|whom| self.desk(*whom).has_insisted(&whom.candidate.model)) {
            return None;
        }
        let whom = whom.into();
        let desk = self.desk(whom);
        let ask = Ask {
            candidate: whom.candidate,
            key: whom.key,
            cooldown,
            request,
            own: true,
            tried,
            patience: Instant::now(),
            quota_patience: Instant::now(),
            spends_quota: true,
        };
        let granted = desk.insist(&ask)?;
        Some(Pass::new(desk, &ask, granted))
    }

    /// What becomes known of `whom` from now on.
    pub(super) fn news<'a>(&self, whom: impl Into<Whom<'a>>) -> News {
        let whom = whom.into();
        self.desk(whom).news_of(whom.candidate)
    }

    /// Whether nobody is to ask the provider without a key.
    pub(super) fn wants_key(&self, provider: ProviderId) -> bool {
        self.desks[provider.0].wants_key
    }

    /// Forgets what is back to normal: clients can make up the names of models.
    pub fn tidy(&self) {
        for desk in &self.desks {
            desk.tidy();
        }
        self.own.tidy();
    }

    fn desk(&self, Whom { candidate, key }: Whom<'_>) -> Arc<Desk> {
        let shared = &self.desks[candidate.provider.0];
        match key {
            Some(key) => self.own.desk(candidate.provider, shared, key),
            None => Arc::clone(shared),
        }
    }
}
