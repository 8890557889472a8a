//! What a schedule says.

use std::time::Duration;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Wait, then send an attempt.
    Send(Send),
    /// No attempt follows.
    Stop(Stop),
}

/// One attempt to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Send {
    /// Its position in the chain.
    pub candidate: usize,
    /// The number of the attempt within the request, from 1.
    pub number: u32,
    /// How long to wait before it; zero if it follows at once.
    pub wait: Duration,
    /// Why there is a wait.
    pub gap: Gap,
    /// When the attempt must have opened, counted from the beginning of the request.
    pub until: Duration,
}

/// What lies between two attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// The first attempt of the request, or one that follows a move down the chain at once.
    None,
    /// The delay between two attempts of a burst.
    Attempt,
    /// A burst is over.
    Burst {
        /// Which one of its cycle, from 1.
        completed: u32,
        /// Bursts in a cycle.
        of: u32,
    },
    /// A cycle is over.
    Cycle {
        /// Which one, from 1.
        completed: u32,
        /// Cycles in all.
        of: u32,
    },
    /// Every candidate had its turn; the chain begins again.
    Lap,
    /// The provider asked for a longer wait than the schedule had.
    RetryAfter,
    /// Every candidate that is left rests, as other requests have found out.
    Rest,
}

/// Why no attempt follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// The reason.
    pub reason: StopReason,
    /// When a candidate that could still answer may be asked again, counted from now.
    pub retry_after: Option<Duration>,
}

/// See [`Stop`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// A verdict said that no candidate will answer.
    Rejected,
    /// Every candidate was dropped.
    NoCandidateLeft,
    /// The schedule or `max_attempts` is used up.
    AttemptsExhausted,
    /// The next wait would pass the deadline.
    Deadline,
    /// Everybody who is left rests, and nobody waits for the answer.
    Resting,
}
