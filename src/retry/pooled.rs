//! What the failures of several keys mean for the candidate that they were tried for.

use std::time::Duration;

use super::Verdict;

/// The keys of one candidate that were tried in one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pooled(Verdict);

impl Pooled {
    /// The first key failed with `verdict`, which is no `Reject`.
    pub fn new(verdict: Verdict) -> Self {
        Self(verdict)
    }

    /// Another key failed with `verdict`. The key with the best prospects decides; the candidate is back
    /// with the first of its keys.
    #[must_use]
    pub fn failed(self, verdict: Verdict) -> Self {
        Self(match (self.0, verdict) {
            (Verdict::Reject, _) | (_, Verdict::Reject) => Verdict::Reject,
            (Verdict::Drop, other) | (other, Verdict::Drop) => other,
            (Verdict::Next { after }, Verdict::Next { after: other }) => {
                Verdict::Next { after: sooner(after, other) }
            }
            (
                Verdict::Retry { after } | Verdict::Next { after },
                Verdict::Retry { after: other } | Verdict::Next { after: other },
            ) => Verdict::Retry { after: sooner(after, other) },
        })
    }

    /// The other keys were not tried, for the first of them cannot be used before `wait` has passed.
    #[must_use]
    pub fn spared(self, wait: Duration) -> Self {
        let wait = Some(wait);
        Self(match self.0 {
            Verdict::Drop => Verdict::Next { after: wait },
            Verdict::Retry { after } => Verdict::Retry { after: sooner(after, wait) },
            Verdict::Next { after } => Verdict::Next { after: sooner(after, wait) },
            Verdict::Reject => Verdict::Reject,
        })
    }

    /// What it means for the candidate.
    pub fn verdict(self) -> Verdict {
        self.0
    }
}

/// The shorter wish; no wish is the shortest.
fn sooner(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    Some(one?.min(other?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Option<Duration> = Some(Duration::from_secs(1));
    const TWO: Option<Duration> = Some(Duration::from_secs(2));
    const FOUR: Option<Duration> = Some(Duration::from_secs(4));
    const LONG: Option<Duration> = Some(Duration::from_mins(1));

    #[test]
    fn the_key_with_the_best_prospects_decides() {
        let retry = |after| Verdict::Retry { after };
        let next = |after| Verdict::Next { after };
        for (one, other, both) in [
            (Verdict::Drop, Verdict::Drop, Verdict::Drop),
            (Verdict::Drop, retry(FOUR), retry(FOUR)),
            (Verdict::Drop, next(None), next(None)),
            (retry(FOUR), retry(TWO), retry(TWO)),
            (retry(FOUR), retry(None), retry(None)),
            (next(FOUR), next(LONG), next(FOUR)),
            (next(FOUR), retry(LONG), retry(FOUR)),
            (Verdict::Reject, retry(None), Verdict::Reject),
        ] {
            assert_eq!(Pooled::new(one).failed(other).verdict(), both, "{one:?}, {other:?}");
            assert_eq!(Pooled::new(other).failed(one).verdict(), both, "{other:?}, {one:?}");
        }
    }

    #[test]
    fn a_key_that_was_not_tried_keeps_the_candidate() {
        let wait = Duration::from_secs(4);
        for (verdict, expected) in [
            (Verdict::Drop, Verdict::Next { after: FOUR }),
            (Verdict::Retry { after: LONG }, Verdict::Retry { after: FOUR }),
            (Verdict::Retry { after: ONE }, Verdict::Retry { after: ONE }),
            (Verdict::Next { after: None }, Verdict::Next { after: None }),
            (Verdict::Reject, Verdict::Reject),
        ] {
            assert_eq!(Pooled::new(verdict).spared(wait).verdict(), expected, "{verdict:?}");
        }
    }
}
