//! Which key an attempt takes, or why it has to wait.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::book::Book;
use super::desk::{Desk, Place};
use super::obstacles::{Obstacles, Resting, SOON, is_free, resting, spent_words};
use super::{Ask, Rest};
use crate::config::KeyOrder;
use crate::retry::Class;
use crate::retry::breaker::Leave;
use crate::retry::gate::Passage;
use crate::retry::quota::{Left, Spent};

/// Between two attempts that are sent although a candidate rests.
const INSISTENCE: Duration = Duration::from_secs(1);

/// What follows for a request that wants to send an attempt.
#[derive(Debug)]
pub(super) enum Step {
    Pass(Granted),
    /// Somebody else is to be asked meanwhile.
    Rest(Rest),
    /// Its turn will come.
    Wait(Rest),
}

/// What an attempt holds while it is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Granted {
    pub(super) key: usize,
    pub(super) leaves: Leaves,
    pub(super) passage: Passage,
    pub(super) left: Left,
}

/// For each thing that can rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaves {
    pub(super) seat: Leave,
    pub(super) key: Leave,
    pub(super) free: Option<Leave>,
}

/// How a key stands, best first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It can be taken.
    Clear,
    /// It can be waited for, so long.
    Busy(Duration),
}

impl Desk {
    /// Lets the request of `ask` pass, or gives it a place in line.
    pub(super) fn step(&self, ask: &Ask<'_>, place: &mut Place<'_>, wall: SystemTime) -> Step {
        let mut book = self.lock();
        let now = self.now();
        let key = match self.choose(&mut book, ask, place, now, wall) {
            Ok(key) => key,
            Err(rest) => {
                place.leave(&mut book);
                return Step::Rest(rest);
            }
        };
        let standing = place.before(key, &mut book);
        let ahead = ahead(&book, key, standing.line);
        if let Some(spent) = spent(&book, key, ahead, now, wall) {
            let rest = Rest {
                until: self.instant(now + spent.wait),
                why: spent_words(spent),
                class: Class::RateLimited,
            };
            if rest.until > ask.patience {
                place.leave(&mut book);
                return Step::Rest(rest);
            }
            standing.line.get_or_insert_with(|| book.keys[key].line.join());
            return Step::Wait(rest);
        }
        let model = &ask.candidate.model;
        let gate = &mut book.seat(model, key).gate;
        let ticket = *standing.gate.get_or_insert_with(|| gate.arrive());
        if let Err(soonest) = gate.ready(ticket, ask.request, now) {
            let why = match gate.waiting() {
                1 => "has 1 request waiting after a 429".to_owned(),
                waiting => format!("has {waiting} requests waiting after a 429"),
            };
            let until = self.instant(soonest.unwrap_or(now + SOON));
            return Step::Wait(Rest { until, why, class: Class::RateLimited });
        }
        let passage = gate.pass(ticket, ask.request, now);
        let waited = !gate.is_open() || standing.line.is_some();
        standing.gate = None;
        let granted = self.grant(&mut book, ask, key, passage, now, wall);
        place.leave(&mut book);
        if waited {
            self.changed.notify_waiters();
        }
        Step::Pass(granted)
    }

    /// The key that an attempt takes or waits for.
    fn choose(
        &self,
        book: &mut Book,
        ask: &Ask<'_>,
        place: &Place<'_>,
        now: Duration,
        wall: SystemTime,
    ) -> Result<usize, Rest> {
        let count = book.keys.len();
        let first = match self.order {
            KeyOrder::RoundRobin => book.turn,
            KeyOrder::InOrder => 0,
        };
        let mut best = None;
        let mut obstacles = Obstacles::default();
        for key in (0..count).map(|offset| (first + offset) % count) {
            if ask.tried.contains(&key) {
                obstacles.tried += 1;
                continue;
            }
            if !ask.spends_quota && (book.quota.is_limited() || book.keys[key].quota.is_limited()) {
                obstacles.limited += 1;
                continue;
            }
            let rest =
                if ask.cooldown.enabled { resting(book, &ask.candidate.model, key, now) } else { None };
            let rest = match rest {
                Some(rest) if !ask.own => {
                    obstacles.rests(rest);
                    continue;
                }
                rest => rest.map(|Resting { whole_key, until, .. }| (whole_key, until)),
            };
            let standing = place.at.filter(|standing| standing.key == key);
            let ahead = ahead(book, key, standing.and_then(|standing| standing.line));
            let rank = match spent(book, key, ahead, now, wall) {
                Some(spent) => Rank::Busy(spent.wait),
                None if book.seat(&ask.candidate.model, key).gate.is_open() => Rank::Clear,
                None => Rank::Busy(Duration::ZERO),
            };
            // Of keys that are alike, whoever waits stays where they are.
            let rank = (rest, rank, standing.is_none());
            if best.as_ref().is_none_or(|(other, _)| rank < *other) {
                best = Some((rank, key));
            }
        }
        best.map(|(_, key)| key).ok_or_else(|| obstacles.into_rest(self, count, now))
    }

