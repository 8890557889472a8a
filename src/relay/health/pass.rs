//! Leave to send one attempt, and what its end says about those it went to.

use std::sync::Arc;

use http::HeaderMap;

use super::Ask;
use super::book::Book;
use super::choice::{Granted, Leaves, Shortage, Taken};
use super::desk::Desk;
use super::obstacles::is_free;
use crate::config::UserKey;
use crate::retry::breaker::{Evidence, blames};
use crate::retry::gate::Passage;
use crate::retry::quota::Left;
use crate::retry::{Class, Cooldown, Covers, Fault, Words, rate_limits};
use crate::upstream::{Connected, Credential};

/// Leave to send one attempt, held until it is over. Dropped without a word it says nothing about
/// anyone, and gives back what it holds.
///
/// It goes through many hands, so it comes in a box.
#[derive(Debug)]
pub(in crate::relay) struct Pass {
    desk: Arc<Desk>,
    model: Arc<str>,
    key: usize,
    /// The user's own, in place of that one.
    own: Option<UserKey>,
    tried: Vec<usize>,
    cooldown: Cooldown,
    /// Until they are settled.
    leaves: Option<Leaves>,
    passage: Passage,
    counted: Taken,
    connected: Connected,
    left: Left,
    /// Whether its first payload has come.
    opened: bool,
}

impl Pass {
    pub(super) fn new(desk: Arc<Desk>, ask: &Ask<'_>, granted: Granted) -> Box<Self> {
        let Granted { at, key, leaves, passage, counted, left } = granted;
        Box::new(Self {
            connected: Connected::after(desk.instant(at)),
            desk,
            model: Arc::clone(&ask.candidate.model),
            key,
            own: ask.key.cloned(),
            tried: ask.tried.to_vec(),
            cooldown: ask.cooldown,
            leaves: Some(leaves),
            passage,
            counted,
            left,
            opened: false,
        })
    }

    /// Told when the attempt has a connection to send over. One that never had is no request of the quotas.
    pub(in crate::relay) fn connected(&self) -> &Connected {
        &self.connected
    }

    /// Counts one more request, if the quotas have a place for it at once.
    pub(in crate::relay) fn again(&mut self) -> bool {
        let (now, wall) = (self.desk.now(), self.desk.wall());
        let mut book = self.desk.lock();
        if Shortage::of(&book, self.key, None, now, wall).longest().is_some() {
            return false;
        }
        self.counted = book.count(self.key, now, wall);
        self.left = book.left(self.key, now, wall);
        self.connected = Connected::after(self.desk.instant(now));
        true
    }

