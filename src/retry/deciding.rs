//! Which of its faults names the outcome of a request that nobody answered.

use std::fmt;
use std::time::Duration;

use super::schedule::{Stop, StopReason};
use super::{Fault, Verdict};

/// Finds the fault that names the outcome: the last one that could be retried, else that of a candidate
/// which could not be asked, else the first permanent one. Each stands with the position of its candidate.
#[derive(Debug, Default)]
pub struct Deciding {
    retryable: Option<(usize, Fault)>,
    permanent: Option<(usize, Fault)>,
}

impl Deciding {
    /// Takes the fault of the latest attempt, which `candidate` caused.
    pub fn note(&mut self, candidate: usize, fault: Fault, verdict: Verdict) {
        match verdict {
            Verdict::Retry { .. } | Verdict::Next { .. } => self.retryable = Some((candidate, fault)),
            Verdict::Drop => {
                self.permanent.get_or_insert((candidate, fault));
            }
            Verdict::Reject => {
                self.retryable = None;
                self.permanent = Some((candidate, fault));
            }
        }
    }

    /// Takes what stands for a candidate that could not be asked, though it may answer later.
    pub fn note_rest(&mut self, candidate: usize, fault: Fault) {
        self.retryable.get_or_insert((candidate, fault));
    }

    /// Whether there is none yet.
    pub fn is_open(&self) -> bool {
        self.retryable.is_none() && self.permanent.is_none()
    }

    /// The fault that decides, with the position of its candidate; `None` before the first one.
    pub fn fault(self) -> Option<(usize, Fault)> {
        self.retryable.or(self.permanent)
    }
}

impl Stop {
    /// When asking again may help a request that `fault` decided. Where a candidate could still answer,
    /// the schedule knows; a wish of one that is out of the race is only worth passing on if nobody else
    /// is left.
    pub fn wish(&self, fault: &Fault) -> Option<Duration> {
        match self.reason {
            StopReason::Rejected | StopReason::NoCandidateLeft => fault.retry_after,
            StopReason::AttemptsExhausted | StopReason::Deadline | StopReason::Resting => self.retry_after,
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rejected => "the request was refused",
            Self::NoCandidateLeft => "no model of the route can answer it",
            Self::AttemptsExhausted => "the schedule is used up",
            Self::Deadline => "the next attempt would pass the deadline",
            Self::Resting => "nobody else could be asked at once",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::{Class, Phase};

    #[test]
    fn the_last_hope_or_the_first_refusal_decides() {
        let (retry, next) = (Verdict::Retry { after: None }, Verdict::Next { after: None });
        let table: &[(&[Verdict], Option<usize>)] = &[
            (&[], None),
            (&[Verdict::Drop], Some(0)),
            (&[Verdict::Drop, Verdict::Drop], Some(0)),
            (&[retry, Verdict::Drop], Some(0)),
            (&[Verdict::Drop, retry, next, Verdict::Drop], Some(2)),
            (&[retry, Verdict::Drop, Verdict::Reject], Some(2)),
        ];
        for (verdicts, decides) in table {
            let mut deciding = Deciding::default();
            for (index, verdict) in verdicts.iter().enumerate() {
                deciding.note(index, Fault::new(Class::Empty, Phase::FirstToken, "x"), *verdict);
            }
            assert_eq!(deciding.fault().map(|(candidate, _)| candidate), *decides, "{verdicts:?}");
        }
    }
}
