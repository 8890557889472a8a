//! The values of the file that are words, and what each of them means.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::config::KeyOrder;
use crate::retry::{Class, Ruling};
use crate::route;

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

/// When the first bytes of an answer go out.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryName {
    /// As soon as it has opened.
    Direct,
    /// When it is complete, so that a cut answer is a failed attempt.
    Verified,
}

/// Which of several keys an attempt takes.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyOrderName {
    /// The one after that of the attempt before.
    RoundRobin,
    /// The first one that can be used.
    InOrder,
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

/// Whose keys an attempt carries.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialsName {
    /// The provider's configured ones.
    Shared,
    /// The user's own; who has none is refused.
    User,
    /// The user's own, for who has one; else the configured ones.
    UserThenShared,
}

/// What becomes of reasoning that another vendor has sealed or signed.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ForeignReasoningName {
    /// It is left out: only its own vendor can read it, and others refuse the request.
    Strip,
    /// It is sent as it is.
    Keep,
}

/// Something that a request can hold.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TraitName {
    /// A picture among its messages.
    Images,
    /// Tools to call.
    Tools,
    /// Sound among its messages.
    Audio,
    /// A schema for the answer.
    JsonSchema,
}

/// What a request is for.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KindName {
    /// A person waits for the answer.
    Chat,
    /// A title, tags, follow-ups and the like.
    Task,
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

impl From<DeliveryName> for route::Delivery {
    fn from(name: DeliveryName) -> Self {
        match name {
            DeliveryName::Direct => Self::Direct,
            DeliveryName::Verified => Self::Verified,
        }
    }
}

impl From<KeyOrderName> for KeyOrder {
    fn from(name: KeyOrderName) -> Self {
        match name {
            KeyOrderName::RoundRobin => Self::RoundRobin,
            KeyOrderName::InOrder => Self::InOrder,
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

impl From<CredentialsName> for route::Credentials {
    fn from(name: CredentialsName) -> Self {
        match name {
            CredentialsName::Shared => Self::Shared,
            CredentialsName::User => Self::User,
            CredentialsName::UserThenShared => Self::UserThenShared,
        }
    }
}

impl From<ForeignReasoningName> for route::ForeignReasoning {
    fn from(name: ForeignReasoningName) -> Self {
        match name {
            ForeignReasoningName::Strip => Self::Strip,
            ForeignReasoningName::Keep => Self::Keep,
        }
    }
}

impl From<TraitName> for route::Trait {
    fn from(name: TraitName) -> Self {
        match name {
            TraitName::Images => Self::Images,
            TraitName::Tools => Self::Tools,
            TraitName::Audio => Self::Audio,
            TraitName::JsonSchema => Self::JsonSchema,
        }
    }
}

impl From<KindName> for route::Kind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Chat => Self::Chat,
            KindName::Task => Self::Task,
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
