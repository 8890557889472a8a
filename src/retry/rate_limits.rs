//! What a provider says is left of its limits, in the `x-ratelimit-*` headers of any response.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::retry_after::{moment, number, text};

/// The time over which requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// 60 seconds.
    Minute,
    /// A day.
    Day,
}

/// What a provider says of one limit of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The requests that it allows.
    pub limit: Option<u32>,
    /// The requests that are left.
    pub remaining: u32,
    /// How long until they are more.
    pub reset: Option<Duration>,
    /// Of which time it speaks, if it says so.
    pub per: Option<Per>,
}

/// How the names of headers end that count requests; those of tokens are no business of ours.
const ENDINGS: [(&str, Option<Per>); 4] = [
    ("", None),
    ("-requests", None),
    ("-requests-minute", Some(Per::Minute)),
    ("-requests-day", Some(Per::Day)),
];

/// The limits of requests that `headers` tell of, seen at `now`.
pub fn reports(headers: &HeaderMap, now: SystemTime) -> impl Iterator<Item = Report> {
    ENDINGS.iter().filter_map(move |(ending, per)| {
        let value = |what: &str| text(headers, &format!("x-ratelimit-{what}{ending}"));
        Some(Report {
            limit: value("limit").and_then(count),
            remaining: value("remaining").and_then(count)?,
            reset: value("reset").and_then(|value| moment(value, now)),
            per: *per,
        })
    })
}

/// A number of requests; a fraction of one does not fit.
fn count(text: &str) -> Option<u32> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number out of range is clamped"
    )]
    number(text).filter(|number| !number.is_nan()).map(|number| number as u32)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    /// A name and a value.
    type Header<'a> = (&'a str, &'a str);

    fn read(pairs: &[Header<'_>]) -> Vec<Report> {
        let pair = |(name, value): &Header<'_>| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_mins(29_897_279);
        reports(&pairs.iter().map(pair).collect(), now).collect()
    }

    #[test]
    fn reads_headers() {
        let secs = |seconds| Some(Duration::from_secs(seconds));
        let report = |limit, remaining, reset, per| vec![Report { limit, remaining, reset, per }];
        let table: [(&[Header<'_>], Vec<Report>); 9] = [
            (&[], Vec::new()),
            (&[("x-ratelimit-reset", "60"), ("x-ratelimit-limit", "20")], Vec::new()),
            (&[("x-ratelimit-remaining", "3")], report(None, 3, None, None)),
            (&[("x-ratelimit-remaining", "-1")], report(None, 0, None, None)),
            (&[("x-ratelimit-remaining", "many")], Vec::new()),
            (
                &[
                    ("x-ratelimit-limit", "50"),
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1793836800000"),
                ],
                report(Some(50), 0, secs(60), None),
            ),
            (
                &[
                    ("x-ratelimit-limit-requests", "60"),
                    ("x-ratelimit-remaining-requests", "59"),
                    ("x-ratelimit-reset-requests", "1s"),
                    ("x-ratelimit-remaining-tokens", "0"),
                ],
                report(Some(60), 59, secs(1), None),
            ),
            (&[("x-ratelimit-remaining-requests-minute", "7")], report(None, 7, None, Some(Per::Minute))),
            (
                &[("x-ratelimit-remaining-requests-day", "8"), ("x-ratelimit-reset-requests-day", "33011.5")],
                report(None, 8, Some(Duration::from_secs_f64(33_011.5)), Some(Per::Day)),
            ),
        ];
        for (pairs, expected) in table {
            assert_eq!(read(pairs), expected, "{pairs:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_a_provider_says_is_too_much(remaining in "[ -~]{0,20}", reset in "[0-9a-z.:-]{0,20}") {
            let found = read(&[("x-ratelimit-remaining", &remaining), ("x-ratelimit-reset", &reset)]);
            prop_assert!(found.len() <= 1);
        }
    }
}
