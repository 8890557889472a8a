//! The rest of an answer that has broken: another candidate is asked to go on, and the client sees
//! one answer.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;

use super::attempt::{Content, Goal, Opened};
use super::dispatch::{Dispatch, End};
use super::flow::Opening;
use super::heartbeat::{HEARTBEAT, Heartbeat};
use super::observer::Observer;
use super::record::Record;
use super::{Attempt, Outcome, brief, flow};
use crate::openai::continuation::Mode;
use crate::openai::envelope::Envelope;
use crate::retry::{Class, Fault, Phase};
use crate::route::{Candidate, ForeignReasoning, Prefill, ProviderId};
use crate::upstream::Upstream;

/// What comes of a broken stream.
pub(super) enum Resumed<U: Upstream> {
    /// Nothing yet, but something to say.
    Say(Bytes),
    /// The rest of the answer.
    With(Box<Opening<U::Body>>, Observer, Box<Dispatch<U>>),
    /// The end, told as the break with all that came of it.
    Never(Break, Observer),
}

/// How an answer broke off, as its client is told.
pub(super) struct Break {
    /// `provider/model` of whoever was answering.
    pub(super) candidate: String,
    pub(super) outcome: Outcome,
    pub(super) reason: String,
    /// The same for the user of a chat.
    pub(super) short: String,
}

type Search<U> = Pin<Box<dyn Future<Output = Resumed<U>> + Send>>;

/// The search for somebody who goes on.
pub(super) struct Resuming<U: Upstream> {
    search: Search<U>,
    /// There is one, for what is resumed is a stream.
    heartbeat: Option<Heartbeat>,
}

impl<U: Upstream> Resuming<U> {
    /// Begins after an answer broke with `fault`; `broken` is how the stream ends if nobody goes on.
    pub(super) fn new(
        dispatch: Box<Dispatch<U>>,
        observer: Observer,
        record: Record,
        broken: Break,
        fault: (Fault, Option<usize>),
    ) -> Self {
        // Nothing may be said at once, for what went out last may have ended within this moment.
        let heartbeat = observer.progress().map(|progress| Heartbeat::new(progress.clone(), HEARTBEAT));
        Self { search: Box::pin(search(dispatch, observer, record, broken, fault)), heartbeat }
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Resumed<U>> {
        match self.search.as_mut().poll(cx) {
            Poll::Pending => match &mut self.heartbeat {
                Some(heartbeat) => heartbeat.poll_next(cx).map(Resumed::Say),
                None => Poll::Pending,
            },
            Poll::Ready(Resumed::With(mut opening, observer, dispatch)) => {
                if let Some(last) = self.heartbeat.as_ref().and_then(|heartbeat| heartbeat.close(false)) {
                    opening.pieces.push_front(last);
                }
                Poll::Ready(Resumed::With(opening, observer, dispatch))
            }
            found @ Poll::Ready(_) => found,
        }
    }
}

async fn search<U: Upstream>(
    mut dispatch: Box<Dispatch<U>>,
    mut observer: Observer,
    record: Record,
    broken: Break,
    (fault, key): (Fault, Option<usize>),
) -> Resumed<U> {
    let before = observer.trail().len();
    let goal = Goal::Continue(Arc::new(record));
    let stop = match dispatch.next(fault, key, &goal, &mut observer).await {
        Ok(Opened { content: Content::Stream(opening), .. }) => {
            return Resumed::With(opening, observer, dispatch);
        }
        // Who asks for a stream is given one.
        Ok(Opened { content: Content::Whole(_), .. })
        // Somebody was asked, for there is an answer that broke.
        | Err(End::Keyless) => return Resumed::Never(broken, observer),
        Err(End::ShuttingDown) => {
            let reason = format!("{}; Backstop was stopped before somebody else went on", broken.reason);
            let broken = Break { outcome: Outcome::ShuttingDown, reason, ..broken };
            return Resumed::Never(broken, observer);
        }
        Err(End::Stopped { stop, .. }) => stop,
    };
    let tried = observer.trail().get(before..).unwrap_or_default();
    let reason = match tried.last() {
        None => format!("{}; nobody else was left to go on ({})", broken.reason, stop.reason),
        Some(Attempt { provider, model, code, reason, .. }) => format!(
            "{}; nobody could go on ({}), after {}, the last of `{provider}/{model}`: {code} - {reason}",
            broken.reason,
            stop.reason,
            match tried.len() {
                1 => "1 more attempt".to_owned(),
                count => format!("{count} more attempts"),
            },
        ),
    };
    let short = brief::broke_off(&broken.reason, true);
    Resumed::Never(Break { reason, short, ..broken }, observer)
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
        foreign: ForeignReasoning,
    ) -> Option<(Vec<Bytes>, Mode)> {
        let prefill = candidate.prefill?;
        let refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if text.is_empty() || refused.contains(&(candidate.provider, Arc::clone(&candidate.model))) {
            return None;
        }
        drop(refused);
        let body = envelope.body_to_continue(&candidate.model, &candidate.edits, text, prefill, foreign)?;
        let mode = match prefill {
            Prefill::Message | Prefill::ContinueFinal | Prefill::Prefix { echoes: false } => Mode::Continues,
            Prefill::Prefix { echoes: true } => Mode::Repeats,
        };
        Some((body, mode))
    }

    /// Asks `candidate` afresh from now on; `reason` is what it said, without secrets.
    pub(super) fn refused(&self, candidate: &Candidate, reason: &str) {
        let subject = (candidate.provider, Arc::clone(&candidate.model));
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.insert(subject) {
            tracing::info!(
                provider = %candidate.provider_name, model = %candidate.model,
                "refuses to continue the beginning of an answer; it is asked afresh from now on: {reason}",
            );
        }
    }
}

/// The fault of a candidate that refuses to go on and cannot be asked afresh at once.
pub(super) fn no_place(phase: Phase) -> Fault {
    let reason = "it refuses to go on from the beginning of an answer, and its quota has no place to ask it afresh at once";
    Fault::new(Class::Overloaded, phase, reason)
}

/// Whether a fault may be about the beginning of an answer in the request.
pub(super) fn is_refusal(fault: &Fault) -> bool {
    match fault.class {
        Class::BadRequest | Class::Unsupported => !flow::is_difference(fault),
        // llama.cpp says so with a 500 where the model is to think first.
        Class::Overloaded => fault.reason.to_ascii_lowercase().contains("prefill"),
        _ => false,
    }
}
