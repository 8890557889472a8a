//! Why a candidate is to be left alone, and for how long, in words.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Rest;
use super::book::Book;
use super::desk::Desk;
use crate::retry::Class;
use crate::retry::breaker::{Breaker, Standing, Why};
use crate::retry::quota::Spent;
use crate::retry::rate_limits::Per;

/// When to look again where somebody else's attempt decides, unless news comes first.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// Where asking again does not help for now.
const NEVER: Duration = Duration::from_hours(24);

/// A rest that stands in the way of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resting {
    /// Whether it is the key that rests, not only the model under it.
    pub(super) whole_key: bool,
    pub(super) until: Duration,
    /// What comes before `why` where it is said of the candidate: nothing, or its key.
    subject: &'static str,
    why: String,
    class: Class,
}

/// Whether `model` costs nothing.
pub(super) fn is_free(model: &str) -> bool {
    model.ends_with(":free")
}

/// The longest rest that keeps an attempt from asking `model` under `key`.
pub(super) fn resting(book: &mut Book, model: &Arc<str>, key: usize, now: Duration) -> Option<Resting> {
    let seat = rest_of(&book.seat(model, key).breaker, now);
    let account = &book.keys[key];
    let of_key = |subject| move |rest| Resting { whole_key: true, subject, ..rest };
    let whole = rest_of(&account.breaker, now).map(of_key("has a key that "));
    let free = if is_free(model) { rest_of(&account.free, now) } else { None };
    let free = free.map(of_key("has a key for free models that "));
    seat.into_iter().chain(whole).chain(free).max_by_key(|rest| rest.until)
}

fn rest_of(breaker: &Breaker, now: Duration) -> Option<Resting> {
    let (until, why) = match breaker.standing(now) {
        Standing::Ready => return None,
        Standing::Probing => (now + SOON, "is being tried by another request after a rest".to_owned()),
        Standing::Resting { until, why: Why::Failures(1) } => (until, "rests after a failure".to_owned()),
        Standing::Resting { until, why: Why::Failures(failures) } => {
            (until, format!("rests after {failures} failures"))
        }
        Standing::Resting { until, why: Why::Asked } => (until, "rests as the provider asked".to_owned()),
        Standing::Resting { until, why: Why::Named } => {
            (until, "rests as the provider refused it".to_owned())
        }
    };
    let class = if breaker.is_rate_limited() { Class::RateLimited } else { Class::Overloaded };
    Some(Resting { whole_key: false, until, subject: "", why, class })
}

/// What is said at `wall` of a quota that has no place.
pub(super) fn spent_words(spent: Spent, wall: SystemTime) -> String {
    match spent.per {
        Per::Minute => format!("has spent its quota ({} a minute)", spent.limit),
        Per::Day => {
            let until = (wall + spent.wait).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let minutes = until.as_secs() / 60;
            let (hour, minute) = (minutes / 60 % 24, minutes % 60);
            format!("has spent its quota ({} a day) until {hour:02}:{minute:02} UTC", spent.limit)
        }
    }
}

/// Why no key can be taken.
#[derive(Debug, Default)]
pub(super) struct Obstacles {
    /// Keys that were tried already.
    pub(super) tried: usize,
    /// Keys with a quota that is not to be spent.
    pub(super) limited: usize,
    resting: usize,
    soonest: Option<Resting>,
}

impl Obstacles {
    /// A key cannot be taken for `rest`.
    pub(super) fn rests(&mut self, rest: Resting) {
        self.resting += 1;
        if self.soonest.as_ref().is_none_or(|soonest| rest.until < soonest.until) {
            self.soonest = Some(rest);
        }
    }

    /// What follows if none of so many keys can be taken.
    pub(super) fn into_rest(self, desk: &Desk, keys: usize, now: Duration) -> Rest {
        let until = self.soonest.as_ref().map_or(now + NEVER, |soonest| soonest.until);
        let mut parts = Vec::new();
        if self.tried > 0 {
            parts.push(format!("{} tried", self.tried));
        }
        if self.limited > 0 {
            parts.push(format!("{} with a quota to be spared", self.limited));
        }
        let class = self.soonest.as_ref().map_or(Class::RateLimited, |soonest| soonest.class);
        if let Some(Resting { why, .. }) = &self.soonest {
            parts.push(match self.resting {
                1 => format!("1 resting (it {why})"),
                resting => format!("{resting} resting (the first one {why})"),
            });
        }
        let why = match self.soonest {
            Some(Resting { subject, why, .. }) if keys == 1 => format!("{subject}{why}"),
            _ => format!("has no key left: {}", parts.join(", ")),
        };
        Rest { until: desk.instant(until), why, class, queue: false }
    }
}
