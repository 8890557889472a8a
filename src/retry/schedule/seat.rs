//! A candidate's place in the schedule of one request.

use std::time::Duration;

use super::Gap;
use crate::retry::{DelayRange, Policy};

/// Whoever could not be asked is not asked again before this time: a schedule never spins.
pub(super) const SHORTEST_REST: Duration = Duration::from_millis(10);

#[derive(Debug, Clone)]
pub(super) struct Seat {
    policy: Policy,
    attempts: u32,
    sent: u32,
    dropped: bool,
    /// No attempt before this time.
    rests_until: Duration,
    /// Whether that is what other requests have learnt, not what the provider told this one.
    told_by_others: bool,
    /// Whether its latest turn passed without an attempt.
    skipped: bool,
    /// The round in which it was asked last.
    round: Option<u32>,
    /// When it failed last.
    failed: Option<Duration>,
    /// The same, if that attempt went out while another candidate had its turn.
    failed_beside: Option<Duration>,
}

impl Seat {
    /// A seat for a candidate on `policy`, which joins at most `rounds` times.
    pub(super) fn new(policy: &Policy, rounds: u32) -> Self {
        Self {
            attempts: policy.attempts().min(rounds),
            policy: policy.clone(),
            sent: 0,
            dropped: false,
            rests_until: Duration::ZERO,
            told_by_others: false,
            skipped: false,
            round: None,
            failed: None,
            failed_beside: None,
        }
    }

    pub(super) fn remaining(&self) -> u32 {
        self.attempts - self.sent
    }

    pub(super) fn live(&self) -> bool {
        !self.dropped && self.remaining() > 0
    }

    pub(super) fn dropped(&self) -> bool {
        self.dropped
    }

    /// Whether it is due for an attempt that it could not have.
    pub(super) fn skipped(&self) -> bool {
        self.skipped
    }

    pub(super) fn drop_out(&mut self) {
        self.dropped = true;
    }

    /// Its turn has come, in this round.
    pub(super) fn take_turn(&mut self, round: u32) {
        self.count(round);
        self.failed_beside = None;
    }

    /// An attempt goes out, in this round.
    pub(super) fn count(&mut self, round: u32) {
        self.sent += 1;
        self.skipped = false;
        self.round = Some(round);
    }

    /// The round in which it was asked last.
    pub(super) fn round(&self) -> Option<u32> {
        self.round
    }

    /// An attempt failed.
    pub(super) fn fail(&mut self, now: Duration) {
        self.failed = Some(now);
    }

    /// An attempt failed that went out while another candidate had its turn.
    pub(super) fn fail_beside(&mut self, now: Duration) {
        self.failed = Some(now);
        self.failed_beside = Some(now);
    }

    /// When it failed last.
    pub(super) fn failed(&self) -> Option<Duration> {
        self.failed
    }

    /// Whether it has waited as long as its schedule says at least, if it failed last while another candidate
    /// had its turn.
    pub(super) fn has_waited(&self, now: Duration) -> bool {
        let shortest = &mut |range: DelayRange| range.min();
        self.failed_beside.is_none_or(|failed| failed + self.gap(shortest).0 <= now)
    }

    /// The wait before its turn if it comes straight after that of another candidate: none, unless it has
    /// failed meanwhile; then that of its own schedule, from that moment on.
    pub(super) fn gap_after_other(
        &self,
        now: Duration,
        draw: &mut dyn FnMut(DelayRange) -> Duration,
    ) -> (Duration, Gap) {
        let Some(failed) = self.failed_beside else { return (Duration::ZERO, Gap::None) };
        let (pause, gap) = self.gap(draw);
        match (failed + pause).saturating_sub(now) {
            Duration::ZERO => (Duration::ZERO, Gap::None),
            left => (left, gap),
        }
    }

    /// Takes the latest attempt back: at `now` it was not sent, because the candidate rests for `rest`.
    pub(super) fn skip(&mut self, rest: Duration, now: Duration) {
        self.sent -= 1;
        self.skipped = true;
        let time = now + rest.max(SHORTEST_REST);
        if time > self.rests_until {
            self.rests_until = time;
            self.told_by_others = true;
        }
    }

    pub(super) fn rest_until(&mut self, time: Duration) {
        if time > self.rests_until {
            self.rests_until = time;
            self.told_by_others = false;
        }
    }

    /// Whether it rests as other requests have found out.
    pub(super) fn rests_for_others(&self, now: Duration) -> bool {
        self.told_by_others && !self.floor(now).is_zero()
    }

    /// Why it rests.
    pub(super) fn rest_gap(&self) -> Gap {
        if self.told_by_others { Gap::Rest } else { Gap::RetryAfter }
    }

    /// How long the provider still wants to be left alone.
    pub(super) fn floor(&self, now: Duration) -> Duration {
        self.rests_until.saturating_sub(now)
    }

    /// The longest Retry-After worth waiting for while another candidate is live.
    pub(super) fn patience(&self) -> Duration {
        self.policy.retry_after_cap
    }

    /// The wait before this candidate's next attempt; none if it has had that wait already.
    pub(super) fn gap(&self, draw: &mut dyn FnMut(DelayRange) -> Duration) -> (Duration, Gap) {
        if self.skipped {
            return (Duration::ZERO, Gap::None);
        }
        gap_after(&self.policy, self.sent, draw)
    }
}

/// The wait that `policy` puts after its attempt (or round) number `sent`.
pub(super) fn gap_after(
    policy: &Policy,
    sent: u32,
    draw: &mut dyn FnMut(DelayRange) -> Duration,
) -> (Duration, Gap) {
    let gap = gap_kind(policy, sent);
    let range = match gap {
        Gap::Cycle { .. } => policy.cycle_pause,
        Gap::Burst { .. } => policy.burst_pause,
        _ => policy.attempt_delay,
    };
    (draw(range), gap)
}

/// A pause replaces the attempt delay at the end of a burst, and the cycle pause the burst pause.
fn gap_kind(policy: &Policy, sent: u32) -> Gap {
    let burst = policy.attempts_per_burst.get();
    let bursts = policy.bursts_per_cycle.get();
    if sent == 0 || !sent.is_multiple_of(burst) {
        return Gap::Attempt;
    }
    let completed = sent / burst;
    if completed.is_multiple_of(bursts) {
        Gap::Cycle { completed: completed / bursts, of: policy.cycles.get() }
    } else {
        Gap::Burst { completed: completed % bursts, of: bursts }
    }
}
