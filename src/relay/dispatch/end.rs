//! Why a request got no answer, and how it is told.

use std::time::Duration;

use crate::relay::health::Rest;
use crate::relay::observer::{Observer, attempts, not_asked};
use crate::relay::{Attempt, Failure, Outcome, Request, brief};
use crate::retry::schedule::{Stop, StopReason};
use crate::retry::{Class, Fault, Words};
use crate::route::Candidate;

/// Why a request got no answer.
pub(in crate::relay) enum End {
    /// The schedule stopped; the fault that decides the outcome, and whose it was; and who could not be asked
    /// when it was their turn.
    Stopped(Stop, (usize, Fault), Vec<(usize, Rest)>),
    /// The process is about to end.
    ShuttingDown,
}

impl End {
    /// What the client is told.
    pub(in crate::relay) fn failure(self, request: &Request, observer: &mut Observer) -> Failure {
        let route = &request.route.name;
        let trail = observer.take_trail();
        let sent = observer.attempts();
        let attempts = attempts(sent);
        let (stop, candidate, fault, rests) = match self {
            Self::Stopped(stop, (candidate, fault), rests) => (stop, candidate, fault, rests),
            Self::ShuttingDown => {
                return Failure {
                    outcome: Outcome::ShuttingDown,
                    message: format!(
                        "Backstop is shutting down; `{route}` had no answer after {attempts}: ask again in a moment"
                    ),
                    short: observer.brief().then(|| brief::shutting_down(sent)),
                    retry_after: Some(Duration::from_secs(1)),
                    provider_status: None,
                    attempts: sent,
                    trail,
                };
            }
        };
        let retry_after = stop.wish(&fault);
        let candidates = request.route.chain.candidates();
        let Candidate { provider_name, model, .. } = &candidates[candidate];
        let hint = match retry_after {
            Some(after) => format!("; try again in {}", Words::about(after)),
            None => advice(fault.class).map(|advice| format!("; {advice}")).unwrap_or_default(),
        };
        let resting = rests.iter().map(|(index, rest)| not_asked(&candidates[*index], &rest.why));
        let resting = resting.collect::<Vec<_>>().join(", ");
        let elapsed = Words::about(observer.elapsed());
        let within = match stop.reason {
            StopReason::Resting => "at once".to_owned(),
            _ => format!("within {}", Words(request.route.policy.deadline)),
        };
        let what = if sent == 0 {
            format!(", for nobody could be asked {within}: {resting}")
        } else if rests.iter().any(|(index, _)| *index == candidate) {
            let last = trail.last().map(|Attempt { provider, model, code, reason, .. }| {
                format!(", the last at `{provider}/{model}`: {code} - {reason}")
            });
            format!(
                " after {attempts} in {elapsed}{}; after that nobody could be asked {within}: {resting}",
                last.unwrap_or_default(),
            )
        } else {
            let others = if rests.is_empty() { String::new() } else { format!("; not asked: {resting}") };
            let reason = stop.reason;
            format!(" after {attempts} in {elapsed} ({reason}), `{provider_name}/{model}`: {fault}{others}")
        };
        let short =
            || brief::no_answer(sent, observer.elapsed(), &candidates[candidate], &fault, retry_after);
        Failure {
            outcome: Outcome::Failed(fault.class),
            message: format!("`{route}` got no answer{what}{hint}"),
            short: observer.brief().then(short),
            retry_after,
            provider_status: fault.status,
            attempts: sent,
            trail,
        }
    }
}

/// What whoever reads the error may do about it.
fn advice(class: Class) -> Option<&'static str> {
    match class {
        Class::RateLimited | Class::Overloaded | Class::Reset => Some("try again in a moment"),
        Class::Connect => Some("is it running, and is its `base_url` right?"),
        Class::Timeout => Some("try again, or give it longer limits under `timeouts`"),
        Class::Broken | Class::Empty => Some("try again, or add another model to the chain"),
        Class::Unauthorized => Some("check the `api_key` of the provider"),
        Class::Payment => Some("its account needs credit"),
        Class::NotFound => Some("check the name of the model and the `base_url`"),
        Class::ContextLength => Some("shorten the conversation, or add a model with a larger context"),
        Class::Unsupported => Some("add a model to the chain that can do it"),
        // Their reasons speak for themselves.
        Class::Unexpected | Class::ContentPolicy | Class::BadRequest => None,
    }
}
