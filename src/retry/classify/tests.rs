use std::time::Duration;

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use self::bodies::{UNDER_200, responses};
use super::*;

mod bodies;

/// A status, headers, a body and the wait in milliseconds that they ask for.
type WishRow<'a> = (u16, &'a [(&'a str, &'a str)], &'a str, Option<u64>);

fn now() -> SystemTime {
    httpdate::parse_http_date("Wed, 04 Nov 2026 23:59:00 GMT").expect("a date")
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        (name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"))
    });
    pairs.collect()
}

fn respond(status: u16, pairs: &[(&str, &str)], body: &str) -> Fault {
    let status = StatusCode::from_u16(status).expect("a status");
    response(status, &headers(pairs), body.as_bytes(), now())
}

#[test]
fn every_class_has_one_row_in_order() {
    assert_eq!(TABLE.map(|row| row.0), Class::ALL);
}

#[test]
fn rows_rule_as_documented() {
    let rows = [
        ("rate_limited", Ruling::Retry),
        ("overloaded", Ruling::Retry),
        ("connect", Ruling::Next),
        ("reset", Ruling::Retry),
        ("timeout", Ruling::Next),
        ("broken", Ruling::Retry),
        ("unexpected", Ruling::Drop),
        ("empty", Ruling::Next),
        ("unauthorized", Ruling::Drop),
        ("payment", Ruling::Drop),
        ("not_found", Ruling::Drop),
        ("context_length", Ruling::Drop),
        ("content_policy", Ruling::Drop),
        ("unsupported", Ruling::Drop),
        ("bad_request", Ruling::Drop),
    ];
    assert_eq!(TABLE.map(|(class, ruling)| (class.as_str(), ruling)), rows);
}

#[test]
fn verdicts_follow_the_table_and_carry_the_wish() {
    let after = Some(Duration::from_secs(7));
    for (class, ruling) in TABLE {
        let fault = Fault { retry_after: after, ..Fault::new(class, Phase::FirstByte, "x") };
        let expected = match ruling {
            Ruling::Retry => Verdict::Retry { after },
            Ruling::Next => Verdict::Next { after },
            Ruling::Drop => Verdict::Drop,
            Ruling::Reject => Verdict::Reject,
        };
        assert_eq!(verdict(&fault, &BTreeMap::new()), expected, "{class}");
    }
}

#[test]
fn a_policy_overrides_any_row() {
    for class in Class::ALL {
        let fault = Fault::new(class, Phase::FirstToken, "x");
        for (ruling, expected) in [
            (Ruling::Retry, Verdict::Retry { after: None }),
            (Ruling::Next, Verdict::Next { after: None }),
            (Ruling::Drop, Verdict::Drop),
            (Ruling::Reject, Verdict::Reject),
        ] {
            assert_eq!(verdict(&fault, &BTreeMap::from([(class, ruling)])), expected, "{class}");
        }
        let other = if class == Class::Empty { Class::Broken } else { Class::Empty };
        let on = BTreeMap::from([(other, Ruling::Reject)]);
        assert_ne!(verdict(&fault, &on), Verdict::Reject, "{class}");
    }
}

#[test]
fn responses_are_told_apart() {
    for (status, body, class) in responses() {
        let fault = respond(status, &[], body);
        assert_eq!(fault.class, class, "{status} {body}");
        assert_eq!((fault.phase, fault.status), (Phase::FirstByte, Some(status)));
    }
}

#[test]
fn every_class_of_a_response_is_covered_twice() {
    use Class::{Broken, Connect, Empty, Reset, Timeout};
    for class in Class::ALL {
        let count = responses().filter(|row| row.2 == class).count();
        let sent_by_no_response = [Connect, Reset, Timeout, Broken, Empty].contains(&class);
        assert!(if sent_by_no_response { count == 0 } else { count >= 2 }, "{class}: {count}");
    }
}

#[test]
fn errors_under_200_are_told_apart() {
    for (body, class, status) in UNDER_200 {
        for phase in [Phase::FirstToken, Phase::Stream] {
            let fault = error_body(&HeaderMap::new(), body.as_bytes(), phase, now());
            assert_eq!((fault.class, fault.status, fault.phase), (*class, *status, phase), "{body}");
        }
    }
}

