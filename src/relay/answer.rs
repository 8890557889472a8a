//! An answer on its way to the client: its headers, and what its body is made of.

use std::task::{Context, Poll};

use super::dispatch::Dispatch;
use super::observer::Observer;
use super::stream::Stream;
use super::{Outcome, attempt};
use crate::upstream::Upstream;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

pub(super) const ROUTE: HeaderName = HeaderName::from_static("x-backstop-route");
const PROVIDER: HeaderName = HeaderName::from_static("x-backstop-provider");
const MODEL: HeaderName = HeaderName::from_static("x-backstop-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-backstop-attempts");
const QUOTA: HeaderName = HeaderName::from_static("x-backstop-quota-remaining");

pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// Fewer bytes than this go out in one write, mostly: a client that leaves while they do is not missed. Whoever
/// sends more asks for their end once they have gone out, and not before.
pub const AT_ONCE: usize = 64 * 1024;

/// An answer on its way to the client.
pub(super) struct Answer<U: Upstream> {
    pub(super) headers: HeaderMap,
    pub(super) content: Content<U>,
}

pub(super) enum Content<U: Upstream> {
    /// All of it at once; the observer, where there still is one, learns that it goes out, or of [`AT_ONCE`] bytes
    /// and more that it has.
    Whole(Bytes, Option<Box<Observer>>),
    Stream(Box<Stream<U>>),
}

impl<U: Upstream> Content<U> {
    /// Bytes that end a request which is already over.
    pub(super) fn over(bytes: Bytes) -> Self {
        Self::Whole(bytes, None)
    }

    /// The next bytes for the client; nothing once it is over.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self {
            Self::Whole(bytes, observer) => {
                let bytes = std::mem::take(bytes);
                if bytes.len() < AT_ONCE
                    && let Some(mut observer) = observer.take()
                {
                    observer.ended(Outcome::Ok);
                }
                Poll::Ready(Some(bytes).filter(|bytes| !bytes.is_empty()))
            }
            Self::Stream(stream) => stream.poll_next(cx),
        }
    }
}

impl<U: Upstream> Answer<U> {
    pub(super) fn new(opened: attempt::Opened<U::Body>, dispatch: Dispatch<U>, observer: Observer) -> Self {
        let attempt::Opened { mut headers, content } = opened;
        insert(&mut headers, ROUTE, &dispatch.request().route.name);
        // The attempt that has answered is the latest by now.
        if let Some(candidate) = observer.latest_candidate() {
            insert(&mut headers, PROVIDER, &candidate.provider_name);
            insert(&mut headers, MODEL, &candidate.model);
        }
        headers.insert(ATTEMPTS, number(observer.attempts()));
        if let Some(left) = observer.quota_left() {
            headers.insert(QUOTA, left.into());
        }
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
                let drain = dispatch.relay().drain.streams.clone();
                let way_on = dispatch.request().resumes().map(|()| Box::new(dispatch));
                Content::Stream(Box::new(Stream::new(*opening, observer, way_on, drain)))
            }
        };
        Self { headers, content }
    }
}

/// Most answers are the first attempt's: digits that are there already save two allocations.
fn number(number: u32) -> HeaderValue {
    const FEW: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let few = usize::try_from(number).ok().and_then(|number| FEW.get(number));
    few.map_or_else(|| number.into(), |digits| HeaderValue::from_static(digits))
}

/// Inserts a header unless `value` cannot stand in one.
pub(super) fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name, value);
    }
}

const JSON: &[u8] = b"application/json";

fn is_json(headers: &HeaderMap) -> bool {
    let label = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    label.and_then(|label| label.get(..JSON.len())).is_some_and(|label| label.eq_ignore_ascii_case(JSON))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_alike_few_or_many() {
        for count in [0, 1, 9, 10, 11, 1000, u32::MAX] {
            assert_eq!(number(count), count.to_string());
        }
    }
}
