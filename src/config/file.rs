//! The mirror of the TOML file, and the only place that spells its keys.
//!
//! The doc comments become the descriptions of `backstop schema`, so they speak to the person who
//! writes the file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::spanned::{At, TextOr};

mod names;
mod provider;
mod route;

pub use names::{
    ClassName, CredentialsName, DeliveryName, DurationText, ForeignReasoningName, KeyOrderName, KindName,
    OnBreakName, OrderName, ProgressName, RangeText, RulingName, TraitName,
};
pub use provider::{DiscoverTable, KeyTable, ProviderTable, QuotaTable, SecretTable};
pub use route::{CandidateTable, CaseTable, RouteTable};

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
    /// The toasts that Open `WebUI` shows.
    pub notifications: Option<NotificationTable>,
    /// Requests for titles, tags, follow-ups and the like, which may just as well fail.
    pub tasks: Option<TaskTable>,
    /// People who have keys of their own, by mail address or id.
    pub users: Option<BTreeMap<At<String>, UserTable>>,
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
    /// Threads that serve connections (default: one for each core that the process may use).
    #[schemars(range(min = 1, max = 256))]
    pub workers: Option<At<u32>>,
    /// Whether the `X-OpenWebUI-User-…` headers say who asks (default false). Whoever can reach Backstop can
    /// write them.
    pub trust_user_headers: Option<At<bool>>,
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
    /// Whether an attempt that follows a failed one opens a new connection, which a load balancer may lead
    /// elsewhere (default false: it takes one that is open).
    pub fresh_connections: Option<At<bool>>,
    /// What a class of failure means, in place of the built-in meaning.
    pub on: Option<BTreeMap<At<ClassName>, At<RulingName>>>,
}

/// The limits of one attempt.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeoutTable {
    /// Name look-up, TCP, proxy and TLS together (default 10s).
    pub connect: Option<At<DurationText>>,
    /// Until the head of the response (default 60s for streams, 5m for whole answers; 5m for local
    /// servers). A value set here counts for both.
    pub first_byte: Option<At<DurationText>>,
    /// From the head to the first word (default 60s; 5m for local servers).
    pub first_token: Option<At<DurationText>>,
    /// Between two bytes of an answer that has opened (default 60s).
    pub idle: Option<At<DurationText>>,
}

/// The toasts that Open `WebUI` shows, each kind of them (default true).
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotificationTable {
    /// An answer came after all.
    pub success: Option<At<bool>>,
    /// A burst or a cycle is over without one.
    pub warning: Option<At<bool>>,
    /// A provider refuses for good, and the chain goes on. That nobody answered is shown in any case.
    pub error: Option<At<bool>>,
    /// The next model is asked.
    pub info: Option<At<bool>>,
}

/// Requests for titles, tags, follow-ups and the like, which may just as well fail.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskTable {
    /// The route that answers them all (default: the one that they ask for).
    pub route: Option<At<String>>,
    /// The name of their policy, or keys that replace those of the built-in one: two attempts, `"500ms..1s"`
    /// apart, within 20s.
    pub retry: Option<At<TextOr<PolicyTable>>>,
    /// Limits of their attempts.
    pub timeouts: Option<TimeoutTable>,
}

/// A person who has keys of their own.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserTable {
    /// The keys, by the names of their providers: text, `{ env = "NAME" }` or `{ file = "/path" }`.
    #[schemars(extend("writeOnly" = true))]
    pub keys: Option<BTreeMap<At<String>, At<TextOr<SecretTable>>>>,
}
