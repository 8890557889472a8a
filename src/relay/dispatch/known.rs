//! What a request comes to know of its candidates, and what a fault of theirs means.

use super::Dispatch;
use crate::relay::health::{News, Rest};
use crate::retry::classify;
use crate::retry::{Class, Fault, Growth, Verdict};
use crate::upstream::Upstream;

/// What a candidate has been to one request.
#[derive(Default)]
pub(super) struct Known {
    /// How often each of its limits has been doubled.
    pub(super) growth: Growth,
    /// The latest fault that the request has met itself: what others have learnt of such a one does not hold it
    /// back.
    pub(super) met: Option<Class>,
    /// The keys that have refused the request for good.
    pub(super) refused: Vec<usize>,
    /// Why it was not asked when it was its turn, and what becomes known of it since.
    pub(super) rest: Option<(Rest, News)>,
}

impl<U: Upstream> Dispatch<U> {
    /// Notes a fault, and says what it means.
    pub(super) fn judge(&mut self, candidate: usize, fault: Fault) -> Verdict {
        let verdict = self.verdict(candidate, &fault);
        self.known[candidate].met = Some(fault.class);
        self.deciding.note(candidate, fault, verdict);
        verdict
    }

    /// The same where the candidate is not asked again at once: if another key than `key` may do better, its
    /// turn comes later.
    pub(super) fn judge_key(&mut self, candidate: usize, fault: Fault, key: Option<usize>) -> Verdict {
        let key = key.filter(|_| another_key_may_do(fault.class));
        match (self.judge(candidate, fault), key) {
            (Verdict::Drop, Some(key)) => {
                self.known[candidate].refused.push(key);
                Verdict::Next { after: None }
            }
            (Verdict::Retry { .. } | Verdict::Next { .. }, Some(_)) => Verdict::Next { after: None },
            (verdict, _) => verdict,
        }
    }

    /// What a fault of this candidate means.
    pub(super) fn verdict(&self, candidate: usize, fault: &Fault) -> Verdict {
        let policy = &self.request().route.chain.candidates()[candidate].policy;
        classify::verdict(fault, &policy.on)
    }
}

/// Whether a fault may be that of the key.
pub(super) fn another_key_may_do(class: Class) -> bool {
    matches!(class, Class::Unauthorized | Class::Payment | Class::RateLimited)
}
