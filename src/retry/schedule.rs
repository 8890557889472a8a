//! Verdict → step: which candidate is asked next, and after which wait.
//!
//! Times are durations since the request began; a wait is drawn by the caller's `draw`. So the
//! same code runs a request, fills a report and is tested in no time at all.

use std::time::Duration;

use super::{DelayRange, Policy, Verdict};
use crate::route::{Order, Route};

mod beside;
mod seat;
mod step;
#[cfg(test)]
mod tests;

pub use step::{Gap, Send, Step, Stop, StopReason};

use seat::Seat;

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
        Self::of_some(route, |_| true)
    }

    /// The same where only some candidates can be asked at all: those at the positions that `may_be_asked`.
    pub fn of_some(route: &Route, may_be_asked: impl Fn(usize) -> bool) -> Self {
        let rounds = match route.order {
            Order::Depth => u32::MAX,
            Order::Breadth => route.policy.attempts(),
        };
        let mut seats: Vec<Seat> =
            route.chain.candidates().iter().map(|candidate| Seat::new(&candidate.policy, rounds)).collect();
        let out = seats.iter_mut().enumerate().filter(|(index, _)| !may_be_asked(*index));
        out.for_each(|(_, seat)| seat.drop_out());
        let live = seats.iter().filter(|seat| seat.live());
        let all = live.fold(0u32, |sum, seat| sum.saturating_add(seat.remaining()));
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

    /// The candidate whose attempt is under way, or was last.
    pub fn current(&self) -> usize {
        self.current
    }

    /// The first attempt.
    pub fn first(&mut self) -> Step {
        let Some(index) = self.seats.iter().position(Seat::live) else {
            return Self::stop(StopReason::NoCandidateLeft);
        };
        self.begin_turn(index, Duration::ZERO);
        self.go(index, Duration::ZERO, Gap::None)
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
        seat.fail(now);
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

    /// What follows when the attempt that was due at `now` is not sent, because its candidate rests for `rest`:
    /// it counts for nothing, and the next candidate that can be asked at once is; if all rest, the one that is
    /// back first.
    pub fn skip(
        &mut self,
        rest: Duration,
        now: Duration,
        draw: &mut dyn FnMut(DelayRange) -> Duration,
    ) -> Step {
        self.sent -= 1;
        self.seats[self.current].skip(rest, now);
        let nobody_was_asked = self.seats.iter().filter(|seat| seat.live()).all(Seat::skipped);
        if self.order == Order::Breadth && !nobody_was_asked {
            return self.in_breadth(now, draw);
        }
        let after = self.current + 1..self.seats.len();
        let live = after.chain(0..=self.current).filter(|&index| self.seats[index].live());
        let waits: Vec<_> = live.map(|index| (self.approach(index, now, draw), index)).collect();
        // The first of the shortest waits: whoever can be asked at once comes in the chain's order.
        let Some(&((wait, gap), index)) = waits.iter().min_by_key(|((wait, _), _)| *wait) else {
            return self.stop_with_floor(StopReason::AttemptsExhausted, now);
        };
        if now + wait >= self.deadline {
            return self.stop_with_floor(StopReason::Deadline, now);
        }
        self.begin_turn(index, now + wait);
        self.go(index, wait, gap)
    }

    /// The stop of a request whose attempt is due at `now`, when its wait has used up the last of the time.
    pub fn too_late(&self, now: Duration) -> Option<Stop> {
        let retry_after = self.soonest(now).map(|(floor, _)| floor).filter(|floor| !floor.is_zero());
        (now >= self.deadline).then_some(Stop { reason: StopReason::Deadline, retry_after })
    }

    /// One attempt, at once, though all rest beyond the deadline: at the candidate that is back first, of those
    /// that only others have found resting. What a provider told this request itself is kept.
    pub fn insist(&mut self, now: Duration) -> Option<Send> {
        let live =
            self.seats.iter().enumerate().filter(|(_, seat)| seat.live() && seat.rests_for_others(now));
        let (_, index) = live.map(|(index, seat)| (seat.floor(now), index)).min()?;
        self.begin_turn(index, now);
        match self.go(index, Duration::ZERO, Gap::None) {
            Step::Send(send) => Some(send),
            Step::Stop(_) => None,
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
                let gap = if floor > pause { seat.rest_gap() } else { gap };
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
        let ahead = self.current + 1..count;
        // Whoever has just failed beside another one comes after those who are still to be asked.
        let (ready, failed): (Vec<_>, Vec<_>) = ahead.partition(|index| self.seats[*index].has_waited(now));
        for index in ready.into_iter().chain(failed).chain(0..=self.current) {
            let seat = &self.seats[index];
            if !seat.live() {
                continue;
            }
            let (wait, gap) = self.approach(index, now, draw);
            let patient = alone || seat.floor(now) <= seat.patience();
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

    /// The wait before candidate `index` is asked, if it is next.
    fn approach(
        &self,
        index: usize,
        now: Duration,
        draw: &mut dyn FnMut(DelayRange) -> Duration,
    ) -> (Duration, Gap) {
        let seat = &self.seats[index];
        let floor = seat.floor(now);
        let (pause, gap) = if index > self.current {
            seat.gap_after_other(now, draw)
        } else {
            // Coming back is an ordinary step of the candidate's own schedule.
            match seat.gap(draw) {
                (pause, Gap::Attempt) => (pause, Gap::Lap),
                boundary => boundary,
            }
        };
        if floor > pause { (floor, seat.rest_gap()) } else { (pause, gap) }
    }

    /// Asks the next candidate of this round, or pauses and begins another one.
    fn in_breadth(&mut self, now: Duration, draw: &mut dyn FnMut(DelayRange) -> Duration) -> Step {
        let ready = |seat: &Seat, at: Duration| seat.live() && seat.floor(at).is_zero();
        let due = |seat: &Seat| seat.round() != Some(self.rounds) && ready(seat, now);
        let rest = self.current + 1..self.seats.len();
        if let Some(index) = rest.into_iter().find(|&index| due(&self.seats[index])) {
            return self.go(index, Duration::ZERO, Gap::None);
        }
        self.rounds += 1;
        let due = self.seats.iter().any(|seat| seat.live() && seat.skipped());
        if self.rounds >= self.pace.attempts() && !due {
            return self.stop_with_floor(StopReason::AttemptsExhausted, now);
        }
        let (pause, gap) = seat::gap_after(&self.pace, self.rounds, draw);
        let start = now + pause;
        let (wait, index, gap) = match self.seats.iter().position(|seat| ready(seat, start)) {
            Some(index) => (pause, index, gap),
            None => match self.soonest(now) {
                Some((floor, index)) => (floor, index, self.seats[index].rest_gap()),
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
        self.seats[index].take_turn(self.rounds);
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
