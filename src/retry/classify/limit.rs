//! Which limit a refusal met: what it covers, and how long it lasts.
//!
//! Without evidence it is the candidate's own affair. A provider behind a router (`OpenRouter` names it
//! in `provider_name`) speaks of its own pool, so whatever it says is about the candidate only, and its
//! days are not ours.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use self::tables::{KEY_WORDINGS, KEY_WORDS, LIMITS, Limit, ONE_REQUEST, PER_KEY, PER_MODEL, Span};
use super::words::{bare, occurs};
use crate::openai::error::ProviderError;
use crate::retry::{Class, Covers, retry_after};

mod tables;

/// The longest rest of a day's quota whose end the provider does not tell. Providers begin their days at
/// different hours, and some refill them bit by bit: what we do not know we ask again hourly.
const UNKNOWN_DAY: Duration = Duration::from_hours(1);

const DAY: u64 = 24 * 60 * 60;

/// What the fault covers, and when the next attempt may follow.
pub(super) fn read(
    class: Class,
    status: Option<u16>,
    headers: &HeaderMap,
    error: &ProviderError,
    now: SystemTime,
) -> (Covers, Option<Duration>) {
    let wish = retry_after::from_response(headers, error, now);
    if error.provider.is_some() {
        return (Covers::Candidate, wish);
    }
    let key = names_key(class, status, error);
    let limit = (key || class == Class::RateLimited).then(|| met(error)).flatten();
    let covers = match limit {
        _ if key => Covers::Key,
        Some(limit) => limit.covers,
        None => Covers::Candidate,
    };
    let wish = match covers {
        // The account's headers are about this very limit.
        Covers::FreeModels => wish.max(retry_after::until_reset(headers, error, now)),
        Covers::Candidate | Covers::Key => wish,
    };
    let wait = match limit.map(|limit| limit.span) {
        Some(Span::Day) => wish.or_else(|| Some(unknown_day(now))),
        Some(Span::DayWhateverDelay) => wish.max(Some(unknown_day(now))),
        Some(Span::Passing) | None => wish,
    };
    (covers, wait)
}

/// Whether the provider refuses the key itself, or its purse, and not one request.
fn names_key(class: Class, status: Option<u16>, error: &ProviderError) -> bool {
    let says = || {
        error.words.iter().any(|word| KEY_WORDS.contains(&bare(word).as_str()))
            || KEY_WORDINGS.iter().any(|wording| occurs(wording, &error.text))
    };
    match class {
        Class::Unauthorized => status == Some(401) || says(),
        Class::Payment => !ONE_REQUEST.iter().any(|wording| occurs(wording, &error.text)),
        _ => false,
    }
}

/// The limit that the error names.
fn met(error: &ProviderError) -> Option<Limit> {
    google(error).or_else(|| {
        let says = |limit: &&Limit| {
            error.words.iter().any(|word| limit.words.contains(&bare(word).as_str()))
                || limit.wordings.iter().any(|wording| occurs(wording, &error.text))
        };
        LIMITS.iter().find(says).copied()
    })
}

/// Google names every quota that is exceeded. Its delay of some seconds fits the shortest of them, and
/// is sent even when the day is spent.
fn google(error: &ProviderError) -> Option<Limit> {
    let quotas: Vec<String> = error.quotas.iter().map(|quota| bare(quota)).collect();
    let has = |quota: &String, parts: &[&str]| parts.iter().any(|part| quota.contains(part));
    if !quotas.iter().any(|quota| has(quota, PER_MODEL) || has(quota, PER_KEY)) {
        return None;
    }
    let all = quotas.iter().any(|quota| has(quota, PER_KEY) && !has(quota, PER_MODEL));
    let day = quotas.iter().any(|quota| quota.contains("perday"));
    Some(Limit {
        words: &[],
        wordings: &[],
        covers: if all { Covers::Key } else { Covers::Candidate },
        span: if day { Span::DayWhateverDelay } else { Span::Passing },
    })
}

/// Until the next midnight of UTC, but at most [`UNKNOWN_DAY`].
fn unknown_day(now: SystemTime) -> Duration {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    Duration::from_secs(DAY - since % DAY).min(UNKNOWN_DAY)
}

#[cfg(test)]
mod tests;
