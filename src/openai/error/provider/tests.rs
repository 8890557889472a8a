use proptest::prelude::*;

use super::*;

/// A body, its code, its status and its words.
type CodeRow<'a> = (&'a str, Option<&'a str>, Option<u16>, &'a [&'a str]);

fn parse(body: &str) -> ProviderError {
    ProviderError::parse(body.as_bytes())
}

#[test]
fn reads_every_known_shape() {
    let table = [
        (r#"{"error":{"message":"a","type":"t","code":"c","param":"p"}}"#, Some("a")),
        (r#"{"error":"a"}"#, Some("a")),
        (r#"{"error":["a","b"]}"#, Some("a")),
        (r#"[{"error":{"code":400,"message":"a","status":"INVALID_ARGUMENT"}}]"#, Some("a")),
        (r#"{"type":"error","error":{"type":"overloaded_error","message":"a"}}"#, Some("a")),
        (r#"{"message":"a"}"#, Some("a")),
        (r#"{"detail":"a"}"#, Some("a")),
        (r#"{"detail":{"message":"a"}}"#, Some("a")),
        (r#"{"msg":"a"}"#, Some("a")),
        (r#"{"detail":[{"loc":["body","n"],"msg":"a"},{"msg":"b"}]}"#, Some("`n`: a")),
        (r#"{"errors":[{"message":"a"}]}"#, Some("a")),
        (r#"{"object":"error","message":{"detail":[{"msg":"a"}]}}"#, Some("a")),
        (r#"{"error":{"message":"{\"error\":{\"message\":\"a\",\"code\":429}}"}}"#, Some("a")),
        ("event: error\ndata: {\"error\":{\"message\":\"a\"}}\n\n", Some("a")),
        ("\u{feff} {\"error\":\"a\"}", Some("a")),
        (r#"{"error":{"message":"a","input":"cut in the mid"#, Some("a")),
        (r#"{"detail":[{"loc":["body"],"msg":"a \"b\"","input":{"messages":[{"#, Some("a \"b\"")),
        ("<html><head><title>502 Bad Gateway</title></head></html>", Some("502 Bad Gateway")),
        ("<html><body></body></html>", Some("an HTML page")),
        ("upstream\r\n\tconnect   error", Some("upstream connect error")),
        ("[not json", Some("[not json")),
        (r#""a""#, Some("a")),
        ("", None),
        (" \n ", None),
        ("{}", None),
        ("null", Some("null")),
        (r#"{"error":null}"#, None),
        (r#"{"error":{"message":""}}"#, None),
    ];
    for (body, message) in table {
        assert_eq!(parse(body).message.as_deref(), message, "{body}");
    }
}

#[test]
fn unwraps_the_errors_of_a_router() {
    let raws = [
        (r#""glm is down""#, "glm is down"),
        (r#""{\"error\":{\"message\":\"glm is down\",\"code\":\"busy\"}}""#, "glm is down"),
        (r#"{"error":{"message":"glm is down"}}"#, "glm is down"),
        (r#""<html><title>glm is down</title></html>""#, "glm is down"),
        (
            r#""{\"error\":{\"message\":\"Provider returned error\",\"metadata\":{\"raw\":\"{\\\"detail\\\":\\\"glm is down\\\"}\"}}}""#,
            "glm is down",
        ),
        ("null", "Provider returned error"),
    ];
    for (raw, message) in raws {
        let body = format!(
            r#"{{"error":{{"message":"Provider returned error","code":502,"metadata":{{"raw":{raw},"provider_name":"BaseTen"}}}}}}"#
        );
        let error = parse(&body);
        assert_eq!(error.message.as_deref(), Some(message), "{body}");
        assert_eq!(error.reason(), Some(format!("BaseTen: {message}")));
        assert_eq!(error.status, Some(502));
    }
    let telling = parse(r#"{"error":{"message":"outer says it","metadata":{"raw":"inner"}}}"#);
    assert_eq!(telling.message.as_deref(), Some("outer says it"));
    assert_eq!(telling.text, "outer says it\ninner");
}

#[test]
fn codes_are_numbers_words_or_absent() {
    let table: &[CodeRow<'_>] = &[
        (r#"{"error":{"code":429}}"#, Some("429"), Some(429), &[]),
        (r#"{"error":{"code":"429"}}"#, Some("429"), Some(429), &[]),
        (r#"{"error":{"code":"busy","type":"a","status":503}}"#, Some("busy"), Some(503), &["busy", "a"]),
        (r#"{"error":{"code":1500}}"#, Some("1500"), None, &[]),
        (r#"{"error":{"code":200}}"#, Some("200"), None, &[]),
        (r#"{"error":{"code":null}}"#, None, None, &[]),
        (r#"{"error":{"code":{}}}"#, None, None, &[]),
        (r#"{"error":{"code":-1}}"#, Some("-1"), None, &["-1"]),
        (r#"{"type":"error","error":{}}"#, None, None, &[]),
    ];
    for (body, code, status, words) in table {
        let error = parse(body);
        assert_eq!((error.code.as_deref(), error.status), (*code, *status), "{body}");
        assert_eq!(error.words, *words, "{body}");
    }
}

#[test]
fn reads_what_surrounds_the_message() {
    let error = parse(
        r#"{"error":{"message":"slow down","type":"t","param":"tools","details":[
            {"reason":"API_KEY_INVALID"},{"retryDelay":"34.4s"},{"retryDelay":"1s"}],
            "metadata":{"headers":{"X-RateLimit-Reset":1793836800000,"bad name":"x","Bad":[1]}}}}"#,
    );
    assert_eq!(error.kind.as_deref(), Some("t"));
    assert_eq!(error.param.as_deref(), Some("tools"));
    assert_eq!(error.retry_delay, Some(Duration::from_millis(34_400)));
    assert_eq!(error.words, ["t", "API_KEY_INVALID"]);
    assert_eq!(error.headers.len(), 1);
    assert_eq!(error.headers["x-ratelimit-reset"], "1793836800000");
    let delays = [
        (r#""-1s""#, None),
        (r#""1e400s""#, None),
        (r#""NaNs""#, None),
        (r#"{"seconds":2,"nanos":500000000}"#, Some(2_500)),
        ("7", None),
    ];
    for (delay, wait) in delays {
        let error = parse(&format!(r#"{{"error":{{"details":[{{"retryDelay":{delay}}}]}}}}"#));
        assert_eq!(error.retry_delay, wait.map(Duration::from_millis), "{delay}");
    }
}

#[test]
fn long_messages_are_shortened_between_characters() {
    let error = parse(&"ä".repeat(5_000));
    assert_eq!(error.message, Some(format!("{}…", "ä".repeat(300))));
}

#[test]
fn deep_nesting_ends() {
    let mut body = "deep".to_owned();
    for _ in 0..12 {
        body = serde_json::json!({ "error": { "message": body } }).to_string();
    }
    let message = parse(&body).message.expect("the inner JSON as text");
    assert!(message.starts_with(r#"{"error":{"message":"#), "{message}");
    let brackets = "[".repeat(50_000);
    assert!(parse(&brackets).message.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_one_short_line(body in prop::collection::vec(any::<u8>(), 0..3000)) {
        let error = ProviderError::parse(&body);
        if let Some(message) = error.reason() {
            prop_assert!(message.chars().count() <= 400);
            prop_assert!(!message.contains(|char: char| char.is_control()));
        }
    }

    #[test]
    fn any_json_and_any_part_of_it_is_read(
        message in "\\PC{0,80}",
        key in "error|message|detail|errors|metadata|raw|msg|loc|code|details",
        outer in "error|message|detail|errors|metadata|raw|msg|loc|code|details",
        cut in 0usize..200,
    ) {
        let body = serde_json::json!({ outer: [{ key: message, "retryDelay": message, "code": 7 }] }).to_string();
        let end = body.floor_char_boundary(cut.min(body.len()));
        ProviderError::parse(&body.as_bytes()[..end]);
        ProviderError::parse(format!("<html><title>{message}</title>").as_bytes());
        ProviderError::parse(format!("<title>{message}").as_bytes());
    }
}
