//! What a client can ask for: routes, their chains of candidates, and the limits of an attempt.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::retry::{Cooldown, Policy};

mod candidate;
mod case;
mod catalogues;
mod chain;
mod filter;
mod pattern;
mod routes;
mod source;
mod tasks;
#[cfg(test)]
pub(crate) mod testing;
mod vendor;

pub use candidate::{Candidate, Edits, Prefill, ProviderId, Timeouts};
pub use case::{Case, Criteria, Facts, Kind, Trait};
pub use catalogues::Catalogues;
pub use chain::{Chain, Link, Live};
pub use filter::Filter;
pub use pattern::Pattern;
pub use routes::{Chosen, Current, Direct, Routes, nearest};
pub use source::{Offer, Source};
pub use tasks::{TaskLimits, Tasks};
pub use vendor::Vendor;

/// A virtual model name with everything that decides how it is answered.
#[derive(Debug, Clone)]
pub struct Route {
    /// The name a client puts into `model`.
    pub name: Arc<str>,
    /// What a model list says about it.
    pub card: Card,
    /// Who may answer, in order of preference.
    pub chain: Chain,
    /// In which order the candidates are visited.
    pub order: Order,
    /// The policy whose `deadline`, `max_attempts` and (in breadth order) pauses count.
    pub policy: Policy,
    /// What a stream that breaks after its first payload becomes.
    pub on_break: OnBreak,
    /// When the first bytes of an answer go out.
    pub delivery: Delivery,
    /// Whether a second candidate starts when the first one is slow.
    pub hedge: Option<Hedge>,
    /// When a candidate that keeps failing is left alone.
    pub cooldown: Cooldown,
    /// Which progress a waiting stream shows, whoever asks; else its client decides.
    pub progress: Option<ProgressMode>,
    /// The toasts that Open `WebUI` shows.
    pub notifications: Notifications,
    /// Whose keys an attempt carries.
    pub credentials: Credentials,
    /// What becomes of reasoning that another vendor has sealed.
    pub foreign_reasoning: ForeignReasoning,
    /// Other chains for some requests; the first that fits counts.
    pub cases: Vec<Case>,
    /// What its requests are for.
    pub kind: Kind,
}

impl Route {
    /// A route that is asked for as `name`, with everything else as it is built in.
    pub fn new(name: Arc<str>, chain: Chain, policy: Policy) -> Self {
        Self {
            name,
            card: Card::default(),
            chain,
            order: Order::default(),
            policy,
            on_break: OnBreak::default(),
            delivery: Delivery::default(),
            hedge: None,
            cooldown: Cooldown::default(),
            progress: None,
            notifications: Notifications::default(),
            credentials: Credentials::default(),
            foreign_reasoning: ForeignReasoning::default(),
            cases: Vec::new(),
            kind: Kind::Chat,
        }
    }

    /// Every chain that may serve a request for it.
    pub fn chains(&self) -> impl Iterator<Item = &Chain> {
        std::iter::once(&self.chain).chain(self.cases.iter().map(|case| &case.route.chain))
    }

    /// The same with whoever is in its chains now; a chain with nobody in it stays open.
    pub fn looked_up(self: &Arc<Self>, catalogues: &Catalogues) -> Arc<Self> {
        if !self.chains().any(Chain::is_open) {
            return Arc::clone(self);
        }
        let chain = self.chain.looked_up(catalogues).unwrap_or_else(|| self.chain.clone());
        let cases = self.cases.iter().map(|case| case.looked_up(catalogues)).collect();
        Arc::new(Self { chain, cases, ..Self::clone(self) })
    }
}

/// What a model list says about a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card {
    /// The name shown in a picker; the route's own name where none is configured.
    pub title: Option<String>,
    /// A sentence about it.
    pub description: Option<String>,
    /// Words to sort by.
    pub tags: Vec<String>,
    /// What a client may offer with it, or must not, such as `vision`.
    pub capabilities: BTreeMap<String, bool>,
    /// When its provider began to list it, in seconds since 1970; for listed models.
    pub created: Option<u64>,
    /// Its context window, in tokens; for listed models.
    pub context: Option<u64>,
}

/// Which kinds of toasts Open `WebUI` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Notifications {
    /// An answer came after all.
    pub success: bool,
    /// A burst or a cycle is over without one.
    pub warning: bool,
    /// A provider refuses for good, and the chain goes on. (That nobody answered is an error, not a toast.)
    pub error: bool,
    /// The next model is asked.
    pub info: bool,
}

impl Default for Notifications {
    fn default() -> Self {
        Self { success: true, warning: true, error: true, info: true }
    }
}

/// Whose keys an attempt carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Credentials {
    /// The provider's configured ones.
    Shared,
    /// The user's own; who has none is refused.
    User,
    /// The user's own, for who has one; else the configured ones.
    #[default]
    UserThenShared,
}

/// What becomes of reasoning in a request that another vendor has sealed or signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForeignReasoning {
    /// It is left out.
    #[default]
    Strip,
    /// It is sent as it is.
    Keep,
}

/// In which order the candidates of a chain are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// A candidate gets its whole schedule before the next one.
    #[default]
    Depth,
    /// Every live candidate is tried once before each pause.
    Breadth,
}

/// What becomes of a stream that breaks after its first payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnBreak {
    /// An error event, `[DONE]`, a clean end.
    #[default]
    Error,
    /// The next candidate continues the answer.
    Resume,
}

/// When the first bytes of an answer go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// As soon as it has opened.
    #[default]
    Direct,
    /// When it is complete; a cut answer is then a failed attempt.
    Verified,
}

/// A second candidate for an answer that is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hedge {
    /// How long the first payload may take before the next candidate starts too.
    pub after: Duration,
    /// Whether keys with a request quota take part.
    pub spends_quota: bool,
}

/// What a stream shows while its route is still being tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProgressMode {
    /// Nothing goes out before an answer; failures keep their HTTP status.
    Off,
    /// SSE comments, once `head_after` has passed.
    #[default]
    Comments,
    /// Open WebUI's native status line.
    OpenWebui,
    /// A folded thinking block.
    Reasoning,
}

impl ProgressMode {
    /// Whether whatever is said of a request, its errors included, is for the eyes of the user of a chat.
    pub fn is_for_a_chat(self) -> bool {
        matches!(self, Self::OpenWebui | Self::Reasoning)
    }
}
