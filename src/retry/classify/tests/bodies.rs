//! What providers really say, shortened.

use crate::retry::Class;

mod provider;
mod request;

/// A status, a body and the class they are.
type Row = (u16, &'static str, Class);

/// Responses that are no 200.
pub(super) fn responses() -> impl Iterator<Item = Row> {
    provider::ROWS.iter().chain(request::ROWS).copied()
}

/// Bodies of errors under 200, with the class and the status they are.
pub(super) const UNDER_200: &[(&str, Class, Option<u16>)] = &[
    (
        r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"temporarily rate-limited upstream","provider_name":"BaseTen"}}}"#,
        Class::RateLimited,
        Some(429),
    ),
    (r#"{"error":{"message":"x","code":"429"}}"#, Class::RateLimited, Some(429)),
    (r#"{"error":{"message":"x","code":"rate_limit_exceeded"}}"#, Class::RateLimited, None),
    (r#"{"type":"error","error":{"type":"rate_limit_error","message":"x"}}"#, Class::RateLimited, None),
    (r#"{"error":{"message":"x","status":"RESOURCE_EXHAUSTED"}}"#, Class::RateLimited, None),
    (r#"{"error":{"message":"x","type":"tokens"}}"#, Class::RateLimited, None),
    (r#"{"error":"Rate limit reached, slow down"}"#, Class::RateLimited, None),
    (
        r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"Upstream idle timeout exceeded"}}"#,
        Class::Overloaded,
        Some(502),
    ),
    (
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        Class::Overloaded,
        None,
    ),
    (r#"{"error":{"message":"x","type":"server_error"}}"#, Class::Overloaded, None),
    (r#"{"error":{"message":"x","status":"UNAVAILABLE"}}"#, Class::Overloaded, None),
    (r#"{"error":{"message":"Failed to process the image, try again"}}"#, Class::Overloaded, None),
    (r#"{"error":{"message":"context deadline exceeded"}}"#, Class::Overloaded, None),
    (r#"{"error":{"code":1234,"message":"something else"}}"#, Class::Overloaded, None),
    (r#"{"error":null}"#, Class::Overloaded, None),
    ("", Class::Overloaded, None),
    ("no JSON", Class::Overloaded, None),
    ("<html><title>Sorry</title></html>", Class::Overloaded, None),
    (r#"{"error":{"message":"x","code":"invalid_api_key"}}"#, Class::Unauthorized, None),
    (r#"{"error":{"message":"x","type":"authentication_error"}}"#, Class::Unauthorized, None),
    (r#"{"error":{"message":"x","code":401}}"#, Class::Unauthorized, Some(401)),
    (r#"{"error":{"message":"x","code":403}}"#, Class::Unauthorized, Some(403)),
    (r#"{"error":{"message":"x","code":"insufficient_quota"}}"#, Class::Payment, None),
    (r#"{"error":{"message":"x","code":402}}"#, Class::Payment, Some(402)),
    (r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#, Class::ContextLength, None),
    (
        r#"{"error":{"message":"This model's maximum context length is 4096 tokens","type":"server_error"}}"#,
        Class::ContextLength,
        None,
    ),
    (
        r#"{"error":{"message":"This model's maximum context length is 4096 tokens","code":400}}"#,
        Class::ContextLength,
        Some(400),
    ),
    (r#"{"error":{"message":"x","code":"content_filter"}}"#, Class::ContentPolicy, None),
    (r#"{"error":{"message":"x","code":"model_not_found"}}"#, Class::NotFound, None),
    (r#"{"error":{"message":"x","type":"not_found_error"}}"#, Class::NotFound, None),
    (r#"{"error":{"message":"x","code":404}}"#, Class::NotFound, Some(404)),
    (r#"{"error":"gemma does not support tools"}"#, Class::Unsupported, None),
    (r#"{"error":{"message":"image too small","type":"invalid_request_error"}}"#, Class::Unsupported, None),
    (r#"{"error":{"message":"no","type":"invalid_request_error"}}"#, Class::BadRequest, None),
    (r#"{"error":{"message":"no","code":400}}"#, Class::BadRequest, Some(400)),
];
