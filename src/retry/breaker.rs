//! When a candidate that keeps failing is left alone, and how it comes back.
//!
//! Times are durations since some moment of the caller's choice; the jitter is drawn by the caller.

use std::num::NonZeroU32;
use std::time::Duration;

use super::Class;

/// Nothing rests longer than this, whatever a provider asks for: a wish may be a mistake.
const LONGEST_REST: Duration = Duration::from_hours(24);

/// What has been quiet for so long is as good as new.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(1);

/// A rest is drawn out by up to this part of it, so that not everything comes back at once.
const JITTER: f64 = 0.1;

/// When and for how long a candidate rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooldown {
    /// Whether it ever does.
    pub enabled: bool,
    /// Failures in a row, over all requests, after which it rests.
    pub failures: NonZeroU32,
    /// The first rest; each further one is twice as long.
    pub rest: Duration,
    /// The longest rest, unless the provider itself asks for a longer one.
    pub rest_max: Duration,
}

impl Default for Cooldown {
    fn default() -> Self {
        Self {
            enabled: true,
            failures: NonZeroU32::new(5).unwrap_or(NonZeroU32::MIN),
            rest: Duration::from_secs(2),
            rest_max: Duration::from_secs(12),
        }
    }
}

impl Cooldown {
    /// The rest after `before` others without a good answer between them; `jitter` is drawn from 0 to 1.
    fn rest_after(&self, before: u32, jitter: f64) -> Duration {
        let grown = self.rest.saturating_mul(2u32.saturating_pow(before));
        let room_for_jitter = self.rest_max.div_f64(1.0 + JITTER);
        grown.min(room_for_jitter).mul_f64(1.0 + JITTER * jitter.clamp(0.0, 1.0)).min(self.rest_max)
    }
}

/// Whether a failure of `class` is held against whoever was asked. What is wrong with the request
/// itself says nothing about them.
pub fn blames(class: Class) -> bool {
    !matches!(class, Class::BadRequest | Class::ContextLength | Class::ContentPolicy | Class::Unsupported)
}

/// Whether one candidate or key rests, from the outcomes of the attempts that it was asked for.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    state: State,
    /// In a row, since an answer ended well.
    failures: u32,
    /// Rests since an answer ended well, but for those that were only asked for.
    rests: u32,
    /// Counts the beginnings and ends of rests.
    epoch: u64,
    /// The attempt that is finding out if the rest can end.
    probe: Option<Probe>,
    /// How many there were.
    probes: u64,
    /// How long one may stay silent before another one takes its place.
    patience: Duration,
    /// Whether what began the rest was a 429 of some kind.
    rate_limited: bool,
    /// When there was evidence for the last time.
    touched: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Probe {
    number: u64,
    /// When its place is free, though it has not ended.
    until: Duration,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Resting {
        until: Duration,
        why: Why,
    },
}

/// Why something rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// So many failures in a row.
    Failures(u32),
    /// The provider asked to be left alone.
    Asked,
    /// The provider named it: a key that it refuses, a quota that is spent.
    Named,
}

/// Whether an attempt may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may; after a rest it is the probe.
    Ready,
    /// Not before `until`.
    Resting {
        /// When the first probe may be sent.
        until: Duration,
        /// What began the rest.
        why: Why,
    },
    /// The rest is over, and the one probe that finds out is under way.
    Probing,
}

/// What an attempt holds while it is under way; given back by one of the methods that end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leave {
    epoch: u64,
    /// The number of the probe that it is, if it is one.
    probe: Option<u64>,
}

/// What a failure says beyond itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The provider's wish for the next attempt.
    pub retry_after: Option<Duration>,
    /// Whether it names what it is about: one failure is then enough.
    pub named: bool,
    /// Whether the provider asks for fewer requests.
    pub rate_limited: bool,
}

impl Breaker {
    /// Whether an attempt may be sent at `now`.
    pub fn standing(&self, now: Duration) -> Standing {
        match self.state {
            State::Resting { until, why } if now < until => Standing::Resting { until, why },
            State::Resting { .. } if self.probe.is_some_and(|probe| now < probe.until) => Standing::Probing,
            State::Closed | State::Resting { .. } => Standing::Ready,
        }
    }

    /// Whether it rests, or last rested, because the provider asked for fewer requests.
    pub fn is_rate_limited(&self) -> bool {
        self.rate_limited
    }

