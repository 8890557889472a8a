//! Which route a request takes: by what it is, and by who asks.

use std::cell::OnceCell;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use crate::openai::envelope::Envelope;
use crate::relay::User;
use crate::route::{Chosen, Kind, Route, Routes};

/// Says which task a request is, or nothing if it is none: Open `WebUI` fills `{{TASK}}` in.
const TASK: HeaderName = HeaderName::from_static("x-backstop-task");

/// What Open `WebUI` calls a task and people wait for: the answer itself, merged out of several; the summary
/// without which a long chat cannot go on; the choice of the tools that the answer needs.
const WAITED_FOR: [&[u8]; 3] = [b"moa_response_generation", b"context_compaction", b"function_calling"];

/// The route that the request `id` of `user` takes which asks for `asked`.
pub(super) fn choose(
    routes: &Routes,
    asked: Arc<Route>,
    envelope: &Envelope,
    headers: &HeaderMap,
    user: &User,
    id: &str,
) -> Arc<Route> {
    let facts = OnceCell::new();
    let facts = || facts.get_or_init(|| envelope.facts());
    let by_shape = || if envelope.may_be_task() { facts().kind } else { Kind::Chat };
    let kind = told(headers).unwrap_or_else(by_shape);
    let is = |who: &str| user.is(who);
    let Chosen { route, case } = routes.choose(asked, kind, || facts().clone(), &is);
    if let Some(case) = case {
        tracing::debug!(request_id = %id, route = %route.name, case, "takes the chain of case {case}");
    }
    route
}

/// What the header says; nothing where it is missing, empty or not filled in, as by an older Open `WebUI`.
fn told(headers: &HeaderMap) -> Option<Kind> {
    let task = headers.get(TASK)?.as_bytes().trim_ascii();
    match task {
        b"" => None,
        _ if task.contains(&b'{') => None,
        _ if WAITED_FOR.contains(&task) => Some(Kind::Chat),
        _ => Some(Kind::Task),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_what_a_request_is_for() {
        for (value, expected) in [
            ("title_generation", Some(Kind::Task)),
            ("memory_review", Some(Kind::Task)),
            ("my own", Some(Kind::Task)),
            ("moa_response_generation", Some(Kind::Chat)),
            ("context_compaction", Some(Kind::Chat)),
            ("function_calling", Some(Kind::Chat)),
            ("", None),
            (" ", None),
            ("{{TASK}}", None),
        ] {
            let headers = [(TASK, value.parse().unwrap())];
            assert_eq!(told(&headers.into_iter().collect()), expected, "{value}");
        }
        assert_eq!(told(&HeaderMap::new()), None);
    }
}
