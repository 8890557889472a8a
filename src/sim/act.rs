//! One way to meet a request, said in the order of its parts: opening, head, body, end.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::answer::{self, Answer, Tail};

/// One way to meet a request.
///
/// A good answer by default; every method spoils one thing.
#[derive(Debug, Clone)]
#[must_use]
pub struct Act {
    pub(super) opening: Opening,
    pub(super) delay: Duration,
    pub(super) status: u16,
    /// Set, or with an empty value left out; replaces what the act would say by itself.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
    pub(super) framing: Option<Framing>,
    pub(super) encoding: Option<Encoding>,
    pub(super) first_token: Duration,
    pub(super) pace: Duration,
    pub(super) comments: Option<Duration>,
    pub(super) split: Vec<usize>,
    pub(super) cut_events: Option<usize>,
    pub(super) cut_bytes: Option<usize>,
    pub(super) finish: Finish,
}

/// What happens first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Opening {
    Head,
    Raw(Bytes),
    Hang,
    Close,
    Reset,
}

/// What the body is made of.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Bytes { content_type: &'static str, bytes: Bytes },
    Events(Vec<Bytes>),
    Answer { answer: Answer, form: Form, tail: Tail, inserted: Vec<(usize, Bytes)> },
}

/// Whether an answer is streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    AsAsked,
    Whole,
    Streamed,
}

/// How the client can tell where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By the last chunk.
    Chunked,
    /// By its length.
    Length,
    /// By a length that is this many bytes more than come; then the connection closes.
    LongLength(usize),
    /// By the end of the connection.
    UntilClose,
}

/// How the body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As `gzip`.
    Gzip,
    /// As `deflate` in its zlib wrapping, as the standard has it.
    Deflate,
    /// As `deflate` without the wrapping, as some servers have it.
    RawDeflate,
}

/// What follows the last byte of the body that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The proper end of the body; the connection is kept.
    End,
    /// The proper end of the body, then the connection closes unannounced.
    Close,
    /// The proper end of the body; the next request on the connection is met with a reset, unread.
    DropNext,
    /// The connection closes without the proper end.
    Eof,
    /// The connection is reset.
    Reset,
    /// Nothing: the body stays open and silent until the client leaves.
    Stall,
    /// A chunk whose size is no number, then the connection closes.
    BrokenChunking,
}

impl Act {
    fn new(status: u16, body: Body) -> Self {
        Self {
            opening: Opening::Head,
            delay: Duration::ZERO,
            status,
            headers: Vec::new(),
            body,
            framing: None,
            encoding: None,
            first_token: Duration::ZERO,
            pace: Duration::ZERO,
            comments: None,
            split: Vec::new(),
            cut_events: None,
            cut_bytes: None,
            finish: Finish::End,
        }
    }

    fn opening(opening: Opening) -> Self {
        Self { opening, ..Self::echo() }
    }

    /// Answers with `text`; as a stream, a word at a time, if the request asks for one.
    pub fn answer(text: impl Into<String>) -> Self {
        Self::says(Answer { text: Some(text.into()), ..Answer::default() })
    }

    /// As [`Self::answer`], but a request that ends with the beginning of `text` as the assistant's own
    /// message is answered with the rest of it.
    pub fn completes(text: impl Into<String>) -> Self {
        Self::says(Answer { text: Some(text.into()), continues: true, ..Answer::default() })
    }

    /// Answers with `count` short words.
    pub fn tokens(count: usize) -> Self {
        Self::answer((0..count).map(|n| format!("token{n}")).collect::<Vec<_>>().join(" "))
    }

    /// Answers with the name of the model it was asked for.
    pub fn echo() -> Self {
        Self::says(Answer::default())
    }

    /// Answers with `thought`, then with `text`.
    pub fn reasoning(thought: impl Into<String>, text: impl Into<String>) -> Self {
        Self::says(Answer { text: Some(text.into()), reasoning: thought.into(), ..Answer::default() })
    }

    /// Answers with a call of the function `name`; `arguments` is its JSON.
    pub fn tool_call(name: impl Into<String>, arguments: impl Into<String>) -> Self {
        let tool_call = Some((name.into(), arguments.into()));
        Self::says(Answer { text: Some(String::new()), tool_call, ..Answer::default() })
    }

    fn says(answer: Answer) -> Self {
        Self::new(200, Body::Answer { answer, form: Form::AsAsked, tail: Tail::Whole, inserted: Vec::new() })
    }

    /// Fails with a status and an error object to match.
    pub fn status(status: u16) -> Self {
        let (message, code) = match status {
            401 => ("Incorrect API key provided", Value::from("invalid_api_key")),
            402 => ("Insufficient credits", Value::from(402)),
            404 => ("The model does not exist", Value::from("model_not_found")),
            429 => ("Rate limit exceeded", Value::from("rate_limit_exceeded")),
            503 => ("The model is overloaded", Value::from("overloaded")),
            _ => ("Something went wrong", Value::from(status)),
        };
        Self::new(status, Body::Bytes { content_type: "", bytes: Bytes::new() }).error(message, code)
    }