    /// An attempt is sent at `now`, whatever the standing; it takes the place of the probe if that is free.
    ///
    /// A probe that says nothing for as long as the longest rest has lost its place: a provider may hang and
    /// come back long before the attempt gives up, and is to be found out within one rest.
    pub fn enter(&mut self, now: Duration) -> Leave {
        let is_probe = self.state != State::Closed && self.standing(now) == Standing::Ready;
        if is_probe {
            self.probes += 1;
            self.probe = Some(Probe { number: self.probes, until: now + self.patience });
        }
        Leave { epoch: self.epoch, probe: is_probe.then_some(self.probes) }
    }

    /// The first payload of an answer has come; says whether that ended a rest.
    ///
    /// A rest that the provider asked for is only ended by an attempt sent since: what was under way
    /// when it asked says nothing.
    pub fn opened(&mut self, leave: &mut Leave) -> bool {
        let ends = match self.state {
            State::Closed => false,
            State::Resting { why: Why::Failures(_), .. } => true,
            State::Resting { .. } if leave.epoch == self.epoch => true,
            State::Resting { .. } => return false,
        };
        if ends {
            self.state = State::Closed;
            self.probe = None;
            self.epoch += 1;
        }
        *leave = Leave { epoch: self.epoch, probe: None };
        ends
    }

    /// The answer ended well; says whether that ended a rest.
    ///
    /// The end of one that had opened before the last rest began or ended says nothing: who refuses new
    /// requests may well go on with the answers that are under way.
    pub fn finished(&mut self, mut leave: Leave) -> bool {
        if leave.epoch != self.epoch {
            return false;
        }
        self.failures = 0;
        self.rests = 0;
        self.opened(&mut leave)
    }

    /// The attempt ended and says nothing: a client that left, a request that was wrong.
    /// Says whether the place of the probe is free again.
    pub fn left(&mut self, leave: Leave) -> bool {
        let free = leave.epoch == self.epoch && self.is_probe(leave);
        if free {
            self.probe = None;
        }
        free
    }

    /// The attempt failed; gives the rest that began or grew longer, if one did.
    ///
    /// `jitter` is drawn evenly from 0 to 1. What was under way when a rest began or ended does not
    /// count; what the provider asks for always does.
    pub fn failed(
        &mut self,
        leave: Leave,
        evidence: Evidence,
        cooldown: &Cooldown,
        now: Duration,
        jitter: f64,
    ) -> Option<Duration> {
        let counts = leave.epoch == self.epoch;
        let probe = self.left(leave);
        self.touched = now;
        if counts {
            self.failures = self.failures.saturating_add(1);
        }
        let grown = match self.state {
            State::Closed => counts && (evidence.named || self.failures >= cooldown.failures.get()),
            State::Resting { .. } => probe,
        };
        let asked = evidence.retry_after.unwrap_or_default().min(LONGEST_REST);
        let earned = if grown { cooldown.rest_after(self.rests, jitter) } else { Duration::ZERO };
        let length = asked.max(earned);
        let until = now + length;
        let longer = match self.state {
            State::Closed => !length.is_zero(),
            State::Resting { until: before, .. } => until > before.max(now),
        };
        if !longer {
            return None;
        }
        let why = match evidence.named {
            true => Why::Named,
            false if asked > earned => Why::Asked,
            false => Why::Failures(self.failures),
        };
        // A longer wish within a rest is no new rest: the probe that may be under way stays the probe.
        if grown || self.state == State::Closed {
            self.epoch += 1;
            self.probe = None;
        }
        self.patience = cooldown.rest_max;
        self.rests = self.rests.saturating_add(u32::from(grown));
        self.state = State::Resting { until, why };
        self.rate_limited = evidence.rate_limited;
        Some(length)
    }

    /// Whether `leave` holds the place of the probe.
    fn is_probe(&self, leave: Leave) -> bool {
        leave.probe.is_some() && self.probe.map(|probe| probe.number) == leave.probe
    }

    /// Whether nothing would be lost by forgetting it, now that nothing of it is under way.
    pub fn forgettable(&self, now: Duration) -> bool {
        let untouched = self.failures == 0 && self.rests == 0 && self.state == State::Closed;
        let over = match self.state {
            State::Closed => self.touched,
            State::Resting { until, .. } => until,
        };
        untouched || now >= over + FORGOTTEN_AFTER
    }
}

#[cfg(test)]
mod tests;
