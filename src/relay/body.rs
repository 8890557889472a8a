//! The body of a response.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::{Frame, SizeHint};
use tokio_util::sync::CancellationToken;

use super::early::{Early, Next};
use super::observer::Observer;
use super::stream::Stream;
use super::{Outcome, Request, attempt};
use crate::upstream::Upstream;

pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// The body of a response; it never fails, for a failure is an event of the stream.
pub struct Body<U: Upstream>(State<U::Body>);

enum State<B> {
    Early(Early<B>),
    Answer(Content<B>),
}

/// An answer on its way to the client.
pub(super) struct Answer<B> {
    headers: HeaderMap,
    pub(super) content: Content<B>,
}

pub(super) enum Content<B> {
    /// All of it at once; the observer, where there still is one, learns that it went out.
    Whole(Bytes, Option<Box<Observer>>),
    Stream(Box<Stream<B>>),
}

impl<B> Content<B> {
    /// Bytes that end a request which is already over.
    pub(super) fn over(bytes: Bytes) -> Self {
        Self::Whole(bytes, None)
    }
}

impl<B> Answer<B>
where
    B: http_body::Body<Data = Bytes, Error = crate::retry::Fault> + Unpin,
{
    pub(super) fn new(
        opened: attempt::Opened<B>,
        request: &Request,
        observer: Observer,
        drain: CancellationToken,
    ) -> Self {
        let attempt::Opened { mut headers, provider, model, content } = opened;
        insert(&mut headers, "x-backstop-route", &request.route.name);
        insert(&mut headers, "x-backstop-provider", &provider);
        insert(&mut headers, "x-backstop-model", &model);
        headers.insert("x-backstop-attempts", observer.attempts().into());
        match &content {
            attempt::Content::Stream(_) => {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
            }
            attempt::Content::Whole(_) if is_json(&headers) => {}
            attempt::Content::Whole(_) => {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
        }
        let content = match content {
            attempt::Content::Whole(bytes) => Content::Whole(bytes, Some(Box::new(observer))),
            attempt::Content::Stream(opening) => {
                Content::Stream(Box::new(Stream::new(opening, observer, drain)))
            }
        };
        Self { headers, content }
    }
}

/// The response of an answer that opened before any head had gone out.
pub(super) fn answer<U: Upstream>(answer: Answer<U::Body>) -> Response<Body<U>> {
    let mut response = Response::new(Body(State::Answer(answer.content)));
    *response.headers_mut() = answer.headers;
    response
}

/// Inserts a header unless `value` cannot stand in one.
pub(super) fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name, value);
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let label = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    label.is_some_and(|label| label.to_ascii_lowercase().starts_with(b"application/json"))
}

impl<U: Upstream> Body<U> {
    pub(super) fn early(early: Early<U::Body>) -> Self {
        Self(State::Early(early))
    }
}

impl<U: Upstream> http_body::Body for Body<U> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            let bytes = match &mut self.0 {
                State::Early(early) => match ready!(early.poll_next(cx)) {
                    Next::Comment(comment) => Some(comment),
                    Next::Become(content) => {
                        self.0 = State::Answer(content);
                        continue;
                    }
                },
                State::Answer(Content::Whole(bytes, observer)) => {
                    if let Some(mut observer) = observer.take() {
                        observer.ended(Outcome::Ok);
                    }
                    Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty())
                }
                State::Answer(Content::Stream(stream)) => ready!(stream.poll_next(cx)),
            };
            return Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))));
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            State::Early(_) | State::Answer(Content::Stream(_)) => false,
            State::Answer(Content::Whole(bytes, _)) => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            State::Early(_) | State::Answer(Content::Stream(_)) => SizeHint::default(),
            State::Answer(Content::Whole(bytes, _)) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

impl<U: Upstream> fmt::Debug for Body<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            State::Early(_) => "Body::Early",
            State::Answer(Content::Whole(..)) => "Body::Whole",
            State::Answer(Content::Stream(_)) => "Body::Stream",
        })
    }
}