#[test]
fn whole_ranges_have_one_class() {
    for status in (500..=599).chain([408]) {
        assert_eq!(respond(status, &[], "whatever").class, Class::Overloaded, "{status}");
    }
    for status in (100..400).filter(|status| *status != 200) {
        assert_eq!(respond(status, &[], "whatever").class, Class::Unexpected, "{status}");
    }
}

#[test]
fn reasons_are_the_providers_words() {
    let table = [
        (
            429,
            r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"glm is rate-limited upstream.","provider_name":"BaseTen"}}}"#,
            "BaseTen: glm is rate-limited upstream",
        ),
        (503, "", "Service Unavailable"),
        (521, "", "no reason given"),
        (502, "<html><title>502 Bad Gateway</title></html>", "502 Bad Gateway"),
        (500, "...", "no reason given"),
        (
            422,
            r#"{"detail":[{"loc":["body","tools"],"msg":"Extra inputs are not permitted"}]}"#,
            "`tools`: Extra inputs are not permitted",
        ),
    ];
    for (status, body, reason) in table {
        assert_eq!(respond(status, &[], body).reason, reason);
    }
    let word =
        error_body(&HeaderMap::new(), br#"{"error":{"type":"overloaded_error"}}"#, Phase::Stream, now());
    assert_eq!(word.reason, "overloaded_error");
    let silent = error_body(&HeaderMap::new(), b"{}", Phase::Stream, now());
    assert_eq!(silent.reason, "an error without a message");
}

#[test]
fn redirects_name_their_target_without_secrets() {
    let table = [
        ("https://example.com/v1/chat?key=secret#x", "`https://example.com/v1/chat`"),
        ("https://user:secret@example.com/v1", "`https://example.com/v1`"),
        ("/login?next=secret", "`/login`"),
    ];
    for (location, target) in table {
        let fault = respond(302, &[("location", location)], "");
        assert_eq!(fault.reason, format!("redirects to {target}, check the provider's `base_url`"));
    }
    for (status, pairs) in [(302, &[][..]), (204, &[("location", "/x")])] {
        let fault = respond(status, pairs, "ignored");
        assert_eq!(fault.reason, "not the status of a chat API, check the provider's `base_url`");
    }
}

#[test]
fn wishes_are_read_on_any_status() {
    let google = r#"{"error":{"code":429,"details":[{"retryDelay":"34.4s"}]}}"#;
    let router = r#"{"error":{"metadata":{"headers":{"X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1793836800000"}}}}"#;
    let table: &[WishRow<'_>] = &[
        (429, &[("retry-after", "7")], "", Some(7_000)),
        (503, &[("retry-after", "7")], "", Some(7_000)),
        (404, &[("retry-after-ms", "250")], "", Some(250)),
        (429, &[], google, Some(34_400)),
        (429, &[("retry-after", "7")], google, Some(34_400)),
        (429, &[("retry-after", "50")], google, Some(50_000)),
        (429, &[], router, Some(60_000)),
        (429, &[("retry-after", "7")], router, Some(7_000)),
        (500, &[], "", None),
    ];
    for (status, pairs, body, wait) in table {
        let wait = wait.map(Duration::from_millis);
        assert_eq!(respond(*status, pairs, body).retry_after, wait, "{status} {pairs:?} {body}");
    }
    let event = error_body(&HeaderMap::new(), google.as_bytes(), Phase::FirstToken, now());
    assert_eq!(event.retry_after, Some(Duration::from_millis(34_400)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_response_has_a_class_and_a_short_reason(
        status in 100u16..1000,
        body in prop::collection::vec(any::<u8>(), 0..2000),
        location in "[ -~]{0,300}",
    ) {
        let status = StatusCode::from_u16(status).expect("a status");
        let headers = headers(&[("location", &location)]);
        let fault = response(status, &headers, &body, now());
        prop_assert!(!fault.reason.is_empty());
        prop_assert!(fault.reason.chars().count() <= 400);
        prop_assert!(!fault.reason.contains(|char: char| char.is_control()));
    }

    #[test]
    fn a_class_does_not_depend_on_headers(row in prop::sample::select(responses().collect::<Vec<_>>()), value in "[ -~]{0,30}") {
        let (status, body, class) = row;
        let names = ["content-type", "retry-after", "x-ratelimit-remaining", "x-should-retry", "server"];
        let pairs = names.map(|name| (name, value.as_str()));
        prop_assert_eq!(respond(status, &pairs, body).class, class);
    }
}
