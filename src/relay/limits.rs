//! The limits of an attempt, and how they grow.

use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;

use crate::retry::{Class, Fault, Phase, Words};
use crate::route::Timeouts;
use crate::upstream::Connected;

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
    pub(super) fn limits(&self, timeouts: &Timeouts, stream: bool, until: Until) -> Limits {
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
    pub(super) until: Until,
}

/// The moment by which an attempt must have opened, whatever its own limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until {
    pub(super) time: Instant,
    /// Whether it is the end of a share, which leaves time for other candidates.
    pub(super) is_share: bool,
}

impl Limits {
    /// Waits for the response head. The `first_byte` limit begins when `connected` says that there
    /// is a connection; how long that may take is the upstream's to limit.
    pub(super) async fn head<T>(
        &self,
        connected: &Connected,
        sending: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let began = Instant::now();
        let mut sending = pin!(sending);
        loop {
            let from = connected.at();
            let end = self.clip(from.unwrap_or_else(Instant::now), self.first_byte);
            match tokio::time::timeout_at(end, &mut sending).await {
                Ok(result) => return result,
                Err(_) if end == self.until.time => {
                    let (phase, missing) = match connected.at() {
                        Some(_) => (Phase::FirstByte, "no response head"),
                        None => (Phase::Connect, "no connection"),
                    };
                    return Err(self.out_of_time(phase, missing, began));
                }
                Err(_) if from.is_some() && connected.at() == from => {
                    return Err(late(Phase::FirstByte, "no response head", self.first_byte));
                }
                // It was connecting when the clock was set, or is again.
                Err(_) => {}
            }
        }
    }

    /// Waits for the first payload, or for the next piece of an answer that is not streamed.
    pub(super) async fn payload<T>(
        &self,
        reading: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let began = Instant::now();
        let end = self.clip(began, self.first_token);
        match tokio::time::timeout_at(end, reading).await {
            Ok(result) => result,
            Err(_) if end == self.until.time => Err(self.out_of_time(Phase::FirstToken, "no payload", began)),
            Err(_) => Err(late(Phase::FirstToken, "no payload", self.first_token)),
        }
    }

    fn clip(&self, from: Instant, limit: Duration) -> Instant {
        from.checked_add(limit).map_or(self.until.time, |end| end.min(self.until.time))
    }

    fn out_of_time(&self, phase: Phase, missing: &str, began: Instant) -> Fault {
        let waited = Words::about(began.elapsed());
        let whose = if self.until.is_share { "its share of the deadline" } else { "the deadline" };
        let reason = format!("{missing} within {waited}, all that {whose} left (deadline)");
        Fault::new(Class::Timeout, phase, reason)
    }
}

fn late(phase: Phase, missing: &str, limit: Duration) -> Fault {
    let reason = format!("{missing} within {} ({})", Words(limit), phase.as_str());
    Fault::new(Class::Timeout, phase, reason)
}