    /// The key to send.
    pub(in crate::relay) fn credential(&self) -> Credential<'_> {
        self.own.as_ref().map_or(Credential::Shared(self.key), Credential::Own)
    }

    /// Which of the provider's keys to send; 0 if it has none, or if the user's own takes its place.
    pub(in crate::relay) fn key(&self) -> usize {
        self.key
    }

    /// The name of the key, if there are several, or if it is the user's own.
    pub(in crate::relay) fn key_name(&self) -> Option<&str> {
        let names = &self.desk.names;
        if names.len() > 1 || self.desk.of_user { names.get(self.key).map(|name| &**name) } else { None }
    }

    /// Whether the provider has another key, not tried yet.
    pub(in crate::relay) fn other_keys(&self) -> bool {
        (0..self.desk.names.len()).any(|other| other != self.key && !self.tried.contains(&other))
    }

    /// What the quotas leave, this attempt counted; `None` if there are none.
    pub(in crate::relay) fn quota_left(&self) -> Option<Left> {
        (self.left != Left::default()).then_some(self.left)
    }

    /// A response head has come: learns what its headers say of the quotas.
    pub(in crate::relay) fn head(&mut self, headers: &HeaderMap) {
        if self.quota_left().is_none() {
            return;
        }
        let (now, wall) = (self.desk.now(), self.desk.wall());
        let mut book = self.desk.lock();
        let lone = book.keys.len() == 1;
        for report in rate_limits::reports(headers, wall) {
            book.keys[self.key].quota.learn(&report, now, wall);
            // What is said to one of several keys says nothing of their sum.
            if lone {
                book.quota.learn(&report, now, wall);
            }
        }
        self.left = book.left(self.key, now, wall);
    }

    /// The first payload has come; only the first call counts.
    pub(in crate::relay) fn opened(&mut self) {
        if std::mem::replace(&mut self.opened, true) {
            return;
        }
        let Some(leaves) = &mut self.leaves else { return };
        let mut book = self.desk.lock();
        let key = &mut book.keys[self.key];
        let key_ends = key.breaker.opened(&mut leaves.key);
        let free_ends = leaves.free.as_mut().is_some_and(|free| key.free.opened(free));
        let seat = book.seat(&self.model, self.key);
        let seat_ends = seat.breaker.opened(&mut leaves.seat);
        let wider = seat.gate.opened(self.passage);
        self.tell(&mut book, key_ends || free_ends, seat_ends || wider);
        drop(book);
        if key_ends || free_ends || seat_ends {
            let (provider, model) = (&self.desk.provider, &self.model);
            tracing::info!(%provider, key = self.key_name(), "{model} answers again");
        }
    }

    /// The answer ended well.
    pub(in crate::relay) fn finished(mut self: Box<Self>) {
        self.opened();
        self.settle(|book, leaves, pass| {
            let key = &mut book.keys[pass.key];
            key.breaker.finished(leaves.key);
            if let Some(free) = leaves.free {
                key.free.finished(free);
            }
            book.seat(&pass.model, pass.key).breaker.finished(leaves.seat);
        });
    }

    /// The attempt failed, which may be the last that it takes for the candidate or the key to rest. After
    /// a 429 the request is one of those who wait for the candidate, as long as it holds what comes back;
    /// nothing does if it is one of them already.
    ///
    /// What is wrong with the request, and what the deadline or another limit of our own cut short, is held
    /// against nobody.
    pub(in crate::relay) fn failed(mut self: Box<Self>, fault: &Fault) -> Option<Waiting> {
        let now = self.desk.now();
        let blamed = self.cooldown.enabled && blames(fault.class) && !fault.clipped;
        let mut rest = None;
        let mut waits = false;
        let mut subject = Covers::Candidate;
        self.settle(|book, leaves, pass| {
            if fault.class == Class::RateLimited {
                waits = book.seat(&pass.model, pass.key).gate.rate_limited(pass.passage, now);
            }
            let named = match fault.covers {
                Covers::Key => book.keys.len() > 1,
                Covers::FreeModels => is_free(&pass.model),
                Covers::Candidate => false,
            };
            let breaker = match (fault.covers, leaves.free) {
                _ if !blamed => None,
                (Covers::Key, _) if named => {
                    subject = Covers::Key;
                    Some((&mut book.keys[pass.key].breaker, leaves.key))
                }
                (Covers::FreeModels, Some(free)) => {
                    subject = Covers::FreeModels;
                    Some((&mut book.keys[pass.key].free, free))
                }
                _ => Some((&mut book.seat(&pass.model, pass.key).breaker, leaves.seat)),
            };
            if let Some((breaker, leave)) = breaker {
                let rate_limited = fault.class == Class::RateLimited;
                let evidence = Evidence { retry_after: fault.retry_after, named, rate_limited };
                rest = breaker.failed(leave, evidence, &pass.cooldown, now, rand::random());
            }
            pass.give_back(book, leaves);
        });
        if let Some(rest) = rest {
            let who = match subject {
                Covers::Candidate => &self.model,
                Covers::FreeModels => "its key, for free models,",
                Covers::Key => "its key",
            };
            let provider = &self.desk.provider;
            tracing::info!(%provider, key = self.key_name(), "{who} rests for {}: {fault}", Words::about(rest));
        }
        waits.then(|| Waiting {
            desk: Arc::clone(&self.desk),
            model: Arc::clone(&self.model),
            key: self.key,
            caller: self.passage.caller(),
        })
    }

    /// Ends the attempt: `judge` says what it means for those it went to.
    fn settle(&mut self, judge: impl FnOnce(&mut Book, Leaves, &Self)) {
        let Some(leaves) = self.leaves.take() else { return };
        let mut book = self.desk.lock();
        judge(&mut book, leaves, self);
        let seat = book.seat(&self.model, self.key);
        seat.gate.ended(self.passage);
        seat.under_way = seat.under_way.saturating_sub(1);
        if self.connected.at().is_none() {
            book.give_back(self.key, self.counted);
        }
        drop(book);
        // A place behind the gate may be free.
        self.desk.changed.notify_waiters();
    }

    /// Gives back the places of probes; for what was judged already nothing happens.
    fn give_back(&self, book: &mut Book, leaves: Leaves) {
        let key = &mut book.keys[self.key];
        let key_free = key.breaker.left(leaves.key);
        let free_free = leaves.free.is_some_and(|free| key.free.left(free));
        let seat_free = book.seat(&self.model, self.key).breaker.left(leaves.seat);
        self.tell(book, key_free || free_free, seat_free);
    }

    /// Wakes those who wait: for a change of the key, or of the model only.
    fn tell(&self, book: &mut Book, of_key: bool, of_model: bool) {
        if of_key {
            book.models().for_each(|model| model.news.tell());
        } else if of_model {
            book.model(&self.model).news.tell();
        }
        if of_key || of_model {
            self.desk.changed.notify_waiters();
        }
    }
}

/// That a request waits for a candidate which has told it 429.
#[derive(Debug)]
pub(in crate::relay) struct Waiting {
    desk: Arc<Desk>,
    model: Arc<str>,
    key: usize,
    caller: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.desk.lock().seat(&self.model, self.key).gate.gone(self.caller);
        self.desk.changed.notify_waiters();
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.settle(|book, leaves, pass| pass.give_back(book, leaves));
    }
}
