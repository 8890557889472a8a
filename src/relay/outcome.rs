//! How a request ended, in one closed word.

use std::fmt;

use crate::retry::Class;

/// The word that is the log field and the error code at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The answer went out whole.
    Ok,
    /// The client left first.
    ClientGone,
    /// The last failure was of this class.
    Failed(Class),
    /// An answer that had opened broke.
    StreamBroken,
    /// An answer that had opened fell silent.
    StreamIdle,
    /// The process was told to stop.
    ShuttingDown,
    /// The request itself was wrong.
    InvalidRequest,
    /// No route or provider of that name.
    ModelNotFound,
    /// The route is there, but its lists of models leave nobody who could be asked.
    NoModels,
    /// No such path.
    PathNotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// A web page that may not ask.
    OriginForbidden,
    /// The request body is larger than `max_body`.
    TooLarge,
    /// The client sent its request too slowly.
    RequestTimeout,
    /// Nobody could be asked without a key of the user's own, and there is none.
    UserKeyMissing,
    /// Our own mistake.
    Internal,
}

impl Outcome {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ClientGone => "client_gone",
            Self::Failed(class) => class.as_str(),
            Self::StreamBroken => "stream_broken",
            Self::StreamIdle => "stream_idle",
            Self::ShuttingDown => "shutting_down",
            Self::InvalidRequest => "invalid_request",
            Self::ModelNotFound => "model_not_found",
            Self::NoModels => "no_models",
            Self::PathNotFound => "path_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::OriginForbidden => "origin_forbidden",
            Self::TooLarge => "too_large",
            Self::RequestTimeout => "request_timeout",
            Self::UserKeyMissing => "user_key_missing",
            Self::Internal => "internal",
        }
    }

    /// The OpenAI kind of error that clients sort it under, the error's `type`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Failed(Class::RateLimited) => "rate_limit_error",
            Self::Failed(
                Class::ContextLength | Class::ContentPolicy | Class::Unsupported | Class::BadRequest,
            )
            | Self::InvalidRequest
            | Self::ModelNotFound
            | Self::PathNotFound
            | Self::MethodNotAllowed
            | Self::TooLarge
            | Self::RequestTimeout => "invalid_request_error",
            Self::OriginForbidden => "permission_error",
            Self::UserKeyMissing => "authentication_error",
            Self::Ok
            | Self::ClientGone
            | Self::Failed(_)
            | Self::StreamBroken
            | Self::StreamIdle
            | Self::ShuttingDown
            | Self::NoModels
            | Self::Internal => "server_error",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
