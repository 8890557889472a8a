//! When a provider wants the next attempt.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName};
use jiff::Timestamp;

use crate::openai::error::ProviderError;

mod wording;

/// Wishes beyond a year are mistakes.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// The wait that a response asks for in its headers or in its body, counted from `now`, not capped.
///
/// `retry-after-ms` and `Retry-After` come first; the `x-ratelimit-reset*` family counts only
/// without them, and only where the matching `remaining` is 0. Of two explicit wishes the longer one
/// counts: both are floors. A wish for no wait, or for a moment that has passed, is no wish.
pub fn from_response(headers: &HeaderMap, error: &ProviderError, now: SystemTime) -> Option<Duration> {
    let delay = error.retry_delay.or_else(|| wording::wait(&error.text)).filter(|wait| *wait <= LONGEST);
    explicit(headers, now)
        .max(explicit(&error.headers, now))
        .max(delay)
        .or_else(|| reset(headers, now))
        .or_else(|| reset(&error.headers, now))
        .filter(|wait| !wait.is_zero())
}

/// The wait until the limits that are used up are filled again, whatever else the response asks for.
pub fn until_reset(headers: &HeaderMap, error: &ProviderError, now: SystemTime) -> Option<Duration> {
    reset(headers, now).max(reset(&error.headers, now)).filter(|wait| !wait.is_zero())
}

fn explicit(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let milliseconds = || number(text(headers, "retry-after-ms")?).and_then(|value| seconds(value / 1e3));
    let after = || {
        let value = text(headers, "retry-after")?;
        match number(value) {
            Some(value) => seconds(value),
            None => until(httpdate::parse_http_date(value).ok()?, now),
        }
    };
    milliseconds().or_else(after)
}

/// The longest wait among the limits that are used up.
fn reset(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    headers
        .keys()
        .filter_map(|name| {
            let remaining = number(text(headers, &remaining_for(name)?)?)?;
            if remaining <= 0.0 { moment(text(headers, name.as_str())?, now) } else { None }
        })
        .max()
}

/// The header that counts what the limit of a reset header leaves: `x-ratelimit-reset-tokens` has
/// `x-ratelimit-remaining-tokens`, `anthropic-ratelimit-tokens-reset` has `…-tokens-remaining`.
fn remaining_for(name: &HeaderName) -> Option<String> {
    let name = name.as_str();
    if !name.contains("ratelimit") && !name.contains("rate-limit") {
        return None;
    }
    let mut found = false;
    let segments: Vec<_> = name
        .split('-')
        .map(|segment| {
            found |= segment == "reset";
            if segment == "reset" { "remaining" } else { segment }
        })
        .collect();
    found.then(|| segments.join("-"))
}

/// The wait that a reset header means: epoch milliseconds, epoch seconds, seconds, a duration such
/// as `6m0s`, or an RFC 3339 date.
pub(super) fn moment(value: &str, now: SystemTime) -> Option<Duration> {
    if let Some(number) = number(value) {
        let epoch = if number > 1e12 {
            number / 1e3
        } else if number > 1e9 {
            number
        } else {
            return seconds(number);
        };
        let epoch = Duration::try_from_secs_f64(epoch).ok()?;
        return until(SystemTime::UNIX_EPOCH.checked_add(epoch)?, now);
    }
    if let Some(total) = duration(value) {
        return seconds(total);
    }
    until(value.parse::<Timestamp>().ok()?.into(), now)
}

/// The seconds of a duration such as `1h2m3.5s` or `120ms`.
fn duration(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let (value, tail) = rest.split_at(digits);
        let length = tail.find(|char: char| char.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(length);
        let scale = match unit {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total += value.parse::<f64>().ok()? * scale;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

pub(super) fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

fn seconds(value: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(value).ok().filter(|wait| *wait <= LONGEST)
}

/// From `now` until `moment`; a moment that has passed is zero.
fn until(moment: SystemTime, now: SystemTime) -> Option<Duration> {
    let wait = moment.duration_since(now).unwrap_or_default();
    (wait <= LONGEST).then_some(wait)
}

#[cfg(test)]
mod tests;
