//! The limits of an attempt, and how they grow.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::retry::{Class, Fault, Phase};
use crate::route::Timeouts;

/// A limit that passes again and again stops growing here: 60 s become a little over 17 h.
const MOST_DOUBLINGS: u32 = 10;

/// How often each limit of a candidate has been doubled.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Growth {
    connect: u32,
    first_byte: u32,
    first_token: u32,
}

impl Growth {
    /// Doubles the limit that `fault` met, for the next attempt.
    pub(super) fn after(&mut self, fault: &Fault) {
        if fault.class != Class::Timeout {
            return;
        }
        let doublings = match fault.phase {
            Phase::Connect => &mut self.connect,
            Phase::FirstByte => &mut self.first_byte,
            Phase::FirstToken | Phase::Stream => &mut self.first_token,
        };
        *doublings = (*doublings + 1).min(MOST_DOUBLINGS);
    }

    /// The limits of the next attempt, which must have opened by `until`.
    pub(super) fn limits(&self, timeouts: &Timeouts, stream: bool, until: Instant) -> Limits {
        let grown = |limit: Duration, doublings: u32| limit.saturating_mul(1u32 << doublings);
        Limits {
            connect: grown(timeouts.connect, self.connect),
            first_byte: grown(timeouts.first_byte(stream), self.first_byte),
            first_token: grown(timeouts.first_token, self.first_token),
            idle: timeouts.idle,
            until,
        }
    }
}

/// The limits of one attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) first_byte: Duration,
    pub(super) first_token: Duration,
    pub(super) idle: Duration,
    /// The end of the candidate's share of the deadline.
    pub(super) until: Instant,
}

impl Limits {
    /// Waits for `future` until the limit of its phase or the end of the share, whichever is first.
    pub(super) async fn within<T>(
        &self,
        phase: Phase,
        future: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let (limit, waited_for) = match phase {
            Phase::Connect => (self.connect, "no connection"),
            Phase::FirstByte => (self.first_byte, "no response head"),
            Phase::FirstToken => (self.first_token, "no payload"),
            Phase::Stream => (self.idle, "no byte"),
        };
        let now = Instant::now();
        let end = now.checked_add(limit).map_or(self.until, |end| end.min(self.until));
        match tokio::time::timeout_at(end, future).await {
            Ok(result) => result,
            Err(_) if end < self.until => {
                let reason = format!("{waited_for} within {} ({})", Words(limit), phase.as_str());
                Err(Fault::new(Class::Timeout, phase, reason))
            }
            Err(_) => {
                let waited = Words(now.elapsed());
                let reason = format!("{waited_for} within {waited}, all that the deadline left (deadline)");
                Err(Fault::new(Class::Timeout, phase, reason))
            }
        }
    }
}

/// A duration as a person writes it: `500ms`, `10s`, `2m45s`.
pub(super) struct Words(pub(super) Duration);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match self.0.subsec_millis() {
            millis if seconds == 0 => write!(f, "{millis}ms"),
            millis if seconds < 10 && millis > 0 => write!(f, "{:.1}s", self.0.as_secs_f64()),
            _ if seconds < 60 => write!(f, "{seconds}s"),
            _ if seconds.is_multiple_of(60) => write!(f, "{}m", seconds / 60),
            _ => write!(f, "{}m{:02}s", seconds / 60, seconds % 60),
        }
    }
}
