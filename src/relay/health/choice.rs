//! Which key an attempt takes, or why it has to wait.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::book::Book;
use super::desk::{Desk, Place, Standing};
use super::obstacles::{Obstacles, Resting, SOON, is_free, resting, spent_words};
use super::{Ask, Rest};
use crate::config::KeyOrder;
use crate::retry::Class;
use crate::retry::breaker::Leave;
use crate::retry::gate::Passage;
use crate::retry::line::Line;
use crate::retry::quota::{Counted, Left, Spent};

/// Between two attempts that are sent although a candidate rests.
const INSISTENCE: Duration = Duration::from_secs(1);

/// What follows for a request that wants to send an attempt.
#[derive(Debug)]
pub(super) enum Step {
    Pass(Granted),
    /// Somebody else is to be asked meanwhile.
    Rest(Rest),
    /// Its turn will come.
    Wait(Wait),
}

/// A place in line.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) rest: Rest,
    /// When to look again, if nothing changes before.
    pub(super) look: Instant,
    /// Until when it is worth it.
    pub(super) patience: Instant,
}

/// What an attempt holds while it is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Granted {
    /// When it begins.
    pub(super) at: Duration,
    pub(super) key: usize,
    pub(super) leaves: Leaves,
    pub(super) passage: Passage,
    pub(super) counted: Taken,
    pub(super) left: Left,
}

/// One request of the quotas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) key: Counted,
    pub(super) whole: Counted,
}

/// The key that an attempt takes or waits for.
#[derive(Debug, Clone, Copy)]
struct Chosen {
    key: usize,
    /// When another key may be the better choice.
    again: Option<Duration>,
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
    pub(super) fn step(&self, ask: &Ask<'_>, place: &mut Place<'_>) -> Step {
        let mut book = self.lock();
        let (now, wall) = (self.now(), self.wall());
        let Chosen { key, again } = match self.choose(&mut book, ask, place, now, wall) {
            Ok(chosen) => chosen,
            Err(rest) => {
                place.leave(&mut book);
                return Step::Rest(rest);
            }
        };
        // A rest may be over before a turn comes.
        let look = |until: Instant| again.map_or(until, |again| until.min(self.instant(again)));
        let standing = place.before(key, &mut book);
        let spent = Shortage::of(&book, key, Some(*standing), now, wall);
        if let Some(longest) = spent.longest() {
            let turn = self.instant(now + longest.wait);
            let until = look(turn);
            let rest = Rest {
                until,
                why: spent_words(longest, wall),
                class: Class::RateLimited,
                queue: until == turn,
            };
            if until > ask.quota_patience {
                place.leave(&mut book);
                return Step::Rest(rest);
            }
            if spent.key.is_some() {
                standing.line.get_or_insert_with(|| book.keys[key].line.join());
            }
            if spent.whole.is_some() {
                standing.whole.get_or_insert_with(|| book.line.join());
            }
            return Step::Wait(Wait { look: until, rest, patience: ask.quota_patience });
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
            let rest = Rest { until, why, class: Class::RateLimited, queue: false };
            // Who waits for one model's gate does not hold up those who ask for another one.
            if place.leave_quota(&mut book) {
                self.changed.notify_waiters();
            }
            return Step::Wait(Wait { look: look(until), rest, patience: ask.patience });
        }
        let passage = gate.pass(ticket, ask.request, now);
        let waited = !gate.is_open();
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
    ) -> Result<Chosen, Rest> {
        let count = book.keys.len();
        let first = match self.order {
            KeyOrder::RoundRobin => book.turn,
            KeyOrder::InOrder => 0,
        };
        let mut best = None;
        let mut again: Option<Duration> = None;
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
            if let Some(rest) = &rest {
                again = Some(again.map_or(rest.until, |soonest| soonest.min(rest.until)));
            }
            let rest = match rest {
                Some(rest) if !ask.own => {
                    obstacles.rests(rest);
                    continue;
                }
                rest => rest.map(|Resting { whole_key, until, .. }| (whole_key, until)),
            };
            let standing = place.at.filter(|standing| standing.key == key);
            let rank = match Shortage::of(book, key, standing, now, wall).longest() {
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
        best.map(|(_, key)| Chosen { key, again }).ok_or_else(|| obstacles.into_rest(self, count, now))
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
        let counted = book.count(key, now, wall);
        let left = book.left(key, now, wall);
        if self.order == KeyOrder::RoundRobin {
            book.turn = (key + 1) % book.keys.len();
        }
        Granted { at: now, key, leaves, passage, counted, left }
    }

    /// Whether an attempt was sent within the last second although `model` rests.
    pub(super) fn has_insisted(&self, model: &Arc<str>) -> bool {
        let now = self.now();
        self.lock().model(model).insisted.is_some_and(|at| now < at + INSISTENCE)
    }

    /// Lets an attempt pass at the key whose rest ends first, if none has for a second.
    pub(super) fn insist(&self, ask: &Ask<'_>) -> Option<Granted> {
        let mut book = self.lock();
        let (now, wall) = (self.now(), self.wall());
        let model = &ask.candidate.model;
        if book.model(model).insisted.is_some_and(|at| now < at + INSISTENCE) {
            return None;
        }
        let within_quota =
            |book: &Book, key: &usize| Shortage::of(book, *key, None, now, wall).longest().is_none();
        let keys: Vec<usize> =
            (0..book.keys.len()).filter(|key| !ask.tried.contains(key) && within_quota(&book, key)).collect();
        let soonest = |key: &usize| resting(&mut book, model, *key, now).map(|rest| rest.until);
        let key = keys.into_iter().min_by_key(soonest)?;
        book.model(model).insisted = Some(now);
        let passage = book.seat(model, key).gate.enter(ask.request);
        Some(self.grant(&mut book, ask, key, passage, now, wall))
    }
}

/// Which quotas have no place for one more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shortage {
    key: Option<Spent>,
    whole: Option<Spent>,
}

impl Shortage {
    /// The quotas of `key` and of its provider, for whoever stands so, or comes last.
    pub(super) fn of(
        book: &Book,
        key: usize,
        standing: Option<Standing>,
        now: Duration,
        wall: SystemTime,
    ) -> Self {
        let ahead = |line: &Line, ticket: Option<u64>| {
            ticket.and_then(|ticket| line.position(ticket)).unwrap_or_else(|| line.len())
        };
        let account = &book.keys[key];
        let of_key = ahead(&account.line, standing.and_then(|standing| standing.line));
        let of_whole = ahead(&book.line, standing.and_then(|standing| standing.whole));
        Self { key: account.quota.spent(of_key, now, wall), whole: book.quota.spent(of_whole, now, wall) }
    }

    /// The one that is over last.
    pub(super) fn longest(self) -> Option<Spent> {
        self.key.into_iter().chain(self.whole).max_by_key(|spent| spent.wait)
    }
}
