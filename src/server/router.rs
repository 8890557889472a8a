//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode, Uri};

use super::access::clip;
use super::error::{self, ApiError};
use super::front::{Answering, Service};
use super::http1::incoming::Incoming;
use super::{Limits, chat, models};
use crate::config::Runtime;
use crate::relay::{Asked, Outcome, Relay};
use crate::route::Current;
use crate::upstream::Upstream;

/// The API stands under each of these: OpenAI's path, OpenRouter's, and one for Open WebUI.
const PREFIXES: [&str; 3] = ["", "/api", "/open-webui"];

const CHAT: &str = "/v1/chat/completions";

/// What handlers need.
pub struct App<U> {
    /// The snapshot of the configuration that requests are served by.
    pub runtime: Arc<Runtime>,
    /// What can be asked for now.
    pub routes: Arc<Current>,
    /// Tries requests along their chains; also knows when the process is about to end.
    pub relay: Arc<Relay<U>>,
    /// How long clients may take.
    pub limits: Limits,
}

/// Every path of the server.
pub struct Paths<U> {
    app: Arc<App<U>>,
    router: Router,
}

impl<U: Upstream> Paths<U> {
    /// The paths, answered with `app`.
    pub fn new(app: Arc<App<U>>) -> Self {
        let mut router =
            Router::new().route("/health/live", get(live)).route("/health/ready", get(ready::<U>));
        for prefix in PREFIXES {
            router = router
                .route(&format!("{prefix}{CHAT}"), post(chat))
                .route(&format!("{prefix}/v1/models"), get(models::list::<U>))
                .route(&format!("{prefix}/v1/models/{{*id}}"), get(models::one::<U>));
        }
        let router = router.fallback(path_not_found).method_not_allowed_fallback(method_not_allowed);
        Self { router: router.with_state(Arc::clone(&app)), app }
    }
}

impl<U: Upstream> Service for Paths<U> {
    fn answer(&self, asked: &Arc<Asked>, request: http::Request<Incoming>) -> Answering<'_> {
        // What nearly everybody asks for goes straight there: the router takes a twentieth of a request.
        if request.method() == Method::POST && is_chat(request.uri().path()) {
            return Box::pin(chat::complete(&self.app, Arc::clone(asked), request));
        }
        self.router.answer(asked, request)
    }
}

fn is_chat(path: &str) -> bool {
    path.strip_suffix(CHAT).is_some_and(|prefix| PREFIXES.contains(&prefix))
}

/// For the router, which has to know the path to tell how it is asked; whoever asks so does not come this way.
async fn chat() -> ApiError {
    ApiError::new(Outcome::Internal, "unexpected error")
}

/// A response of `status` with a JSON document.
pub(super) fn json(status: StatusCode, document: impl Into<axum::body::Body>) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], document.into()).into_response()
}

async fn live() -> Response {
    json(StatusCode::OK, r#"{"status":"live"}"#)
}

async fn ready<U>(State(app): State<Arc<App<U>>>) -> Response {
    if app.relay.drain.pauses.is_given() {
        let outcome = Outcome::ShuttingDown;
        let mut response = json(error::status(outcome, None), r#"{"status":"draining"}"#);
        response.extensions_mut().insert(outcome);
        return response;
    }
    json(StatusCode::OK, r#"{"status":"ready"}"#)
}

async fn path_not_found(uri: Uri) -> ApiError {
    let message = format!(
        "nothing answers to `{}`\nhint: there are `/v1/chat/completions`, `/v1/models`, `/health/live` and `/health/ready`",
        clip(uri.path())
    );
    ApiError::new(Outcome::PathNotFound, message)
}

async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    let message = format!(
        "`{}` cannot be asked with `{}`\nhint: the `allow` header says how",
        clip(uri.path()),
        clip(method.as_str())
    );
    ApiError::new(Outcome::MethodNotAllowed, message)
}
