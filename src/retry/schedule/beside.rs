//! Attempts beside the current one: another candidate is asked while the answer of the first is late.
//!
//! They count like any other. The current candidate stays the current one, and its verdict decides what
//! follows, unless the other one answers first.

use std::time::Duration;

use super::seat::{self, Seat};
use super::{Gap, Schedule, Send};
use crate::retry::Verdict;
use crate::route::Order;

impl Schedule {
    /// The candidates that may be asked at `now` while the current one is still under way, in the order in
    /// which they follow it: live, with no rest ahead, and not within the shortest wait after a failure of theirs.
    pub fn others(&self, now: Duration) -> Vec<usize> {
        if self.sent == self.of || now >= self.deadline {
            return Vec::new();
        }
        let others = (self.current + 1..self.seats.len()).chain(0..self.current);
        others.filter(|&index| self.may_start(&self.seats[index], now)).collect()
    }

    /// An attempt at `candidate`, one of the [`others`](Self::others).
    pub fn beside(&mut self, candidate: usize) -> Send {
        self.seats[candidate].count(self.rounds);
        self.sent += 1;
        let until = self.deadline;
        Send { candidate, number: self.sent, wait: Duration::ZERO, gap: Gap::None, until }
    }

    /// Of two attempts under way that of `candidate` failed at `now` with `verdict`, and the verdict of the
    /// other one decides what follows.
    pub fn beside_failed(&mut self, candidate: usize, verdict: Verdict, now: Duration) {
        let seat = &mut self.seats[candidate];
        seat.fail_beside(now);
        match verdict {
            Verdict::Retry { after } | Verdict::Next { after } => {
                seat.rest_until(now + after.unwrap_or_default());
            }
            Verdict::Drop | Verdict::Reject => seat.drop_out(),
        }
    }

    /// Makes `candidate`, whose attempt beside the current one has answered at `now`, the current one.
    pub fn lead(&mut self, candidate: usize, now: Duration) {
        self.current = candidate;
        self.begin_turn(candidate, now);
    }

    fn may_start(&self, seat: &Seat, now: Duration) -> bool {
        let pause = match self.order {
            Order::Depth => seat.gap(&mut |range| range.min()).0,
            Order::Breadth if seat.round() == Some(self.rounds) => {
                seat::gap_after(&self.pace, self.rounds + 1, &mut |range| range.min()).0
            }
            // The pause between two rounds is over.
            Order::Breadth => Duration::ZERO,
        };
        let has_waited = seat.failed().is_none_or(|failed| failed + pause <= now);
        seat.live() && seat.floor(now).is_zero() && has_waited
    }
}
