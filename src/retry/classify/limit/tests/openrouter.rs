//! What `OpenRouter` says.

use super::*;

#[test]
fn free_models_and_pools() {
    let day = r#"{"error":{"message":"Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day","code":429,"metadata":{"headers":{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1793836800000"},"limit_source":"openrouter_free_tier_daily"}},"user_id":"u"}"#;
    let minute = r#"{"error":{"message":"Rate limit exceeded: free-models-per-min. Add 10 credits to unlock 1000 free model requests per day","code":429,"metadata":{"headers":{"X-RateLimit-Limit":"20","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1793831412000"}}}}"#;
    let spent: &[_] = &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1793836800000")];
    let left: &[_] = &[("x-ratelimit-remaining", "17"), ("x-ratelimit-reset", "1793836800000")];
    let pool = r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"z-ai/glm-4.5-air:free is temporarily rate-limited upstream. Please retry shortly, or add your own key to accumulate your rate limits: https://openrouter.ai/settings/integrations","provider_name":"Venice","is_byok":false,"limit_source":"upstream_provider_shared_pool"}}}"#;
    let timed = r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"x is temporarily rate-limited upstream.","provider_name":"Venice","is_byok":false,"retry_after_seconds":29,"retry_after_seconds_raw":28.181,"headers":{"Retry-After":"29"}}}}"#;
    hold(&[
        (429, &[], day, FreeModels, Some(5_400_000)),
        (429, &[("retry-after", "1")], day, FreeModels, Some(5_400_000)),
        (
            429,
            spent,
            r#"{"error":{"message":"Rate limit exceeded: free-models-per-day-high-balance. ","type":"rate_limit_error","code":"429"}}"#,
            FreeModels,
            Some(5_400_000),
        ),
        (
            429,
            &[],
            r#"{"error":{"message":"Rate limit exceeded: free-models-per-day-high-balance. ","type":"rate_limit_error","code":"429"}}"#,
            FreeModels,
            Some(3_600_000),
        ),
        (
            429,
            &[],
            r#"{"error":{"message":"Slow down","code":429,"metadata":{"limit_source":"openrouter_free_tier_daily"}}}"#,
            FreeModels,
            Some(3_600_000),
        ),
        (429, &[], minute, FreeModels, Some(12_000)),
        (429, &[("retry-after", "30")], minute, FreeModels, Some(30_000)),
        (
            429,
            &[],
            r#"{"error":{"message":"Rate limit exceeded: free-models-per-min. ","code":429}}"#,
            FreeModels,
            None,
        ),
        (429, &[], pool, Candidate, None),
        (429, left, pool, Candidate, None),
        (429, spent, pool, Candidate, Some(5_400_000)),
        (429, left, timed, Candidate, Some(29_000)),
        (
            429,
            &[],
            r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"{\"error\":{\"message\":\"Rate limit reached on tokens per day (TPD)\"}}","provider_name":"Groq"}}}"#,
            Candidate,
            None,
        ),
        (
            429,
            &[],
            r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"{\"error\":{\"code\":\"insufficient_quota\"}}","provider_name":"OpenAI"}}}"#,
            Candidate,
            None,
        ),
        (
            429,
            &[],
            r#"{"error":{"message":"Rate limit exceeded: limit_rpm/deepseek/x. High demand for deepseek/x on OpenRouter - limited to 20 requests per minute. Please retry shortly.","code":429}}"#,
            Candidate,
            None,
        ),
    ]);
}

#[test]
fn keys_and_credit() {
    hold(&[
        (
            403,
            &[],
            r#"{"error":{"message":"Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys","code":403}}"#,
            Key,
            None,
        ),
        (
            403,
            &[],
            r#"{"error":{"message":"Key limit exceeded (daily limit). Manage it using https://openrouter.ai/settings/keys","code":403}}"#,
            Key,
            Some(3_600_000),
        ),
        (
            402,
            &[],
            r#"{"error":{"message":"Insufficient credits. Add more using https://openrouter.ai/credits","code":402}}"#,
            Key,
            None,
        ),
        (
            402,
            &[],
            r#"{"error":{"message":"This request requires more credits, or fewer max_tokens. You requested up to 32000 tokens, but can only afford 9298.","code":402}}"#,
            Candidate,
            None,
        ),
        (
            402,
            &[],
            r#"{"error":{"message":"Prompt tokens limit exceeded: 230799 > 91442.","code":402}}"#,
            Candidate,
            None,
        ),
        (401, &[], r#"{"error":{"message":"No auth credentials found","code":401}}"#, Key, None),
        (
            401,
            &[],
            r#"{"error":{"message":"Provider returned error","code":401,"metadata":{"raw":"invalid key","provider_name":"OpenAI"}}}"#,
            Candidate,
            None,
        ),
    ]);
}
