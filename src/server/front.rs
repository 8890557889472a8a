//! What every request passes, whatever it asks for: its id, its origin, its tidied path, the net
//! under a panic, and its access line.

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::CONNECTION;
use http::{HeaderValue, StatusCode, Uri};

use super::access::{Line, clip};
use super::error::ApiError;
use super::guard::{self, Guarded};
use super::http1::incoming::Incoming;
use super::origin::{self, Page};
use super::request_id::{self, X_REQUEST_ID};
use crate::config::Cors;
use crate::relay::{Asked, Drain, Outcome};

/// An answer in the making.
pub type Answering<'s> = Pin<Box<dyn Future<Output = Response> + Send + 's>>;

/// What stands behind the front: the paths, or a stand-in for them.
pub trait Service: Send + Sync + 'static {
    /// Answers a request that is called so.
    fn answer(&self, asked: &Arc<Asked>, request: http::Request<Incoming>) -> Answering<'_>;
}

impl<S> Service for S
where
    S: tower::Service<Request, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    fn answer(&self, _asked: &Arc<Asked>, request: http::Request<Incoming>) -> Answering<'_> {
        let answer = tower::ServiceExt::oneshot(self.clone(), request.map(Body::new));
        Box::pin(async move {
            match answer.await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        })
    }
}

/// The way into a service.
#[derive(Debug)]
pub struct Front<S> {
    inner: S,
    cors: Cors,
    drain: Drain,
}

impl<S: Service> Front<S> {
    /// The way into `inner` for the pages of `cors`, until the `drain`.
    pub fn new(inner: S, cors: Cors, drain: Drain) -> Self {
        Self { inner, cors, drain }
    }

    /// Answers a request of `client`. It has its access line from here on, though nobody may ever poll the
    /// answer: a client that closes at once is gone by then.
    ///
    /// It is one future and holds the next one in a box, for a future keeps room for all that it has moved.
    pub(super) fn answer(
        &self,
        client: Arc<str>,
        request: http::Request<Incoming>,
    ) -> impl Future<Output = http::Response<Guarded>> + Send + use<'_, S> {
        let id = request_id::choose(request.headers());
        let line = Line::begin(id, client, request.method(), request.uri().path(), &self.drain.streams);
        async move {
            let page = Page::of(&self.cors, request.headers());

            let mut response = match &page {
                Page::Forbidden(origin) => forbidden(origin).into_response(),
                _ if origin::is_preflight(request.method(), request.headers()) => {
                    let mut response = StatusCode::NO_CONTENT.into_response();
                    *response.headers_mut() = origin::preflight(request.headers());
                    response
                }
                _ => match guard::catch(self.pass(&line, request)).await {
                    Ok(response) => response,
                    Err(_) => ApiError::new(Outcome::Internal, "unexpected error").into_response(),
                },
            };

            let headers = response.headers_mut();
            page.admit(headers);
            if let Ok(id) = HeaderValue::from_str(line.asked.id()) {
                headers.insert(X_REQUEST_ID, id);
            }
            if self.drain.pauses.is_given() {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            let outcome = response.extensions().get().copied().unwrap_or(Outcome::Ok);
            line.end(outcome, response.status().as_u16());
            Guarded::wrap(response)
        }
    }

    fn pass(&self, line: &Line<'_>, mut request: http::Request<Incoming>) -> Answering<'_> {
        if let Cow::Owned(path) = tidy(request.uri().path())
            && let Some(uri) = with_path(request.uri(), &path)
        {
            *request.uri_mut() = uri;
        }
        self.inner.answer(&line.asked, request)
    }
}

fn forbidden(origin: &str) -> ApiError {
    let message = format!(
        "pages of `{}` may not use this server\nhint: allow the origin in the configuration, under `server.cors`",
        clip(origin)
    );
    ApiError::new(Outcome::OriginForbidden, message)
}

/// `path` with doubled slashes made one and without one at its end.
fn tidy(path: &str) -> Cow<'_, str> {
    if !path.contains("//") && (path.len() < 2 || !path.ends_with('/')) {
        return Cow::Borrowed(path);
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    Cow::Owned(format!("/{}", parts.join("/")))
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_tidied() {
        for (path, tidied) in [
            ("/", "/"),
            ("//", "/"),
            ("/v1/models", "/v1/models"),
            ("/v1/models/", "/v1/models"),
            ("//v1//chat///completions//", "/v1/chat/completions"),
            ("/v1/models/a%2Fb", "/v1/models/a%2Fb"),
            ("", ""),
            ("*", "*"),
        ] {
            assert_eq!(tidy(path), tidied, "{path}");
        }
    }

    #[test]
    fn the_query_stays() {
        let uri: Uri = "http://host//v1//models/?a=//b".parse().unwrap();

        let tidied = with_path(&uri, &tidy(uri.path())).unwrap();

        assert_eq!(tidied, "/v1/models?a=//b");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
        #[test]
        fn tidying_twice_changes_nothing(path in "(/|[a-z.%]){0,30}") {
            let once = tidy(&path).into_owned();
            prop_assert!(!once.contains("//"));
            prop_assert_eq!(&*tidy(&once), &*once);
        }
    }
}