    /// Streams these events as they stand, line ends included; see [`super::data`].
    pub fn events<E: Into<Bytes>>(events: impl IntoIterator<Item = E>) -> Self {
        Self::new(200, Body::Events(events.into_iter().map(Into::into).collect()))
    }

    /// Sends these bytes in place of a response, head and all; what follows is up to [`Self::then`].
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::opening(Opening::Raw(bytes.into())).then(Finish::Eof)
    }

    /// Never answers.
    pub fn hang() -> Self {
        Self::opening(Opening::Hang)
    }

    /// Sends a head and then nothing.
    pub fn hang_after_head() -> Self {
        Self::echo().cut_after(0).then(Finish::Stall)
    }

    /// Closes the connection before the head.
    pub fn close() -> Self {
        Self::opening(Opening::Close)
    }

    /// Resets the connection before the head.
    pub fn reset() -> Self {
        Self::opening(Opening::Reset)
    }

    /// Waits before anything happens.
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Answers with this status, the body unchanged.
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Sends this header, in place of one of the same name.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Leaves this header out.
    pub fn without_header(self, name: &str) -> Self {
        self.header(name, "")
    }

    /// Sends `Retry-After`.
    pub fn retry_after(self, value: impl Into<String>) -> Self {
        self.header("retry-after", value)
    }

    /// With this body.
    pub fn body(self, content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self { body: Body::Bytes { content_type, bytes: bytes.into() }, ..self }
    }

    /// With this JSON body.
    pub fn json(self, json: impl Into<Bytes>) -> Self {
        self.body("application/json", json)
    }

    /// With this HTML body.
    pub fn html(self, html: impl Into<Bytes>) -> Self {
        self.body("text/html; charset=utf-8", html)
    }

    /// With an error object as its body.
    pub fn error(self, message: &str, code: impl Into<Value>) -> Self {
        self.json(answer::error(message, code))
    }

    /// With no body at all.
    pub fn empty(self) -> Self {
        self.body("", "")
    }

    /// Puts an event of this data before event `index` of the answer, or at its end.
    pub fn insert(mut self, index: usize, data: impl AsRef<str>) -> Self {
        let event = answer::data(data);
        match &mut self.body {
            Body::Answer { inserted, .. } => inserted.push((index, event)),
            Body::Events(events) => events.insert(index.min(events.len()), event),
            Body::Bytes { .. } => {}
        }
        self
    }

    /// Answers whole, whatever the request asks for.
    pub fn whole(self) -> Self {
        self.form(Form::Whole)
    }

    /// Answers with a stream, whatever the request asks for.
    pub fn streamed(self) -> Self {
        self.form(Form::Streamed)
    }

    /// Streams the answer without `[DONE]`.
    pub fn without_done(self) -> Self {
        self.tail(Tail::NoDone)
    }

    /// Streams the answer without a finish reason and `[DONE]`.
    pub fn without_finish(self) -> Self {
        self.tail(Tail::NoFinish)
    }

    fn form(mut self, new: Form) -> Self {
        if let Body::Answer { form, .. } = &mut self.body {
            *form = new;
        }
        self
    }

    fn tail(mut self, new: Tail) -> Self {
        if let Body::Answer { tail, .. } = &mut self.body {
            *tail = new;
        }
        self
    }

    /// Marks the end of the body in this way; streams are chunked and other bodies have a length.
    pub fn framing(self, framing: Framing) -> Self {
        Self { framing: Some(framing), ..self }
    }

    /// Compresses the body and says so; whether it was asked for or not.
    pub fn encode(self, encoding: Encoding) -> Self {
        Self { encoding: Some(encoding), ..self }
    }

    /// Waits between the head and the body.
    pub fn first_token_after(self, first_token: Duration) -> Self {
        Self { first_token, ..self }
    }

    /// Waits between two events.
    pub fn pace(self, pace: Duration) -> Self {
        Self { pace, ..self }
    }

    /// Sends a comment whenever this much time has passed in a wait after the head.
    pub fn comments_every(self, interval: Duration) -> Self {
        Self { comments: Some(interval), ..self }
    }

    /// Sends the body in frames of these sizes, over and over, wherever the events end.
    pub fn split(self, sizes: impl Into<Vec<usize>>) -> Self {
        Self { split: sizes.into(), ..self }
    }

    /// Sends no more than this many events; a body that is not streamed is cut in its middle.
    pub fn cut_after(self, events: usize) -> Self {
        Self { cut_events: Some(events), ..self }
    }

    /// Sends no more than this many bytes of the body, compressed or not.
    pub fn cut_bytes(self, bytes: usize) -> Self {
        Self { cut_bytes: Some(bytes), ..self }
    }

    /// Ends like this.
    pub fn then(self, finish: Finish) -> Self {
        Self { finish, ..self }
    }
}
