//! `backstop explain`: what a route does while its providers fail, played in virtual time.
//!
//! The schedule, the meaning of every failure and the growing limits are those that requests meet; only the
//! providers are made up. A play is of one request that is alone: what other requests do to it (rests,
//! quotas, gates) is not in it.

use std::sync::Arc;

use crate::cli::{BAD_CONFIG, ExplainArgs};
use crate::config::{self, Environment, Overrides, Provider, Source};
use crate::route::{Candidate, Live, Route, Routes};

mod ask;
pub mod fail;
pub mod lines;
pub mod play;
#[cfg(test)]
mod tests;

use fail::Failures;

/// Seeds that are drawn stay below this, so that they are quickly typed.
const SEEDS: u64 = 1_000_000;

/// The timeline of a route, or what is wrong with what was asked, and the exit code.
pub fn explain(arguments: &ExplainArgs, environment: &Environment) -> (String, u8) {
    let loaded = match Source::locate(arguments.config.as_deref(), environment) {
        Some(source) => config::load(&source, environment, &Overrides::default()),
        None => config::without_file(environment, &Overrides::default(), None),
    };
    let runtime = match loaded {
        Ok(loaded) => loaded.runtime,
        Err(faults) => return (faults.to_string(), BAD_CONFIG),
    };
    // A model of a list can be asked for as soon as it is listed, whether or not others can.
    let offered = || runtime.routes.offered(&arguments.route).map(|(_, route)| route);
    let Some(route) = runtime.routes.resolve(&arguments.route).or_else(offered) else {
        return (unknown(&runtime.routes, &arguments.route), BAD_CONFIG);
    };
    let (route, why) = match ask::choose(arguments, &runtime.routes, route) {
        Ok(chosen) => chosen,
        Err(mistake) => return (format!("error: {mistake}\n"), BAD_CONFIG),
    };
    let (route, unknown) = match without_lists(&route) {
        Ok(known) => known,
        Err(mistake) => return (mistake, BAD_CONFIG),
    };
    let candidates = route.chain.candidates();
    let failures = match &arguments.fail {
        Some(text) => match Failures::parse(text, candidates) {
            Ok(failures) => failures,
            Err(mistake) => return (format!("error: {mistake}\n"), BAD_CONFIG),
        },
        None => Failures::all_down(candidates),
    };
    let seed = arguments.seed.unwrap_or_else(|| rand::random_range(0..SEEDS));
    let timeline = play::timeline(&route, failures.clone(), seed);
    let mut text = why.unwrap_or_default();
    text += &lines::timeline(&route, &failures, &timeline, runtime.server.head_after);
    text += &unknown;
    text.extend(unplayed(&route, &runtime.providers).map(|words| format!("  not played: {words}\n")));
    (text, 0)
}

/// The part of `route` that needs no list of models, and words about the rest; or why there is nothing to play.
fn without_lists(route: &Arc<Route>) -> Result<(Arc<Route>, String), String> {
    if !route.chain.is_open() {
        return Ok((Arc::clone(route), String::new()));
    }
    let words = |(template, live): (&Candidate, &Live)| live.words(&template.provider_name);
    let looked_up = route.chain.entries().map(words).collect::<Vec<_>>().join("; ");
    let Some(chain) = route.chain.fixed() else {
        return Err(format!(
            "error: nobody in the chain of `{}` is known without asking for a list: {looked_up}\n\
             hint: explain a model of that list, as `provider/model`\n",
            route.name
        ));
    };
    let words = format!("  not known without asking, and left out: {looked_up}\n");
    Ok((Arc::new(Route { chain, ..Route::clone(route) }), words))
}

/// What of the route's settings would make a difference that the play does not show.
fn unplayed(route: &Route, providers: &[Provider]) -> Option<String> {
    let asked =
        || route.chain.candidates().iter().filter_map(|candidate| providers.get(candidate.provider.0));
    let is_limited = |provider: &Provider| {
        !provider.quota.is_unlimited() || provider.keys.iter().any(|key| !key.quota.is_unlimited())
    };
    let parts = [
        (route.hedge.is_some(), "hedges"),
        (asked().any(|provider| provider.keys.len() > 1), "the other keys of a provider"),
        (asked().any(is_limited), "limits of requests"),
    ];
    let parts: Vec<&str> = parts.into_iter().filter(|(is_set, _)| *is_set).map(|(_, words)| words).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Says that no route answers to `name`, and which ones there are.
fn unknown(routes: &Routes, name: &str) -> String {
    let named: Vec<String> = routes.named().iter().map(|route| format!("`{}`", route.name)).collect();
    let direct: Vec<&str> = routes.direct().iter().map(|direct| &*direct.template.provider_name).collect();
    let provider = name.split_once('/').and_then(|(provider, model)| {
        let near = crate::route::nearest(provider, direct.iter().copied())?;
        (!model.is_empty()).then(|| format!("{near}/{model}"))
    });
    let hint = match routes.nearest(name).map(str::to_owned).or(provider) {
        Some(near) => format!("did you mean `{near}`?"),
        None if !named.is_empty() => format!("there are {}", named.join(", ")),
        None if !direct.is_empty() => {
            format!("no route is configured; `provider/model` works, with {}", direct.join(", "))
        }
        None => "no route is configured: name a file with `--config`".to_owned(),
    };
    format!("error: no route or provider answers to `{name}`\nhint: {hint}\n")
}
