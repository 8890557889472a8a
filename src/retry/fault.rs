//! What happened to an attempt.

use std::fmt;
use std::time::Duration;

/// The kinds of failure; each has one row in [`super::classify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The provider asks for fewer requests.
    RateLimited,
    /// The provider cannot serve anyone right now.
    Overloaded,
    /// No connection could be made.
    Connect,
    /// The connection ended before the response head.
    Reset,
    /// A limit passed in silence.
    Timeout,
    /// The answer was cut, undecodable, or no answer at all by its first bytes.
    Broken,
    /// A status that no chat API gives: 1xx as final, 2xx other than 200, 3xx.
    Unexpected,
    /// A well-formed answer with nothing in it.
    Empty,
    /// The provider refuses our key.
    Unauthorized,
    /// The provider wants money.
    Payment,
    /// The provider knows no such model or path.
    NotFound,
    /// The prompt is too long for the model.
    ContextLength,
    /// The provider refuses the content.
    ContentPolicy,
    /// The model lacks something the request needs.
    Unsupported,
    /// The provider calls the request wrong.
    BadRequest,
}

impl Class {
    /// Every class, in the order of the failure table.
    pub const ALL: [Self; 15] = [
        Self::RateLimited,
        Self::Overloaded,
        Self::Connect,
        Self::Reset,
        Self::Timeout,
        Self::Broken,
        Self::Unexpected,
        Self::Empty,
        Self::Unauthorized,
        Self::Payment,
        Self::NotFound,
        Self::ContextLength,
        Self::ContentPolicy,
        Self::Unsupported,
        Self::BadRequest,
    ];

    /// The word for it in config, logs and error codes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::Unexpected => "unexpected",
            Self::Empty => "empty",
            Self::Unauthorized => "unauthorized",
            Self::Payment => "payment",
            Self::NotFound => "not_found",
            Self::ContextLength => "context_length",
            Self::ContentPolicy => "content_policy",
            Self::Unsupported => "unsupported",
            Self::BadRequest => "bad_request",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far an attempt had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Name look-up, TCP, TLS.
    Connect,
    /// The request is out, the response head is not in.
    FirstByte,
    /// The head is in, no payload yet; for an answer that is not streamed, its body.
    FirstToken,
    /// The answer had opened.
    Stream,
}

impl Phase {
    /// The word for it in logs and error trails.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::FirstByte => "first_byte",
            Self::FirstToken => "first_token",
            Self::Stream => "stream",
        }
    }
}

/// How an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of failure it was.
    pub class: Class,
    /// How far the attempt had come.
    pub phase: Phase,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// What happened, in the provider's words where it gave any; one line, without a full stop.
    pub reason: String,
    /// The provider's wish for the next attempt, counted from now; not capped.
    pub retry_after: Option<Duration>,
    /// What the evidence names, beyond this one request.
    pub covers: Covers,
    /// Whether it was something of our own that ended the attempt: the deadline, a share of it, `max_connections`,
    /// a lack of files. Then nothing is known of the candidate.
    pub clipped: bool,
    /// What to do about it, as a clause, where the class alone would not tell.
    pub advice: Option<&'static str>,
}

/// How much of a provider a fault speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Covers {
    /// The model under this key.
    #[default]
    Candidate,
    /// Every model under this key that costs nothing (`OpenRouter`'s `:free`).
    FreeModels,
    /// The key, whatever the model.
    Key,
}

impl Fault {
    /// A failure of `class` in `phase`, without a status.
    pub fn new(class: Class, phase: Phase, reason: impl Into<String>) -> Self {
        Self {
            class,
            phase,
            status: None,
            reason: reason.into(),
            retry_after: None,
            covers: Covers::Candidate,
            clipped: false,
            advice: None,
        }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn advising(self, advice: &'static str) -> Self {
        Self { advice: Some(advice), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "{status} - {}", self.reason),
            None => write!(f, "{} - {}", self.class, self.reason),
        }
    }
}

impl std::error::Error for Fault {}
