//! `POST /v1/chat/completions`: from a request to something the relay can try.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;

use super::access::clip;
use super::error::ApiError;
use super::http1::incoming::Incoming;
use super::router::App;
use super::{body, choice, profile, user};
use crate::openai::envelope::{Envelope, InvalidRequest};
use crate::relay::{self, Asked, Outcome, User};
use crate::route::{Candidate, Kind, Live, ProgressMode, Route, Routes};
use crate::upstream::{Upstream, headers};

/// Reads the request and has the relay answer it.
///
/// What reading takes is in a box of its own, and gone before the answer is waited for.
pub(super) fn complete<U: Upstream>(
    app: &App<U>,
    asked: Arc<Asked>,
    request: http::Request<Incoming>,
) -> impl Future<Output = Response> + Send {
    let reading = Box::pin(read(app, asked, request));
    async move {
        let (name, answer) = match reading.await {
            Ok(request) => (Arc::clone(&request.route.name), app.relay.respond(request)),
            Err(error) => return error.into_response(),
        };
        match answer.await {
            Ok(response) => response.map(Body::new),
            Err(failure) => ApiError::from_failure(&failure, name).into_response(),
        }
    }
}

/// Reads a request, or says in the words of its reader what is wrong with it.
async fn read<U: Upstream>(
    app: &App<U>,
    asked: Arc<Asked>,
    request: http::Request<Incoming>,
) -> Result<relay::Request, ApiError> {
    let (mut head, body) = request.into_parts();
    let request = match user::take(&mut head.headers, &app.runtime) {
        Ok(user) => {
            asked.learn_who(&user);
            let draining = &app.relay.drain.pauses;
            let reader = body::Reader { cap: app.runtime.server.max_body, pause: app.limits.body, draining };
            match reader.read(body).await {
                Ok(body) => prepare(app, asked, user, &head, body),
                Err(error) => Err(error),
            }
        }
        Err(bad) => Err(ApiError::new(Outcome::InvalidRequest, bad.to_string())),
    };
    request.map_err(|error| {
        // Without a route it is the client that says who reads its errors.
        let progress = profile::choose(&head.headers, None, head.uri.path());
        if progress.is_ok_and(ProgressMode::is_for_a_chat) { error.for_a_chat() } else { error }
    })
}

/// Finds the route of a request; from then on the access line is the relay's.
#[expect(clippy::result_large_err, reason = "it comes once a request, and is handed on at once")]
fn prepare<U: Upstream>(
    app: &App<U>,
    asked: Arc<Asked>,
    user: User,
    head: &Parts,
    body: Bytes,
) -> Result<relay::Request, ApiError> {
    let envelope = Envelope::parse(body).map_err(invalid_request)?;
    let routes = app.routes.snapshot();
    let Some(route) = routes.resolve(envelope.model()) else {
        return Err(model_not_found(&routes, envelope.model()));
    };
    if app.relay.drain.pauses.is_given() {
        return Err(ApiError::shutting_down());
    }
    let route = choice::choose(&routes, route, &envelope, &head.headers, &user, asked.id());
    if route.chain.is_open() {
        return Err(no_models(&routes, &route));
    }
    let progress =
        profile::choose(&head.headers, route.progress, head.uri.path()).map_err(invalid_request)?;
    // Nobody looks at a task while it waits.
    let progress = if route.kind == Kind::Task { ProgressMode::Off } else { progress };
    asked.hand_over();
    Ok(relay::Request {
        asked,
        user,
        progress,
        route,
        envelope,
        headers: headers::from_client(&head.headers),
    })
}

fn invalid_request(error: InvalidRequest) -> ApiError {
    ApiError::new(Outcome::InvalidRequest, error.message).with_param(error.param)
}

/// Names what was asked for, and the route that was probably meant; or the list that may have it.
pub(super) fn model_not_found(routes: &Routes, model: &str) -> ApiError {
    if let Some((source, route)) = routes.offered(model)
        && routes.listed(source.provider).is_none()
    {
        let provider = route.chain.candidates().first().map_or("its provider", |first| &first.provider_name);
        let model = clip(model);
        let message = format!(
            "nothing answers to `{model}` yet: the list of {provider} has not come yet\nhint: ask again in a moment"
        );
        return ApiError::no_models(message, None);
    }
    let hint = match routes.nearest(model) {
        Some(name) => format!("did you mean `{name}`? `GET /v1/models` lists every route"),
        None => "`GET /v1/models` lists every route".to_owned(),
    };
    let message = format!("no route or provider answers to `{}`\nhint: {hint}", clip(model));
    ApiError::new(Outcome::ModelNotFound, message).with_param(Some("model"))
}

/// Says whose lists leave nobody in the chain of `route`.
fn no_models(routes: &Routes, route: &Route) -> ApiError {
    let entry = |(template, live): (&Candidate, &Live)| {
        let provider = &*template.provider_name;
        let why = match routes.listed(template.provider) {
            Some(_) => "its list has none of them",
            None => "its list has not come yet",
        };
        format!("{} ({why})", live.words(provider))
    };
    let entries: Vec<_> = route.chain.entries().map(entry).collect();
    let message = format!(
        "there is nobody to ask for `{}` now: it looks for {}\nhint: ask again in a moment; a model that stands in the chain by its name would be there always",
        route.name,
        entries.join(", then for ")
    );
    ApiError::no_models(message, Some(Arc::clone(&route.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Chain, Edits, ProviderId, Timeouts};

    fn routes(name: &str) -> Routes {
        let candidate = Candidate {
            provider: ProviderId(0),
            provider_name: "nvidia".into(),
            model: "kimi".into(),
            policy: crate::retry::Policy::default(),
            timeouts: Timeouts::default(),
            headers: http::HeaderMap::new(),
            edits: Edits::default(),
            prefill: None,
        };
        let chain = Chain::try_new(vec![candidate]).unwrap();
        let route = Route::new(name.into(), chain, crate::retry::Policy::default());
        Routes::new(vec![Arc::new(route)], Vec::new())
    }

    #[test]
    fn an_unknown_model_gets_the_nearest_route() {
        let near = model_not_found(&routes("fullfat"), "fulfat").to_json();
        let far = model_not_found(&routes("fullfat"), "gpt-4o").to_json();

        assert!(near.contains("no route or provider answers to `fulfat`"), "{near}");
        assert!(near.contains("did you mean `fullfat`?"), "{near}");
        assert!(near.contains(r#""param":"model""#), "{near}");
        assert!(!far.contains("did you mean"), "{far}");
        assert!(far.contains("/v1/models"), "{far}");
    }
}
