//! Why a request got no answer, and how it is told.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::KEY_HEADER;
use crate::relay::health::Rest;
use crate::relay::observer::{Observer, attempts, not_asked};
use crate::relay::{Attempt, Failure, Outcome, Request, brief};
use crate::retry::schedule::{Stop, StopReason};
use crate::retry::{Class, Fault, Words};
use crate::route::Candidate;

/// Why a request got no answer.
pub(in crate::relay) enum End {
    /// The schedule stopped.
    Stopped {
        stop: Stop,
        /// What decides the outcome, and whose it was.
        fault: (usize, Fault),
        /// Who was not asked, and why; in the order of the chain.
        unasked: Vec<(usize, Unasked)>,
    },
    /// Nobody was asked: the user has no key for any of them.
    Keyless,
    /// The process is about to end.
    ShuttingDown,
}

/// Why a candidate was not asked.
pub(in crate::relay) enum Unasked {
    /// It rested when it was its turn.
    Rests(Rest),
    /// The user has no key for it.
    Keyless,
}

impl Unasked {
    /// What is said of the candidate, after its name.
    fn why(&self) -> &str {
        match self {
            Self::Rests(rest) => &rest.why,
            Self::Keyless => "has no key of this user",
        }
    }
}

impl End {
    /// What the client is told.
    pub(in crate::relay) fn failure(self, request: &Request, observer: &mut Observer) -> Failure {
        let route = &request.route.name;
        let trail = observer.take_trail();
        let sent = observer.attempts();
        let attempts = attempts(sent);
        let candidates = request.route.chain.candidates();
        let (stop, candidate, fault, unasked) = match self {
            Self::Stopped { stop, fault: (candidate, fault), unasked } => (stop, candidate, fault, unasked),
            Self::Keyless => return without_key(request),
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
        let Candidate { provider_name, model, .. } = &candidates[candidate];
        let own = request.own_key(&candidates[candidate]).is_some();
        let hint = match retry_after {
            Some(after) => format!("; try again in {}", Words::about(after)),
            None => fault
                .advice
                .or_else(|| advice(fault.class, own))
                .map(|advice| format!("; {advice}"))
                .unwrap_or_default(),
        };
        let reasons = unasked.iter().map(|(index, unasked)| not_asked(&candidates[*index], unasked.why()));
        let not_asked = reasons.collect::<Vec<_>>().join(", ");
        let elapsed = Words::about(observer.elapsed());
        let within = match stop.reason {
            StopReason::Resting => "at once".to_owned(),
            _ => format!("within {}", Words(request.route.policy.deadline)),
        };
        let what = if sent == 0 {
            format!(", for nobody could be asked {within}: {not_asked}")
        } else if unasked.iter().any(|(index, _)| *index == candidate) {
            let last = trail.last().map(|Attempt { provider, model, code, reason, .. }| {
                format!(", the last at `{provider}/{model}`: {code} - {reason}")
            });
            format!(
                " after {attempts} in {elapsed}{}; after that nobody could be asked {within}: {not_asked}",
                last.unwrap_or_default(),
            )
        } else {
            let others = if not_asked.is_empty() { not_asked } else { format!("; not asked: {not_asked}") };
            let reason = stop.reason;
            format!(" after {attempts} in {elapsed} ({reason}), `{provider_name}/{model}`: {fault}{others}")
        };
        let short =
            || brief::no_answer(sent, observer.elapsed(), &candidates[candidate], &fault, own, retry_after);
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

/// What a user is told who has to bring a key.
fn without_key(request: &Request) -> Failure {
    let candidates = request.route.chain.candidates().iter();
    let names: BTreeSet<&str> = candidates.map(|candidate| &*candidate.provider_name).collect();
    let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let route = &request.route.name;
    Failure {
        outcome: Outcome::UserKeyMissing,
        message: format!(
            "`{route}` got no answer, for this user has no key for {names}; send one in the header `{KEY_HEADER}PROVIDER`, or have it written under `[users]`"
        ),
        short: request.progress.is_for_a_chat().then(|| brief::no_key(&names.replace('`', ""))),
        retry_after: None,
        provider_status: None,
        attempts: 0,
        trail: Vec::new(),
    }
}

/// What whoever reads the error may do about it; `own` says that the key was the user's.
fn advice(class: Class, own: bool) -> Option<&'static str> {
    match class {
        Class::RateLimited | Class::Overloaded | Class::Reset => Some("try again in a moment"),
        Class::Connect => Some("is it running, and is its `base_url` right?"),
        Class::Timeout => Some("try again, or give it longer limits under `timeouts`"),
        Class::Broken | Class::Empty => Some("try again, or add another model to the chain"),
        Class::Unauthorized if own => Some("check your own key for the provider"),
        Class::Unauthorized => Some("check the `api_key` of the provider"),
        Class::Payment if own => Some("your account there needs credit"),
        Class::Payment => Some("its account needs credit"),
        Class::NotFound => Some("check the name of the model and the `base_url`"),
        Class::ContextLength => Some("shorten the conversation, or add a model with a larger context"),
        Class::Unsupported => Some("add a model to the chain that can do it"),
        // Their reasons speak for themselves.
        Class::Unexpected | Class::ContentPolicy | Class::BadRequest => None,
    }
}
