//! Reads the body of a request, once, to its cap.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::error::ApiError;
use crate::relay::Outcome;
use crate::retry::Words;

/// What a client only announces is worth this much memory; the rest comes as it sends it.
const AHEAD: usize = 1024 * 1024;

/// The whole of `body`, of at most `cap` bytes, with at most `pause` between two pieces.
pub(super) async fn read(mut body: Body, cap: usize, pause: Duration) -> Result<Bytes, ApiError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > cap {
        return Err(too_large(cap));
    }
    let Some(first) = next(&mut body, pause).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > cap {
        return Err(too_large(cap));
    }
    let Some(second) = next(&mut body, pause).await? else {
        return Ok(first);
    };
    let mut whole = BytesMut::with_capacity(announced.min(AHEAD).max(first.len() + second.len()));
    whole.extend_from_slice(&first);
    drop(first);
    let mut piece = Some(second);
    while let Some(bytes) = piece {
        if whole.len() + bytes.len() > cap {
            return Err(too_large(cap));
        }
        whole.extend_from_slice(&bytes);
        piece = next(&mut body, pause).await?;
    }
    Ok(whole.freeze())
}

/// The next bytes, or nothing at the end.
async fn next(body: &mut Body, pause: Duration) -> Result<Option<Bytes>, ApiError> {
    loop {
        let frame = timeout(pause, body.frame()).await.map_err(|_| {
            let message = format!("the body of the request stopped coming for {}", Words(pause));
            ApiError::new(Outcome::RequestTimeout, message)
        })?;
        match frame {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data()
                    && !bytes.is_empty()
                {
                    return Ok(Some(bytes));
                }
            }
            Some(Err(error)) => {
                let message = format!("the body of the request could not be read: {error}");
                return Err(ApiError::new(Outcome::InvalidRequest, message));
            }
        }
    }
}

fn too_large(cap: usize) -> ApiError {
    let message = format!(
        "the body of the request is larger than {}\nhint: the limit is `server.max_body`",
        bytesize::ByteSize::b(cap as u64)
    );
    ApiError::new(Outcome::TooLarge, message)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;
    use proptest::prelude::*;

    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    /// A body in pieces of unknown number, which may never end.
    struct Pieces(VecDeque<Bytes>, bool);

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.pop_front() {
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
                None if self.1 => Poll::Ready(None),
                None => Poll::Pending,
            }
        }
    }

    fn pieces(parts: &[&[u8]], ends: bool) -> Body {
        Body::new(Pieces(parts.iter().map(|part| Bytes::copy_from_slice(part)).collect(), ends))
    }

    async fn status(body: Body, cap: usize) -> u16 {
        read(body, cap, PAUSE).await.unwrap_err().status().as_u16()
    }

    #[tokio::test]
    async fn one_piece_is_not_copied() {
        let bytes = Bytes::from_static(b"{}");

        let read = read(Body::from(bytes.clone()), 10, PAUSE).await.unwrap();

        assert_eq!(read.as_ptr(), bytes.as_ptr());
    }

    #[tokio::test]
    async fn the_cap_holds_for_what_is_announced_and_for_what_comes() {
        assert_eq!(read(Body::from("12345"), 5, PAUSE).await.unwrap(), "12345");
        assert_eq!(status(Body::from("123456"), 5).await, 413);
        assert_eq!(read(pieces(&[b"123", b"45"], true), 5, PAUSE).await.unwrap(), "12345");
        assert_eq!(status(pieces(&[b"123456"], true), 5).await, 413);
        assert_eq!(status(pieces(&[b"1", b"23", b"456"], false), 5).await, 413);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_a_timeout() {
        assert_eq!(status(pieces(&[], false), 5).await, 408);
        assert_eq!(status(pieces(&[b"1"], false), 5).await, 408);
        assert_eq!(status(pieces(&[b"1", b"2"], false), 5).await, 408);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
        #[test]
        fn however_it_is_split_it_reads_the_same(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..8),
            cap in 0_usize..100,
        ) {
            let whole = parts.concat();
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let outcome = runtime.block_on(read(pieces(&parts, true), cap, PAUSE));
            match outcome {
                Ok(bytes) => prop_assert!(bytes == whole && whole.len() <= cap),
                Err(error) => prop_assert!(error.status() == 413 && whole.len() > cap),
            }
        }
    }
}
