use std::time::UNIX_EPOCH;

use http::{HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::super::{error_body, response};
use super::*;
use crate::retry::Phase;

use Covers::{Candidate, FreeModels, Key};

mod google;
mod openrouter;
mod others;

/// A status, headers, a body, what it covers and the wait in milliseconds.
type Row<'a> = (u16, &'a [(&'a str, &'a str)], &'a str, Covers, Option<u64>);

/// An hour and a half before midnight.
fn evening() -> SystemTime {
    httpdate::parse_http_date("Wed, 04 Nov 2026 22:30:00 GMT").expect("a date")
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"))
    };
    pairs.iter().map(pair).collect()
}

#[track_caller]
fn hold(rows: &[Row<'_>]) {
    for (status, pairs, body, covers, wait) in rows {
        let code = StatusCode::from_u16(*status).expect("a status");
        let fault = response(code, &headers(pairs), body.as_bytes(), evening());
        let wait = wait.map(Duration::from_millis);
        assert_eq!((fault.covers, fault.retry_after), (*covers, wait), "{status} {pairs:?} {body}");
    }
}

#[test]
fn errors_under_200_cover_as_much() {
    let table = [
        (
            r#"{"error":{"message":"Rate limit exceeded: free-models-per-day","code":429}}"#,
            FreeModels,
            Some(3_600),
        ),
        (r#"{"error":{"message":"x","code":401}}"#, Key, None),
        (r#"{"error":{"message":"x","code":"invalid_api_key"}}"#, Key, None),
        (r#"{"error":{"message":"x","code":"insufficient_quota"}}"#, Key, None),
        (r#"{"error":{"message":"x","code":403}}"#, Candidate, None),
        (
            r#"{"error":{"message":"free-models-per-day","metadata":{"provider_name":"Chutes"},"code":429}}"#,
            Candidate,
            None,
        ),
        (r#"{"error":{"message":"x","type":"permission_error"}}"#, Candidate, None),
    ];
    for (body, covers, seconds) in table {
        let fault = error_body(&HeaderMap::new(), body.as_bytes(), Phase::FirstToken, evening());
        assert_eq!((fault.covers, fault.retry_after), (covers, seconds.map(Duration::from_secs)), "{body}");
    }
}

#[test]
fn a_day_of_unknown_length_ends_at_midnight_or_is_asked_again_within_the_hour() {
    let at = |text| httpdate::parse_http_date(text).expect("a date");
    for (now, seconds) in [
        ("Wed, 04 Nov 2026 00:00:00 GMT", 3_600),
        ("Wed, 04 Nov 2026 22:59:59 GMT", 3_600),
        ("Wed, 04 Nov 2026 23:15:00 GMT", 2_700),
        ("Wed, 04 Nov 2026 23:59:59 GMT", 1),
    ] {
        assert_eq!(unknown_day(at(now)), Duration::from_secs(seconds), "{now}");
    }
    assert_eq!(unknown_day(UNIX_EPOCH - Duration::from_secs(5)), UNKNOWN_DAY);
}

#[test]
fn tables_are_spelled_as_they_are_compared() {
    let words = LIMITS.iter().flat_map(|limit| limit.words).chain(KEY_WORDS).chain(PER_MODEL).chain(PER_KEY);
    assert_eq!(words.filter(|word| bare(word) != **word).count(), 0);
    let wordings = LIMITS.iter().flat_map(|limit| limit.wordings).chain(KEY_WORDINGS).chain(ONE_REQUEST);
    assert_eq!(wordings.filter(|wording| wording.to_lowercase() != **wording).count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_cover_the_candidate(
        status in 200u16..600,
        body in prop::collection::vec(any::<u8>(), 0..600),
        offset in 0u64..4_000_000_000,
    ) {
        prop_assume!(![401, 402].contains(&status));
        let code = StatusCode::from_u16(status).expect("a status");
        let fault = response(code, &HeaderMap::new(), &body, UNIX_EPOCH + Duration::from_secs(offset));
        prop_assert_eq!(fault.covers, Candidate);
    }

    #[test]
    fn any_pieces_of_a_refusal_are_read(
        status in prop::sample::select(vec![200u16, 400, 401, 402, 403, 429, 503]),
        pieces in prop::collection::vec(prop::sample::select(vec![
            "free-models-per-day", "per min", "(rpd)", "Please try again in ", "1d", "999999999999999h", "0s", "key limit exceeded (daily",
            "{\"error\":{", "}}", "\"message\":\"", "\",", "\"quotaId\":\"PerDay", "\"violations\":[{", "}]", "\"retryDelay\":\"9s\"", "\u{1F980}",
            "\"retry_after_seconds\":-1", "\"retry_after_seconds\":1e300", "concurren", "\"provider_name\":\"x\"",
        ]), 0..12),
        offset in 0u64..4_000_000_000,
    ) {
        let body = pieces.concat();
        let now = UNIX_EPOCH + Duration::from_secs(offset);
        let code = StatusCode::from_u16(status).expect("a status");
        for fault in [
            response(code, &HeaderMap::new(), body.as_bytes(), now),
            error_body(&HeaderMap::new(), body.as_bytes(), Phase::Stream, now),
        ] {
            prop_assert!(fault.retry_after.is_none_or(|wait| !wait.is_zero() && wait <= Duration::from_hours(365 * 24)));
            let body = body.to_lowercase();
            if fault.covers == FreeModels {
                prop_assert!(body.contains("free-models-per"));
            }
        }
    }
}
