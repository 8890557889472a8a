//! Failures that do not pass: the key, the purse, the model, the request.

use backstop::sim::Act;
use serde_json::json;

use super::{KEY, Row, event, fail};

pub fn unauthorized() -> Vec<Row> {
    let told = format!("Incorrect API key provided: {KEY}. You can find yours elsewhere.");
    let masked = "Incorrect API key provided: ***. You can find yours elsewhere";
    let google = "API key not valid";
    let page = format!("<title>No entry for {KEY}</title>");
    vec![
        Row::status("a 401 that repeats the key", 401, fail(&told, "invalid_api_key"), masked),
        Row::status("a 401 without a body", 401, Act::status(401).empty(), "Unauthorized"),
        Row::status("a 403", 403, fail("Country not supported", ()), "Country not supported"),
        Row::status("a 403 with a page", 403, Act::status(403).html(page), "No entry for ***"),
        Row::status("a 400 that says so", 400, fail(google, "INVALID_ARGUMENT"), google),
        Row::inside("under 200", fail(&told, 401), masked).saying(401),
        Row::inside("an event", event(&told, "invalid_api_key"), masked).streamed(),
    ]
}

pub fn payment() -> Vec<Row> {
    let quota = "You exceeded your current quota, please check your plan and billing details.";
    let purse = "Your credit balance is too low";
    vec![
        Row::status("a 402", 402, Act::status(402), "Insufficient credits"),
        Row::status("an empty 402", 402, Act::status(402).empty(), "Payment Required"),
        Row::status("a spent quota under 429", 429, fail(quota, "insufficient_quota"), "You exceeded"),
        Row::status("an empty purse under 400", 400, fail(purse, ()), purse),
        Row::inside("under 200", fail("Insufficient credits", 402), "Insufficient credits").saying(402),
        Row::inside("an event", event(quota, "insufficient_quota"), "You exceeded").streamed(),
    ]
}

/// The same words without the code mean a limit that passes.
pub fn a_quota_that_comes_back() -> Vec<Row> {
    let quota = "You exceeded your current quota, please check your plan and billing details.";
    let google = json!([{"error": {"code": 429, "message": quota, "status": "RESOURCE_EXHAUSTED"}}]);
    let act = Act::status(429).json(google.to_string());
    vec![Row::status("Google's quota a minute", 429, act, "You exceeded")]
}

pub fn not_found() -> Vec<Row> {
    let invalid = "moonshot/kimi is not a valid model ID";
    vec![
        Row::status("a 404", 404, Act::status(404), "The model does not exist"),
        Row::status("a 404 without a body", 404, Act::status(404).empty(), "Not Found"),
        Row::status("a 404 of another server", 404, Act::status(404).html("<h1>nginx</h1>"), "nginx"),
        Row::status("a word under 400", 400, fail("No", "model_not_found"), "No"),
        Row::status("OpenRouter's 400", 400, fail(invalid, 400), invalid),
        Row::inside("under 200", fail("No such model", "model_not_found"), "No such model"),
        Row::inside("an event", event(invalid, 400), invalid).saying(400).streamed(),
    ]
}

pub fn context_length() -> Vec<Row> {
    let openai =
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000";
    let anthropic = "prompt is too long: 208310 tokens > 200000 maximum";
    let llama = "the request exceeds the available context size. try increasing the context size";
    vec![
        Row::status("a 413", 413, Act::status(413).empty(), "Payload Too Large"),
        Row::status("a 413 with a page", 413, Act::status(413).html("<title>Too big</title>"), "Too big"),
        Row::status("the word", 400, fail("Too much", "context_length_exceeded"), "Too much"),
        Row::status("OpenAI's wording", 400, fail(openai, ()), "maximum context length"),
        Row::status("Anthropic's wording", 400, fail(anthropic, "invalid_request_error"), anthropic),
        Row::status("llama.cpp's wording", 400, fail(llama, 400), "available context size"),
        Row::inside("under 200", fail(openai, 400), "maximum context length").saying(400),
        Row::inside("an event", event("Too much", "context_length_exceeded"), "Too much").streamed(),
    ]
}

pub fn content_policy() -> Vec<Row> {
    let flagged = json!({"error": {
        "code": 403,
        "message": "Your chosen model requires moderation and your input was flagged",
        "metadata": {"reasons": ["violence"], "flagged_input": "…", "provider_name": "OpenAI"},
    }});
    let azure = "The response was filtered due to the prompt triggering the content management policy.";
    vec![
        Row::status("the word", 400, fail("Not this", "content_policy_violation"), "Not this"),
        Row::status("Azure's filter", 400, fail(azure, "content_filter"), "the prompt triggering"),
        Row::status(
            "moderation under 403",
            403,
            Act::status(403).json(flagged.to_string()),
            "your input was flagged",
        ),
        Row::inside("under 200", fail("Not this", "content_filter"), "Not this"),
        Row::inside("an event", event("Not this", "content_policy_violation"), "Not this").streamed(),
    ]
}

pub fn unsupported() -> Vec<Row> {
    let tools = "registry.ollama.ai/library/gemma does not support tools";
    let images = "No endpoints found that support image input";
    let value = json!({"error": {"message": "No", "code": "unsupported_value", "param": "temperature"}});
    let value = || Act::status(400).json(value.to_string());
    let extra = json!({"detail": [{"loc": ["body", "logit_bias"], "msg": "Extra inputs are not permitted"}]});
    let extra = Act::status(422).json(extra.to_string());
    let chunk = json!({"error": {"message": "No", "code": "unsupported_value"}}).to_string();
    let chunk = Act::answer("Hello").insert(1, chunk);
    vec![
        Row::status("tools under 400", 400, fail(tools, ()), tools),
        Row::status("images under 404", 404, fail(images, 404), images),
        Row::status("a value under 400", 400, value(), "No"),
        Row::status("a parameter under 422", 422, extra, "Extra inputs are not permitted"),
        Row::inside("under 200", fail(tools, 400), tools).saying(400),
        Row::inside("a value under 200", value(), "No"),
        Row::inside("an event", chunk, "No").streamed(),
    ]
}

/// The client's own 4xx goes back to it as it came, unless it speaks of our key or of asking again.
pub fn bad_request() -> Vec<Row> {
    let wrong = || fail("messages: must not be empty", "invalid_request_error");
    let told = "messages: must not be empty";
    let mut rows = vec![
        Row::status("a 407 is about our way out", 407, wrong(), told).ending(400),
        Row::status("without a body", 400, wrong().empty(), "Bad Request"),
        Row::inside("under 200", wrong(), told),
        Row::inside("under 200 with a status", fail(told, 422), told).saying(422).ending(422),
        Row::inside("an event", event(told, "invalid_request_error"), told).streamed(),
    ];
    for status in [400, 405, 406, 409, 410, 411, 415, 418, 422, 424, 451, 499] {
        rows.push(Row::status("its status goes back", status, wrong(), told).ending(status));
    }
    rows
}
