//! Keeps the lists of models fresh, in the background; no request waits for it.

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::config::{Provider, Runtime};
use crate::openai::catalogue::Listed;
use crate::retry::Words;
use crate::route::{Candidate, Catalogues, Chain, Current, Offer, Route, Routes, Source};
use crate::upstream::discovery::{Lists, NoAnswer};

/// How long a provider may take to give its list.
const LIMIT: Duration = Duration::from_secs(10);

/// How soon it is asked again after a failure; twice as late each time, up to its usual time.
const AGAIN: Duration = Duration::from_secs(30);

/// The same as long as there is no list at all: a server beside this one may be just starting, too.
const SOON: Duration = Duration::from_secs(2);

/// No provider that asks to be left alone is left alone for longer.
const LONGEST_REST: Duration = Duration::from_hours(24);

const DOUBTED: &str = "nothing, if it passes: it is believed if it says so again";

/// The most names of models in one line of the log.
const MOST_NAMES: usize = 8;

/// Fetches the list of each source of `runtime`, again and again, and puts what comes of it into `current`.
///
/// Dropping the future ends whatever is under way.
pub(super) async fn keep_fresh(runtime: Arc<Runtime>, current: Arc<Current>) -> Infallible {
    let shelf = Arc::new(Shelf { runtime, current, catalogues: Mutex::default(), lists: Lists::default() });
    let mut watches = JoinSet::new();
    for source in shelf.runtime.routes.sources() {
        watches.spawn(watch(Arc::clone(&shelf), source.clone()));
    }
    while let Some(Err(error)) = watches.join_next().await {
        tracing::error!("a list of models is not fetched any more: {error}");
    }
    pending().await
}

/// What is known of the lists, and what is made of them.
struct Shelf {
    runtime: Arc<Runtime>,
    current: Arc<Current>,
    /// Held while the routes are made anew, so that none of two lists that come at once is lost.
    catalogues: Mutex<Catalogues>,
    lists: Lists,
}

async fn watch(shelf: Arc<Shelf>, source: Source) -> Infallible {
    let provider = &shelf.runtime.providers[source.provider.0];
    let mut failures = 0_u32;
    let mut was_empty = false;
    loop {
        let fetched = shelf.lists.fetch(provider, LIMIT).await;
        let is_empty = fetched.as_ref().is_ok_and(Vec::is_empty);
        let fetched = match fetched {
            // Nobody withdraws all models from one hour to the next: it has to say so twice.
            Ok(_) if is_empty && !was_empty && shelf.listed(&source).is_some_and(|count| count > 0) => {
                Err(NoAnswer::new("its list is empty all at once", DOUBTED))
            }
            fetched => fetched,
        };
        was_empty = is_empty;
        let wait = match fetched {
            Ok(models) => {
                if failures > 0 {
                    tracing::info!("{} gives its list of models again", provider.name);
                }
                failures = 0;
                shelf.put(provider, &source, models);
                jittered(source.every)
            }
            Err(no) => {
                let rest = no.retry_after.unwrap_or_default().min(LONGEST_REST);
                let again = if shelf.listed(&source).is_some() { AGAIN } else { SOON };
                let wait = again.saturating_mul(1 << failures.min(16)).min(source.every).max(rest);
                if failures == 0 {
                    shelf.tell_failure(provider, &source, &no, wait);
                } else {
                    let reason = shelf.runtime.secrets.mask(&no.reason);
                    tracing::debug!("still no list of models from {}: {reason}", provider.name);
                }
                failures = failures.saturating_add(1);
                jittered(wait).max(rest)
            }
        };
        sleep(wait).await;
    }
}

/// About `time`, so that many processes do not ask in step.
fn jittered(time: Duration) -> Duration {
    time.mul_f64(rand::random_range(0.95..=1.05))
}

impl Shelf {
    /// How many models the latest list of a source has, if there is one.
    fn listed(&self, source: &Source) -> Option<usize> {
        self.current.snapshot().listed(source.provider).map(<[Listed]>::len)
    }

    /// Puts a list in the place of the one before, and says what that changes.
    fn put(&self, provider: &Provider, source: &Source, models: Vec<Listed>) {
        let configured = &self.runtime.routes;
        let (before, after) = {
            let mut catalogues = self.catalogues.lock().unwrap_or_else(PoisonError::into_inner);
            if !catalogues.learn(source.provider, models) {
                return;
            }
            let routes = Arc::new(configured.looked_up(&catalogues));
            (self.current.replace(Arc::clone(&routes)), routes)
        };
        if let Some(offer) = &source.offer {
            tell_offer(&provider.name, source, offer, &before, &after);
        }
        for route in configured.named() {
            tell_chains(route, &provider.name, source, &before, &after);
        }
    }

