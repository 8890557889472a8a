//! Keeps a panic within the request that caused it.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http_body::{Frame, SizeHint};

use super::error::ApiError;
use crate::relay::{Outcome, Parting};

/// The output of `future`, or what it panicked with. The panic hook has logged it by then.
pub(super) async fn catch<F: Future + Unpin>(mut future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    // A future that panicked is dropped, never polled again, so nothing sees it half-done.
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut future).poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

/// A response's body whose panic ends only itself.
pub(super) struct Guarded {
    body: Option<Body>,
    stream: bool,
    parting: Option<Parting>,
}

impl Guarded {
    /// The same response with its body guarded.
    pub fn wrap(mut response: Response) -> http::Response<Self> {
        let stream = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
        let parting = response.extensions_mut().remove();
        response.map(|body| Self { body: Some(body), stream, parting })
    }

    /// What goes out instead of the rest of a body that panicked: a stream still ends cleanly.
    fn last_words(&self) -> Result<Frame<Bytes>, axum::Error> {
        if !self.stream {
            return Err(axum::Error::new("the body of the answer panicked"));
        }
        let mut error = ApiError::new(Outcome::Internal, "unexpected error");
        let mut parting = Bytes::new();
        if let Some(chat) = &self.parting {
            error = error.for_a_chat();
            parting = chat.last_words().unwrap_or_default();
        }
        let error = format!("data: {}\n\ndata: [DONE]\n\n", error.to_json());
        Ok(Frame::data([b"\n\n", &parting[..], error.as_bytes()].concat().into()))
    }
}

impl http_body::Body for Guarded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        if let Ok(polled) = catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx))) {
            return polled;
        }
        self.body = None;
        Poll::Ready(Some(self.last_words()))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(http_body::Body::size_hint).unwrap_or_default()
    }
}
