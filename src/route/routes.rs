//! Everything that can be asked for, by name.

use std::sync::Arc;

use super::{Candidate, Chain, Facts, Kind, Notifications, Route, Tasks};
use crate::retry::{Cooldown, Policy};

/// Everything a client can ask for.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    named: Vec<Arc<Route>>,
    direct: Vec<Direct>,
    tasks: Tasks,
}

/// The route that a request takes.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The route.
    pub route: Arc<Route>,
    /// The number of its case, from 1; nothing where its own chain is taken.
    pub case: Option<usize>,
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
        Self { named, direct, tasks: Tasks::default() }
    }

    /// With tasks that are answered like this.
    #[must_use]
    pub fn with_tasks(self, tasks: Tasks) -> Self {
        Self { tasks, ..self }
    }

    /// How tasks are answered.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
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

    /// The route that a request of this `kind` takes which asks for `asked`: for a task that of all tasks, if
    /// there is one; of that route the first case that the request fits; and of that what is left of it for a
    /// task. `facts` are looked at where there are cases only; `asks` says whether somebody is who asks.
    pub fn choose(
        &self,
        asked: Arc<Route>,
        kind: Kind,
        facts: impl FnOnce() -> Facts,
        asks: &dyn Fn(&str) -> bool,
    ) -> Chosen {
        let of_tasks = self.tasks.route.as_ref().filter(|_| kind == Kind::Task);
        let route = of_tasks.map_or(asked, Arc::clone);
        let found = if route.cases.is_empty() { None } else { route.case(&Facts { kind, ..facts() }, asks) };
        let (case, route) = found.map_or((None, route), |(case, route)| (Some(case), route));
        let route = if kind == Kind::Task { Arc::new(self.tasks.brief(&route)) } else { route };
        Chosen { route, case }
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
