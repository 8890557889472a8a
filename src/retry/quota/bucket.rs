//! The requests of a minute.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

/// Never more than a number of requests in any 60 seconds.
#[derive(Debug, Clone)]
pub struct Bucket {
    limit: u32,
    /// When requests of the last minute went out.
    taken: VecDeque<Duration>,
    /// What the provider says.
    learned: Option<Learned>,
}

#[derive(Debug, Clone, Copy)]
struct Learned {
    left: u32,
    until: Duration,
}

/// One request that was counted.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    at: Duration,
    /// Which of the provider's reports it was taken off, too.
    learned: Option<Duration>,
}

impl Bucket {
    /// A bucket of which nothing is taken.
    pub fn new(limit: NonZeroU32) -> Self {
        Self { limit: limit.get(), taken: VecDeque::new(), learned: None }
    }

    /// The requests that it allows in a minute.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// When the next request fits, before which `ahead` others go; `now` if it does already.
    pub fn next(&self, ahead: usize, now: Duration) -> Duration {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let minutes = u32::try_from(ahead / limit).unwrap_or(u32::MAX);
        let place = ahead % limit;
        let over = self.over(now);
        // A request fits when the one that went out `limit` before it is a minute ago.
        let fits = match (self.taken.len() + place).checked_sub(limit) {
            Some(before) if before >= over => self.taken.get(before).map_or(now, |taken| *taken + MINUTE),
            _ => now,
        };
        let fits = fits + MINUTE.saturating_mul(minutes);
        match self.learned(now) {
            Some(Learned { left, until }) if ahead >= usize::try_from(left).unwrap_or(usize::MAX) => {
                fits.max(until)
            }
            _ => fits,
        }
    }

    /// Counts one request.
    pub fn take(&mut self, now: Duration) -> Counted {
        self.taken.drain(..self.over(now));
        self.taken.push_back(now);
        self.learned =
            self.learned(now).map(|learned| Learned { left: learned.left.saturating_sub(1), ..learned });
        Counted { at: now, learned: self.learned.map(|learned| learned.until) }
    }

    /// Counts a request no longer, as the provider never saw it.
    pub fn give_back(&mut self, counted: Counted) {
        if let Ok(index) = self.taken.binary_search(&counted.at) {
            self.taken.remove(index);
        }
        if let Some(learned) = &mut self.learned
            && counted.learned == Some(learned.until)
        {
            learned.left += 1;
        }
    }

    /// How many requests fit right now.
    pub fn left(&self, now: Duration) -> u32 {
        let taken = u32::try_from(self.taken.len() - self.over(now)).unwrap_or(u32::MAX);
        let left = self.limit.saturating_sub(taken);
        self.learned(now).map_or(left, |learned| learned.left.min(left))
    }

    /// Believes that no more than `remaining` are left until `reset` has passed (a minute unless known).
    pub fn learn(&mut self, remaining: u32, reset: Option<Duration>, now: Duration) {
        let until = now + reset.unwrap_or(MINUTE);
        // What is over already says nothing.
        if remaining < self.left(now) && until > now {
            self.learned = Some(Learned { left: remaining, until });
        }
    }

    /// What the provider said, as long as it holds.
    fn learned(&self, now: Duration) -> Option<Learned> {
        self.learned.filter(|learned| now < learned.until)
    }

    /// How many of the requests are a minute ago.
    fn over(&self, now: Duration) -> usize {
        self.taken.partition_point(|taken| *taken + MINUTE <= now)
    }
}
