use std::time::Duration;

use super::*;
use crate::route::testing::candidate;
use crate::route::{Filter, Link, Live, Offer};

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
    let long = "x".repeat(1_000_000);
    assert_eq!(nearest(&long, [long.as_str()]), None);
}

fn direct(provider: usize) -> Direct {
    Direct {
        template: candidate(provider, ""),
        policy: Policy::default(),
        cooldown: Cooldown::default(),
        notifications: Notifications::default(),
    }
}

fn route(name: &str, links: Vec<Link>) -> Arc<Route> {
    let chain = Chain::try_linked(links).unwrap();
    Arc::new(Route::new(name.into(), chain, Policy::default()))
}

fn source(provider: usize, offers: bool) -> Source {
    let offer = offers.then(|| Offer {
        filter: Filter::default(),
        prefix: "P/".to_owned(),
        suffix: String::new(),
        direct: direct(provider),
    });
    Source { provider: ProviderId(provider), every: Duration::from_hours(1), offer }
}

fn configured() -> Routes {
    let fixed = |model| Link::Fixed(candidate(0, model));
    let named = vec![
        route("p0/b", vec![fixed("mine")]),
        route("live", vec![Link::Live(candidate(1, ""), Live::default())]),
        route("mixed", vec![Link::Live(candidate(1, ""), Live::default()), fixed("z")]),
    ];
    Routes::new(named, vec![direct(0)]).with_sources(vec![source(0, true), source(1, false)])
}

fn names(routes: &Routes) -> Vec<&str> {
    routes.named().iter().map(|route| &*route.name).collect()
}

fn chain(routes: &Routes, name: &str) -> Vec<String> {
    let route = routes.resolve(name).unwrap();
    route.chain.candidates().iter().map(|candidate| candidate.model.to_string()).collect()
}

#[test]
fn listed_models_stand_behind_what_is_configured() {
    let mut catalogues = Catalogues::default();
    catalogues.learn(ProviderId(0), ["c", "b", "a"].map(Listed::new).into());
    catalogues.learn(ProviderId(1), vec![Listed::new("x")]);
    let routes = configured().looked_up(&catalogues);

    assert_eq!(names(&routes), ["p0/b", "live", "mixed", "p0/a", "p0/c"]);
    assert_eq!(chain(&routes, "p0/b"), ["mine"], "what is configured wins");
    assert_eq!(chain(&routes, "p0/c"), ["c"]);
    assert_eq!(chain(&routes, "p0/unlisted"), ["unlisted"]);
    assert_eq!(chain(&routes, "mixed"), ["x", "z"]);
    assert!(routes.resolve("p1/x").is_none(), "a source of chains offers no routes");
    assert!(routes.listed(ProviderId(0)).is_some() && routes.listed(ProviderId(2)).is_none());
}

#[test]
fn a_route_with_nobody_in_it_is_still_there() {
    let configured = configured();
    let current = Current::new(&configured);
    let before = current.snapshot();

    assert_eq!(names(&before), ["p0/b", "live", "mixed"]);
    assert!(before.resolve("live").unwrap().chain.is_open());
    assert_eq!(chain(&before, "mixed"), ["z"]);

    let mut catalogues = Catalogues::default();
    catalogues.learn(ProviderId(1), vec![Listed::new("x")]);
    let replaced = current.replace(Arc::new(configured.looked_up(&catalogues)));

    assert!(Arc::ptr_eq(&replaced, &before));
    assert!(before.resolve("live").unwrap().chain.is_open(), "a snapshot stays as it is");
    assert_eq!(chain(&current.snapshot(), "live"), ["x"]);
    assert_eq!(chain(&current.snapshot(), "mixed"), ["x", "z"]);
}

#[test]
fn of_two_routes_with_one_name_the_first_counts() {
    let fixed = |model| vec![Link::Fixed(candidate(0, model))];
    let routes = Routes::new(vec![route("r", fixed("first")), route("r", fixed("second"))], Vec::new());
    assert_eq!(chain(&routes, "r"), ["first"]);
}
