//! Everything that can be asked for, by name.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Candidate, Catalogues, Chain, Facts, Kind, Notifications, ProviderId, Route, Source, Tasks};
use crate::openai::catalogue::Listed;
use crate::retry::{Cooldown, Policy};

/// The longest name that is compared with others for a "did you mean", in bytes.
const LONGEST: usize = 256;

/// Everything a client can ask for.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    named: Vec<Arc<Route>>,
    /// Where each name stands; the first of several counts.
    places: HashMap<Arc<str>, usize>,
    direct: Vec<Direct>,
    tasks: Tasks,
    sources: Vec<Source>,
    catalogues: Catalogues,
}

/// The route that a request takes.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The route; its chain may be [open](Chain::is_open).
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

impl Direct {
    /// The route to `model`; there is none to a model without a name.
    pub fn route(&self, model: &str) -> Option<Route> {
        if model.is_empty() {
            return None;
        }
        let name = format!("{}/{model}", self.template.provider_name);
        let candidate = Candidate { model: model.into(), ..self.template.clone() };
        let chain = Chain::try_new(vec![candidate])?;
        let route = Route::new(name.into(), chain, self.policy.clone());
        Some(Route { cooldown: self.cooldown, notifications: self.notifications, ..route })
    }
}

impl Routes {
    /// `named` routes, and `direct` access to the models of some providers.
    pub fn new(named: Vec<Arc<Route>>, direct: Vec<Direct>) -> Self {
        Self { places: places(&named), named, direct, ..Self::default() }
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

    /// The same, with routes and chains that are looked up in the lists of `sources`.
    #[must_use]
    pub fn with_sources(self, sources: Vec<Source>) -> Self {
        Self { sources, ..self }
    }

    /// The named routes: the configured ones as they stand in the file, then those of each source.
    pub fn named(&self) -> &[Arc<Route>] {
        &self.named
    }

    /// The providers whose models can be asked for as `provider/model`.
    pub fn direct(&self) -> &[Direct] {
        &self.direct
    }

    /// The providers whose lists are wanted.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The models of a source, in its order; `None` as long as its list is not known.
    pub fn listed(&self, provider: ProviderId) -> Option<&[Listed]> {
        self.catalogues.of(provider)
    }

    /// What can be asked for with the lists as they are now; `self` is what is configured.
    ///
    /// A configured route wins over a listed model of the same name. A route whose chain has nobody in it for
    /// the time being stays, with a chain that is [open](Chain::is_open).
    #[must_use]
    pub fn looked_up(&self, catalogues: &Catalogues) -> Self {
        let mut named: Vec<_> = self.named.iter().map(|route| Route::looked_up(route, catalogues)).collect();
        for source in &self.sources {
            let (Some(offer), Some(models)) = (&source.offer, catalogues.of(source.provider)) else {
                continue;
            };
            let routes = offer.routes(models).into_iter();
            named.extend(routes.filter(|route| !self.places.contains_key(&route.name)).map(Arc::new));
        }
        let tasks = self.tasks.looked_up(catalogues);
        Self { places: places(&named), named, tasks, catalogues: catalogues.clone(), ..self.clone() }
    }

    /// The route that answers to `model`: a named one, else `provider/model`.
    pub fn resolve(&self, model: &str) -> Option<Arc<Route>> {
        if let Some(place) = self.places.get(model) {
            return Some(Arc::clone(&self.named[*place]));
        }
        let (provider, name) = model.split_once('/')?;
        let direct = self.direct.iter().find(|direct| &*direct.template.provider_name == provider)?;
        direct.route(name).map(Arc::new)
    }

    /// The route that `model` is as soon as its provider lists it, and the provider; nothing where no list
    /// makes routes of that name.
    pub fn offered(&self, model: &str) -> Option<(&Source, Arc<Route>)> {
        let (provider, name) = model.split_once('/')?;
        self.sources.iter().find_map(|source| {
            let direct = &source.offer.as_ref()?.direct;
            let route = (&*direct.template.provider_name == provider).then(|| direct.route(name))??;
            Some((source, Arc::new(route)))
        })
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

    /// The named route whose name is closest to `model`, for a "did you mean".
    pub fn nearest(&self, model: &str) -> Option<&str> {
        nearest(model, self.named.iter().map(|route| &*route.name))
    }
}

fn places(named: &[Arc<Route>]) -> HashMap<Arc<str>, usize> {
    let names = named.iter().map(|route| Arc::clone(&route.name));
    // Of two the first counts, so that it is put in last.
    names.zip(0..).collect::<Vec<_>>().into_iter().rev().collect()
}

/// What can be asked for now; replaced as a whole.
#[derive(Debug)]
pub struct Current(RwLock<Arc<Routes>>);

impl Current {
    /// What is `configured`, before any list is known.
    pub fn new(configured: &Routes) -> Self {
        Self(RwLock::new(Arc::new(configured.looked_up(&Catalogues::default()))))
    }

    /// What can be asked for at this moment; a request takes one and keeps to it.
    pub fn snapshot(&self) -> Arc<Routes> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other routes in their place; returns those before.
    pub fn replace(&self, routes: Arc<Routes>) -> Arc<Routes> {
        std::mem::replace(&mut self.0.write().unwrap_or_else(PoisonError::into_inner), routes)
    }
}

/// The word of `words` that `word` is probably meant to be: one slip in each three letters, at least one.
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    let length = word.chars().count();
    words
        .into_iter()
        .map(|candidate| (candidate.chars().count(), candidate))
        .filter(|(count, _)| count.abs_diff(length) <= (count / 3).max(1))
        .map(|(count, candidate)| {
            (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), count, candidate)
        })
        .min_by_key(|(distance, ..)| *distance)
        .filter(|(distance, count, _)| *distance <= (count / 3).max(1))
        .map(|(.., candidate)| candidate)
}

#[cfg(test)]
mod tests;
