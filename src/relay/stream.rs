//! The rest of a stream, once its answer has opened: frame by frame, under the idle limit, to a
//! clean end whatever the provider does.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::Outcome;
use super::observer::Observer;
use super::sieve::{End, Sieve, TOO_LONG};
use crate::openai::error::ErrorObject;
use crate::openai::sse;
use crate::retry::{Class, Fault, Phase, Words, classify};

/// After a finish reason, a provider that says nothing for this long has ended.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// The beginning of a stream that has opened.
pub(super) struct Opening<B> {
    /// What goes out first.
    pub(super) pieces: VecDeque<Bytes>,
    pub(super) sieve: Sieve,
    /// Whether the end was already among what has been read.
    pub(super) end: Option<End>,
    /// Where the rest comes from.
    pub(super) body: Option<B>,
    pub(super) idle: Duration,
}

impl<B> Opening<B> {
    /// A stream of `events` that is complete, `[DONE]` included.
    pub(super) fn whole(events: Bytes, idle: Duration) -> Self {
        let pieces = VecDeque::from([events]);
        Self { pieces, sieve: Sieve::done(), end: Some(End::Done), body: None, idle }
    }
}

/// The rest of a stream.
pub(super) struct Stream<B> {
    pieces: VecDeque<Bytes>,
    sieve: Sieve,
    /// Gone as soon as nothing more of it is wanted; that closes or frees its connection.
    upstream: Option<B>,
    idle: Duration,
    last_byte: Instant,
    timer: Pin<Box<Sleep>>,
    drained: Pin<Box<WaitForCancellationFutureOwned>>,
    observer: Observer,
    outcome: Outcome,
}

impl<B> Stream<B>
where
    B: Body<Data = Bytes, Error = Fault> + Unpin,
{
    pub(super) fn new(opening: Opening<B>, observer: Observer, drain: CancellationToken) -> Self {
        let mut stream = Self {
            pieces: opening.pieces,
            sieve: opening.sieve,
            upstream: opening.body,
            idle: opening.idle,
            last_byte: Instant::now(),
            timer: Box::pin(tokio::time::sleep(opening.idle)),
            drained: Box::pin(drain.cancelled_owned()),
            observer,
            outcome: Outcome::Ok,
        };
        if let Some(end) = opening.end {
            stream.end(end);
        }
        stream
    }

    /// The next bytes for the client; nothing once the stream is over.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        // A panic is caught further out, and by the time it has this dropped it looks like a client that left.
        self.observer.if_dropped(Outcome::Internal);
        let polled = self.poll_piece(cx);
        self.observer.if_dropped(Outcome::ClientGone);
        polled
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Poll::Ready(Some(piece));
            }
            let Some(upstream) = &mut self.upstream else {
                self.observer.ended(self.outcome);
                return Poll::Ready(None);
            };
            match Pin::new(upstream).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.last_byte = Instant::now();
                    if let Some(end) = self.sieve.push(data, &mut self.pieces) {
                        self.end(end);
                    }
                    if self.sieve.dropped() {
                        self.observer.dropped_event();
                    }
                }
                Poll::Ready(Some(Err(fault))) => self.cut(fault.reason),
                Poll::Ready(None) => match self.sieve.finish(&mut self.pieces) {
                    Some(end) => self.end(end),
                    None => self.cut("the stream ended without a finish reason"),
                },
                Poll::Pending => {
                    if self.drained.as_mut().poll(cx).is_ready() {
                        self.drained_away();
                    } else if self.poll_silence(cx).is_ready() {
                        self.silent();
                    } else {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Ready when the provider has been silent for too long. The timer is set again only when it
    /// fires, so a frame costs no more than a look at the clock.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = if self.sieve.finished() { self.idle.min(LINGER) } else { self.idle };
        let end = self.last_byte + limit;
        if end < self.timer.deadline() {
            self.timer.as_mut().reset(end);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= end {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(end);
        }
        Poll::Pending
    }

    fn end(&mut self, end: End) {
        match end {
            End::Done => {
                self.upstream = None;
                self.sieve.close(&mut self.pieces);
            }
            End::Error(data) => {
                let fault = classify::error_body(&HeaderMap::new(), &data, Phase::Stream, SystemTime::now());
                self.broken(Outcome::StreamBroken, fault);
            }
            End::TooLong => {
                self.broken(Outcome::StreamBroken, Fault::new(Class::Broken, Phase::Stream, TOO_LONG));
            }
        }
    }

    /// The upstream ended or failed: after a finish reason that is a clean end.
    fn cut(&mut self, reason: impl Into<String>) {
        if self.sieve.finished() {
            self.end(End::Done);
        } else {
            self.broken(Outcome::StreamBroken, Fault::new(Class::Broken, Phase::Stream, reason));
        }
    }

    fn silent(&mut self) {
        if self.sieve.finished() {
            self.end(End::Done);
        } else {
            let reason = format!("no byte within {} (idle)", Words(self.idle));
            self.broken(Outcome::StreamIdle, Fault::new(Class::Timeout, Phase::Stream, reason));
        }
    }

    fn drained_away(&mut self) {
        if self.sieve.finished() {
            self.end(End::Done);
        } else {
            self.fail(Outcome::ShuttingDown, "Backstop was stopped");
        }
    }

    /// The provider's fault ends the stream.
    fn broken(&mut self, outcome: Outcome, fault: Fault) {
        let fault = self.observer.broke(outcome, fault);
        self.fail(outcome, &fault.reason);
    }

    /// Ends the stream with the error event.
    fn fail(&mut self, outcome: Outcome, reason: &str) {
        self.upstream = None;
        self.outcome = outcome;
        let candidate = self.observer.candidate();
        let error = ErrorObject {
            message: format!("The answer of `{candidate}` broke off: {reason}; ask again to get a whole one"),
            kind: outcome.kind(),
            code: outcome.as_str(),
            param: None,
            metadata: Some(serde_json::json!({
                "candidate": candidate,
                "reason": reason,
                "attempts": self.observer.trail(),
            })),
        };
        self.pieces.push_back(sse::data_event(&error.to_json()));
        self.pieces.push_back(Bytes::from_static(sse::DONE));
    }
}