    fn tell_failure(&self, provider: &Provider, source: &Source, no: &NoAnswer, wait: Duration) {
        let known = self.listed(source).is_some();
        let then = if known { "the one before stays" } else { "there is none yet" };
        tracing::warn!(
            hint = no.advice,
            "no list of models from {}: {}; {then}, and it is asked again in {}",
            provider.name,
            self.runtime.secrets.mask(&no.reason),
            Words::about(wait)
        );
    }
}

/// Says how many models of a list are routes, and which came and went.
fn tell_offer(provider: &str, source: &Source, offer: &Offer, before: &Routes, after: &Routes) {
    let listed = after.listed(source.provider).unwrap_or_default();
    let wanted = listed.iter().filter(|model| offer.filter.fits(model)).count();
    let words = offer.filter.words(None, provider);
    if wanted == 0 {
        tracing::warn!(
            hint = "loosen the filter in its `discover`",
            "none of the {} models that {provider} lists become routes: {words}",
            listed.len()
        );
        return;
    }
    let names =
        |routes: &Routes| routes.named().iter().map(|route| route.name.to_string()).collect::<Vec<_>>();
    let is_first = before.listed(source.provider).is_none();
    let changes = if is_first { String::new() } else { changes(&names(before), &names(after)) };
    tracing::info!("{provider} lists {} models, {wanted} are routes: {words}{changes}", listed.len());
}

/// Says who is in the chains of `route` now, if a list has changed that, and what finds nobody.
fn tell_chains(route: &Route, provider: &str, source: &Source, before: &Routes, after: &Routes) {
    let (Some(old), Some(new)) = (before.resolve(&route.name), after.resolve(&route.name)) else { return };
    let chains = route.chains().zip(old.chains().zip(new.chains()));
    for (chain, (old, new)) in chains.filter(|(chain, _)| chain.is_open()) {
        let (old, new) = (names(old), names(new));
        if old != new && !new.is_empty() {
            let now = new.join(" → ");
            let changes = if old.is_empty() { String::new() } else { changes(&old, &new) };
            tracing::info!("route {}: {now}{changes}", route.name);
        }
        let listed = after.listed(source.provider).unwrap_or_default();
        let entries = chain.entries().filter(|(template, _)| template.provider == source.provider);
        for (_, live) in entries.filter(|(_, live)| !listed.iter().any(|model| live.filter.fits(model))) {
            tracing::warn!(
                hint = "loosen its filter, or name a model in the chain",
                "route {}: none of the {} models that {provider} lists stand for {}",
                route.name,
                listed.len(),
                live.words(provider)
            );
        }
    }
}

/// Who is in a chain.
fn names(chain: &Chain) -> Vec<String> {
    let candidates = chain.candidates().iter().filter(|_| !chain.is_open());
    candidates.map(Candidate::name).collect()
}

/// Who came and who went, in words that go on from others.
fn changes(before: &[String], after: &[String]) -> String {
    let (old, new): (HashSet<_>, HashSet<_>) = (before.iter().collect(), after.iter().collect());
    let came: Vec<&str> = after.iter().filter(|name| !old.contains(name)).map(String::as_str).collect();
    let went: Vec<&str> = before.iter().filter(|name| !new.contains(name)).map(String::as_str).collect();
    [("came", came), ("went", went)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(word, names)| match names.len().saturating_sub(MOST_NAMES) {
            0 => format!("; {word}: {}", names.join(", ")),
            more => format!("; {word}: {} and {more} more", names[..MOST_NAMES].join(", ")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_name_who_came_and_who_went() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(changes(&list(&["a", "b"]), &list(&["b", "c"])), "; came: c; went: a");
        assert_eq!(changes(&list(&["a", "b"]), &list(&["b", "a"])), "");
        let many: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        assert_eq!(changes(&[], &many), "; came: 0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
    }

    #[test]
    fn jitter_stays_near() {
        for _ in 0..100 {
            let time = jittered(Duration::from_secs(100));
            assert!(time.abs_diff(Duration::from_secs(100)) <= Duration::from_secs(5), "{time:?}");
        }
    }
}
