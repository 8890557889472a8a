//! Reads a provider's error, whatever shape it has.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::text::{html_title, one_line};

/// Bytes of a body that are looked at; the reason stands near its beginning.
const BODY_LIMIT: usize = 64 * 1024;
/// Characters of the message that survives.
const MESSAGE_LIMIT: usize = 300;
/// Characters of one message that take part in [`ProviderError::text`]: what follows is as a rule
/// the echo of a prompt.
const TEXT_LIMIT: usize = 2_000;
/// Levels of nesting; an error within an error takes about five, and gateways stack up.
const DEPTH_LIMIT: u8 = 24;
/// Depth at which text within an error is taken as it is, so that a reason is left in any case.
const TEXT_DEPTH: u8 = 3;
/// Messages, words and list entries that are kept.
const COUNT_LIMIT: usize = 16;

/// What a provider's error says, gathered from all the places where providers put it.
///
/// Reading never fails: an unknown shape is an error without words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderError {
    /// The most telling message: one line of at most 300 characters.
    pub message: Option<String>,
    /// The outermost `code`, a number written as text.
    pub code: Option<String>,
    /// The outermost `type`.
    pub kind: Option<String>,
    /// The member of the request that the provider names.
    pub param: Option<String>,
    /// Who failed behind a router such as OpenRouter.
    pub provider: Option<String>,
    /// The outermost numeric code that can be an HTTP status, 400 to 599.
    pub status: Option<u16>,
    /// Google's `retryDelay`, `OpenRouter`'s `retry_after_seconds`.
    pub retry_delay: Option<Duration>,
    /// The `quotaId` of every quota that Google calls exceeded, outermost first.
    pub quotas: Vec<String>,
    /// The headers that OpenRouter hands on inside the body.
    pub headers: HeaderMap,
    /// Every code, type, status and reason that is a word, outermost first.
    pub words: Vec<String>,
    /// Every message in lower case, a line each, outermost first.
    pub text: String,
}

impl ProviderError {
    /// Reads `body`: JSON of any known shape, an SSE event with such JSON, HTML, plain text, or
    /// nothing at all.
    pub fn parse(body: &[u8]) -> Self {
        let mut reader = Reader::default();
        let body = String::from_utf8_lossy(&body[..body.len().min(BODY_LIMIT)]);
        reader.text(body.trim_start_matches('\u{feff}'), DEPTH_LIMIT);
        reader.finish()
    }

    /// The message, or else the first word, with the name of whoever failed behind a router.
    pub fn reason(&self) -> Option<String> {
        let message = self.message.as_deref().or(self.words.first().map(String::as_str))?;
        match &self.provider {
            Some(provider) if !message.contains(provider.as_str()) => Some(format!("{provider}: {message}")),
            _ => Some(message.to_owned()),
        }
    }
}

#[derive(Default)]
struct Reader {
    error: ProviderError,
    messages: Vec<String>,
}

impl Reader {
    fn finish(self) -> ProviderError {
        let Self { mut error, messages } = self;
        let telling = messages.iter().find(|message| !is_generic(message)).or(messages.first());
        error.message = telling.map(|message| one_line(message, MESSAGE_LIMIT));
        let lines: Vec<_> = messages.iter().map(|message| message.to_lowercase()).collect();
        error.text = lines.join("\n");
        error
    }

    fn text(&mut self, text: &str, depth: u8) {
        let text = text.trim();
        if depth <= TEXT_DEPTH {
            self.say(text);
        } else if text.starts_with(['{', '[', '"']) {
            match serde_json::from_str(text) {
                Ok(value) => self.value(&value, depth - 1),
                Err(_) => self.say(&salvage(text).unwrap_or_else(|| text.to_owned())),
            }
        } else if let Some(data) = event_data(text) {
            self.text(data, depth - 1);
        } else {
            self.say(&html_title(text).unwrap_or_else(|| text.to_owned()));
        }
    }

