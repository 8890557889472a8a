//! The rest of an answer that has broken: another candidate is asked to go on, and the client sees
//! one answer.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;

use super::Outcome;
use super::attempt::{Content, Goal};
use super::dispatch::{Dispatch, End};
use super::flow::Opening;
use super::heartbeat::{HEARTBEAT, Heartbeat};
use super::observer::Observer;
use super::record::Record;
use crate::openai::continuation::Mode;
use crate::openai::envelope::Envelope;
use crate::retry::{Class, Fault};
use crate::route::{Candidate, Prefill, ProviderId};
use crate::upstream::Upstream;

/// What comes of a broken stream.
pub(super) enum Resumed<U: Upstream> {
    /// Nothing yet: a heartbeat.
    Comment(Bytes),
    /// The rest of the answer.
    With(Opening<U::Body>, Observer, Box<Dispatch<U>>),
    /// The end, with its outcome and reason.
    Never(Outcome, String, Observer),
}

type Search<U> = Pin<Box<dyn Future<Output = Resumed<U>> + Send>>;

/// The search for somebody who goes on.
pub(super) struct Resuming<U: Upstream> {
    search: Search<U>,
    heartbeat: Heartbeat,
}

impl<U: Upstream> Resuming<U> {
    /// Begins after an answer broke with `fault`; `outcome` is how the stream ends if nobody goes on.
    pub(super) fn new(
        dispatch: Box<Dispatch<U>>,
        observer: Observer,
        record: Record,
        outcome: Outcome,
        fault: Fault,
    ) -> Self {
        // Nothing may be said at once, for what went out last may have ended within this moment.
        let heartbeat = Heartbeat::new(observer.progress(), HEARTBEAT);
        Self { search: Box::pin(search(dispatch, observer, record, outcome, fault)), heartbeat }
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Resumed<U>> {
        match self.search.as_mut().poll(cx) {
            Poll::Pending => self.heartbeat.poll_next(cx).map(Resumed::Comment),
            found @ Poll::Ready(_) => found,
        }
    }
}

async fn search<U: Upstream>(
    mut dispatch: Box<Dispatch<U>>,
    mut observer: Observer,
    record: Record,
    outcome: Outcome,
    fault: Fault,
) -> Resumed<U> {
    let reason = fault.reason.clone();
    if let Err(why) = record.resumable() {
        return Resumed::Never(
            outcome,
            format!("{reason}; the answer so far holds {why}, so nobody else could go on"),
            observer,
        );
    }
    let goal = Goal::Continue(Arc::new(record));
    match dispatch.next(fault, &goal, &mut observer).await {
        Ok(opened) => match opened.content {
            Content::Stream(opening) => Resumed::With(opening, observer, dispatch),
            Content::Whole(_) => Resumed::Never(outcome, reason, observer),
        },
        Err(End::ShuttingDown) => {
            Resumed::Never(Outcome::ShuttingDown, "Backstop was stopped".to_owned(), observer)
        }
        Err(End::Stopped(..)) => {
            Resumed::Never(outcome, format!("{reason}; nobody could continue it"), observer)
        }
    }
}

/// The candidates that have refused to go on from the beginning of an answer, for as long as the
/// process lives.
#[derive(Debug, Default)]
pub struct Prefills(Mutex<HashSet<(ProviderId, Arc<str>)>>);

impl Prefills {
    /// The request that asks `candidate` to go on from `text`, if it can be asked so.
    pub(super) fn body(
        &self,
        envelope: &Envelope,
        candidate: &Candidate,
        text: &str,
    ) -> Option<(Vec<Bytes>, Mode)> {
        let prefill = candidate.prefill?;
        let refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if text.is_empty() || refused.contains(&(candidate.provider, Arc::clone(&candidate.model))) {
            return None;
        }
        drop(refused);
        let body = envelope.body_to_continue(&candidate.model, &candidate.edits, text, prefill)?;
        let mode = match prefill {
            Prefill::Message | Prefill::ContinueFinal | Prefill::Prefix { echoes: false } => Mode::Continues,
            Prefill::Prefix { echoes: true } => Mode::Repeats,
        };
        Some((body, mode))
    }

    /// Asks `candidate` afresh from now on.
    pub(super) fn refused(&self, candidate: &Candidate, fault: &Fault) {
        let subject = (candidate.provider, Arc::clone(&candidate.model));
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.insert(subject) {
            tracing::info!(
                provider = %candidate.provider_name, model = %candidate.model,
                "refuses to continue the beginning of an answer ({}); it is asked afresh from now on",
                fault.class,
            );
        }
    }
}

/// Whether a fault may be about the beginning of an answer in the request.
pub(super) fn is_refusal(fault: &Fault) -> bool {
    matches!(fault.class, Class::BadRequest | Class::Unsupported)
}
