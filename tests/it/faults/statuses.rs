//! Failures that pass: too many requests, and a provider in trouble.

use backstop::sim::{Act, data, error, error_beside_choices};

use super::{Row, event, fail};

const HTML: &str = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";

/// What OpenRouter says when the provider behind it refuses: the reason is JSON in a string.
const NESTED: &str = r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"{\"error\":{\"message\":\"kimi is temporarily rate-limited upstream\",\"code\":\"rate_limit_exceeded\"}}","provider_name":"Chutes"}},"user_id":"user_1"}"#;

pub fn rate_limited() -> Vec<Row> {
    let limit = || Act::status(429);
    let nested = || limit().json(NESTED);
    let told = "Chutes: kimi is temporarily rate-limited upstream";
    let text = limit().json(r#"{"error":"Slow down"}"#);
    let alone = Act::events([data(error("Slow down", 429))]);
    vec![
        Row::status("a plain 429", 429, limit(), "Rate limit exceeded"),
        Row::status("without a body", 429, limit().empty(), "Too Many Requests"),
        Row::status("without a label", 429, limit().without_header("content-type"), "Rate limit exceeded"),
        Row::status("with a page", 429, limit().html("<title>Slow down</title>"), "Slow down"),
        Row::status("with an error that is text", 429, text, "Slow down"),
        Row::status("nested by a router", 429, nested(), told),
        Row::inside("a numeric code under 200", fail("Slow down", 429), "Slow down").saying(429),
        Row::inside("a number in quotes under 200", fail("Slow down", "429"), "Slow down").saying(429),
        Row::inside("a word under 200", fail("Slow down", "rate_limit_exceeded"), "Slow down"),
        Row::inside("nested under 200", nested(), told).saying(429),
        Row::inside("a lone event", alone, "Slow down").saying(429).streamed(),
        Row::inside("an event", event("Slow down", 429), "Slow down").saying(429).streamed(),
        Row::inside("an event with a word", event("Slow down", "rate_limited"), "Slow down").streamed(),
    ]
}

pub fn overloaded() -> Vec<Row> {
    let down = || Act::status(503);
    let told = "The engine is currently overloaded";
    let beside = error_beside_choices("Provider disconnected", 502);
    let whole = down().json(beside.clone());
    let streamed = Act::answer("Hello").insert(1, beside);
    vec![
        Row::status("a plain 503", 503, down(), "The model is overloaded"),
        Row::status("without a body", 500, down().empty(), "Internal Server Error"),
        Row::status("with a page", 502, down().html(HTML), "502 Bad Gateway"),
        Row::status("a 408", 408, down().empty(), "Request Timeout"),
        Row::status("a 400 that says so", 400, fail(told, ()), told),
        Row::inside("a word under 200", fail("Try later", "overloaded_error"), "Try later"),
        Row::inside("a number under 200", fail("No instances", 503), "No instances").saying(503),
        Row::inside("no word under 200", down().json(r#"{"error":{}}"#), "an error without a message"),
        Row::inside("beside choices", whole, "Provider disconnected").saying(502),
        Row::inside("an event", event("It is unavailable", "unavailable"), "It is unavailable").streamed(),
        Row::inside("an event beside choices", streamed, "Provider disconnected").saying(502).streamed(),
    ]
}

/// No list of codes: whatever is 5xx is the provider's trouble.
pub fn every_5xx() -> Vec<Row> {
    let odd = (520..=530).chain([500, 501, 502, 504, 505, 507, 509, 511, 529, 555, 598, 599]);
    odd.map(|status| Row::status("an odd status", status, Act::status(500).empty(), "").streamed()).collect()
}
