//! What a client can ask for: routes, their chains of candidates, and the limits of an attempt.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use serde_json::value::RawValue;

use crate::retry::{Cooldown, Policy};

/// A virtual model name with everything that decides how it is answered.
#[derive(Debug, Clone)]
pub struct Route {
    /// The name a client puts into `model`.
    pub name: Arc<str>,
    /// The name shown in a picker; the route's own name where none is configured.
    pub title: Option<String>,
    /// A sentence for the model list.
    pub description: Option<String>,
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
    /// Which progress a waiting stream shows.
    pub progress: ProgressMode,
}

/// At least one candidate.
#[derive(Debug, Clone)]
pub struct Chain(Vec<Candidate>);

impl Chain {
    /// A chain of `candidates`, or nothing if there are none.
    pub fn try_new(candidates: Vec<Candidate>) -> Option<Self> {
        (!candidates.is_empty()).then_some(Self(candidates))
    }

    /// The candidates, in order of preference; never empty.
    pub fn candidates(&self) -> &[Candidate] {
        &self.0
    }
}

/// A provider and a model that it knows, with what is particular to the pair.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Where the provider stands in the list of providers.
    pub provider: ProviderId,
    /// The provider's name, for logs, errors and `x-backstop-provider`.
    pub provider_name: Arc<str>,
    /// The model's name as the provider spells it.
    pub model: Arc<str>,
    /// The schedule this candidate is tried on.
    pub policy: Policy,
    /// The limits of an attempt.
    pub timeouts: Timeouts,
    /// Configured headers that every attempt carries; secret ones are marked sensitive.
    pub headers: HeaderMap,
    /// Configured edits of the body beside its `model`.
    pub edits: Edits,
    /// How it continues an answer that another one began; `None` if it cannot.
    pub prefill: Option<Prefill>,
}

/// How a provider is asked to go on from the beginning of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefill {
    /// By a last message of the assistant; it says what follows.
    Message,
    /// The same, marked with `"prefix": true`.
    Prefix {
        /// Whether it says the beginning again (Mistral does, `DeepSeek` does not).
        echoes: bool,
    },
    /// By a last message of the assistant and `"continue_final_message": true` (vLLM).
    ContinueFinal,
}

/// The position of a provider in the runtime's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProviderId(pub usize);

/// Members of the request body that a candidate sets or removes; empty unless configured.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    /// Top-level members to write, with their JSON text.
    pub set: Vec<(String, Box<RawValue>)>,
    /// Top-level members to leave out.
    pub unset: Vec<String>,
}

impl Edits {
    /// Whether the body goes out as the client wrote it, but for the model.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.unset.is_empty()
    }
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

/// The limits of one attempt. The fifth limit, the deadline, belongs to the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name look-up, TCP and TLS together.
    pub connect: Duration,
    /// From sending the request to the head of a streamed answer.
    pub first_byte_stream: Duration,
    /// From sending the request to the head of a whole answer, which most providers hold back
    /// until they are done.
    pub first_byte_whole: Duration,
    /// From the head to the first payload.
    pub first_token: Duration,
    /// Between two bytes, once the answer has opened.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte_stream: Duration::from_mins(1),
            first_byte_whole: Duration::from_mins(5),
            first_token: Duration::from_mins(1),
            idle: Duration::from_mins(1),
        }
    }
}

impl Timeouts {
    /// The limit for the response head of an answer that is streamed or not.
    pub fn first_byte(&self, stream: bool) -> Duration {
        if stream { self.first_byte_stream } else { self.first_byte_whole }
    }
}

/// Everything a client can ask for.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    named: Vec<Arc<Route>>,
    direct: Vec<Direct>,
}

/// How a model that reads `provider/model` becomes a route of one candidate.
#[derive(Debug, Clone)]
pub struct Direct {
    /// The candidate, with an empty model name.
    pub template: Candidate,
    /// The policy whose deadline and `max_attempts` count.
    pub policy: Policy,
    /// When a model that keeps failing is left alone.
    pub cooldown: Cooldown,
    /// What a waiting stream shows.
    pub progress: ProgressMode,
}

impl Routes {
    /// `named` routes, and `direct` access to the models of some providers.
    pub fn new(named: Vec<Arc<Route>>, direct: Vec<Direct>) -> Self {
        Self { named, direct }
    }

    /// The named routes, as configured.
    pub fn named(&self) -> &[Arc<Route>] {
        &self.named
    }

    /// The providers whose models can be asked for as `provider/model`.
    pub fn direct(&self) -> &[Direct] {
        &self.direct
    }

    /// The route that answers to `model`: a configured one, else `provider/model`.
    pub fn resolve(&self, model: &str) -> Option<Arc<Route>> {
        if let Some(route) = self.named.iter().find(|route| &*route.name == model) {
            return Some(Arc::clone(route));
        }
        let (provider, name) = model.split_once('/')?;
        let direct = self.direct.iter().find(|direct| &*direct.template.provider_name == provider)?;
        if name.is_empty() {
            return None;
        }
        let candidate = Candidate { model: name.into(), ..direct.template.clone() };
        Some(Arc::new(Route {
            name: model.into(),
            title: None,
            description: None,
            chain: Chain(vec![candidate]),
            order: Order::Depth,
            policy: direct.policy.clone(),
            on_break: OnBreak::Error,
            delivery: Delivery::Direct,
            hedge: None,
            cooldown: direct.cooldown,
            progress: direct.progress,
        }))
    }

    /// The configured route whose name is closest to `model`, for a "did you mean".
    pub fn nearest(&self, model: &str) -> Option<&str> {
        nearest(model, self.named.iter().map(|route| &*route.name))
    }
}

/// The word of `words` that `word` is probably meant to be: one slip in each three letters, at least one.
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    words
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_near() {
        for (word, words, expected) in [
            ("nvdia", ["openai", "nvidia"], Some("nvidia")),
            ("Base-URL", ["base_url", "api_key"], Some("base_url")),
            ("crs", ["cors", "grace"], Some("cors")),
            ("port", ["cors", "grace"], None),
            ("zzzz", ["openai", "nvidia"], None),
        ] {
            assert_eq!(nearest(word, words), expected, "{word}");
        }
    }
}
