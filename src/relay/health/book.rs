//! What is known of one provider.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use foldhash::fast::RandomState;

use super::choice::Taken;
use super::news::Teller;
use crate::config::Provider;
use crate::retry::Quota;
use crate::retry::breaker::Breaker;
use crate::retry::gate::Gate;
use crate::retry::line::Line;
use crate::retry::quota::{Account, Left};

/// The keys and models of a provider. Without a key it has one entry for the attempts without one.
#[derive(Debug)]
pub(super) struct Book {
    /// Over all keys.
    pub(super) quota: Account,
    /// Those who wait for it.
    pub(super) line: Line,
    pub(super) keys: Vec<Key>,
    models: Vec<Model>,
    /// Where in `models` each is.
    places: HashMap<Arc<str>, usize, RandomState>,
    /// The place of the one that was asked for last: every attempt asks some seven times for the same one, and
    /// looking it up each time took a fiftieth of a request.
    latest: usize,
    /// The key whose turn it is.
    pub(super) turn: usize,
}

/// A key, whatever the model.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) breaker: Breaker,
    /// For the models that cost nothing.
    pub(super) free: Breaker,
    pub(super) quota: Account,
    /// Those who wait for the quota.
    pub(super) line: Line,
}

#[derive(Debug)]
pub(super) struct Model {
    name: Arc<str>,
    /// One for each key.
    pub(super) seats: Vec<Seat>,
    /// When an attempt was last sent although it rested.
    pub(super) insisted: Option<Duration>,
    /// Tells of rests that end early.
    pub(super) news: Teller,
}

/// A candidate proper: a model under a key.
#[derive(Debug, Clone, Default)]
pub(super) struct Seat {
    pub(super) breaker: Breaker,
    pub(super) gate: Gate,
    /// Attempts under way.
    pub(super) under_way: usize,
}

impl Book {
    pub(super) fn new(provider: &Provider) -> Self {
        let quotas: Vec<_> = provider.keys.iter().map(|key| key.quota).collect();
        let keyless = [Quota::default()];
        Self::with(provider.quota, if quotas.is_empty() { &keyless } else { &quotas })
    }

    /// For a user's own key, of whose quotas nothing is known.
    pub(super) fn of_one_user() -> Self {
        Self::with(Quota::default(), &[Quota::default()])
    }

    fn with(whole: Quota, keys: &[Quota]) -> Self {
        Self {
            quota: Account::new(whole),
            line: Line::default(),
            keys: keys.iter().map(|quota| Key::new(Account::new(*quota))).collect(),
            models: Vec::new(),
            places: HashMap::default(),
            latest: 0,
            turn: 0,
        }
    }

    /// The model of that name; known from now on.
    pub(super) fn model(&mut self, name: &Arc<str>) -> &mut Model {
        if self.models.get(self.latest).is_none_or(|latest| latest.name != *name) {
            self.latest = self.place(name);
        }
        &mut self.models[self.latest]
    }

    /// The place of that model, which may be a new one.
    fn place(&mut self, name: &Arc<str>) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let seats = vec![Seat::default(); self.keys.len()];
        let name = Arc::clone(name);
        self.models.push(Model { name: Arc::clone(&name), seats, insisted: None, news: Teller::default() });
        self.places.insert(name, self.models.len() - 1);
        self.models.len() - 1
    }

    /// The model under a key.
    pub(super) fn seat(&mut self, model: &Arc<str>, key: usize) -> &mut Seat {
        &mut self.model(model).seats[key]
    }

    /// Counts one request under `key`.
    pub(super) fn count(&mut self, key: usize, now: Duration, wall: SystemTime) -> Taken {
        Taken { key: self.keys[key].quota.take(now, wall), whole: self.quota.take(now, wall) }
    }

    /// Counts one request under `key` no longer.
    pub(super) fn give_back(&mut self, key: usize, taken: Taken) {
        self.keys[key].quota.give_back(taken.key);
        self.quota.give_back(taken.whole);
    }

    /// What the quotas of `key` and of the provider leave.
    pub(super) fn left(&self, key: usize, now: Duration, wall: SystemTime) -> Left {
        self.keys[key].quota.left(now, wall).min(self.quota.left(now, wall))
    }

    pub(super) fn models(&self) -> impl Iterator<Item = &Model> {
        self.models.iter()
    }

    /// Forgets the models that are back to normal; says whether the keys are too, and nothing is left.
    pub(super) fn tidy(&mut self, now: Duration) -> bool {
        let is_normal =
            |model: &Model| !model.news.is_heard() && model.seats.iter().all(|seat| seat.forgettable(now));
        if self.models.iter().any(is_normal) {
            self.models.retain(|model| !is_normal(model));
            let places = self.models.iter().zip(0..).map(|(model, place)| (Arc::clone(&model.name), place));
            self.places = places.collect();
        }
        let normal = |key: &Key| key.breaker.forgettable(now) && key.free.forgettable(now);
        self.models.is_empty() && self.keys.iter().all(normal)
    }
}

impl Key {
    fn new(quota: Account) -> Self {
        Self { breaker: Breaker::default(), free: Breaker::default(), quota, line: Line::default() }
    }
}

impl Seat {
    fn forgettable(&self, now: Duration) -> bool {
        self.under_way == 0 && self.breaker.forgettable(now) && self.gate.forgettable()
    }
}
