//! The events of a short stream, as they go over the wire.

use serde_json::Value;

/// A chunk without a word in it.
pub const ROLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";

/// A word.
pub const HELLO: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"},\"finish_reason\":null}]}\n\n";

/// The reason why no word follows.
pub const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

/// What it cost.
pub const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"completion_tokens\":1}}\n\n";

/// The end.
pub const DONE: &str = "data: [DONE]\n\n";

/// The error in the event that stands between `before` and `[DONE]`.
#[track_caller]
pub fn error_after(body: &str, before: &str) -> Value {
    let rest = body.strip_prefix(before).unwrap_or_else(|| panic!("{before} does not begin {body}"));
    let event = rest.strip_suffix(DONE).unwrap_or_else(|| panic!("no `[DONE]` ends {body}"));
    let event = event.strip_prefix("data: ").and_then(|event| event.strip_suffix("\n\n"));
    let json = event.unwrap_or_else(|| panic!("not one event: {rest}"));
    let chunk: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert!(chunk.get("choices").is_none(), "Open WebUI ignores an error beside choices: {json}");
    chunk["error"].clone()
}
