use http::HeaderValue;
use proptest::prelude::*;

use super::*;

/// A pair of header name and value.
type Pair<'a> = (&'a str, &'a str);
/// Headers, and the wait in milliseconds that they ask for.
type Row<'a> = (&'a [Pair<'a>], Option<u64>);

fn now() -> SystemTime {
    httpdate::parse_http_date("Wed, 04 Nov 2026 23:59:00 GMT").expect("a date")
}

fn headers<'a>(pairs: impl IntoIterator<Item = Pair<'a>>) -> HeaderMap {
    let pair = |(name, value): Pair<'_>| {
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    };
    pairs.into_iter().filter_map(pair).collect()
}

fn wish(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    from_response(headers, &ProviderError::default(), now)
}

#[test]
fn reads_headers() {
    let reset = |value| [("x-ratelimit-reset", value), ("x-ratelimit-remaining", "0")];
    let table: &[Row<'_>] = &[
        (&[], None),
        (&[("retry-after", "7")], Some(7_000)),
        (&[("retry-after", " 1.5 ")], Some(1_500)),
        (&[("retry-after", "0")], None),
        (&[("retry-after", "-3")], None),
        (&[("retry-after", "NaN")], None),
        (&[("retry-after", "inf")], None),
        (&[("retry-after", "1e300")], None),
        (&[("retry-after", "31536000")], Some(31_536_000_000)),
        (&[("retry-after", "31536001")], None),
        (&[("retry-after", "soon")], None),
        (&[("retry-after", "Thu, 05 Nov 2026 00:00:00 GMT")], Some(60_000)),
        (&[("retry-after", "Wed, 04 Nov 2026 00:00:00 GMT")], None),
        (&[("retry-after", "Thu, 05 Nov 2099 00:00:00 GMT")], None),
        (&[("retry-after-ms", "1500"), ("retry-after", "2")], Some(1_500)),
        (&[("retry-after-ms", "?"), ("retry-after", "2")], Some(2_000)),
        (&reset("60"), Some(60_000)),
        (&reset("1793836800"), Some(60_000)),
        (&reset("1793836800000"), Some(60_000)),
        (&reset("1793836800.5"), Some(60_500)),
        (&reset("1793836000"), None),
        (&reset("6m0s"), Some(360_000)),
        (&reset("1.5s"), Some(1_500)),
        (&reset("120ms"), Some(120)),
        (&reset("1h2m3s"), Some(3_723_000)),
        (&reset("1d"), Some(86_400_000)),
        (&reset("6m0"), None),
        (&reset("m"), None),
        (&reset("1.2.3s"), None),
        (&reset(""), None),
        (&reset("2026-11-05T00:00:00Z"), Some(60_000)),
        (&reset("1e400"), None),
        (&[("x-ratelimit-reset", "60")], None),
        (&[("x-ratelimit-reset", "60"), ("x-ratelimit-remaining", "1")], None),
        (&[("x-ratelimit-reset", "60"), ("x-ratelimit-remaining", "NaN")], None),
        (&[("retry-after", "7"), ("x-ratelimit-reset", "60"), ("x-ratelimit-remaining", "0")], Some(7_000)),
        (&[("retry-after", "0"), ("x-ratelimit-reset", "60"), ("x-ratelimit-remaining", "0")], None),
    ];
    for (pairs, wait) in table {
        let wait = wait.map(Duration::from_millis);
        assert_eq!(wish(&headers(pairs.iter().copied()), now()), wait, "{pairs:?}");
    }
}

#[test]
fn the_longest_exhausted_limit_counts() {
    let table: &[Row<'_>] = &[
        (
            &[
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "2s"),
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-tokens", "7.66s"),
                ("x-ratelimit-remaining-tokens-day", "5"),
                ("x-ratelimit-reset-tokens-day", "9000"),
            ],
            Some(7_660),
        ),
        (
            &[
                ("anthropic-ratelimit-requests-remaining", "12"),
                ("anthropic-ratelimit-requests-reset", "2026-11-05T01:00:00Z"),
                ("anthropic-ratelimit-input-tokens-remaining", "0"),
                ("anthropic-ratelimit-input-tokens-reset", "2026-11-05T00:00:00Z"),
            ],
            Some(60_000),
        ),
        (&[("ratelimit-remaining", "0"), ("ratelimit-reset", "9")], Some(9_000)),
        (&[("x-password-reset", "9"), ("x-password-remaining", "0")], None),
    ];
    for (pairs, wait) in table {
        let wait = wait.map(Duration::from_millis);
        assert_eq!(wish(&headers(pairs.iter().copied()), now()), wait, "{pairs:?}");
    }
}

#[test]
fn absurd_delays_in_a_body_are_ignored() {
    for (delay, wait) in [(9, Some(9)), (0, None), (400 * 86_400, None)] {
        let error =
            ProviderError { retry_delay: Some(Duration::from_secs(delay)), ..ProviderError::default() };
        assert_eq!(from_response(&HeaderMap::new(), &error, now()), wait.map(Duration::from_secs));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_panics_and_stays_within_a_year(
        value in prop_oneof![
            "\\PC{0,40}",
            "[0-9.eE+-]{0,30}",
            "([0-9.]{1,8}[dhmsnu]{1,2}){1,4}",
            "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
            "(Mon|Thu), [0-9]{2} (Jan|Nov) [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT",
        ],
        offset in 0u64..4_000_000_000,
    ) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(offset);
        for name in ["retry-after", "retry-after-ms", "x-ratelimit-reset"] {
            let map = headers([(name, value.as_str()), ("x-ratelimit-remaining", "0")]);
            if let Some(wait) = wish(&map, now) {
                prop_assert!(!wait.is_zero() && wait <= LONGEST);
            }
        }
    }

    #[test]
    fn milliseconds_and_seconds_agree(seconds in 1u64..31_536_000) {
        let milliseconds = (seconds * 1000).to_string();
        let epoch = (1_793_836_740 + seconds).to_string();
        let words = seconds.to_string();
        let expected = Some(Duration::from_secs(seconds));
        prop_assert_eq!(wish(&headers([("retry-after-ms", milliseconds.as_str())]), now()), expected);
        prop_assert_eq!(wish(&headers([("retry-after", words.as_str())]), now()), expected);
        let reset = [("x-ratelimit-reset", epoch.as_str()), ("x-ratelimit-remaining", "0")];
        prop_assert_eq!(wish(&headers(reset), now()), expected);
    }
}
