//! The requests of a day.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use super::LONGEST_MINUTE;

const DAY: Duration = Duration::from_hours(24);

/// Two reports that mean the same moment may differ by this much: they are rounded, and under way for a while.
const SLACK: Duration = Duration::from_mins(1);

/// Never more than a number of requests in a day of UTC, or in the provider's own where it says when that ends.
#[derive(Debug, Clone)]
pub struct Ledger {
    limit: u32,
    /// Which day it is, counted from 1970.
    day: u64,
    spent: u32,
    /// Counts how often it began anew.
    pages: u64,
    /// What the provider says.
    learned: Option<Learned>,
}

#[derive(Debug, Clone, Copy)]
struct Learned {
    left: u32,
    until: SystemTime,
    /// Whether its day ends then. A sooner reset gives back a part of the day's requests, nobody knows how many.
    ends_day: bool,
}

/// One request that was counted.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    page: u64,
    /// Which of the provider's reports it was taken off, too.
    learned: Option<SystemTime>,
}

impl Ledger {
    /// A ledger of which nothing is spent.
    pub fn new(limit: NonZeroU32) -> Self {
        Self { limit: limit.get(), day: 0, spent: 0, pages: 0, learned: None }
    }

    /// The requests that it allows in a day.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// How long until the next request fits, before which `ahead` others go; zero if it does already.
    pub fn wait(&self, ahead: usize, wall: SystemTime) -> Duration {
        let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
        let page = self.page(wall);
        let midnight = SystemTime::UNIX_EPOCH + DAY * u32::try_from(page.day + 1).unwrap_or(u32::MAX);
        let learned = page.learned.filter(|learned| learned.left <= ahead).map(|learned| learned.until);
        let own = (page.limit.saturating_sub(page.spent) <= ahead).then(|| {
            // Where the provider says when its day ends, that is when ours does.
            let end = page.learned.filter(|learned| learned.ends_day);
            end.map_or(midnight, |learned| learned.until.min(midnight))
        });
        let fits = learned.into_iter().chain(own).max();
        fits.and_then(|fits| fits.duration_since(wall).ok()).unwrap_or_default()
    }

    /// Counts one request.
    pub fn take(&mut self, wall: SystemTime) -> Counted {
        *self = self.page(wall);
        self.spent = self.spent.saturating_add(1);
        if let Some(learned) = &mut self.learned {
            learned.left = learned.left.saturating_sub(1);
        }
        Counted { page: self.pages, learned: self.learned.map(|learned| learned.until) }
    }

    /// Counts a request no longer, as the provider never saw it.
    pub fn give_back(&mut self, counted: Counted) {
        if counted.page != self.pages {
            return;
        }
        self.spent = self.spent.saturating_sub(1);
        if let Some(learned) = &mut self.learned
            && counted.learned == Some(learned.until)
        {
            learned.left += 1;
        }
    }

    /// How many requests are left today.
    pub fn left(&self, wall: SystemTime) -> u32 {
        let page = self.page(wall);
        let left = page.limit.saturating_sub(page.spent);
        page.learned.map_or(left, |learned| learned.left.min(left))
    }

    /// Believes that no more than `remaining` are left until `reset` has passed (midnight unless known).
    pub fn learn(&mut self, remaining: u32, reset: Option<Duration>, wall: SystemTime) {
        *self = self.page(wall);
        if remaining < self.left(wall) {
            let reset = reset.unwrap_or_else(|| DAY.saturating_sub(since_midnight(wall)));
            // In its last hour the end of a day is known from a report that came before.
            let end = self.learned.filter(|learned| learned.ends_day).map(|learned| learned.until);
            self.learned = wall.checked_add(reset).map(|until| Learned {
                left: remaining,
                until,
                ends_day: reset > LONGEST_MINUTE || end.is_some_and(|end| until + SLACK >= end),
            });
        }
    }

    /// The ledger as it is at `wall`: a new day begins a new page, ours or the provider's. A clock that is
    /// set back does not.
    fn page(&self, wall: SystemTime) -> Self {
        let mut page = self.clone();
        let today = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / DAY.as_secs();
        if today > page.day {
            page.day = today;
            page.spent = 0;
            page.pages += 1;
        }
        if let Some(over) = page.learned.filter(|learned| wall >= learned.until) {
            page.learned = None;
            if over.ends_day {
                page.spent = 0;
                page.pages += 1;
            }
        }
        page
    }
}

fn since_midnight(wall: SystemTime) -> Duration {
    let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(since.as_secs() % DAY.as_secs())
}
