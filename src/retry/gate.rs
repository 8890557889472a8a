//! Who may ask a candidate that has said 429, so that those who wait for it do not storm it.
//!
//! The gate is open until the first 429. Then it is narrow: one attempt for every ten that wait, in
//! rounds, until an answer opens; from there on each first payload doubles how many may be in flight,
//! until nobody has to wait. Whoever was told 429 waits from then on, in a pause of their own or in the
//! line, until they have an answer or are [`gone`](Gate::gone).

use std::collections::BTreeSet;
use std::time::Duration;

use super::line::Line;

/// How often a narrow gate lets some through; the first time one round after the 429.
const ROUND: Duration = Duration::from_secs(2);

/// In a round, one in so many passes.
const ONE_IN: usize = 10;

/// The gate of one candidate. Callers are told apart by a number of their own.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    state: State,
    line: Line,
    /// Counts how often the gate became narrow.
    epoch: u64,
    /// Attempts under way that were sent in this epoch.
    in_flight: usize,
    /// Whoever was told 429 and still wants an answer.
    callers: BTreeSet<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    Narrow {
        since: Duration,
        /// The round in which somebody passed last, and how many did.
        round: u128,
        passed: usize,
    },
    Wide {
        /// How many may be in flight.
        width: usize,
    },
}

/// What an attempt holds that went through; given back by [`Gate::ended`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    epoch: u64,
    caller: u64,
}

impl Passage {
    /// Whose it is.
    pub fn caller(self) -> u64 {
        self.caller
    }
}

impl Gate {
    /// Whether whoever comes passes at once.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.line.len()
    }

    /// Somebody comes to wait; gives their ticket.
    pub fn arrive(&mut self) -> u64 {
        self.line.join()
    }

    /// Whether the holder of `ticket`, who is `caller`, may pass now.
    ///
    /// # Errors
    ///
    /// When they may at the soonest, if only time decides.
    pub fn ready(&self, ticket: u64, caller: u64, now: Duration) -> Result<(), Option<Duration>> {
        let position = self.line.position(ticket).ok_or(None)?;
        match self.state {
            State::Open => Ok(()),
            State::Wide { width } if position < width.saturating_sub(self.in_flight) => Ok(()),
            State::Wide { .. } => Err(None),
            State::Narrow { .. } if self.is_alone(caller) => Ok(()),
            State::Narrow { since, round: last, passed } => {
                let round = round(since, now);
                let passed = if round == last { passed } else { 0 };
                let waiting = self.callers.len().max(self.line.len() + passed);
                let places = waiting.div_ceil(ONE_IN).saturating_sub(passed);
                if round > 0 && position < places {
                    return Ok(());
                }
                let rounds = u32::try_from(round + 1).unwrap_or(u32::MAX);
                Err(Some(since + ROUND.saturating_mul(rounds)))
            }
        }
    }

    /// A lone caller keeps to a schedule of its own.
    fn is_alone(&self, caller: u64) -> bool {
        self.line.len() == 1 && self.in_flight == 0 && self.callers.iter().all(|other| *other == caller)
    }

    /// The holder of `ticket`, who is `caller`, goes through.
    pub fn pass(&mut self, ticket: u64, caller: u64, now: Duration) -> Passage {
        self.line.leave(ticket);
        if let State::Narrow { since, round: last, passed } = &mut self.state {
            let round = round(*since, now);
            *passed = if round == *last { *passed + 1 } else { 1 };
            *last = round;
        }
        self.enter(caller)
    }

    /// `caller` goes through without having waited.
    pub fn enter(&mut self, caller: u64) -> Passage {
        self.in_flight += 1;
        self.settle();
        Passage { epoch: self.epoch, caller }
    }

    /// The holder of `ticket` waits no longer.
    pub fn leave(&mut self, ticket: u64) {
        self.line.leave(ticket);
        self.settle();
    }

    /// The provider said 429 to the attempt of `passage`. What was under way when it said so for the
    /// first time does not count. Says whether its caller waits only since now, and so has yet to be said
    /// [`gone`](Self::gone).
    pub fn rate_limited(&mut self, passage: Passage, now: Duration) -> bool {
        let is_new = self.callers.insert(passage.caller);
        if passage.epoch == self.epoch && !matches!(self.state, State::Narrow { .. }) {
            self.state = State::Narrow { since: now, round: 0, passed: 0 };
            self.epoch += 1;
            self.in_flight = 0;
        }
        is_new
    }

    /// The attempt of `passage` has got its first payload; says whether more may pass for it.
    pub fn opened(&mut self, passage: Passage) -> bool {
        self.callers.remove(&passage.caller);
        if passage.epoch != self.epoch || self.is_open() {
            return false;
        }
        let before = match self.state {
            State::Wide { width } => width,
            State::Open | State::Narrow { .. } => self.in_flight,
        };
        self.state = State::Wide { width: before.max(1).saturating_mul(2) };
        self.settle();
        true
    }

    /// The attempt of `passage` is over, one way or the other.
    pub fn ended(&mut self, passage: Passage) {
        if passage.epoch == self.epoch {
            self.in_flight = self.in_flight.saturating_sub(1);
            self.settle();
        }
    }

    /// `caller` wants no answer any more, or has one from elsewhere.
    pub fn gone(&mut self, caller: u64) {
        self.callers.remove(&caller);
        self.settle();
    }

    /// A gate that nobody needs is open.
    fn settle(&mut self) {
        let is_needed = match self.state {
            State::Open => false,
            State::Narrow { .. } => self.in_flight > 0 || !self.callers.is_empty(),
            State::Wide { width } => self.in_flight >= width,
        };
        if !is_needed && self.line.is_empty() {
            self.state = State::Open;
        }
    }

    /// Whether nothing would be lost by forgetting it, now that nothing of it is under way.
    pub fn forgettable(&self) -> bool {
        self.is_open() && self.line.is_empty() && self.callers.is_empty()
    }
}

fn round(since: Duration, now: Duration) -> u128 {
    now.saturating_sub(since).as_nanos() / ROUND.as_nanos()
}

#[cfg(test)]
mod tests;
