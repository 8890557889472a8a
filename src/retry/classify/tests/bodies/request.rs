//! Responses that blame the request.

use super::Row;
use crate::retry::Class;

pub(super) const ROWS: &[Row] = &[
    // context_length
    (413, "<html><head><title>413 Request Entity Too Large</title></head></html>", Class::ContextLength),
    (
        413,
        r#"{"error":{"message":"Request too large for model `llama-3.1-8b-instant` on tokens per minute (TPM): Limit 6000, Requested 7500, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}}"#,
        Class::ContextLength,
    ),
    (
        413,
        r#"{"error":{"code":"tokens_limit_reached","message":"Request body too large for gpt-4o model. Max size: 8000 tokens."}}"#,
        Class::ContextLength,
    ),
    (
        400,
        r#"{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 8977 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
        Class::ContextLength,
    ),
    (
        400,
        r#"{"error":{"message":"Your input exceeds the context window of this model.","param":"input"}}"#,
        Class::ContextLength,
    ),
    (
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 205371 tokens > 200000 maximum"}}"#,
        Class::ContextLength,
    ),
    (
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}}"#,
        Class::ContextLength,
    ),
    (
        400,
        r#"[{"error":{"code":400,"message":"The input token count (1196265) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]"#,
        Class::ContextLength,
    ),
    (
        400,
        r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}"#,
        Class::ContextLength,
    ),
    (
        400,
        r#"{"error":"request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it"}"#,
        Class::ContextLength,
    ),
    (
        400,
        r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens in the messages.","type":"BadRequestError","param":null,"code":400}"#,
        Class::ContextLength,
    ),
    (
        400,
        r#"{"object":"error","message":"Prompt contains 65673 tokens, too large for model with 32768 maximum context length","type":"invalid_request_error","code":"3051"}"#,
        Class::ContextLength,
    ),
    (
        400,
        r#"{"error":{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error","param":"messages"}}"#,
        Class::ContextLength,
    ),
    (
        400,
        r#"{"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 537812 tokens."}"#,
        Class::ContextLength,
    ),
    (
        422,
        r#"{"error":{"message":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000","type":"invalid_request_error"}}"#,
        Class::ContextLength,
    ),
    (400, r#"{"error":"prompt too long; exceeded max context length by 4 tokens"}"#, Class::ContextLength),
    (
        400,
        r#"{"error":"Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens: the tokens to keep from the initial prompt are too many"}"#,
        Class::ContextLength,
    ),
    (
        400,
        r#"{"error":{"message":"Your request exceeded model token limit: 262144 (requested: 566084)","type":"invalid_request_error"}}"#,
        Class::ContextLength,
    ),
    (
        400,
        r#"{"object":"error","message":"The input (9000 tokens) is longer than the model's context length (4096 tokens).","code":400}"#,
        Class::ContextLength,
    ),
    (400, r#"{"error":{"code":"1261","message":"Prompt exceeds max length"}}"#, Class::ContextLength),
    (
        400,
        r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"message\":\"Input is too long for requested model.\"}","provider_name":"Amazon Bedrock"}}}"#,
        Class::ContextLength,
    ),
    (
        400,
        r#"{"error":{"message":"This endpoint's maximum context length is 262000 tokens. However, you requested about 263390 tokens. Please reduce the length of either one.","code":400,"metadata":{"provider_name":null}}}"#,
        Class::ContextLength,
    ),
    // content_policy
    (
        400,
        r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
        Class::ContentPolicy,
    ),
    (
        400,
        r#"{"error":{"message":"Your request was rejected by our safety system.","type":"invalid_request_error","code":"content_policy_violation"}}"#,
        Class::ContentPolicy,
    ),
    (
        400,
        r#"{"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy.","type":"invalid_request_error","code":"invalid_prompt"}}"#,
        Class::ContentPolicy,
    ),
    (
        400,
        r#"{"error":{"message":"Content Exists Risk","type":"invalid_request_error","code":"invalid_request_error"}}"#,
        Class::ContentPolicy,
    ),
    (
        403,
        r#"{"error":{"message":"x/y requires moderation on OpenInference. Your input was flagged for \"violence\".","code":403,"metadata":{"reasons":["violence"],"flagged_input":"how","provider_name":"OpenInference"}}}"#,
        Class::ContentPolicy,
    ),
    (403, r#"{"code":"x","error":"Content violates usage guidelines."}"#, Class::ContentPolicy),
    // unsupported
    (
        404,
        r#"{"error":{"message":"No endpoints found that support tool use. Try disabling \"search\".","code":404}}"#,
        Class::Unsupported,
    ),
    (
        404,
        r#"{"error":{"message":"No endpoints found that support image input","code":404}}"#,
        Class::Unsupported,
    ),
    (
        404,
        r#"{"error":{"message":"No endpoints found that can handle the requested parameters.","code":404}}"#,
        Class::Unsupported,
    ),
    (400, r#"{"error":"registry.ollama.ai/library/gemma:2b does not support tools"}"#, Class::Unsupported),
    (
        400,
        r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
        Class::Unsupported,
    ),
    (
        400,
        r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model.","param":"temperature","code":"unsupported_value"}}"#,
        Class::Unsupported,
    ),
    (400, r#"{"error":{"message":"invalid parameter temperature"}}"#, Class::Unsupported),
    (
        400,
        r#"{"error":{"message":"max_tokens is too large: 200000. This model supports at most 16384 completion tokens.","param":"max_tokens","code":"invalid_value"}}"#,
        Class::Unsupported,
    ),
    (
        400,
        r#"{"error":{"message":"Invalid content type. image_url is only supported by certain models.","type":"invalid_request_error","param":"messages.[0].content.[1].type","code":null}}"#,
        Class::Unsupported,
    ),
    (
        400,
        r#"{"object":"error","message":"\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set","type":"BadRequestError","code":400}"#,
        Class::Unsupported,
    ),
    (
        400,
        r#"{"error":{"message":"Failed to deserialize the JSON body into the target type: messages[13]: unknown variant `image_url`, expected `text`","type":"invalid_request_error","code":"invalid_request_error"}}"#,
        Class::Unsupported,
    ),
    (
        400,
        r#"[{"error":{"code":400,"message":"Function calling is not enabled for models/gemma-3-27b-it","status":"INVALID_ARGUMENT"}}]"#,
        Class::Unsupported,
    ),
    (
        422,
        r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","parallel_tool_calls"],"msg":"Extra inputs are not permitted","input":true}]},"type":"invalid_request_message_error"}"#,
        Class::Unsupported,
    ),
    (
        400,
        r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"message\":\"Model 'k' supports at most 1 image per prompt.\"}}","provider_name":"Crucible"}}}"#,
        Class::Unsupported,
    ),
    (
        400,
        r#"{"error":{"message":"Response input messages must contain the word 'json' to use 'text.format'","param":"response_format"}}"#,
        Class::Unsupported,
    ),
    // bad_request
    (
        400,
        r#"{"error":{"message":"Missing required parameter: 'messages'.","param":"messages","code":"missing_required_parameter"}}"#,
        Class::BadRequest,
    ),
    (
        400,
        r#"{"error":{"message":"Conversation roles must alternate user/assistant","type":"BadRequestError"}}"#,
        Class::BadRequest,
    ),
    (
        400,
        r#"{"error":{"message":"Invalid value: 'foo'.","param":"messages[0].role","code":"invalid_value"}}"#,
        Class::BadRequest,
    ),
    (
        422,
        r#"{"detail":[{"type":"missing","loc":["body","messages"],"msg":"Field required","input":{"tools":"x"}}]}"#,
        Class::BadRequest,
    ),
    (
        422,
        r#"{"detail":[{"type":"json_invalid","loc":["body",12],"msg":"JSON decode error"}]}"#,
        Class::BadRequest,
    ),
    (400, r#"{"error":{"message":"context deadline exceeded"}}"#, Class::BadRequest),
    (
        400,
        r#"{"error":{"message":"the request context was canceled, its length is unknown"}}"#,
        Class::BadRequest,
    ),
    (400, r#"{"error":{"message":"length of name exceeds the maximum"}}"#, Class::BadRequest),
    (400, "", Class::BadRequest),
    (405, r#"{"detail":"Method Not Allowed"}"#, Class::BadRequest),
    (409, r#"{"error":{"message":"conflict"}}"#, Class::BadRequest),
    (415, r#"{"error":{"message":"Unsupported media type"}}"#, Class::BadRequest),
    (418, "short and stout", Class::BadRequest),
    (499, "", Class::BadRequest),
];
