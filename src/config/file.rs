//! The mirror of the TOML file, and the only place that spells its keys.
//!
//! The doc comments become the descriptions of `backstop schema`, so they speak to the person who
//! writes the file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::spanned::{At, TextOr};

mod names;

pub use names::{
    ClassName, DeliveryName, DurationText, KeyOrderName, OnBreakName, OrderName, ProgressName, RangeText,
    RulingName,
};

/// The configuration of Backstop: providers, and the routes that are tried along them.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "backstop.toml")]
pub struct File {
    /// How clients are served.
    pub server: Option<ServerTable>,
    /// The default retry policy; every key is optional.
    pub retry: Option<PolicyTable>,
    /// The default limits of an attempt.
    pub timeouts: Option<TimeoutTable>,
    /// When a candidate or a key that keeps failing is left alone for a while, by all requests.
    pub cooldown: Option<CooldownTable>,
    /// The APIs that can answer. A known name (`openrouter`, `openai`, `ollama`, …) implies its base URL
    /// and the variable of its key.
    pub providers: Option<BTreeMap<At<String>, ProviderTable>>,
    /// Named retry policies, for `retry = "NAME"`.
    pub policies: Option<BTreeMap<At<String>, PolicyTable>>,
    /// What a client can ask for: the name is the `model` of a request.
    pub routes: Option<BTreeMap<At<String>, RouteTable>>,
}

/// How clients are served.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerTable {
    /// The address and port to listen on (default `127.0.0.1:8420`).
    pub listen: Option<At<String>>,
    /// The largest request body, such as `"100MB"` or a number of bytes (default 100MB).
    pub max_body: Option<At<TextOr<u64>>>,
    /// The largest answer that is not streamed (default 64MB).
    pub max_answer: Option<At<TextOr<u64>>>,
    /// Whether every model of every provider can be asked for as `provider/model` (default true).
    pub direct: Option<At<bool>>,
    /// The web pages that may ask: `"loopback"` (pages served from this machine, the default), `"any"`, or
    /// a list of origins; in a variable, origins with commas between.
    pub cors: Option<At<TextOr<Vec<At<String>>>>>,
    /// How long open streams may go on after the signal to stop (default 30s).
    pub grace: Option<At<DurationText>>,
    /// How long a stream waits before its head goes out without an answer (default 15s).
    pub head_after: Option<At<DurationText>>,
}

/// An API with a base URL and a key.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderTable {
    /// The known provider this one is like; its own name if that is a known one.
    pub preset: Option<At<String>>,
    /// The URL of the OpenAI-compatible API, up to and without `/chat/completions`.
    pub base_url: Option<At<String>>,
    /// The key, sent as a bearer token: text, `{ env = "NAME" }` or `{ file = "/path" }`.
    #[schemars(extend("writeOnly" = true))]
    pub api_key: Option<At<TextOr<SecretTable>>>,
    /// Several keys, in place of `api_key`: each like that one, or a table with a name and limits.
    #[schemars(extend("writeOnly" = true))]
    pub api_keys: Option<At<Vec<At<TextOr<KeyTable>>>>>,
    /// Which of several keys an attempt takes (default `round-robin`).
    pub key_order: Option<At<KeyOrderName>>,
    /// The requests that it allows, over all its keys (default: no limit).
    pub limits: Option<QuotaTable>,
    /// Whether it continues an answer that is given to it as the last message (default false; true for
    /// `llamacpp`). Counts where a route resumes.
    pub prefill: Option<At<bool>>,
    /// Headers that every attempt carries; values as for `api_key`.
    #[schemars(extend("writeOnly" = true))]
    pub headers: Option<BTreeMap<At<String>, At<TextOr<SecretTable>>>>,
    /// Limits of an attempt at this provider.
    pub timeouts: Option<TimeoutTable>,
    /// Whether `OpenRouter` is told which app is asking (default true).
    pub attribution: Option<At<bool>>,
    /// The app's URL, sent as `HTTP-Referer`.
    pub app_url: Option<At<String>>,
    /// The app's name, sent as `X-Title`.
    pub app_title: Option<At<String>>,
}

/// A secret that stands elsewhere.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretTable {
    /// The environment variable that holds it.
    pub env: Option<At<String>>,
    /// The file that holds it, white space at its ends removed.
    pub file: Option<At<String>>,
}

/// One of several keys.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyTable {
    /// The environment variable that holds it.
    pub env: Option<At<String>>,
    /// The file that holds it, white space at its ends removed.
    pub file: Option<At<String>>,
    /// The key itself.
    #[schemars(extend("writeOnly" = true))]
    pub value: Option<At<String>>,
    /// What logs call it (default: the name of its variable or of its file, else `key` and its position).
    pub name: Option<At<String>>,
    /// The requests that it allows (default: no limit).
    pub limits: Option<QuotaTable>,
}

/// The requests that a provider or a key allows.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaTable {
    /// In any 60 seconds.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_minute: Option<At<u32>>,
    /// In a day of UTC.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub requests_per_day: Option<At<u32>>,
}

