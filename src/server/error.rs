//! Our error responses; the only place that picks their status codes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};

use super::http1::request::Refusal;
use crate::openai::error::ErrorObject;
use crate::relay::{Failure, Outcome};
use crate::retry::Class;

const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const X_BACKSTOP_ROUTE: HeaderName = HeaderName::from_static("x-backstop-route");
const X_BACKSTOP_ATTEMPTS: HeaderName = HeaderName::from_static("x-backstop-attempts");

/// A list of models that is on its way has come by then, or does not come this time.
const LISTS_COME: Duration = Duration::from_secs(10);

/// An error on its way to a client.
#[derive(Debug, Clone)]
pub struct ApiError {
    outcome: Outcome,
    status: StatusCode,
    object: ErrorObject,
    retry_after: Option<Duration>,
    route: Option<Arc<str>>,
    attempts: Option<u32>,
}

impl ApiError {
    /// An error that the server finds before the relay has a part in it.
    pub fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        let object = ErrorObject {
            message: message.into(),
            kind: outcome.kind(),
            code: outcome.as_str(),
            param: None,
            metadata: None,
        };
        let status = status(outcome, None);
        Self { outcome, status, object, retry_after: None, route: None, attempts: None }
    }

    /// The answer to what is no request, after which the connection ends.
    pub(super) fn no_request(refusal: &Refusal) -> Self {
        let status = match refusal {
            Refusal::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refusal::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Refusal::Coding => StatusCode::NOT_IMPLEMENTED,
            Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        };
        Self { status, ..Self::new(Outcome::InvalidRequest, refusal.to_string()) }
    }

    /// The answer to a request that no attempt is begun for any more.
    pub fn shutting_down() -> Self {
        Self::new(Outcome::ShuttingDown, "Backstop is shutting down: ask again in a moment")
    }

    /// The answer to a request for a `route`, if it is one, with nobody in its chain who may be there soon.
    pub fn no_models(message: impl Into<String>, route: Option<Arc<str>>) -> Self {
        let error = Self::new(Outcome::NoModels, message).with_param(Some("model"));
        Self { retry_after: Some(LISTS_COME), route, attempts: Some(0), ..error }
    }

    /// What becomes of a request for `route` that got no answer.
    pub fn from_failure(failure: &Failure, route: Arc<str>) -> Self {
        Self {
            outcome: failure.outcome,
            status: status(failure.outcome, failure.provider_status),
            object: failure.error_object(),
            retry_after: failure.retry_after,
            route: Some(route),
            attempts: Some(failure.attempts),
        }
    }

    /// The same error, naming the member of the request at fault.
    #[must_use]
    pub fn with_param(mut self, param: Option<&'static str>) -> Self {
        self.object.param = param;
        self
    }

    /// The same error for the user of a chat, who is shown one sentence and no names of settings; what it said
    /// before is a detail then.
    #[must_use]
    pub fn for_a_chat(mut self) -> Self {
        let short = match self.outcome {
            Outcome::ModelNotFound => "There is no model of this name. Choose another one.",
            Outcome::NoModels => {
                "This model has nobody to ask right now. Try again in a moment, or choose another model."
            }
            Outcome::TooLarge => "This chat is too large to be sent on. Send fewer or smaller files.",
            Outcome::RequestTimeout => "This chat took too long to arrive. Try again in a moment.",
            Outcome::ShuttingDown => "Backstop is shutting down. Try again in a moment.",
            Outcome::Internal => "Backstop has made a mistake of its own. Try again in a moment.",
            // Whoever writes the headers and bodies of the requests has to know.
            _ => {
                self.object.message = self.object.message.replace("\nhint: ", "; ");
                return self;
            }
        };
        let detail = std::mem::replace(&mut self.object.message, short.to_owned());
        self.object.metadata = Some(serde_json::json!({ "detail": detail }));
        self
    }

    /// The status it goes out with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The JSON document it goes out with.
    pub fn to_json(&self) -> String {
        self.object.to_json()
    }

    /// Seconds for `Retry-After`: always for those that say "later", else where one is known.
    fn retry_after_seconds(&self) -> Option<u64> {
        let due = matches!(
            self.outcome,
            Outcome::Failed(Class::RateLimited | Class::Overloaded) | Outcome::ShuttingDown
        );
        let wait = self.retry_after.or(due.then_some(Duration::ZERO))?;
        Some((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_json()));
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self.outcome);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // The schedule has been played: an SDK that retries by itself would play it again. A drain
        // cuts it short, and whatever takes this server's place may play it from the start; without models
        // it is not played at all.
        if !matches!(self.outcome, Outcome::ShuttingDown | Outcome::NoModels) {
            headers.insert(X_SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Some(attempts) = self.attempts {
            headers.insert(X_BACKSTOP_ATTEMPTS, attempts.into());
        }
        if let Some(route) = self.route.and_then(|name| HeaderValue::from_bytes(name.as_bytes()).ok()) {
            headers.insert(X_BACKSTOP_ROUTE, route);
        }
        if self.outcome == Outcome::RequestTimeout {
            // The rest of the request might still come, and it has been waited for long enough.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The status of a request that ended with `outcome`, decided by a fault with `provider_status`.
///
/// Never 500 for somebody else's failure, and never 401 or 403 for our own key: the client's is fine.
pub fn status(outcome: Outcome, provider_status: Option<u16>) -> StatusCode {
    match outcome {
        Outcome::Ok => StatusCode::OK,
        Outcome::ClientGone => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Outcome::Failed(class) => match class {
            Class::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Class::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Class::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Class::Connect
            | Class::Reset
            | Class::Broken
            | Class::Unexpected
            | Class::Empty
            | Class::Unauthorized
            | Class::Payment
            | Class::NotFound => StatusCode::BAD_GATEWAY,
            Class::ContextLength | Class::ContentPolicy | Class::Unsupported => StatusCode::BAD_REQUEST,
            Class::BadRequest => provider_status.and_then(passed_on).unwrap_or(StatusCode::BAD_REQUEST),
        },
        Outcome::StreamBroken | Outcome::StreamIdle => StatusCode::BAD_GATEWAY,
        Outcome::ShuttingDown | Outcome::NoModels => StatusCode::SERVICE_UNAVAILABLE,
        Outcome::InvalidRequest => StatusCode::BAD_REQUEST,
        Outcome::ModelNotFound | Outcome::PathNotFound => StatusCode::NOT_FOUND,
        Outcome::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Outcome::OriginForbidden => StatusCode::FORBIDDEN,
        Outcome::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Outcome::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        // This one key is the client's to bring.
        Outcome::UserKeyMissing => StatusCode::UNAUTHORIZED,
        Outcome::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A provider's 4xx, unless it speaks of our key, our proxy, or of asking again.
fn passed_on(status: u16) -> Option<StatusCode> {
    match status {
        401 | 403 | 407 | 408 | 429 => None,
        400..=499 => StatusCode::from_u16(status).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
