//! Fault → verdict → step: what an attempt's failure means and what follows from it.
//!
//! Nothing here reads a clock, waits, logs or draws randomness of its own.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

pub mod breaker;
pub mod classify;
pub mod deciding;
pub mod fault;
pub mod gate;
pub mod line;
pub mod patience;
pub mod play;
pub mod pooled;
pub mod quota;
pub mod rate_limits;
pub mod retry_after;
pub mod schedule;
mod words;

pub use breaker::Cooldown;
pub use deciding::Deciding;
pub use fault::{Class, Covers, Fault, Phase};
pub use patience::Growth;
pub use quota::Quota;
pub use words::Words;

/// What a fault means for the candidate that caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same candidate again, on schedule, but not before `after` has passed.
    Retry {
        /// The provider's own wish, counted from the moment the attempt failed.
        after: Option<Duration>,
    },
    /// Another candidate is likelier; this one is visited again later.
    Next {
        /// As in `Retry`.
        after: Option<Duration>,
    },
    /// This candidate will never answer this request.
    Drop,
    /// No candidate will.
    Reject,
}

/// A verdict without its times, as a policy's `on` table spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// See [`Verdict::Retry`].
    Retry,
    /// See [`Verdict::Next`].
    Next,
    /// See [`Verdict::Drop`].
    Drop,
    /// See [`Verdict::Reject`].
    Reject,
}

/// How often, how densely and how long a candidate or a route is tried.
///
/// The defaults are those of the retry pipe for Open WebUI: 60 attempts over some minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Attempts in quick succession.
    pub attempts_per_burst: NonZeroU32,
    /// The wait between two attempts of a burst.
    pub attempt_delay: DelayRange,
    /// Bursts before the long pause.
    pub bursts_per_cycle: NonZeroU32,
    /// The wait between two bursts.
    pub burst_pause: DelayRange,
    /// Cycles in all.
    pub cycles: NonZeroU32,
    /// The wait between two cycles.
    pub cycle_pause: DelayRange,
    /// The time to the first payload, over all candidates; counts on the route only.
    pub deadline: Duration,
    /// The most attempts of one request, over all candidates; counts on the route only.
    pub max_attempts: Option<NonZeroU32>,
    /// The longest Retry-After that is waited for while another candidate is live.
    pub retry_after_cap: Duration,
    /// Whether an attempt that follows a failed one at the same candidate opens a connection.
    pub fresh_connections: bool,
    /// Rulings that replace those of the failure table.
    pub on: BTreeMap<Class, Ruling>,
}

impl Default for Policy {
    fn default() -> Self {
        let count = |value| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        Self {
            attempts_per_burst: count(10),
            attempt_delay: DelayRange::secs(2, 4),
            bursts_per_cycle: count(3),
            burst_pause: DelayRange::secs(15, 30),
            cycles: count(2),
            cycle_pause: DelayRange::secs(60, 60),
            deadline: Duration::from_mins(9),
            max_attempts: None,
            retry_after_cap: Duration::from_secs(10),
            fresh_connections: false,
            on: BTreeMap::new(),
        }
    }
}

impl Policy {
    /// The attempts of the whole schedule, before `max_attempts` and the deadline.
    pub fn attempts(&self) -> u32 {
        self.attempts_per_burst.saturating_mul(self.bursts_per_cycle).saturating_mul(self.cycles).get()
    }
}

/// A wait is drawn evenly from a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelayRange {
    min: Duration,
    max: Duration,
}

impl DelayRange {
    /// A range from `min` to `max`, or nothing if they stand the wrong way round.
    pub fn try_new(min: Duration, max: Duration) -> Option<Self> {
        (min <= max).then_some(Self { min, max })
    }

    const fn secs(min: u64, max: u64) -> Self {
        Self { min: Duration::from_secs(min), max: Duration::from_secs(max) }
    }

    /// The shortest wait.
    pub fn min(&self) -> Duration {
        self.min
    }

    /// The longest wait.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// The wait in the middle.
    pub fn mean(&self) -> Duration {
        (self.min + self.max) / 2
    }
}
