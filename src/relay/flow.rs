//! What comes of a stream that has opened: frame by frame, under the idle limit, until it is
//! complete or broken.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use tokio::time::Instant;

use super::Signal;
use super::sieve::{End, Sieve, TOO_LONG};
use crate::openai::continuation::Differs;
use crate::retry::{Class, Fault, Phase, Words, classify};
use crate::timers::Patience;

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

/// What a flow gives next.
#[derive(Debug)]
pub(super) enum Flowed {
    /// Bytes for the client.
    Piece(Bytes),
    /// Nothing more, and all is well: `[DONE]` has gone by.
    Complete,
    /// Nothing more, and it was not all.
    Broken(Fault),
}

/// The rest of one provider's stream.
pub(super) struct Flow<B> {
    pieces: VecDeque<Bytes>,
    sieve: Sieve,
    /// Gone as soon as nothing more of it is wanted; that closes or frees its connection.
    upstream: Option<B>,
    broken: Option<Fault>,
    idle: Duration,
    last_byte: Instant,
    patience: Patience,
}

impl<B> Flow<B>
where
    B: Body<Data = Bytes, Error = Fault> + Unpin,
{
    pub(super) fn new(opening: Opening<B>) -> Self {
        let mut flow = Self {
            pieces: opening.pieces,
            sieve: opening.sieve,
            upstream: opening.body,
            broken: None,
            idle: opening.idle,
            last_byte: Instant::now(),
            patience: Patience::default(),
        };
        if let Some(end) = opening.end {
            flow.end(end);
        }
        flow
    }

    /// Whether every choice has its finish reason.
    pub(super) fn finished(&self) -> bool {
        self.sieve.finished()
    }

    /// What went by so far.
    pub(super) fn sieve(&mut self) -> &mut Sieve {
        &mut self.sieve
    }

    /// Wants nothing more of the provider. A flow whose finish reasons are in is complete with that.
    pub(super) fn close(&mut self) {
        self.end(End::Done);
    }

    /// The next piece, or how it ended; the same end again and again.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Flowed> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Poll::Ready(Flowed::Piece(piece));
            }
            let Some(upstream) = &mut self.upstream else {
                return Poll::Ready(self.broken.clone().map_or(Flowed::Complete, Flowed::Broken));
            };
            match Pin::new(upstream).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.last_byte = Instant::now();
                    if let Some(end) = self.sieve.push(data, &mut self.pieces) {
                        self.end(end);
                    }
                }
                Poll::Ready(Some(Err(fault))) => self.cut(fault.reason),
                Poll::Ready(None) => match self.sieve.finish(&mut self.pieces) {
                    Some(end) => self.end(end),
                    None => self.cut("the stream ended without a finish reason"),
                },
                Poll::Pending if self.poll_silence(cx).is_ready() => self.silent(),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Ready when the provider has been silent for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = if self.sieve.finished() { self.idle.min(LINGER) } else { self.idle };
        self.patience.poll(self.last_byte + limit, cx)
    }

    fn end(&mut self, end: End) {
        match end {
            End::Done => {
                self.upstream = None;
                self.sieve.close(&mut self.pieces);
            }
            End::Error(data) => {
                let error = classify::error_body(&HeaderMap::new(), &data, Phase::Stream, SystemTime::now());
                self.breaks(error);
            }
            End::Differs(why) => self.breaks(differs(why, Phase::Stream)),
            End::TooLong => self.breaks(Fault::new(Class::Broken, Phase::Stream, TOO_LONG)),
        }
    }

    /// The upstream ended or failed: after a finish reason that is a clean end.
    fn cut(&mut self, reason: impl Into<String>) {
        if self.sieve.finished() {
            self.end(End::Done);
        } else {
            self.breaks(Fault::new(Class::Broken, Phase::Stream, reason));
        }
    }

    fn silent(&mut self) {
        if self.sieve.finished() {
            self.end(End::Done);
        } else {
            let reason = format!("no byte within {} (idle)", Words(self.idle));
            self.breaks(Fault::new(Class::Timeout, Phase::Stream, reason));
        }
    }

    fn breaks(&mut self, fault: Fault) {
        self.upstream = None;
        self.broken = Some(fault);
    }
}

/// What is said of a candidate that was asked to go on and says something else.
const DIFFERS: &str = "it does not go on from where the answer before broke off";

/// The fault of a candidate that was asked to go on and says something else.
pub(super) fn differs(why: Differs, phase: Phase) -> Fault {
    Fault::new(Class::Unsupported, phase, difference(why))
}

fn difference(why: Differs) -> String {
    format!("{DIFFERS}: {why}")
}

/// Whether a fault is that of such a candidate.
pub(super) fn is_difference(fault: &Fault) -> bool {
    fault.reason.starts_with(DIFFERS)
}

/// Whether a fault is that of such a candidate whose answer is text.
pub(super) fn is_other_text(fault: &Fault) -> bool {
    [Differs::Text, Differs::Short, Differs::Unsure].iter().any(|why| fault.reason == difference(*why))
}

/// Reads a stream to its end before anything of it goes out: what was its opening is all of it then, and
/// a stream that breaks is a fault like any other. `most` is the largest answer, in bytes. Once it is
/// `stopped`, nothing more is waited for after a finish reason.
pub(super) async fn hold<B>(opening: &mut Opening<B>, most: usize, stopped: &Signal) -> Result<(), Fault>
where
    B: Body<Data = Bytes, Error = Fault> + Unpin,
{
    if opening.body.is_none() {
        return Ok(());
    }
    let idle = opening.idle;
    let mut stops = pin!(stopped.given());
    let mut flow = Flow::new(std::mem::replace(opening, Opening::whole(Bytes::new(), idle)));
    let mut held = VecDeque::new();
    let mut size = 0;
    loop {
        let flowed = std::future::poll_fn(|cx| {
            let flowed = flow.poll_next(cx);
            if flowed.is_pending()
                && flow.finished()
                && (stopped.is_given() || stops.as_mut().poll(cx).is_ready())
            {
                flow.close();
                return flow.poll_next(cx);
            }
            flowed
        });
        match flowed.await {
            Flowed::Piece(piece) => {
                size += piece.len();
                if size > most {
                    return Err(Fault { phase: Phase::Stream, ..super::peek::too_large(most) });
                }
                held.push_back(piece);
            }
            Flowed::Complete => {
                let Flow { sieve, .. } = flow;
                *opening = Opening { pieces: held, sieve, end: Some(End::Done), body: None, idle };
                return Ok(());
            }
            Flowed::Broken(fault) => return Err(fault),
        }
    }
}
