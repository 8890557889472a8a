//! The part of the file about providers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationText, KeyOrderName, PolicyTable, TimeoutTable};
use crate::config::spanned::{At, SwitchOr, TextOr};

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
    /// The most attempts that are under way at once (default: no limit); others wait for one to end, for as
    /// long as `connect` allows.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_connections: Option<At<u32>>,
    /// The HTTP proxy on the way there: its URL, `{ env = "NAME" }` or `{ file = "/path" }`, or `false` for none
    /// (default: as `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say, but for servers on this machine).
    #[schemars(extend("writeOnly" = true))]
    pub proxy: Option<At<TextOr<SwitchOr<SecretTable>>>>,
    /// A PEM file with certificates that vouch for its own, beside those that the machine trusts.
    pub ca: Option<At<String>>,
    /// Headers that every attempt carries; values as for `api_key`.
    #[schemars(extend("writeOnly" = true))]
    pub headers: Option<BTreeMap<At<String>, At<TextOr<SecretTable>>>>,
    /// Limits of an attempt at this provider.
    pub timeouts: Option<TimeoutTable>,
    /// The policy of its models where no route names another: a name, or keys that replace those of `[retry]`.
    pub retry: Option<At<TextOr<PolicyTable>>>,
    /// Which of the models that it lists become routes (default: none).
    pub discover: Option<DiscoverTable>,
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

/// Which of the models that a provider lists become routes. An empty table means all of them.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscoverTable {
    /// How often the list is fetched (default 1h).
    pub every: Option<At<DurationText>>,
    /// Whether they must cost nothing (`true`) or something (`false`).
    pub free: Option<At<bool>>,
    /// Patterns of ids with `*` and `?`, one of which must fit.
    pub only: Option<Vec<At<String>>>,
    /// Patterns of ids, none of which may fit.
    pub except: Option<Vec<At<String>>>,
    /// The smallest context window, in tokens.
    pub min_context: Option<At<u32>>,
    /// What they must understand beside text, such as `image` or `audio`.
    pub modalities: Option<Vec<At<String>>>,
    /// Whether they must be able to call tools (`true`), or must not (`false`).
    pub tools: Option<At<bool>>,
    /// What stands before their names in a model picker, such as `"OR-Free/"`.
    pub prefix: Option<At<String>>,
    /// What stands behind them, such as `" (Auto-Retry)"`.
    pub suffix: Option<At<String>>,
}