/// When a candidate or a key that keeps failing is left alone for a while, by all requests.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CooldownTable {
    /// Whether it ever is (default true).
    pub enabled: Option<At<bool>>,
    /// Failures in a row, over all requests, after which it rests (default 5).
    #[schemars(range(min = 1, max = 10_000))]
    pub failures: Option<At<u32>>,
    /// The first rest (default 2s); each further one is twice as long.
    pub rest: Option<At<DurationText>>,
    /// The longest rest (default 12s), unless the provider asks for a longer one.
    pub rest_max: Option<At<DurationText>>,
}

/// How often, how densely and how long a candidate or a route is tried.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyTable {
    /// Attempts in quick succession (default 10).
    #[schemars(range(min = 1, max = 10_000))]
    pub attempts_per_burst: Option<At<u32>>,
    /// The wait between two attempts of a burst (default `"2s..4s"`).
    pub attempt_delay: Option<At<RangeText>>,
    /// Bursts before the long pause (default 3).
    #[schemars(range(min = 1, max = 10_000))]
    pub bursts_per_cycle: Option<At<u32>>,
    /// The wait between two bursts (default `"15s..30s"`).
    pub burst_pause: Option<At<RangeText>>,
    /// Cycles in all (default 2).
    #[schemars(range(min = 1, max = 10_000))]
    pub cycles: Option<At<u32>>,
    /// The wait between two cycles (default `"60s"`).
    pub cycle_pause: Option<At<RangeText>>,
    /// The longest time until an answer opens, over all candidates (default 9m); counts on the route only.
    pub deadline: Option<At<DurationText>>,
    /// The most attempts of one request, over all candidates (default: no limit); counts on the route only.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_attempts: Option<At<u32>>,
    /// The longest `Retry-After` that is waited for while another candidate is live (default 10s).
    pub retry_after_cap: Option<At<DurationText>>,
    /// What a class of failure means, in place of the built-in meaning.
    pub on: Option<BTreeMap<At<ClassName>, At<RulingName>>>,
}

/// The limits of one attempt.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeoutTable {
    /// Name look-up, TCP and TLS together (default 10s).
    pub connect: Option<At<DurationText>>,
    /// Until the head of the response (default 60s for streams, 5m for whole answers; 5m for local
    /// servers). A value set here counts for both.
    pub first_byte: Option<At<DurationText>>,
    /// From the head to the first word (default 60s; 5m for local servers).
    pub first_token: Option<At<DurationText>>,
    /// Between two bytes of an answer that has opened (default 60s).
    pub idle: Option<At<DurationText>>,
}

/// A virtual model.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteTable {
    /// The name shown in a model picker.
    pub name: Option<At<String>>,
    /// A sentence for the model list.
    pub description: Option<At<String>>,
    /// Who may answer, in order of preference: `"provider/model"`, or a table.
    pub chain: Option<At<Vec<At<TextOr<CandidateTable>>>>>,
    /// In which order the candidates are visited (default `depth`).
    pub order: Option<At<OrderName>>,
    /// The name of a policy, or keys that replace those of the default policy.
    pub retry: Option<At<TextOr<PolicyTable>>>,
    /// Limits of an attempt on this route.
    pub timeouts: Option<TimeoutTable>,
    /// What a stream that breaks in the middle becomes (default `error`).
    pub on_break: Option<At<OnBreakName>>,
    /// When the first bytes of an answer go out (default `direct`).
    pub delivery: Option<At<DeliveryName>>,
    /// How late the first word may be before the next candidate starts too (default: it never does).
    pub hedge_after: Option<At<DurationText>>,
    /// Whether that may spend a key or a provider with `limits` (default false).
    pub hedge_quota: Option<At<bool>>,
    /// Keys that replace those of `[cooldown]`.
    pub cooldown: Option<CooldownTable>,
    /// What a waiting stream shows (default `comments`).
    pub progress: Option<At<ProgressName>>,
}

/// A candidate with settings of its own.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CandidateTable {
    /// `provider/model`; the model may hold more slashes.
    #[serde(rename = "use")]
    pub target: Option<At<String>>,
    /// The name of a policy, or keys that replace those of the route's policy.
    pub retry: Option<At<TextOr<PolicyTable>>>,
    /// Limits of an attempt at this candidate.
    pub timeouts: Option<TimeoutTable>,
    /// Headers that only this candidate's attempts carry.
    #[schemars(extend("writeOnly" = true))]
    pub headers: Option<BTreeMap<At<String>, At<TextOr<SecretTable>>>>,
    /// Members of the request body to write; all but `model`, `messages` and `stream`.
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub set: Option<BTreeMap<At<String>, At<toml::Value>>>,
    /// Members of the request body to leave out; all but `model`, `messages` and `stream`.
    pub unset: Option<Vec<At<String>>>,
    /// Whether it continues an answer that is given to it as the last message (default: its provider's).
    pub prefill: Option<At<bool>>,
}
