//! The body of a request: slices that go out one after the other, never joined.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// Bytes of known length; a clone shares them.
#[derive(Debug, Clone, Default)]
pub(super) struct Slices {
    /// In reverse, so that the next one is popped off the end.
    rest: Vec<Bytes>,
    length: u64,
}

impl Slices {
    pub(super) fn new(mut slices: Vec<Bytes>) -> Self {
        slices.retain(|slice| !slice.is_empty());
        slices.reverse();
        let length = slices.iter().map(|slice| slice.len() as u64).sum();
        Self { rest: slices, length }
    }
}

impl http_body::Body for Slices {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.rest.pop();
        if let Some(slice) = &next {
            self.length -= slice.len() as u64;
        }
        Poll::Ready(next.map(|slice| Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn yields_the_very_slices_in_order() {
        let first = Bytes::from_static(b"{\"model\":");
        let mut slices = Slices::new(vec![first.clone(), Bytes::new(), Bytes::from_static(b"\"m\"}")]);
        assert_eq!(slices.size_hint().exact(), Some(13));

        let frame = slices.frame().await.expect("a frame").expect("no error").into_data().expect("data");

        assert_eq!(frame.as_ptr(), first.as_ptr());
        assert_eq!(slices.size_hint().exact(), Some(4));
        assert_eq!(slices.collect().await.expect("no error").to_bytes(), "\"m\"}");
    }

    #[test]
    fn nothing_but_empty_slices_is_no_body() {
        let slices = Slices::new(vec![Bytes::new(), Bytes::new()]);

        assert!(slices.is_end_stream());
        assert_eq!(slices.size_hint().exact(), Some(0));
    }
}
