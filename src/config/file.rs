//! The mirror of the TOML file, and the only place that spells its keys.
//!
//! The doc comments become the descriptions of `backstop schema`, so they speak to the person who
//! writes the file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::spanned::{At, TextOr};
use crate::retry::{Class, Ruling};
use crate::route;

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
}

/// A duration with its unit.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("examples" = ["500ms", "2s", "1m30s"]))]
pub struct DurationText(pub String);

/// A duration with its unit, or two of them with `..` between: a wait drawn evenly from the range.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("examples" = ["60s", "2s..4s"]))]
pub struct RangeText(pub String);

/// In which order the candidates of a chain are visited.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OrderName {
    /// A candidate gets its whole schedule before the next one.
    Depth,
    /// Every candidate is tried once before each pause.
    Breadth,
}

/// What a stream that breaks in the middle becomes.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnBreakName {
    /// The stream ends cleanly with an error event.
    Error,
    /// The next candidate continues the answer.
    Resume,
}

/// What a waiting stream shows.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProgressName {
    /// Nothing; failures keep their HTTP status.
    Off,
    /// SSE comments, which every client ignores, once `head_after` has passed.
    Comments,
    /// Open `WebUI`'s status line.
    OpenWebui,
    /// A folded thinking block.
    Reasoning,
}

/// What a class of failure means.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RulingName {
    /// The same candidate again, on schedule.
    Retry,
    /// Another candidate is likelier; this one is visited again later.
    Next,
    /// This candidate will never answer this request.
    Drop,
    /// No candidate will: give the failure back.
    Reject,
}

/// A class of failure by its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClassName(pub Class);

impl<'de> Deserialize<'de> for ClassName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Class::ALL
            .into_iter()
            .find(|class| class.as_str() == name)
            .map(Self)
            .ok_or_else(|| D::Error::custom("no class of failure"))
    }
}

impl JsonSchema for ClassName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ClassName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": Class::ALL.map(Class::as_str) })
    }
}

impl From<OrderName> for route::Order {
    fn from(name: OrderName) -> Self {
        match name {
            OrderName::Depth => Self::Depth,
            OrderName::Breadth => Self::Breadth,
        }
    }
}

impl From<OnBreakName> for route::OnBreak {
    fn from(name: OnBreakName) -> Self {
        match name {
            OnBreakName::Error => Self::Error,
            OnBreakName::Resume => Self::Resume,
        }
    }
}

impl From<ProgressName> for route::ProgressMode {
    fn from(name: ProgressName) -> Self {
        match name {
            ProgressName::Off => Self::Off,
            ProgressName::Comments => Self::Comments,
            ProgressName::OpenWebui => Self::OpenWebui,
            ProgressName::Reasoning => Self::Reasoning,
        }
    }
}

impl From<RulingName> for Ruling {
    fn from(name: RulingName) -> Self {
        match name {
            RulingName::Retry => Self::Retry,
            RulingName::Next => Self::Next,
            RulingName::Drop => Self::Drop,
            RulingName::Reject => Self::Reject,
        }
    }
}
