//! An answer on its way out.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Response;
use http_body::Body as _;
use tokio::time::Instant;

use super::guard::Guarded;
use super::http1::outbox::Outbox;
use super::http1::response::{self, Ending, Manner};
use super::http1::wire::SharedWire;
use crate::http1::room::SLICES;
use crate::http1::turns::Turn;
use crate::timers::Patience;

/// An answer of which a part has not gone out.
pub(super) struct Sending {
    body: Rest,
    outbox: Outbox,
    /// Whether what is in the outbox can be sent as it is.
    is_sealed: bool,
    /// Awaited before the head goes out. What follows is for a client that is reading: it would only be late.
    turn: Turn,
    keeps: bool,
    ends_with_connection: bool,
    /// Since when the socket takes nothing.
    blocked: Option<Instant>,
}

/// What is still to come of a body.
enum Rest {
    Coming(Guarded),
    Nothing,
    /// Nothing, though it is not at its end.
    Failed,
}

/// How sending an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// All of it has gone out.
    Whole,
    /// Its body has failed.
    Cut,
    /// The client does not read it.
    Late,
    /// The client has closed.
    Gone,
}

impl Sending {
    /// The answer on `wire`, in the `manner` that the request wants.
    pub fn begin(
        response: Response<Guarded>,
        manner: Manner,
        wire: &SharedWire,
        cx: &mut Context<'_>,
    ) -> Self {
        let (parts, body) = response.into_parts();
        let size = body.size_hint();
        let ending = response::ending(&parts, manner, &size);
        let ends_with_connection = ending == Ending::Close;
        // Not before now: the body may be that of the request, which has the socket too.
        let mut wire = wire.lock();
        let keeps = manner.keeps_alive && !ends_with_connection && (wire.is_wanted() || wire.skip(cx));
        let (mut head, keeps) = response::head(&parts, manner, ending, &size, keeps);
        let owed = wire.take_owed();
        if !owed.is_empty() {
            head = [owed, &head].concat();
        }
        Self {
            body: Rest::Coming(body),
            outbox: Outbox::new(head, ending),
            is_sealed: false,
            turn: Turn::default(),
            keeps,
            ends_with_connection,
            blocked: None,
        }
    }

    /// Whether another request may follow, as far as the client has been told.
    pub fn keeps(&self) -> bool {
        self.keeps
    }

    /// Whether the end of the connection is the end of the answer.
    pub fn ends_with_connection(&self) -> bool {
        self.ends_with_connection
    }

    /// Sends what there is of the answer, until its end, or until the socket takes nothing for as long as `idle`.
    /// The body is asked for no more while it takes nothing.
    pub fn poll(
        &mut self,
        wire: &SharedWire,
        patience: &mut Patience,
        idle: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<Sent> {
        loop {
            if !self.is_sealed {
                self.gather(cx);
                if self.outbox.is_empty() {
                    return match self.body {
                        Rest::Coming(_) => wire.lock().poll_gone(cx).map(|()| Sent::Gone),
                        Rest::Nothing => Poll::Ready(Sent::Whole),
                        Rest::Failed => Poll::Ready(Sent::Cut),
                    };
                }
                self.is_sealed = true;
            }
            ready!(self.turn.poll(cx));
            let mut slices = [IoSlice::new(&[]); SLICES];
            let used = self.outbox.fill(&mut slices);
            let mut wire = wire.lock();
            match wire.poll_write(&slices[..used], cx) {
                Poll::Ready(Ok(length @ 1..)) => {
                    self.blocked = None;
                    self.outbox.advance(length);
                    self.is_sealed = !self.outbox.is_empty();
                }
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Sent::Gone),
                Poll::Pending => {
                    if wire.poll_gone(cx).is_ready() {
                        return Poll::Ready(Sent::Gone);
                    }
                    let due = *self.blocked.get_or_insert_with(Instant::now) + idle;
                    return patience.poll(due, cx).map(|()| Sent::Late);
                }
            }
        }
    }

    /// Takes what the body has ready. What is there is never kept waiting for more.
    fn gather(&mut self, cx: &mut Context<'_>) {
        if !matches!(self.body, Rest::Coming(_)) {
            return;
        }
        while let Rest::Coming(body) = &mut self.body
            && self.outbox.has_room()
        {
            if self.outbox.is_whole() {
                if self.outbox.is_empty() {
                    // It was more than a write, and all of it has gone out: whoever made it hears of that.
                    let _ = Pin::new(body).poll_frame(cx);
                }
                self.body = Rest::Nothing;
                break;
            }
            match Pin::new(body).poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => self.body = Rest::Nothing,
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(piece) = frame.into_data()
                        && self.outbox.push(piece).is_err()
                    {
                        self.body = Rest::Failed;
                    }
                }
                Poll::Ready(Some(Err(_))) => self.body = Rest::Failed,
            }
        }
        if self.outbox.seal(matches!(self.body, Rest::Nothing)).is_err() {
            self.body = Rest::Failed;
        }
    }
}
