//! How many requests a provider or a key allows, and when the next one fits.
//!
//! Minutes are measured from some moment of the caller's choice, days by the wall clock; both are
//! arguments.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use super::rate_limits::{Per, Report};

mod bucket;
mod ledger;

pub use bucket::Bucket;
pub use ledger::Ledger;

/// A limit that is given back later than this is not one of minutes.
const LONGEST_MINUTE: Duration = Duration::from_hours(1);

/// The requests that a provider or a key allows; without a number there is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// In any 60 seconds.
    pub requests_per_minute: Option<NonZeroU32>,
    /// In a day of UTC.
    pub requests_per_day: Option<NonZeroU32>,
}

impl Quota {
    /// Whether there is no limit at all.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

/// The requests that are left; nothing where there is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// Right now, of those in a minute.
    pub minute: Option<u32>,
    /// Of those in a day.
    pub day: Option<u32>,
}

impl Left {
    /// What is left where both limits hold.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        let lower = |one: Option<u32>, other: Option<u32>| one.into_iter().chain(other).min();
        Self { minute: lower(self.minute, other.minute), day: lower(self.day, other.day) }
    }

    /// The lower one of the two, if there is any.
    pub fn lowest(self) -> Option<u32> {
        self.minute.into_iter().chain(self.day).min()
    }
}

/// Why a request does not fit yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// How long until it does.
    pub wait: Duration,
    /// The requests that are allowed.
    pub limit: u32,
    /// In which time.
    pub per: Per,
}

/// One request that was counted, by which it can be given back.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    minute: Option<bucket::Counted>,
    day: Option<ledger::Counted>,
}

/// The requests that went out under a [`Quota`].
#[derive(Debug, Clone)]
pub struct Account {
    minute: Option<Bucket>,
    day: Option<Ledger>,
}

impl Account {
    /// An account of which nothing is spent.
    pub fn new(quota: Quota) -> Self {
        Self {
            minute: quota.requests_per_minute.map(Bucket::new),
            day: quota.requests_per_day.map(Ledger::new),
        }
    }

    /// Whether it has a limit.
    pub fn is_limited(&self) -> bool {
        self.minute.is_some() || self.day.is_some()
    }

    /// Why a request does not fit yet, before which `ahead` others go; nothing if it fits.
    pub fn spent(&self, ahead: usize, now: Duration, wall: SystemTime) -> Option<Spent> {
        let minute = self.minute.as_ref().map(|bucket| {
            let wait = bucket.next(ahead, now).saturating_sub(now);
            Spent { wait, limit: bucket.limit(), per: Per::Minute }
        });
        let day = self.day.as_ref().map(|ledger| {
            let wait = ledger.wait(ahead, wall);
            Spent { wait, limit: ledger.limit(), per: Per::Day }
        });
        minute.into_iter().chain(day).filter(|spent| !spent.wait.is_zero()).max_by_key(|spent| spent.wait)
    }

    /// Counts one request that goes out now.
    pub fn take(&mut self, now: Duration, wall: SystemTime) -> Counted {
        Counted {
            minute: self.minute.as_mut().map(|bucket| bucket.take(now)),
            day: self.day.as_mut().map(|ledger| ledger.take(wall)),
        }
    }

    /// Counts a request no longer, as the provider never saw it.
    pub fn give_back(&mut self, counted: Counted) {
        if let (Some(bucket), Some(counted)) = (&mut self.minute, counted.minute) {
            bucket.give_back(counted);
        }
        if let (Some(ledger), Some(counted)) = (&mut self.day, counted.day) {
            ledger.give_back(counted);
        }
    }

    /// What is left.
    pub fn left(&self, now: Duration, wall: SystemTime) -> Left {
        Left {
            minute: self.minute.as_ref().map(|bucket| bucket.left(now)),
            day: self.day.as_ref().map(|ledger| ledger.left(wall)),
        }
    }

    /// Believes the provider where it says that less is left; more is only left after its reset.
    ///
    /// A report that does not say of which time it speaks is known by its limit, else by its reset:
    /// one that is more than an hour away ends a day.
    pub fn learn(&mut self, report: &Report, now: Duration, wall: SystemTime) {
        let is_limit = |limit: Option<u32>| limit.is_some() && limit == report.limit;
        let per = report.per.unwrap_or_else(|| {
            if is_limit(self.minute.as_ref().map(Bucket::limit)) {
                Per::Minute
            } else if is_limit(self.day.as_ref().map(Ledger::limit))
                || report.reset.is_some_and(|reset| reset > LONGEST_MINUTE)
            {
                Per::Day
            } else {
                Per::Minute
            }
        });
        match (per, &mut self.minute, &mut self.day) {
            (Per::Minute, Some(bucket), _) => bucket.learn(report.remaining, report.reset, now),
            (Per::Day, _, Some(ledger)) => ledger.learn(report.remaining, report.reset, wall),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