    /// Takes whatever the attempt needs of `key`.
    fn grant(
        &self,
        book: &mut Book,
        ask: &Ask<'_>,
        key: usize,
        passage: Passage,
        now: Duration,
        wall: SystemTime,
    ) -> Granted {
        let model = &ask.candidate.model;
        let seat = book.seat(model, key);
        seat.under_way += 1;
        let seat = seat.breaker.enter(now);
        let account = &mut book.keys[key];
        let leaves = Leaves {
            seat,
            key: account.breaker.enter(now),
            free: is_free(model).then(|| account.free.enter(now)),
        };
        account.quota.take(now, wall);
        let left = account.quota.left(now, wall);
        book.quota.take(now, wall);
        let left = left.min(book.quota.left(now, wall));
        if self.order == KeyOrder::RoundRobin {
            book.turn = (key + 1) % book.keys.len();
        }
        Granted { key, leaves, passage, left }
    }

    /// Whether an attempt was sent within the last second although `model` rests.
    pub(super) fn has_insisted(&self, model: &Arc<str>) -> bool {
        let now = self.now();
        self.lock().model(model).insisted.is_some_and(|at| now < at + INSISTENCE)
    }

    /// Lets an attempt pass at the key whose rest ends first, if none has for a second.
    pub(super) fn insist(&self, ask: &Ask<'_>, wall: SystemTime) -> Option<Granted> {
        let mut book = self.lock();
        let now = self.now();
        let model = &ask.candidate.model;
        if book.model(model).insisted.is_some_and(|at| now < at + INSISTENCE) {
            return None;
        }
        let within_quota =
            |book: &Book, key: &usize| spent(book, *key, book.keys[*key].line.len(), now, wall).is_none();
        let keys: Vec<usize> = (0..book.keys.len()).filter(|key| within_quota(&book, key)).collect();
        let soonest = |key: &usize| resting(&mut book, model, *key, now).map(|rest| rest.until);
        let key = keys.into_iter().min_by_key(soonest)?;
        book.model(model).insisted = Some(now);
        let passage = book.seat(model, key).gate.enter(ask.request);
        Some(self.grant(&mut book, ask, key, passage, now, wall))
    }

    /// Whether there is a key beside `key` and those in `tried` that does not rest (if rests count).
    pub(super) fn has_other_key(&self, model: &Arc<str>, key: usize, tried: &[usize], rests: bool) -> bool {
        let mut book = self.lock();
        let now = self.now();
        let mut others = (0..book.keys.len()).filter(|other| *other != key && !tried.contains(other));
        others.any(|other| !rests || resting(&mut book, model, other, now).is_none())
    }
}

/// How many stand in line for `key` before the holder of `ticket`, or in all.
fn ahead(book: &Book, key: usize, ticket: Option<u64>) -> usize {
    let line = &book.keys[key].line;
    ticket.and_then(|ticket| line.position(ticket)).unwrap_or_else(|| line.len())
}

/// Why the quotas of `key` and its provider have no place for one more, before which `ahead` others go.
fn spent(book: &Book, key: usize, ahead: usize, now: Duration, wall: SystemTime) -> Option<Spent> {
    let key = book.keys[key].quota.spent(ahead, now, wall);
    key.into_iter().chain(book.quota.spent(ahead, now, wall)).max_by_key(|spent| spent.wait)
}
