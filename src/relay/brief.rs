//! What the user of a chat is told: one short sentence that says what happened, and what to do.

use std::time::Duration;

use super::health::USERS_OWN;
use super::observer::attempts;
use crate::openai::error::one_line;
use crate::retry::{Class, Fault, Words};
use crate::route::Candidate;

#[cfg(test)]
mod tests;

/// More characters are no sentence. Names of models can be of any length, and hold anything.
const LONGEST: usize = 500;

/// More characters of a provider's own words are in the details only.
const LONGEST_REASON: usize = 160;

/// Nobody answered: after `sent` attempts in `elapsed` the `fault` of `candidate` decided it. `own` says that it
/// was asked with the user's own key.
pub(super) fn no_answer(
    sent: u32,
    elapsed: Duration,
    candidate: &Candidate,
    fault: &Fault,
    own: bool,
    retry_after: Option<Duration>,
) -> String {
    let advice = match retry_after {
        Some(after) => format!("Try again in {}.", Words::about(after)),
        None => fault.advice.map_or_else(|| advice(fault.class, candidate, own), sentence),
    };
    let begin = match sent {
        0 if elapsed < Duration::from_secs(1) => "No model can be asked now".to_owned(),
        0 => format!("No model could be asked within {}", Words::about(elapsed)),
        sent => format!("No model answered after {} in {}", attempts(sent), Words::about(elapsed)),
    };
    one_line(&format!("{begin}: {}. {advice}", what(fault)), LONGEST)
}

/// Backstop was stopped before anybody answered.
pub(super) fn shutting_down(sent: u32) -> String {
    format!(
        "Backstop is shutting down, and no model had answered after {}. Try again in a moment.",
        attempts(sent)
    )
}

/// An answer broke off, and nobody went on if somebody was `asked` to.
pub(super) fn broke_off(reason: &str, asked: bool) -> String {
    let reason = one_line(reason, LONGEST_REASON);
    let nobody = if asked { ", and no other model could go on" } else { "" };
    format!("The answer broke off: {}{nobody}. Ask again to get a whole one.", reason.trim_end_matches('.'))
}

/// Nobody was asked, for the user has no key of their own for the providers called `names`.
pub(super) fn no_key(names: &str) -> String {
    one_line(
        &format!(
            "You have no key of your own for {names}. Ask for one to be added, or choose another model."
        ),
        LONGEST,
    )
}

/// What is said of `who`, asked with the key of that name, if it refuses for good.
pub(super) fn refusal(who: &str, key: Option<&str>, fault: &Fault) -> Option<String> {
    let status = fault.status.map(|status| format!(" ({status})")).unwrap_or_default();
    if key == Some(USERS_OWN) {
        return match fault.class {
            Class::Unauthorized => Some(format!("{who} refuses your own key{status}: check it")),
            Class::Payment => Some(format!("{who} wants to be paid{status}: your own account needs credit")),
            _ => refusal(who, None, fault),
        };
    }
    let key = key.map(|key| format!(" {key}")).unwrap_or_default();
    Some(match fault.class {
        Class::Unauthorized => {
            format!("{who} refuses the key{key}{status}: check the api_key of the provider")
        }
        Class::Payment => format!("{who} wants to be paid{status}: the account of the key{key} needs credit"),
        Class::NotFound => {
            format!("{who} was not found{status}: check the name of the model and the base_url")
        }
        _ => return None,
    })
}

/// What happened, without a full stop.
fn what(fault: &Fault) -> String {
    let what = match fault.class {
        Class::RateLimited => "rate limited",
        Class::Overloaded => "overloaded",
        Class::Connect => "no connection",
        Class::Reset => "the connection was cut",
        Class::Timeout => "no answer in time",
        Class::Broken => "the answer was cut short",
        Class::Unexpected => "an answer that is none",
        Class::Empty => "an empty answer",
        Class::Unauthorized => "the key was refused",
        Class::Payment => "the account needs credit",
        Class::NotFound => "the model was not found",
        Class::ContextLength => "the conversation is too long",
        Class::ContentPolicy => "the provider refuses the content",
        Class::Unsupported => "the model cannot do this",
        Class::BadRequest => "the provider calls the request wrong",
    };
    // Where the request is at fault, the provider's own words say how.
    let detail = match fault.class {
        Class::ContextLength | Class::ContentPolicy | Class::Unsupported | Class::BadRequest => {
            one_line(&fault.reason, LONGEST_REASON).trim_end_matches('.').to_owned()
        }
        _ => fault.status.map(|status| status.to_string()).unwrap_or_default(),
    };
    if detail.is_empty() { what.to_owned() } else { format!("{what} ({detail})") }
}

/// A clause as a sentence, without the marks of literals.
fn sentence(clause: &str) -> String {
    let (first, rest) = clause.split_at(clause.chars().next().map_or(0, char::len_utf8));
    format!("{}{}.", first.to_uppercase(), rest.replace('`', ""))
}

/// What to do, as a sentence.
fn advice(class: Class, candidate: &Candidate, own: bool) -> String {
    let Candidate { provider_name: provider, model, .. } = candidate;
    match class {
        Class::RateLimited
        | Class::Overloaded
        | Class::Reset
        | Class::Broken
        | Class::Unexpected
        | Class::Empty => "Try again in a moment.".to_owned(),
        Class::Connect => format!("Check that {provider} is running, and its base_url."),
        Class::Timeout => "Try again, or choose another model.".to_owned(),
        Class::Unauthorized if own => format!("Check your own key for {provider}."),
        Class::Unauthorized => format!("Check the api_key of {provider}."),
        Class::Payment => format!("Add credit at {provider}, or choose another model."),
        Class::NotFound => format!("Check the name {model} and the base_url of {provider}."),
        Class::ContextLength => "Shorten the conversation, or choose another model.".to_owned(),
        Class::ContentPolicy => "Say it in other words, or choose another model.".to_owned(),
        Class::Unsupported => "Choose another model.".to_owned(),
        Class::BadRequest => String::new(),
    }
}
