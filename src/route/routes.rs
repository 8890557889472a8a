//! Everything that can be asked for, by name.

use std::sync::Arc;

use super::{Candidate, Chain, Notifications, Route};
use crate::retry::{Cooldown, Policy};

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
    /// The toasts that Open `WebUI` shows.
    pub notifications: Notifications,
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
        let chain = Chain::try_new(vec![candidate])?;
        let route = Route::new(model.into(), chain, direct.policy.clone());
        Some(Arc::new(Route { cooldown: direct.cooldown, notifications: direct.notifications, ..route }))
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
