//! The body of a response.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body::{Frame, SizeHint};

use super::answer::{self, Answer, Content, EVENT_STREAM};
use super::early::{Early, Next};
use crate::route::Route;
use crate::upstream::Upstream;

/// The body of a response; it never fails, for a failure is an event of the stream.
pub struct Body<U: Upstream>(State<U>);

enum State<U: Upstream> {
    Early(Early<U>),
    Answer(Content<U>),
}

/// The response of an answer that opened before any head had gone out.
pub(super) fn late<U: Upstream>(answer: Answer<U>) -> Response<Body<U>> {
    let mut response = Response::new(Body(State::Answer(answer.content)));
    *response.headers_mut() = answer.headers;
    response
}

/// The response whose head goes out before the answer. It carries the route and nothing of a provider.
pub(super) fn early<U: Upstream>(route: &Route, early: Early<U>) -> Response<Body<U>> {
    let mut response = Response::new(Body(State::Early(early)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    answer::insert(headers, answer::ROUTE, &route.name);
    response
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
                    Next::Say(bytes) => Some(bytes),
                    Next::Become(last, content) => {
                        self.0 = State::Answer(content);
                        if last.is_empty() {
                            continue;
                        }
                        Some(last)
                    }
                },
                State::Answer(content) => ready!(content.poll_next(cx)),
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
