//! Tasks and cases: what is built in, what is inherited, what a case keeps.

use super::*;
use crate::route::{Kind, ProgressMode, Route, Tasks, Timeouts, Trait};

fn loaded(text: &str) -> Runtime {
    load_text(&format!("{A}{text}")).unwrap_or_else(|faults| panic!("{faults}")).runtime
}

/// Route `r`, as a task finds it.
fn brief(text: &str) -> Route {
    let runtime =
        loaded(&format!("{text}\n[routes.r]\nchain = ['a/m']\ndelivery = 'verified'\non_break = 'resume'"));
    runtime.routes.tasks().brief(&runtime.routes.named()[0])
}

#[test]
fn tasks_are_brief_without_a_word_about_them() {
    let route = brief(
        "[retry]\ncycles = 7\ndeadline = '1h'\non = { empty = 'drop' }\n[timeouts]\nfirst_token = '3s'",
    );
    let candidate = &route.chain.candidates()[0];

    for policy in [&route.policy, &candidate.policy] {
        assert_eq!((policy.attempts(), policy.deadline), (2, Duration::from_secs(20)));
        assert_eq!(policy.attempt_delay.min(), Duration::from_millis(500));
        assert_eq!(policy.attempt_delay.max(), Duration::from_secs(1));
        assert_eq!(policy.on.len(), 1, "what failures mean is the same for all");
    }
    let Timeouts { first_byte_stream, first_byte_whole, first_token, idle, .. } = candidate.timeouts;
    assert_eq!([first_byte_stream, first_byte_whole], [Duration::from_secs(15); 2]);
    assert_eq!(first_token, Duration::from_secs(3), "not longer than its own");
    assert_eq!(idle, Timeouts::default().idle);
    assert_eq!((route.kind, route.progress), (Kind::Task, Some(ProgressMode::Off)));
    assert_eq!((route.delivery, route.on_break), Default::default());
}

#[test]
fn tasks_have_a_policy_and_limits_of_their_own() {
    let route = brief(
        "[tasks]\nretry = 'p'\ntimeouts = { first_token = '1m', connect = '1s' }\n[policies.p]\ncycles = 2\n\
         on = { timeout = 'drop' }\n[retry.on]\ntimeout = 'retry'\nempty = 'drop'\n[timeouts]\nfirst_token = '3s'",
    );
    let candidate = &route.chain.candidates()[0];

    assert_eq!(candidate.policy.attempts(), 4);
    let rulings: Vec<_> = candidate.policy.on.values().map(|ruling| format!("{ruling:?}")).collect();
    assert_eq!(rulings, ["Drop", "Drop"], "its own over the candidate's");
    assert_eq!(candidate.timeouts.first_token, Duration::from_mins(1), "what is written counts");
    assert_eq!(candidate.timeouts.connect, Duration::from_secs(1));
    assert_eq!(brief("[tasks]\nretry = { deadline = '5s' }").policy.deadline, Duration::from_secs(5));
    assert_eq!(loaded("").routes.tasks().policy, Tasks::built_in());
}

#[test]
fn a_case_is_its_route_with_another_chain() {
    let runtime = loaded(
        "[routes.r]\nname = 'R'\norder = 'breadth'\nretry = { cycles = 9 }\ntimeouts = { idle = '7s' }\n\
         chain = ['a/m']\nforeign_reasoning = 'keep'\n[[routes.r.when]]\nhas = ['images', 'json-schema', 'tools', 'audio']\n\
         chain = ['a/n', { use = 'a/o', retry = { cycles = 1 } }]",
    );
    let route = &runtime.routes.named()[0];
    let case = &route.cases[0];

    assert_eq!(case.criteria.has, Trait::ALL.into_iter().collect());
    let models: Vec<_> = case.route.chain.candidates().iter().map(|candidate| &*candidate.model).collect();
    assert_eq!(models, ["n", "o"]);
    assert_eq!((&case.route.name, case.route.order), (&route.name, route.order));
    assert_eq!((&case.route.card, case.route.foreign_reasoning), (&route.card, route.foreign_reasoning));
    let [first, second] = case.route.chain.candidates() else { panic!("two candidates") };
    assert_eq!((first.policy.cycles.get(), second.policy.cycles.get()), (9, 1));
    assert_eq!(first.timeouts.idle, Duration::from_secs(7));
    assert!(case.route.cases.is_empty());
}
