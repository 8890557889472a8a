//! One attempt: send, look at the head, open the answer.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;

use super::dispatch::Context;
use super::flow::Opening;
use super::health::Pass;
use super::limits::Limits;
use super::record::Record;
use super::sieve::Sieve;
use super::{Request, flow, peek, resume};
use crate::openai::continuation::Mode;
use crate::retry::{Fault, classify};
use crate::route::Candidate;
use crate::upstream::{Call, Upstream, headers};

/// Enough of an error body to say what it means.
const ERROR_BODY: usize = 64 * 1024;

/// A provider that dribbles its error body does not hold the chain up for longer than this.
const ERROR_PATIENCE: Duration = Duration::from_secs(5);

/// An answer that has opened.
pub(super) struct Opened<B> {
    /// The provider's headers that a client may see.
    pub(super) headers: HeaderMap,
    pub(super) content: Content<B>,
}

pub(super) enum Content<B> {
    /// The whole answer, checked.
    Whole(Bytes),
    /// The beginning of a stream, and where the rest comes from.
    Stream(Box<Opening<B>>),
}

/// What an attempt is for.
#[derive(Debug, Clone)]
pub(super) enum Goal {
    /// An answer from its beginning.
    Answer,
    /// The rest of an answer that has broken.
    Continue(Arc<Record>),
}

/// Sends one attempt to the candidate at `index` and waits until its answer has opened.
pub(super) async fn run<U: Upstream>(
    context: &Context<U>,
    index: usize,
    limits: Limits,
    pass: &mut Pass,
    goal: &Goal,
) -> Result<Opened<U::Body>, Fault> {
    let request = &context.request;
    let candidate = &request.route.chain.candidates()[index];
    let Goal::Continue(record) = goal else {
        let choices = request.envelope.choices();
        let sieve = match request.resumes() {
            Ok(()) => Sieve::recording(choices, candidate),
            Err(_) => Sieve::new(choices),
        };
        let body = afresh(request, candidate);
        return ask(context, candidate, limits, pass, body, sieve).await;
    };
    // It is rare, and every attempt would have to have room for it.
    Box::pin(go_on(context, candidate, limits, pass, record)).await
}

/// Asks `candidate` for the rest of the answer of `record`.
async fn go_on<U: Upstream>(
    context: &Context<U>,
    candidate: &Candidate,
    limits: Limits,
    pass: &mut Pass,
    record: &Record,
) -> Result<Opened<U::Body>, Fault> {
    let Context { relay, request, secrets, .. } = context;
    let foreign = request.route.foreign_reasoning;
    let mut refusal = None;
    if let Some((body, mode)) = relay.prefills.body(&request.envelope, candidate, record.text(), foreign) {
        let sieve = Sieve::continuing(record, mode, candidate);
        match ask(context, candidate, limits, pass, body, sieve).await {
            Err(fault) if resume::is_refusal(&fault) => {
                // It is another request, for which there may be no place.
                if !pass.again() {
                    relay.prefills.refused(candidate, &secrets.mask(&fault.reason));
                    return Err(resume::no_place(fault.phase));
                }
                refusal = Some(fault);
            }
            // It may have begun again, which is what it is now asked for.
            Err(fault) if flow::is_other_text(&fault) && pass.again() => {}
            result => return result,
        }
    }
    let sieve = Sieve::continuing(record, Mode::Repeats, candidate);
    let result = ask(context, candidate, limits, pass, afresh(request, candidate), sieve).await;
    // Only an answer shows that it was refused for the beginning in it, and not for something else.
    if let Some(refusal) = refusal
        && result.as_ref().map_or_else(flow::is_difference, |_| true)
    {
        relay.prefills.refused(candidate, &secrets.mask(&refusal.reason));
    }
    result
}

/// The body that asks `candidate` for a whole answer.
fn afresh(request: &Request, candidate: &Candidate) -> Vec<Bytes> {
    request.envelope.body_for(&candidate.model, &candidate.edits, request.route.foreign_reasoning)
}

async fn ask<U: Upstream>(
    context: &Context<U>,
    candidate: &Candidate,
    limits: Limits,
    pass: &mut Pass,
    body: Vec<Bytes>,
    sieve: Sieve,
) -> Result<Opened<U::Body>, Fault> {
    let Context { relay, request, .. } = context;
    let stream = request.envelope.stream();
    let call = Call {
        candidate,
        credential: pass.credential(),
        connect: limits.connect,
        connected: pass.connected(),
        fresh: limits.fresh,
        client_headers: &request.headers,
        body,
        stream,
    };
    let response = {
        let sending = pin!(relay.upstream.send(call));
        limits.head(pass.connected(), sending).await?
    };
    let (head, body) = response.into_parts();
    pass.head(&head.headers);
    if head.status != StatusCode::OK {
        let body = error_body(body, limits).await;
        return Err(classify::response(head.status, &head.headers, &body, SystemTime::now()));
    }
    let content = if stream {
        let opening = peek::stream(body, &head.headers, sieve, request, relay.max_answer, limits);
        let opening = Box::pin(opening).await?;
        Content::Stream(Box::new(opening))
    } else {
        Content::Whole(peek::whole(body, &head.headers, relay.max_answer, limits).await?)
    };
    pass.opened();
    Ok(Opened { headers: headers::inbound(head.headers), content })
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
    let _cut = limits.payload(pin!(all)).await;
    read.freeze()
}
