//! Verdict → step: which candidate is asked next, and after which wait.
//!
//! Times are durations since the request began; a wait is drawn by the caller's `draw`. So the
//! same code runs a request, fills a report and is tested in no time at all.

use std::time::Duration;

use super::{DelayRange, Policy, Verdict};
use crate::route::{Order, Route};

mod seat;
#[cfg(test)]
mod tests;

use seat::Seat;

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
}

/// The schedule of one request.
#[derive(Debug, Clone)]
pub struct Schedule {
    order: Order,
    seats: Vec<Seat>,
    /// The route's own policy, which paces the rounds of breadth order.
    pace: Policy,
    deadline: Duration,
    of: u32,
    sent: u32,
    rounds: u32,
    current: usize,
    /// When the current candidate's share of the time is over.
    share_end: Duration,
}

impl Schedule {
    /// The schedule of a request for `route`, which begins now.
    pub fn new(route: &Route) -> Self {
        let rounds = match route.order {
            Order::Depth => u32::MAX,
            Order::Breadth => route.policy.attempts(),
        };
        let seats: Vec<Seat> =
            route.chain.candidates().iter().map(|candidate| Seat::new(&candidate.policy, rounds)).collect();
        let all = seats.iter().fold(0u32, |sum, seat| sum.saturating_add(seat.remaining()));
        Self {
            order: route.order,
            seats,
            pace: route.policy.clone(),
            deadline: route.policy.deadline,
            of: route.policy.max_attempts.map_or(all, |most| all.min(most.get())),
            sent: 0,
            rounds: 0,
            current: 0,
            share_end: Duration::ZERO,
        }
    }

    /// The most attempts that the request could make when it began: the N of `n/N`.
    pub fn of(&self) -> u32 {
        self.of
    }

    /// Whether only one candidate can still be asked.
    pub fn alone(&self) -> bool {
        self.seats.iter().filter(|seat| seat.live()).count() == 1
    }

    /// The first attempt.
    pub fn first(&mut self) -> Step {
        self.begin_turn(0, Duration::ZERO);
        self.go(0, Duration::ZERO, Gap::None)
    }

    /// What follows the attempt under way, which failed at `now` with `verdict`.
    ///
    /// `draw` picks a wait from a range.
    pub fn after(
        &mut self,
        verdict: Verdict,
        now: Duration,
        draw: &mut dyn FnMut(DelayRange) -> Duration,
    ) -> Step {
        let seat = &mut self.seats[self.current];
        let stay = match verdict {
            Verdict::Retry { after } => {
                seat.rest_until(now + after.unwrap_or_default());
                true
            }
            Verdict::Next { after } => {
                seat.rest_until(now + after.unwrap_or_default());
                false
            }
            Verdict::Drop => {
                seat.drop_out();
                false
            }
            Verdict::Reject => return Self::stop(StopReason::Rejected),
        };
        if self.seats.iter().all(Seat::dropped) {
            return Self::stop(StopReason::NoCandidateLeft);
        }
        if self.sent == self.of || !self.seats.iter().any(Seat::live) {
            return self.stop_with_floor(StopReason::AttemptsExhausted, now);
        }
        if now >= self.deadline {
            return self.stop_with_floor(StopReason::Deadline, now);
        }
        match self.order {
            Order::Depth => self.in_depth(stay, now, draw),
            Order::Breadth => self.in_breadth(now, draw),
        }
    }

    /// Stays with the current candidate while it may, then moves on.
    fn in_depth(&mut self, stay: bool, now: Duration, draw: &mut dyn FnMut(DelayRange) -> Duration) -> Step {
        let alone = self.alone();
        let seat = &self.seats[self.current];
        if seat.live() && (stay || alone) {
            let limit = if alone { self.deadline } else { self.share_end };
            let floor = seat.floor(now);
            let (pause, gap) = seat.gap(draw);
            let wait = pause.max(floor);
            let patient = alone || floor <= seat.patience();
            if patient && now + wait < limit {
                let gap = if floor > pause { Gap::RetryAfter } else { gap };
                return self.go(self.current, wait, gap);
            }
        }
        self.move_on(now, draw)
    }

