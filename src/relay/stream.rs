//! A stream on its way to the client: pieces as they come, an end that is always clean, and where
//! the route says so, a break that another candidate mends.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::bell::Bell;
use super::dispatch::Dispatch;
use super::flow::{Flow, Flowed, Opening};
use super::observer::Observer;
use super::resume::{Break, Resumed, Resuming};
use super::{Outcome, Signal, brief};
use crate::openai::error::ErrorObject;
use crate::openai::sse;
use crate::openai::transcript::Why;
use crate::retry::{Class, Fault};
use crate::upstream::Upstream;

/// What asks others to go on if a stream breaks, or why none of them could.
///
/// It holds the body of the request, so it is let go of as soon as nobody could.
pub(super) type WayOn<U> = Result<Box<Dispatch<U>>, Option<Why>>;

/// The rest of a stream.
pub(super) struct Stream<U: Upstream> {
    state: State<U>,
    /// How the stream ends when the state has nothing more to say.
    last: VecDeque<Bytes>,
    drain: Signal,
    drained: Bell<Pin<Box<dyn Future<Output = ()> + Send>>>,
    outcome: Outcome,
}

#[expect(clippy::large_enum_variant, reason = "it is boxed, and most of its life it is the large one")]
enum State<U: Upstream> {
    /// A provider's answer goes by. If it breaks, the dispatch finds another one.
    Flowing(Flow<U::Body>, Observer, WayOn<U>),
    /// It broke, and another candidate is asked to go on.
    Resuming(Resuming<U>),
    /// Nothing more is wanted of anybody.
    Over(Observer),
    /// While one state becomes another.
    Changing,
}

impl<U: Upstream> Stream<U> {
    pub(super) fn new(
        opening: Opening<U::Body>,
        observer: Observer,
        way_on: WayOn<U>,
        drain: Signal,
    ) -> Self {
        Self {
            state: State::Flowing(Flow::new(opening), observer, way_on),
            last: VecDeque::new(),
            drained: Bell::new(Box::pin(drain.given_owned())),
            drain,
            outcome: Outcome::Ok,
        }
    }

    /// The next bytes for the client; nothing once the stream is over.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        // A panic is caught further out, and by the time it has this dropped it looks like a client that left.
        self.if_dropped(Outcome::Internal);
        let polled = self.poll_piece(cx);
        self.if_dropped(Outcome::ClientGone);
        polled
    }

    fn if_dropped(&mut self, outcome: Outcome) {
        if let State::Flowing(_, observer, _) | State::Over(observer) = &mut self.state {
            observer.if_dropped(outcome);
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match &mut self.state {
                State::Flowing(flow, observer, way_on) => match flow.poll_next(cx) {
                    Poll::Ready(Flowed::Piece(piece)) => {
                        if way_on.is_ok()
                            && let Err(why) = flow.sieve().resumable()
                        {
                            *way_on = Err(Some(why));
                            flow.sieve().forget();
                        }
                        if flow.sieve().dropped() {
                            observer.dropped_event();
                        }
                        return Poll::Ready(Some(piece));
                    }
                    Poll::Ready(Flowed::Complete) => self.over(),
                    Poll::Ready(Flowed::Broken(fault)) => self.broke(fault),
                    // Once it was given nothing more is asked of it: it has been ready then.
                    Poll::Pending if !self.drain.is_given() && self.drained.poll(cx, false).is_pending() => {
                        return Poll::Pending;
                    }
                    Poll::Pending if flow.finished() => flow.close(),
                    Poll::Pending => {
                        let (candidate, reason) = (observer.candidate(), "Backstop was stopped".to_owned());
                        let short = brief::broke_off(&reason, false);
                        self.fail(&Break { candidate, outcome: Outcome::ShuttingDown, reason, short });
                    }
                },
                State::Resuming(resuming) => match resuming.poll_next(cx) {
                    Poll::Ready(Resumed::Say(bytes)) => return Poll::Ready(Some(bytes)),
                    Poll::Ready(Resumed::With(opening, observer, dispatch)) => {
                        self.state = State::Flowing(Flow::new(*opening), observer, Ok(dispatch));
                    }
                    Poll::Ready(Resumed::Never(broken, observer)) => {
                        observer.unanswered();
                        self.last.extend(observer.progress().and_then(|progress| progress.close(false)));
                        self.state = State::Over(observer);
                        self.fail(&broken);
                    }
                    Poll::Pending => return Poll::Pending,
                },
                State::Over(observer) => {
                    let piece = self.last.pop_front();
                    if piece.is_none() {
                        observer.ended(self.outcome);
                    }
                    return Poll::Ready(piece);
                }
                State::Changing => return Poll::Ready(None),
            }
        }
    }

    /// Lets go of the provider; the observer stays to the end.
    fn over(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Changing) {
            State::Flowing(_, observer, _) => State::Over(observer),
            other => other,
        };
    }

    /// The provider's fault ends its part of the stream.
    fn broke(&mut self, fault: Fault) {
        let State::Flowing(mut flow, mut observer, way_on) =
            std::mem::replace(&mut self.state, State::Changing)
        else {
            return;
        };
        let outcome = match fault.class {
            Class::Timeout => Outcome::StreamIdle,
            _ => Outcome::StreamBroken,
        };
        if flow.sieve().dropped() {
            observer.dropped_event();
        }
        let candidate = observer.candidate();
        let (fault, key) = observer.broke(outcome, fault);
        let resumable = flow.sieve().resumable();
        let record = flow.sieve().take_record();
        let reason = fault.reason.clone();
        let short = brief::broke_off(&reason, false);
        let mut broken = Break { candidate, outcome, reason, short };
        let why = match (way_on.and_then(|way_on| resumable.map(|()| way_on).map_err(Some)), record) {
            (Ok(dispatch), Some(record)) => {
                // From here on the search has the observer; a panic in it is seen as one while it unwinds.
                observer.if_dropped(Outcome::ClientGone);
                self.state = State::Resuming(Resuming::new(dispatch, observer, record, broken, (fault, key)));
                return;
            }
            (Err(why), _) => why,
            (Ok(_), None) => None,
        };
        self.state = State::Over(observer);
        if let Some(why) = why {
            let reason = broken.reason;
            broken.reason = format!("{reason}; the answer so far holds {why}, so nobody else can go on");
        }
        self.fail(&broken);
    }

    /// Ends the stream with the error event.
    fn fail(&mut self, broken: &Break) {
        self.over();
        let Break { candidate, outcome, reason, short } = broken;
        self.outcome = *outcome;
        let State::Over(observer) = &self.state else { return };
        let mut message =
            format!("The answer of `{candidate}` broke off: {reason}; ask again to get a whole one");
        let mut metadata = serde_json::json!({
            "candidate": candidate,
            "reason": reason,
            "attempts": observer.trail(),
        });
        if observer.brief() {
            let detail = std::mem::replace(&mut message, short.clone());
            metadata["detail"] = detail.into();
        }
        let error = ErrorObject {
            message,
            kind: outcome.kind(),
            code: outcome.as_str(),
            param: None,
            metadata: Some(metadata),
        };
        self.last.push_back(sse::data_event(&error.to_json()));
        self.last.push_back(Bytes::from_static(sse::DONE));
    }
}
