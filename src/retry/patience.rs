//! How long an attempt may stay silent, how that grows, and the faults of those that stay silent longer.

use std::time::Duration;

use super::{Class, Fault, Phase, Words};
use crate::route::Timeouts;

/// A limit that passes again and again stops growing here: 60 s become a little over 17 h.
const MOST_DOUBLINGS: u32 = 10;

/// How often each limit of a candidate has been doubled.
#[derive(Debug, Clone, Copy, Default)]
pub struct Growth {
    connect: u32,
    first_byte: u32,
    first_token: u32,
    idle: u32,
}

impl Growth {
    /// Doubles the limit that `fault` met, for the next attempt.
    pub fn after(&mut self, fault: &Fault) {
        if fault.class != Class::Timeout {
            return;
        }
        let doublings = match fault.phase {
            Phase::Connect => &mut self.connect,
            Phase::FirstByte => &mut self.first_byte,
            Phase::FirstToken => &mut self.first_token,
            Phase::Stream => &mut self.idle,
        };
        *doublings = (*doublings + 1).min(MOST_DOUBLINGS);
    }

    /// The limits of the next attempt.
    pub fn of(&self, timeouts: &Timeouts) -> Timeouts {
        let grown = |limit: Duration, doublings: u32| limit.saturating_mul(1u32 << doublings);
        Timeouts {
            connect: grown(timeouts.connect, self.connect),
            first_byte_stream: grown(timeouts.first_byte_stream, self.first_byte),
            first_byte_whole: grown(timeouts.first_byte_whole, self.first_byte),
            first_token: grown(timeouts.first_token, self.first_token),
            idle: grown(timeouts.idle, self.idle),
        }
    }
}

/// The fault of an attempt that stayed silent in `phase` until its own `limit` passed.
pub fn late(phase: Phase, limit: Duration) -> Fault {
    let reason = format!("{} within {} ({})", missing(phase), Words(limit), phase.as_str());
    Fault::new(Class::Timeout, phase, reason)
}

/// The fault of an attempt that had only `waited` left, of its share of the deadline or of all of it.
pub fn out_of_time(phase: Phase, waited: Duration, is_share: bool) -> Fault {
    let waited = Words::about(waited);
    let whose = if is_share { "its share of the deadline" } else { "the deadline" };
    let reason = format!("{} within {waited}, all that {whose} left (deadline)", missing(phase));
    Fault { clipped: true, ..Fault::new(Class::Timeout, phase, reason) }
}

fn missing(phase: Phase) -> &'static str {
    match phase {
        Phase::Connect => "no connection",
        Phase::FirstByte => "no response head",
        Phase::FirstToken | Phase::Stream => "no payload",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_limit_that_passed_grows() {
        let usual = Timeouts::default();
        let mut growth = Growth::default();
        growth.after(&Fault::new(Class::Reset, Phase::FirstByte, "x"));
        assert_eq!(growth.of(&usual), usual);

        growth.after(&late(Phase::FirstByte, usual.first_byte_stream));
        let grown = growth.of(&usual);
        assert_eq!(grown.first_byte_stream, usual.first_byte_stream * 2);
        assert_eq!(grown.first_byte_whole, usual.first_byte_whole * 2);
        assert_eq!((grown.connect, grown.first_token), (usual.connect, usual.first_token));

        for _ in 0..100 {
            growth.after(&late(Phase::Connect, usual.connect));
        }
        assert_eq!(growth.of(&usual).connect, usual.connect * 1024);
        assert_eq!(growth.of(&usual).idle, usual.idle);

        growth.after(&Fault::new(Class::Timeout, Phase::Stream, "x"));
        assert_eq!(growth.of(&usual).idle, usual.idle * 2);
    }

    #[test]
    fn each_silence_names_its_limit() {
        let minute = Duration::from_mins(1);
        for (fault, reason) in [
            (late(Phase::Connect, minute), "no connection within 1m (connect)"),
            (late(Phase::FirstByte, minute), "no response head within 1m (first_byte)"),
            (late(Phase::FirstToken, minute), "no payload within 1m (first_token)"),
            (
                out_of_time(Phase::FirstByte, minute, true),
                "no response head within 1m, all that its share of the deadline left (deadline)",
            ),
            (
                out_of_time(Phase::FirstToken, minute, false),
                "no payload within 1m, all that the deadline left (deadline)",
            ),
        ] {
            assert_eq!((fault.class, fault.reason.as_str()), (Class::Timeout, reason));
        }
    }
}
