//! `GET /v1/models`: what a client can ask for, from memory.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{StatusCode, Uri};

use super::chat::model_not_found;
use super::error::ApiError;
use super::router::{App, json};
use crate::openai::models::{self, Model};
use crate::route::Route;

/// Every named route, those of providers' lists among them; nobody is waited for.
pub(super) async fn list<U>(State(app): State<Arc<App<U>>>) -> Response {
    let routes = app.routes.snapshot();
    let models: Vec<_> = routes.named().iter().map(|route| model(route)).collect();
    json(StatusCode::OK, models::list(&models))
}

/// Whatever a chat could ask for by that name. Names hold slashes, so they are the rest of the path.
pub(super) async fn one<U>(
    State(app): State<Arc<App<U>>>,
    uri: Uri,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let id = match id {
        Ok(Path(id)) => id,
        // A name that is not UTF-8 is nobody's, but it can be told as it was asked for.
        Err(_) => uri.path().split_once("/models/").map_or_else(String::new, |(_, id)| id.to_owned()),
    };
    let routes = app.routes.snapshot();
    match routes.resolve(&id) {
        Some(route) => Ok(json(StatusCode::OK, models::one(&model(&route)))),
        None => Err(model_not_found(&routes, &id)),
    }
}

fn model(route: &Route) -> Model<'_> {
    Model {
        id: &route.name,
        name: route.card.title.as_deref().unwrap_or(&route.name),
        description: route.card.description.as_deref(),
        tags: &route.card.tags,
        capabilities: &route.card.capabilities,
        created: route.card.created,
        context: route.card.context,
    }
}