    /// Goes to the next candidate that can be asked soon, on this lap or the next one; if all
    /// rest for long, to the one that is back first.
    fn move_on(&mut self, now: Duration, draw: &mut dyn FnMut(DelayRange) -> Duration) -> Step {
        let count = self.seats.len();
        let alone = self.alone();
        let mut soonest: Option<(Duration, usize, Gap)> = None;
        for index in (self.current + 1..count).chain(0..=self.current) {
            let seat = &self.seats[index];
            if !seat.live() {
                continue;
            }
            let floor = seat.floor(now);
            let (pause, gap) = if index > self.current {
                (Duration::ZERO, Gap::None)
            } else {
                // Coming back is an ordinary step of the candidate's own schedule.
                match seat.gap(draw) {
                    (pause, Gap::Attempt) => (pause, Gap::Lap),
                    boundary => boundary,
                }
            };
            let wait = pause.max(floor);
            let gap = if floor > pause { Gap::RetryAfter } else { gap };
            let patient = alone || floor <= seat.patience();
            if patient && now + wait < self.deadline {
                self.begin_turn(index, now + wait);
                return self.go(index, wait, gap);
            }
            if soonest.is_none_or(|(best, ..)| wait < best) {
                soonest = Some((wait, index, gap));
            }
        }
        match soonest {
            Some((wait, index, gap)) if now + wait < self.deadline => {
                self.begin_turn(index, now + wait);
                self.go(index, wait, gap)
            }
            _ => self.stop_with_floor(StopReason::Deadline, now),
        }
    }

    /// Asks the next candidate of this round, or pauses and begins another one.
    fn in_breadth(&mut self, now: Duration, draw: &mut dyn FnMut(DelayRange) -> Duration) -> Step {
        let ready = |seat: &Seat, at: Duration| seat.live() && seat.floor(at).is_zero();
        let rest = self.current + 1..self.seats.len();
        if let Some(index) = rest.into_iter().find(|&index| ready(&self.seats[index], now)) {
            return self.go(index, Duration::ZERO, Gap::None);
        }
        self.rounds += 1;
        if self.rounds >= self.pace.attempts() {
            return self.stop_with_floor(StopReason::AttemptsExhausted, now);
        }
        let (pause, gap) = seat::gap_after(&self.pace, self.rounds, draw);
        let start = now + pause;
        let (wait, index, gap) = match self.seats.iter().position(|seat| ready(seat, start)) {
            Some(index) => (pause, index, gap),
            None => match self.soonest(now) {
                Some((floor, index)) => (floor, index, Gap::RetryAfter),
                None => return self.stop_with_floor(StopReason::AttemptsExhausted, now),
            },
        };
        if now + wait >= self.deadline {
            return self.stop_with_floor(StopReason::Deadline, now);
        }
        self.go(index, wait, gap)
    }

    /// The live candidate whose rest ends first, and how long it still takes.
    fn soonest(&self, now: Duration) -> Option<(Duration, usize)> {
        let live = self.seats.iter().enumerate().filter(|(_, seat)| seat.live());
        live.map(|(index, seat)| (seat.floor(now), index)).min()
    }

    /// Gives candidate `index` its fair share of the time left at `start`: what is left, divided
    /// by the candidates that have not had their turn on this lap.
    fn begin_turn(&mut self, index: usize, start: Duration) {
        let left = self.seats[index..].iter().filter(|seat| seat.live()).count().max(1);
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        self.share_end = start + self.deadline.saturating_sub(start) / left;
    }

    fn go(&mut self, index: usize, wait: Duration, gap: Gap) -> Step {
        let shared = self.order == Order::Depth && !self.alone();
        let until = if shared { self.share_end } else { self.deadline };
        self.current = index;
        self.seats[index].count();
        self.sent += 1;
        Step::Send(Send { candidate: index, number: self.sent, wait, gap, until })
    }

    fn stop(reason: StopReason) -> Step {
        Step::Stop(Stop { reason, retry_after: None })
    }

    fn stop_with_floor(&self, reason: StopReason, now: Duration) -> Step {
        let floors = self.seats.iter().filter(|seat| !seat.dropped()).map(|seat| seat.floor(now));
        Step::Stop(Stop { reason, retry_after: floors.min().filter(|floor| !floor.is_zero()) })
    }
}