    fn value(&mut self, value: &Value, depth: u8) {
        if depth == 0 {
            return;
        }
        match value {
            Value::String(text) => self.text(text, depth),
            Value::Array(items) => {
                for item in items.iter().take(COUNT_LIMIT) {
                    self.value(item, depth - 1);
                }
            }
            Value::Object(object) => self.object(object, depth - 1),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn object(&mut self, object: &Map<String, Value>, depth: u8) {
        self.codes(object);
        self.place(object);
        let seconds = |value: &Value| Duration::try_from_secs_f64(value.as_f64()?).ok();
        let delay = object.get("retryDelay").and_then(retry_delay);
        if let Some(delay) = delay.or_else(|| object.get("retry_after_seconds").and_then(seconds)) {
            self.error.retry_delay.get_or_insert(delay);
        }
        if let Some(violations) = object.get("violations").and_then(Value::as_array) {
            self.quotas(violations);
        }
        if let Some(headers) = object.get("headers").and_then(Value::as_object) {
            self.headers(headers);
        }
        if let Some(name) = object.get("provider_name").and_then(Value::as_str)
            && !name.trim().is_empty()
        {
            self.error.provider.get_or_insert_with(|| one_line(name, 60));
        }
        if object.contains_key("flagged_input") {
            self.word("flagged_input");
        }
        match (object.get("msg").and_then(Value::as_str), object.get("loc").and_then(location)) {
            (Some(message), Some(place)) => self.say(&format!("`{place}`: {message}")),
            (Some(message), None) => self.text(message, depth),
            (None, _) => {}
        }
        let inner = [
            "error",
            "errors",
            "message",
            "error_message",
            "detail",
            "details",
            "innererror",
            "metadata",
            "raw",
            "choices",
        ];
        for value in inner.iter().filter_map(|key| object.get(*key)) {
            self.value(value, depth);
        }
    }

    fn codes(&mut self, object: &Map<String, Value>) {
        for key in ["code", "type", "status", "status_code", "reason", "limit_source"] {
            let text = match object.get(key) {
                Some(Value::String(text)) => one_line(text, 80),
                Some(Value::Number(number)) => number.to_string(),
                _ => continue,
            };
            match text.parse::<u16>() {
                Ok(status @ 400..=599) => _ = self.error.status.get_or_insert(status),
                Err(_) => self.word(&text),
                Ok(_) => {}
            }
            match key {
                "code" if !text.is_empty() => _ = self.error.code.get_or_insert(text),
                "type" if !text.is_empty() && text != "error" => _ = self.error.kind.get_or_insert(text),
                _ => {}
            }
        }
    }

    fn quotas(&mut self, violations: &[Value]) {
        for id in
            violations.iter().take(COUNT_LIMIT).filter_map(|violation| violation.get("quotaId")?.as_str())
        {
            if self.error.quotas.len() < COUNT_LIMIT {
                self.error.quotas.push(one_line(id, 120));
            }
        }
    }

    fn place(&mut self, object: &Map<String, Value>) {
        let place = match object.get("param") {
            Some(Value::String(param)) if !param.trim().is_empty() => Some(one_line(param, 80)),
            _ => object.get("loc").and_then(location),
        };
        if let Some(place) = place {
            self.error.param.get_or_insert(place);
        }
    }

    fn headers(&mut self, headers: &Map<String, Value>) {
        for (name, value) in headers.iter().take(COUNT_LIMIT) {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => continue,
            };
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::try_from(value)) {
                self.error.headers.append(name, value);
            }
        }
    }

    fn word(&mut self, word: &str) {
        let known = self.error.words.iter().any(|known| known == word);
        if !word.is_empty() && word != "error" && !known && self.error.words.len() < COUNT_LIMIT {
            self.error.words.push(word.to_owned());
        }
    }

    fn say(&mut self, message: &str) {
        let message = one_line(message, TEXT_LIMIT);
        if !message.is_empty() && !self.messages.contains(&message) && self.messages.len() < COUNT_LIMIT {
            self.messages.push(message);
        }
    }
}

/// Whether a message only says that there is an error.
fn is_generic(message: &str) -> bool {
    let message = message.trim_end_matches(['.', '!', ':']).to_lowercase();
    let empty_words =
        ["error", "unknown error", "internal error", "an error occurred", "upstream error", "bad request"];
    message.ends_with("provider returned error") || empty_words.contains(&message.as_str())
}

/// The data of the first SSE event, for providers that answer a stream request with a lone event.
fn event_data(text: &str) -> Option<&str> {
    if !text.starts_with("data:") && !text.starts_with("event:") {
        return None;
    }
    text.lines().find_map(|line| line.strip_prefix("data:"))
}

/// The first message of JSON that was cut short: validation errors echo the whole request.
fn salvage(text: &str) -> Option<String> {
    ["\"message\"", "\"msg\"", "\"detail\"", "\"error\""].iter().find_map(|key| {
        let (_, rest) = text.split_once(key)?;
        let rest = rest.trim_start().strip_prefix(':')?;
        serde_json::Deserializer::from_str(rest).into_iter::<String>().next()?.ok()
    })
}

/// Where a validation error lies: `["body", "messages", 0, "name"]` is `messages.0.name`.
fn location(place: &Value) -> Option<String> {
    let segments: Vec<_> = place
        .as_array()?
        .iter()
        .take(COUNT_LIMIT)
        .filter_map(|segment| match segment {
            Value::String(name) => Some(name.clone()),
            Value::Number(index) => Some(index.to_string()),
            _ => None,
        })
        .skip_while(|segment| segment == "body")
        .collect();
    (!segments.is_empty()).then(|| one_line(&segments.join("."), 80))
}

/// A protobuf duration in JSON: `"34.4s"`, or its two members.
fn retry_delay(value: &Value) -> Option<Duration> {
    match value {
        Value::String(text) => {
            let seconds = text.trim().strip_suffix('s')?.parse().ok()?;
            Duration::try_from_secs_f64(seconds).ok()
        }
        Value::Object(parts) => {
            let nanos = parts.get("nanos").and_then(Value::as_u64).unwrap_or(0).min(999_999_999);
            let nanos = u32::try_from(nanos).unwrap_or(0);
            parts.get("seconds").and_then(Value::as_u64).map(|seconds| Duration::new(seconds, nanos))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
