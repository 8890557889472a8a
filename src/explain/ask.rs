//! Which of a route's chains is played.

use std::sync::Arc;

use crate::cli::ExplainArgs;
use crate::relay::User;
use crate::route::{Chosen, Facts, Kind, Route, Routes, Trait, nearest};

/// The route that is played for a request that asks for `asked`, and a line that says why it is this one.
///
/// # Errors
///
/// What is wrong with what was asked.
pub(super) fn choose(
    arguments: &ExplainArgs,
    routes: &Routes,
    asked: Arc<Route>,
) -> Result<(Arc<Route>, Option<String>), String> {
    let mut task = arguments.task;
    let (route, case) = if let Some(number) = arguments.when {
        let case = number
            .checked_sub(1)
            .and_then(|index| asked.cases.get(index))
            .ok_or_else(|| format!("route `{}` has no case {number}\nhint: {}", asked.name, known(&asked)))?;
        let said = format!("case {number}, {}", case.criteria);
        task |= case.criteria.kind == Some(Kind::Task);
        let route = Arc::clone(&case.route);
        let route = if task { Arc::new(routes.tasks().brief(&route)) } else { route };
        (route, Some(said))
    } else {
        let has = arguments.has.iter().map(|name| read(name)).collect::<Result<_, _>>()?;
        let kind = if task { Kind::Task } else { Kind::Chat };
        let facts = Facts { has, tokens: arguments.tokens.unwrap_or_default(), kind };
        let named = arguments.user.as_deref().map(Arc::<str>::from);
        let who = User::new(None, named.clone(), named);
        let asks = |user: &str| who.is(user);
        let before =
            routes.tasks().route.clone().filter(|_| arguments.task).unwrap_or_else(|| Arc::clone(&asked));
        let Chosen { route, case } = routes.choose(asked, kind, || facts, &asks);
        let said = match case {
            Some(number) => Some(format!("case {number}, {}", before.cases[number - 1].criteria)),
            None if before.cases.is_empty() => None,
            None => Some("no case fits, so that the route's own chain is taken".to_owned()),
        };
        (route, said)
    };
    let task = task.then(|| "a task, which is tried briefly".to_owned());
    let words: Vec<_> = task.into_iter().chain(case).collect();
    Ok((route, (!words.is_empty()).then(|| format!("{}\n", words.join("; ")))))
}

fn known(route: &Route) -> String {
    let cases: Vec<_> =
        route.cases.iter().zip(1..).map(|(case, number)| format!("{number}: {}", case.criteria)).collect();
    if cases.is_empty() { "it has a single chain".to_owned() } else { cases.join("; ") }
}

fn read(name: &str) -> Result<Trait, String> {
    let found = Trait::ALL.into_iter().find(|has| has.name() == name);
    found.ok_or_else(|| {
        let names = Trait::ALL.map(Trait::name);
        let hint = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names.join(", ")),
        };
        format!("no request has `{name}`\nhint: {hint}")
    })
}
