//! One attempt: send, look at the head, open the answer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;

use super::limits::Limits;
use super::observer::Observer;
use super::stream::Opening;
use super::{Relay, Request, peek};
use crate::retry::{Fault, classify};
use crate::route::Candidate;
use crate::upstream::{Call, Connected, Upstream, headers};

/// Enough of an error body to say what it means.
const ERROR_BODY: usize = 64 * 1024;

/// A provider that dribbles its error body does not hold the chain up for longer than this.
const ERROR_PATIENCE: Duration = Duration::from_secs(5);

/// An answer that has opened.
pub(super) struct Opened<B> {
    /// The provider's headers that a client may see.
    pub(super) headers: HeaderMap,
    pub(super) provider: Arc<str>,
    pub(super) model: Arc<str>,
    pub(super) content: Content<B>,
}

pub(super) enum Content<B> {
    /// The whole answer, checked.
    Whole(Bytes),
    /// The beginning of a stream, and where the rest comes from.
    Stream(Opening<B>),
}

/// Sends one attempt and waits until its answer has opened.
pub(super) async fn run<U: Upstream>(
    relay: &Relay<U>,
    request: &Request,
    candidate: &Candidate,
    limits: Limits,
    observer: &mut Observer,
) -> Result<Opened<U::Body>, Fault> {
    let stream = request.envelope.stream();
    let connected = Connected::default();
    let call = Call {
        candidate,
        key: 0,
        connect: limits.connect,
        connected: &connected,
        client_headers: &request.headers,
        body: request.envelope.body_for(&candidate.model, &candidate.edits),
        stream,
    };
    let response = limits.head(&connected, relay.upstream.send(call)).await?;
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        let body = error_body(body, limits).await;
        return Err(classify::response(head.status, &head.headers, &body, SystemTime::now()));
    }
    let content = if stream {
        let opening = peek::stream(body, &head.headers, request, relay.max_answer, limits, observer).await?;
        Content::Stream(opening)
    } else {
        Content::Whole(peek::whole(body, &head.headers, relay.max_answer, limits).await?)
    };
    Ok(Opened {
        headers: headers::inbound(&head.headers),
        provider: Arc::clone(&candidate.provider_name),
        model: Arc::clone(&candidate.model),
        content,
    })
}

/// As much of an error body as comes soon.
async fn error_body<B>(mut body: B, mut limits: Limits) -> Bytes
where
    B: Body<Data = Bytes, Error = Fault> + Unpin,
{
    limits.first_token = limits.first_token.min(ERROR_PATIENCE);
    let mut read = BytesMut::new();
    let all = async {
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                read.extend_from_slice(&data[..data.len().min(ERROR_BODY - read.len())]);
            }
            if read.len() == ERROR_BODY {
                break;
            }
        }
        Ok(())
    };
    // Whatever stopped it, what has been read is what there is to go by.
    let _cut = limits.payload(all).await;
    read.freeze()
}
