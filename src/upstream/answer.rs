//! The body of an answer: decoded, and at its end the connection goes back to the pool.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::Frame;

use super::connection::Reading;
use super::decode::{Decoder, Undecodable};
use super::places::Place;
use super::pool::Pool;
use crate::retry::{Class, Fault, Phase};

/// How many waiting pieces may be thrown away to find the end of a body that was dropped.
const DRAINED: usize = 4;

/// The decoded body of an answer; dropping it before its end closes the connection, unless the
/// rest has already arrived.
#[derive(Debug)]
pub struct Body {
    reading: Reading,
    decoder: Decoder,
    idle: Arc<Pool>,
    state: State,
    /// Held until the connection is given back or closed; so it is the last to go.
    place: Option<Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The wire has given everything, the decoder perhaps not yet.
    Drained,
    Ended,
}

impl Body {
    pub(super) fn new(reading: Reading, decoder: Decoder, idle: Arc<Pool>, place: Option<Place>) -> Self {
        Self { reading, decoder, idle, state: State::Open, place }
    }

    fn poll_decoded(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            match self.decoder.next_piece() {
                Ok(Some(piece)) => return Poll::Ready(Some(Ok(piece))),
                Ok(None) => {}
                Err(problem) => return Poll::Ready(Some(Err(undecodable(&problem)))),
            }
            if self.state == State::Drained {
                return Poll::Ready(None);
            }
            match ready!(self.reading.poll_data(cx)) {
                Some(Ok(data)) => self.decoder.feed(data),
                Some(Err(fault)) => return Poll::Ready(Some(Err(fault))),
                None => {
                    self.state = State::Drained;
                    self.give_back();
                    if let Err(problem) = self.decoder.finish() {
                        return Poll::Ready(Some(Err(undecodable(&problem))));
                    }
                }
            }
        }
    }

    fn give_back(&mut self) {
        if let Some(connection) = self.reading.take_connection() {
            self.idle.put(connection);
        }
        self.place = None;
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if self.state == State::Ended {
            return Poll::Ready(None);
        }
        let decoded = ready!(self.poll_decoded(cx));
        if !matches!(decoded, Some(Ok(_))) {
            self.state = State::Ended;
            // After a fault nobody reads on: the provider sees the close at once.
            drop(self.reading.take_connection());
            self.place = None;
        }
        Poll::Ready(decoded.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.state == State::Ended
    }
}

impl Drop for Body {
    /// A stream is over at its `[DONE]`, which usually has the end of the body right behind it.
    fn drop(&mut self) {
        if self.state != State::Open || std::thread::panicking() {
            return;
        }
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..DRAINED {
            match self.reading.poll_data(&mut cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(None) => return self.give_back(),
                Poll::Ready(Some(Err(_))) | Poll::Pending => return,
            }
        }
    }
}

fn undecodable(problem: &Undecodable) -> Fault {
    Fault::new(Class::Broken, Phase::FirstToken, problem.to_string())
}
