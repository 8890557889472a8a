//! The part of the file about routes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    CooldownTable, CredentialsName, DeliveryName, DurationText, ForeignReasoningName, KindName,
    NotificationTable, OnBreakName, OrderName, PolicyTable, ProgressName, SecretTable, TimeoutTable,
    TraitName,
};
use crate::config::spanned::{At, TextOr};

/// A virtual model.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteTable {
    /// The name shown in a model picker.
    pub name: Option<At<String>>,
    /// A sentence for the model list.
    pub description: Option<At<String>>,
    /// Words that a model picker can sort by.
    pub tags: Option<Vec<At<String>>>,
    /// What a client may offer with it, such as `vision` or `usage`.
    pub capabilities: Option<BTreeMap<At<String>, At<bool>>>,
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
    /// What a waiting stream shows (default: what its client can show).
    pub progress: Option<At<ProgressName>>,
    /// Keys that replace those of `[notifications]`.
    pub notifications: Option<NotificationTable>,
    /// Whose keys are sent (default `user-then-shared`).
    pub credentials: Option<At<CredentialsName>>,
    /// What becomes of one vendor's sealed reasoning in a request to another one (default `strip`).
    pub foreign_reasoning: Option<At<ForeignReasoningName>>,
    /// Other chains for some requests; the first that fits counts.
    pub when: Option<Vec<At<CaseTable>>>,
}

/// A candidate with settings of its own.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CandidateTable {
    /// `provider/model`; the model may hold more slashes.
    #[serde(rename = "use")]
    pub target: Option<At<String>>,
    /// In place of `use`: the provider whose list of models says who stands here, in the order of that list.
    pub discover: Option<At<String>>,
    /// The most models that `discover` puts here (default: no limit).
    #[schemars(range(min = 1, max = 1_000))]
    pub limit: Option<At<u32>>,
    /// Whether those must cost nothing (`true`) or something (`false`).
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

/// Another chain for some requests: all that is written must fit.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseTable {
    /// The fewest tokens that the prompt has, roughly: four bytes of text count as one.
    pub min_tokens: Option<At<u32>>,
    /// The most tokens that it has.
    pub max_tokens: Option<At<u32>>,
    /// What the request must hold, all of it.
    pub has: Option<Vec<At<TraitName>>>,
    /// Whether it is a chat or one of the tasks around it.
    pub kind: Option<At<KindName>>,
    /// Who must be asking: mail addresses or ids.
    pub users: Option<Vec<At<String>>>,
    /// Who may answer it, in place of the route's own chain.
    pub chain: Option<At<Vec<At<TextOr<CandidateTable>>>>>,
}
