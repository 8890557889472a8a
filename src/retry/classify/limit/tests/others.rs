//! What everyone else says.

use super::*;

#[test]
fn openai() {
    let rpm = r#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-x on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s. Visit https://platform.openai.com/account/rate-limits to learn more.","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
    let rpd = r#"{"error":{"message":"Rate limit reached for gpt-4o-mini in organization org-x on requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in 7m12s.","type":"requests","code":"rate_limit_exceeded"}}"#;
    let tpm = r#"{"error":{"message":"Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29900, Requested 260. Please try again in 320ms.","type":"tokens","code":"rate_limit_exceeded"}}"#;
    let spent: &[_] = &[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "59.7s")];
    hold(&[
        (429, &[], rpm, Candidate, Some(20_000)),
        (429, spent, rpm, Candidate, Some(20_000)),
        (429, &[("retry-after-ms", "20345"), ("retry-after", "21")], rpm, Candidate, Some(20_345)),
        (
            429,
            spent,
            r#"{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}"#,
            Candidate,
            Some(59_700),
        ),
        (429, &[], tpm, Candidate, Some(320)),
        (429, &[], rpd, Candidate, Some(432_000)),
        (
            429,
            &[],
            r#"{"error":{"message":"Rate limit reached for o4-mini on requests per day (RPD): Limit 200, Used 200.","type":"requests","code":"rate_limit_exceeded"}}"#,
            Candidate,
            Some(3_600_000),
        ),
        (
            429,
            &[],
            r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            Key,
            None,
        ),
        (
            429,
            &[],
            r#"{"error":{"message":"Billing hard limit has been reached","code":"billing_hard_limit_reached"}}"#,
            Key,
            None,
        ),
        (
            401,
            &[],
            r#"{"error":{"message":"Incorrect API key provided: sk-x.","code":"invalid_api_key"}}"#,
            Key,
            None,
        ),
        (401, &[], "", Key, None),
        (
            403,
            &[],
            r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","type":"request_forbidden"}}"#,
            Candidate,
            None,
        ),
        (
            403,
            &[],
            r#"{"error":{"message":"Project does not have access to model gpt-4o","type":"invalid_request_error","code":"model_not_found"}}"#,
            Candidate,
            None,
        ),
        (
            404,
            &[],
            r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#,
            Candidate,
            None,
        ),
        (
            500,
            &[],
            r#"{"error":{"message":"The server had an error","type":"server_error"}}"#,
            Candidate,
            None,
        ),
    ]);
}

#[test]
fn groq_anthropic_moonshot_cerebras_mistral() {
    let anthropic: &[_] = &[
        ("retry-after", "13"),
        ("anthropic-ratelimit-input-tokens-remaining", "0"),
        ("anthropic-ratelimit-input-tokens-reset", "2026-11-04T22:30:59Z"),
    ];
    let cerebras: &[_] =
        &[("x-ratelimit-remaining-requests-day", "0"), ("x-ratelimit-reset-requests-day", "5399.4")];
    hold(&[
        (
            429,
            &[],
            r#"{"error":{"message":"Rate limit reached for model `llama-3.3-70b-versatile` in organization `org_x` service tier `on_demand` on tokens per day (TPD): Limit 100000, Used 97050, Requested 3619. Please try again in 9m38.016s. Need more tokens? Upgrade to Dev Tier today","type":"tokens","code":"rate_limit_exceeded"}}"#,
            Candidate,
            Some(578_016),
        ),
        (
            429,
            &[("retry-after", "7")],
            r#"{"error":{"message":"Rate limit reached for model `x` on tokens per minute (TPM): Limit 6000. Please try again in 6.4s.","code":"rate_limit_exceeded"}}"#,
            Candidate,
            Some(7_000),
        ),
        (
            429,
            anthropic,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 30,000 input tokens per minute"}}"#,
            Candidate,
            Some(13_000),
        ),
        (
            429,
            &anthropic[1..],
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your account's rate limit. Please try again later."}}"#,
            Candidate,
            Some(59_000),
        ),
        (
            429,
            &[],
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"Number of concurrent connections has exceeded your rate limit."}}"#,
            Candidate,
            None,
        ),
        (
            429,
            &[],
            r#"{"error":{"message":"Your account organization concurrency: 1, request reached max organization concurrency: 1, please try again after 1 seconds","type":"rate_limit_reached_error"}}"#,
            Candidate,
            Some(1_000),
        ),
        (
            429,
            cerebras,
            r#"{"message":"Requests per day limit exceeded - too many requests sent.","type":"too_many_requests_error","param":"quota","code":"request_quota_exceeded"}"#,
            Candidate,
            Some(5_399_400),
        ),
        (
            429,
            &[],
            r#"{"message":"Tokens per day limit exceeded - too many tokens processed.","type":"too_many_tokens_error","param":"quota","code":"token_quota_exceeded"}"#,
            Candidate,
            Some(3_600_000),
        ),
        (
            429,
            &[],
            r#"{"message":"Tokens per minute limit exceeded - too many tokens processed.","type":"too_many_tokens_error","code":"token_quota_exceeded"}"#,
            Candidate,
            None,
        ),
        (
            429,
            &[],
            r#"{"object":"error","message":"Rate limit exceeded","type":"rate_limited","param":null,"code":"1300","raw_status_code":429}"#,
            Candidate,
            None,
        ),
        (
            429,
            &[],
            r#"{"object":"error","message":"Service tier capacity exceeded for this model.","type":"invalid_request_error","code":null}"#,
            Candidate,
            None,
        ),
    ]);
}

#[test]
fn azure_cohere_and_the_rest() {
    hold(&[
        (
            429,
            &[],
            r#"{"error":{"code":"RateLimitReached","message":"Rate limit of 50 per 86400s exceeded for UserByModelByDay. Please wait 57829 seconds before retrying."}}"#,
            Candidate,
            Some(57_829_000),
        ),
        (
            429,
            &[],
            r#"{"error":{"code":"RateLimitReached","message":"Rate limit of 15 per 60s exceeded for UserByModelByMinute. Please wait 42 seconds before retrying."}}"#,
            Candidate,
            Some(42_000),
        ),
        (
            429,
            &[],
            r#"{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation have exceeded the token rate limit. Please retry after 6 seconds."}}"#,
            Candidate,
            Some(6_000),
        ),
        (
            429,
            &[],
            r#"{"id":"x","message":"You are using a Trial key, which is limited to 1000 API calls / month. You can continue to use the Trial key for free"}"#,
            Key,
            Some(3_600_000),
        ),
        (
            429,
            &[],
            r#"{"message":"You are using a Trial key, which is limited to 10 API calls / minute."}"#,
            Candidate,
            None,
        ),
        (
            429,
            &[],
            r#"{"error":{"code":"1304","message":"Daily call limit for this API reached. For more requests, please contact customer service to purchase"}}"#,
            Candidate,
            Some(3_600_000),
        ),
        (
            402,
            &[],
            r#"{"error":{"message":"Insufficient Balance","code":"invalid_request_error"}}"#,
            Key,
            None,
        ),
        (
            400,
            &[],
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
            Key,
            None,
        ),
        (
            403,
            &[],
            r#"{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission"}}"#,
            Candidate,
            None,
        ),
        (403, &[], "<html><head><title>Just a moment...</title></head></html>", Candidate, None),
        (429, &[], "<html><head><title>429 Too Many Requests</title></head></html>", Candidate, None),
        (429, &[], "", Candidate, None),
        (503, &[], r#"{"error":"Daily limit of this model reached"}"#, Candidate, None),
    ]);
}
