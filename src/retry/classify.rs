//! What a failure is, and what it means: the failure table.
//!
//! A class is recognised by the range of its status or by what the body says, never by a list of
//! codes out of the 5xx; no header is a precondition. The words and wordings of the vendors stand in
//! `words`; `limit` reads which limit a refusal met, what that covers and how long it lasts.
//!
//! The table knows one candidate at a time. That `next` with a single live candidate means a retry
//! is the schedule's business, for only the schedule knows who is left.

use std::collections::BTreeMap;
use std::time::SystemTime;

use http::header::LOCATION;
use http::{HeaderMap, StatusCode};

use super::{Class, Fault, Phase, Ruling, Verdict};
use crate::openai::error::{ProviderError, one_line};

mod limit;
mod words;

/// The failure table: every class and what follows from it unless a policy says otherwise.
pub const TABLE: [(Class, Ruling); Class::ALL.len()] = [
    // 429; an error under 200 or another 4xx whose code says so.
    (Class::RateLimited, Ruling::Retry),
    // Every 5xx, 408; errors that say overloaded or unavailable; whatever under 200 says nothing clear.
    (Class::Overloaded, Ruling::Retry),
    // Refused, DNS, TLS: a stopped local server must not hold its fallback back.
    (Class::Connect, Ruling::Next),
    // Closed before the head.
    (Class::Reset, Ruling::Retry),
    // No head or no payload in time: a silent provider stays silent for a while.
    (Class::Timeout, Ruling::Next),
    // A cut or undecodable body, or neither SSE nor JSON.
    (Class::Broken, Ruling::Retry),
    // 1xx, 2xx other than 200, 3xx: no chat API, most likely a wrong base URL.
    (Class::Unexpected, Ruling::Drop),
    // An answer without content that ended in `stop`.
    (Class::Empty, Ruling::Next),
    // 401, 403.
    (Class::Unauthorized, Ruling::Drop),
    // 402; a spent quota under 429.
    (Class::Payment, Ruling::Drop),
    // 404; an unknown model under another 4xx.
    (Class::NotFound, Ruling::Drop),
    // 413; the vendors' wordings: never the same prompt to the same model twice.
    (Class::ContextLength, Ruling::Drop),
    // Moderation, also under 403.
    (Class::ContentPolicy, Ruling::Drop),
    // 400, 404, 422 that name tools, images or a parameter: another model may take it.
    (Class::Unsupported, Ruling::Drop),
    // Any other 4xx: permanent for this model, on to the next.
    (Class::BadRequest, Ruling::Drop),
];

/// What `fault` means under a policy whose `on` replaces rows of the [`TABLE`].
pub fn verdict(fault: &Fault, on: &BTreeMap<Class, Ruling>) -> Verdict {
    let after = fault.retry_after;
    match on.get(&fault.class).copied().unwrap_or_else(|| ruling(fault.class)) {
        Ruling::Retry => Verdict::Retry { after },
        Ruling::Next => Verdict::Next { after },
        Ruling::Drop => Verdict::Drop,
        Ruling::Reject => Verdict::Reject,
    }
}

/// The ruling of the [`TABLE`].
pub fn ruling(class: Class) -> Ruling {
    TABLE.iter().find(|row| row.0 == class).map_or(Ruling::Drop, |row| row.1)
}

/// The fault of a final response head that is not 200, with as much of its body as was read
/// (decoded; 64 KB are plenty).
pub fn response(status: StatusCode, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Fault {
    let error = ProviderError::parse(body);
    let class = by_status(status.as_u16(), &error);
    let reason = match class {
        Class::Unexpected => unexpected(status, headers),
        _ => error.reason().unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given").into()),
    };
    let (covers, retry_after) = limit::read(class, Some(status.as_u16()), headers, &error, now);
    Fault {
        class,
        phase: Phase::FirstByte,
        status: Some(status.as_u16()),
        reason: sentence(&reason),
        retry_after,
        covers,
        clipped: false,
        advice: None,
    }
}

/// The fault of an error found inside a 200: an error body, or the data of an error event.
///
/// `phase` says where it was found: `FirstToken` before commit, `Stream` after. The fault's status is
/// the numeric code inside the body, if it has one from 400 to 599. What cannot be told is the
/// provider's trouble: overloaded.
pub fn error_body(headers: &HeaderMap, body: &[u8], phase: Phase, now: SystemTime) -> Fault {
    let error = ProviderError::parse(body);
    let class = match error.status {
        Some(status) => by_status(status, &error),
        None => by_words(&error),
    };
    let (covers, retry_after) = limit::read(class, error.status, headers, &error, now);
    Fault {
        class,
        phase,
        status: error.status,
        reason: sentence(&error.reason().unwrap_or_else(|| "an error without a message".into())),
        retry_after,
        covers,
        clipped: false,
        advice: None,
    }
}

fn by_status(status: u16, error: &ProviderError) -> Class {
    match status {
        408 | 500..=599 => Class::Overloaded,
        429 if words::is_payment(error) => Class::Payment,
        429 => Class::RateLimited,
        402 => Class::Payment,
        403 if words::is_content_policy(error) => Class::ContentPolicy,
        401 | 403 => Class::Unauthorized,
        413 => Class::ContextLength,
        404 => words::precise(error)
            .or_else(|| words::refuses_named_feature(error).then_some(Class::Unsupported))
            .unwrap_or(Class::NotFound),
        400 | 422 => words::precise(error)
            .or_else(|| words::names_feature(error).then_some(Class::Unsupported))
            .unwrap_or(Class::BadRequest),
        405..=499 => words::precise(error).unwrap_or(Class::BadRequest),
        _ => Class::Unexpected,
    }
}

fn by_words(error: &ProviderError) -> Class {
    let class = words::precise(error).or_else(|| words::vague(error));
    match class {
        Some(Class::BadRequest) if words::names_feature(error) => Class::Unsupported,
        Some(class) => class,
        None if words::is_rate_limited(error) => Class::RateLimited,
        None if words::refuses_feature(error) => Class::Unsupported,
        None => Class::Overloaded,
    }
}

/// A status that no chat API gives; a redirect's target without its query and user, which may hold
/// a key.
fn unexpected(status: StatusCode, headers: &HeaderMap) -> String {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    match location {
        Some(location) if status.is_redirection() => {
            let target = location.split(['?', '#']).next().unwrap_or_default();
            let target = match (target.split_once("//"), target.rsplit_once('@')) {
                (Some((scheme, _)), Some((_, host))) => format!("{scheme}//{host}"),
                _ => target.to_owned(),
            };
            format!("redirects to `{}`, check the provider's `base_url`", one_line(&target, 200))
        }
        _ => "not the status of a chat API, check the provider's `base_url`".into(),
    }
}

/// A reason ends without a full stop.
fn sentence(reason: &str) -> String {
    let trimmed = reason.trim_end_matches('.');
    if trimmed.is_empty() { "no reason given".into() } else { trimmed.into() }
}

#[cfg(test)]
mod tests;
