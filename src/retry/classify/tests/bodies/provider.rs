//! Responses that blame the provider, our key or the model's name.

use super::Row;
use crate::retry::Class;

pub(super) const ROWS: &[Row] = &[
    // rate_limited
    (
        429,
        r#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
        Class::RateLimited,
    ),
    (
        429,
        r#"{"error":{"message":"Request too large for gpt-4 on tokens per min (TPM): Limit 10000, Requested 12000. The input or output tokens must be reduced in order to run successfully.","type":"tokens","code":"rate_limit_exceeded"}}"#,
        Class::RateLimited,
    ),
    (
        429,
        r#"[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.4s"}]}}]"#,
        Class::RateLimited,
    ),
    (
        429,
        r#"{"error":{"message":"Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day","code":429,"metadata":{"headers":{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1793836800000"}}},"user_id":"u"}"#,
        Class::RateLimited,
    ),
    (
        429,
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your account's rate limit. Please try again later."}}"#,
        Class::RateLimited,
    ),
    (429, r#"{"message":"Requests rate limit exceeded"}"#, Class::RateLimited),
    (429, "", Class::RateLimited),
    (429, "<html><head><title>429 Too Many Requests</title></head></html>", Class::RateLimited),
    (429, r#"{"error":{"message":"maximum context length is 4096 tokens"}}"#, Class::RateLimited),
    // overloaded
    (500, r#"{"error":{"message":"The server had an error","type":"server_error"}}"#, Class::Overloaded),
    (500, r#"{"error":{"code":"model_not_found","message":"no such model"}}"#, Class::Overloaded),
    (502, "<html><head><title>502 Bad Gateway</title></head></html>", Class::Overloaded),
    (
        503,
        r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
        Class::Overloaded,
    ),
    (
        503,
        r#"[{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}]"#,
        Class::Overloaded,
    ),
    (504, "", Class::Overloaded),
    (
        520,
        "<!DOCTYPE html><html><head><title>api.example | 520: Web server is returning an unknown error</title>",
        Class::Overloaded,
    ),
    (524, "error code: 524", Class::Overloaded),
    (
        529,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        Class::Overloaded,
    ),
    (599, "", Class::Overloaded),
    (408, r#"{"error":{"message":"Request timed out","code":408}}"#, Class::Overloaded),
    (400, r#"{"error":{"message":"Overloaded","type":"overloaded_error"}}"#, Class::Overloaded),
    (404, r#"{"error":{"message":"Model x is temporarily unavailable, try again"}}"#, Class::Overloaded),
    // unexpected
    (101, "", Class::Unexpected),
    (201, r#"{"id":"x"}"#, Class::Unexpected),
    (204, "", Class::Unexpected),
    (206, "x", Class::Unexpected),
    (301, "", Class::Unexpected),
    (304, "", Class::Unexpected),
    (307, "<html><title>Temporary Redirect</title></html>", Class::Unexpected),
    (600, "", Class::Unexpected),
    (999, "", Class::Unexpected),
    // unauthorized
    (
        401,
        r#"{"error":{"message":"Incorrect API key provided: sk-x.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
        Class::Unauthorized,
    ),
    (401, r#"{"error":{"message":"No auth credentials found","code":401}}"#, Class::Unauthorized),
    (401, r#"{"detail":"Unauthorized"}"#, Class::Unauthorized),
    (401, "", Class::Unauthorized),
    (
        403,
        r#"{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission"}}"#,
        Class::Unauthorized,
    ),
    (403, "<html><head><title>Just a moment...</title></head></html>", Class::Unauthorized),
    (
        403,
        r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","param":null,"type":"request_forbidden"}}"#,
        Class::Unauthorized,
    ),
    (
        400,
        r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}]"#,
        Class::Unauthorized,
    ),
    (
        400,
        r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xai-x. You can obtain an API key from https://console.x.ai."}"#,
        Class::Unauthorized,
    ),
    // payment
    (
        402,
        r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
        Class::Payment,
    ),
    (
        402,
        r#"{"error":{"message":"This request requires more credits, or fewer max_tokens.","code":402}}"#,
        Class::Payment,
    ),
    (
        429,
        r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        Class::Payment,
    ),
    (
        429,
        r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"{\"error\":{\"type\":\"insufficient_quota\",\"message\":\"You exceeded your current quota\"}}","provider_name":"OpenAI"}}}"#,
        Class::Payment,
    ),
    (
        429,
        r#"{"error":{"code":"1113","message":"Insufficient balance or no resource package. Please recharge."}}"#,
        Class::Payment,
    ),
    (
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
        Class::Payment,
    ),
    // not_found
    (
        404,
        r#"{"error":{"message":"The model `gpt-image-9` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
        Class::NotFound,
    ),
    (
        404,
        r#"{"error":{"message":"This is not a chat model and thus not supported in the v1/chat/completions endpoint.","type":"invalid_request_error","param":"model","code":null}}"#,
        Class::NotFound,
    ),
    (
        404,
        r#"[{"error":{"code":404,"message":"models/gemini-x-image is not found for API version v1beta, or is not supported for generateContent.","status":"NOT_FOUND"}}]"#,
        Class::NotFound,
    ),
    (404, r#"{"error":{"message":"No endpoints found for openai/nothing.","code":404}}"#, Class::NotFound),
    (
        404,
        r#"{"error":{"message":"No endpoints found matching your data policy (Free model training).","code":404}}"#,
        Class::NotFound,
    ),
    (404, r#"{"error":"model 'llava' not found"}"#, Class::NotFound),
    (404, r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#, Class::NotFound),
    (
        404,
        r#"{"status":404,"title":"Not Found","detail":"Function id 'x' version 'y': Specified function in account is not found"}"#,
        Class::NotFound,
    ),
    (404, "404 page not found", Class::NotFound),
    (404, "<html><head><title>Image store: 404</title></head></html>", Class::NotFound),
    (404, "", Class::NotFound),
    (404, r#"{"error":{"message":"Unsupported path: /chat/completions"}}"#, Class::NotFound),
    (400, r#"{"error":{"message":"openai/nothing is not a valid model ID","code":400}}"#, Class::NotFound),
    (
        400,
        r#"{"object":"error","message":"Invalid model: nothing","type":"invalid_model","param":null,"code":"1500"}"#,
        Class::NotFound,
    ),
    (
        400,
        r#"{"error":{"message":"The model `x` has been decommissioned and is no longer supported.","type":"invalid_request_error","code":"model_decommissioned"}}"#,
        Class::NotFound,
    ),
    (
        400,
        r#"{"error":{"message":"The requested model 'x' is not supported by any provider you have enabled.","type":"invalid_request_error","param":"model","code":"model_not_supported"}}"#,
        Class::NotFound,
    ),
    (
        400,
        r#"{"error":{"message":"Unsupported model: 'deepseek-r1'.","type":"bad_response_status_code"}}"#,
        Class::NotFound,
    ),
];
