//! The play: the real schedule against made-up providers.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, StatusCode};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::fail::{Failure, Failures};
use crate::retry::patience::{late, out_of_time};
use crate::retry::play::{Ending, Played, play};
use crate::retry::schedule::{Schedule, Send, Stop};
use crate::retry::{Class, Deciding, DelayRange, Fault, Growth, Phase, classify};
use crate::route::{Route, Timeouts};

/// How long an answer takes to begin. What fails at once takes no time at all.
pub const ANSWER: Duration = Duration::from_secs(1);

/// What becomes of one request.
#[derive(Debug)]
pub struct Timeline {
    /// What the waits were drawn from.
    pub seed: u64,
    /// The most attempts it could have made.
    pub of: u32,
    /// Those that it made.
    pub attempts: Vec<Attempt>,
    /// How long it all took.
    pub total: Duration,
    /// Why there was no answer, the fault that decides the outcome, and whose it was.
    pub failure: Option<(Stop, Fault, usize)>,
}

/// One attempt of it.
#[derive(Debug)]
pub struct Attempt {
    /// What the schedule says of it.
    pub send: Send,
    /// When it was sent, counted from the beginning of the request.
    pub at: Duration,
    /// How it failed; `None` if it was answered.
    pub fault: Option<Fault>,
}

/// Plays a streamed request for `route`, with waits drawn from `seed`.
pub fn timeline(route: &Route, mut failures: Failures, seed: u64) -> Timeline {
    let candidates = route.chain.candidates();
    let schedule = Schedule::new(route);
    let of = schedule.of();
    let mut generator = SmallRng::seed_from_u64(seed);
    let mut growth = vec![Growth::default(); candidates.len()];
    let mut deciding = Deciding::default();
    let mut attempts = Vec::new();
    let mut attempt = |Played { send, at, alone }: Played| {
        let candidate = &candidates[send.candidate];
        let window = Window {
            limits: growth[send.candidate].of(&candidate.timeouts),
            left: send.until.saturating_sub(at),
            is_share: send.until < route.policy.deadline,
        };
        let (took, fault) = window.attempt(failures.next(send.candidate));
        let verdict = fault.as_ref().map(|fault| {
            if alone {
                growth[send.candidate].after(fault);
            }
            let verdict = classify::verdict(fault, &candidate.policy.on);
            deciding.note(send.candidate, fault.clone(), verdict);
            verdict
        });
        attempts.push(Attempt { send, at, fault });
        Ending { took, verdict }
    };
    let mut draw = |range: DelayRange| generator.random_range(range.min()..=range.max());
    let (total, stop) = play(schedule, &mut draw, &mut attempt);
    let failure = stop.zip(deciding.fault()).map(|(stop, (candidate, fault))| (stop, fault, candidate));
    Timeline { seed, of, attempts, total, failure }
}

/// What bounds an attempt.
struct Window {
    limits: Timeouts,
    /// Until it must have opened.
    left: Duration,
    /// Whether that is the end of a share of the deadline.
    is_share: bool,
}

impl Window {
    /// How long an attempt takes that fails so, and its fault.
    fn attempt(&self, failure: Option<Failure>) -> (Duration, Option<Fault>) {
        let at_once = |class, phase, reason| (Duration::ZERO, Some(Fault::new(class, phase, reason)));
        match failure {
            None if ANSWER <= self.limits.first_byte(true).min(self.left) => (ANSWER, None),
            None | Some(Failure::Hang) => self.silence(Phase::FirstByte, self.limits.first_byte(true)),
            Some(Failure::Timeout) => self.silence(Phase::Connect, self.limits.connect),
            Some(Failure::Silent) => self.silence(Phase::FirstToken, self.limits.first_token),
            Some(Failure::Status(status, after)) => (Duration::ZERO, Some(response(status, after))),
            Some(Failure::Refuse) => at_once(Class::Connect, Phase::Connect, "connection refused"),
            Some(Failure::Reset) => {
                at_once(Class::Reset, Phase::FirstByte, "closed before the response head")
            }
            Some(Failure::Cut) => {
                at_once(Class::Broken, Phase::FirstToken, "the answer was cut before its end")
            }
            Some(Failure::Empty) => at_once(Class::Empty, Phase::FirstToken, "a stream with nothing in it"),
        }
    }

    fn silence(&self, phase: Phase, limit: Duration) -> (Duration, Option<Fault>) {
        if limit < self.left {
            (limit, Some(late(phase, limit)))
        } else {
            (self.left, Some(out_of_time(phase, self.left, self.is_share)))
        }
    }
}

/// The fault of an empty response with `status`, as it is read from one.
fn response(status: u16, after: Option<Duration>) -> Fault {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let millis = after.and_then(|after| u64::try_from(after.as_millis()).ok());
    let header = |millis: u64| (HeaderName::from_static("retry-after-ms"), millis.into());
    let headers: HeaderMap = millis.map(header).into_iter().collect();
    // It names no date, so any moment will do.
    classify::response(status, &headers, b"", SystemTime::UNIX_EPOCH)
}
