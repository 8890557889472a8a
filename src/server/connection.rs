//! One connection, from its first byte to its end.

use std::future::poll_fn;
use std::io::IoSlice;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::response::IntoResponse;
use http::{HeaderValue, Request, Response};
use http_body::SizeHint;
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

use super::Limits;
use super::active::{Active, Counted};
use super::error::ApiError;
use super::front::{Front, Service};
use super::guard::Guarded;
use super::http1::incoming::Incoming;
use super::http1::request::{Head, HeadReader, Refusal};
use super::http1::response::{self, Ending, Manner};
use super::http1::wire::{Begun, SharedWire};
use super::request_id::{self, X_REQUEST_ID};
use super::sending::{Sending, Sent};
use crate::relay::{Outcome, Signal};
use crate::retry::Words;
use crate::telemetry;
use crate::timers::Patience;

/// How long a client that we are done with may be silent before its socket is closed.
///
/// Closing a socket with unread bytes resets it, and the reset can overtake the answer.
const LINGER: Duration = Duration::from_secs(2);

/// How long such a client may go on sending, for it may read only when it has sent all; nginx waits as long.
const LINGER_IN_ALL: Duration = Duration::from_secs(30);

/// What the connections of a server share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    /// How long clients may take.
    pub limits: Limits,
    /// No request after this one.
    pub draining: Signal,
    /// Idle connections end.
    pub closing: Signal,
    /// How many requests are under way.
    pub active: Active,
}

/// What comes after a request.
enum Next {
    /// Another one.
    Request,
    /// The end, for a client that still has to read its answer.
    Linger,
    /// The end. What is left of the answer must neither wait in the kernel for a client that does not read, nor
    /// look whole.
    Reset,
    /// The end: nobody is there any more.
    Leave,
}

/// Serves the requests of one client until either side has enough.
pub(super) async fn serve<S: Service>(
    stream: TcpStream,
    client: IpAddr,
    front: Arc<Front<S>>,
    shared: Arc<Shared>,
) {
    let client = client.to_canonical().to_string().into();
    let mut connection = Connection { wire: SharedWire::new(stream), client, patience: Patience::default() };
    let next = {
        let waiting = pin!(shared.closing.given());
        let mut closing = Closing { signal: &shared.closing, waiting, is_heard: false, last_look: None };
        loop {
            let begin = |connection: &Connection, head| connection.begin(&front, &shared.active, head);
            let next = match connection.read(&shared.limits, &mut closing, begin).await {
                Ok(exchange) => connection.finish(exchange, &shared).await,
                Err(Without::Nothing) => connection.part(),
                // Seldom, and larger than all the rest.
                Err(why) => Box::pin(connection.refuse(why, &shared.limits)).await,
            };
            if !matches!(next, Next::Request) {
                break next;
            }
        }
    };
    match next {
        Next::Linger => connection.linger().await,
        Next::Reset => connection.wire.lock().reset(),
        Next::Request | Next::Leave => {}
    }
}

/// The server's wish to close idle connections. Waiting for it takes two locks that all connections share, so it
/// is waited for once, and looked at when something has woken the connection: all happens in one task.
struct Closing<'s, F> {
    signal: &'s Signal,
    waiting: Pin<&'s mut F>,
    is_heard: bool,
    last_look: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<F: Future<Output = ()>> Closing<'_, F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.is_heard, true) {
            ready!(self.waiting.as_mut().poll(cx));
        } else if !self.signal.is_given() {
            return Poll::Pending;
        }
        // What has come by now is answered, though the runtime may not have looked at the socket yet.
        self.last_look.get_or_insert_with(|| Box::pin(yield_now())).as_mut().poll(cx)
    }
}

/// A client, and what its requests have in common.
struct Connection {
    wire: SharedWire,
    client: Arc<str>,
    patience: Patience,
}

/// A request under way.
struct Exchange<'s, A> {
    manner: Manner,
    answer: Pin<Box<A>>,
    /// Dropped last: whoever hears that there is none any more finds that it has ended.
    counted: Counted<'s>,
}

/// Why there is no head.
enum Without {
    Refused(Refusal),
    Slow,
    Nothing,
}

impl Connection {
    /// Waits for the head of a request; what `begin` makes of it.
    async fn read<T>(
        &mut self,
        limits: &Limits,
        closing: &mut Closing<'_, impl Future<Output = ()>>,
        begin: impl Fn(&Self, Head) -> T,
    ) -> Result<T, Without> {
        let mut heads = HeadReader::default();
        let mut due: Option<(bool, Instant)> = None;
        poll_fn(|cx| {
            let begun = self.wire.lock().poll_head(&mut heads, cx);
            if let Poll::Ready(begun) = begun {
                return Poll::Ready(match begun {
                    Begun::Whole(head) => Ok(begin(self, head)),
                    Begun::Refused(refusal) => Err(Without::Refused(refusal)),
                    Begun::Gone => Err(Without::Nothing),
                });
            }
            if closing.poll(cx).is_ready() {
                return Poll::Ready(Err(Without::Nothing));
            }
            let has_begun = heads.has_begun();
            let due = match due {
                Some((had_begun, due)) if had_begun == has_begun => due,
                _ => {
                    let limit = if has_begun { limits.head } else { limits.idle };
                    due.insert((has_begun, Instant::now() + limit)).1
                }
            };
            let without = || if has_begun { Without::Slow } else { Without::Nothing };
            self.patience.poll(due, cx).map(|()| Err(without()))
        })
        .await
    }

    /// Has `front` answer the request of this `head`. It is no future itself: one keeps room for all that it has
    /// moved.
    fn begin<'s, S: Service>(
        &self,
        front: &'s Front<S>,
        active: &'s Active,
        head: Head,
    ) -> Exchange<'s, impl Future<Output = Response<Guarded>> + use<'s, S>> {
        let counted = active.enter();
        let Head { parts, framing, expects_continue, keeps_alive } = head;
        let manner = Manner::new(&parts.method, parts.version, keeps_alive);
        let body = Incoming::begin(&self.wire, framing, expects_continue);
        let request = Request::from_parts(parts, body);
        let answer = Box::pin(front.answer(Arc::clone(&self.client), request));
        Exchange { manner, answer, counted }
    }

    /// Waits for the answer and sends it; dropped as soon as the client is gone.
    async fn finish<A>(&mut self, exchange: Exchange<'_, A>, shared: &Shared) -> Next
    where
        A: Future<Output = Response<Guarded>>,
    {
        // What is bound first is dropped last.
        let Exchange { counted, manner, mut answer } = exchange;
        let Self { wire, patience, .. } = self;
        let begun = poll_fn(|cx| {
            if let Poll::Ready(response) = answer.as_mut().poll(cx) {
                return Poll::Ready(Some(Sending::begin(response, manner, wire, cx)));
            }
            // Once its body is in, nobody else listens to the client; and a body that was taken leaves room.
            wire.lock().poll_gone(cx).map(|()| None)
        });
        let Some(mut sending) = begun.await else {
            return Next::Leave;
        };
        drop(answer);
        let sent = poll_fn(|cx| sending.poll(wire, patience, shared.limits.idle, cx)).await;
        let (keeps, ends_with_connection) = (sending.keeps(), sending.ends_with_connection());
        drop(sending);
        drop(counted);
        match sent {
            Sent::Whole if keeps && !shared.draining.is_given() => {
                let can_follow = poll_fn(|cx| Poll::Ready(wire.lock().skip(cx))).await;
                if can_follow { Next::Request } else { Next::Linger }
            }
            Sent::Cut if ends_with_connection => Next::Reset,
            Sent::Whole | Sent::Cut => Next::Linger,
            Sent::Late => Next::Reset,
            Sent::Gone => Next::Leave,
        }
    }

    /// What follows when no request does. A client that still sends the body of its last one may not have read the
    /// answer yet.
    fn part(&self) -> Next {
        if self.wire.lock().is_at_end() { Next::Leave } else { Next::Linger }
    }

    /// Tells a client why its request is none. There is no telling where another one would begin.
    async fn refuse(&mut self, why: Without, limits: &Limits) -> Next {
        let id = request_id::make();
        let error = match why {
            Without::Nothing => return Next::Leave,
            Without::Slow => {
                let message =
                    format!("the head of the request was not complete within {}", Words(limits.head));
                let error = ApiError::new(Outcome::RequestTimeout, message);
                telemetry::access(&telemetry::Access {
                    request_id: &id,
                    client: &self.client,
                    method: "-",
                    path: "-",
                    outcome: Outcome::RequestTimeout.as_str(),
                    status: error.status().as_u16(),
                    elapsed: limits.head,
                    ..Default::default()
                });
                error
            }
            Without::Refused(refusal) => {
                tracing::info!(request_id = %id, client = %self.client, "refused what is no HTTP request: {refusal}");
                ApiError::no_request(&refusal)
            }
        };
        let json = error.to_json();
        let (mut parts, _) = error.into_response().into_parts();
        parts.headers.extend(HeaderValue::from_str(&id).map(|id| (X_REQUEST_ID, id)));
        let manner = Manner { is_old: false, wants_head: false, keeps_alive: false };
        let ending = Ending::Length(json.len() as u64);
        let (mut bytes, _) = response::head(&parts, manner, ending, &SizeHint::default(), false);
        bytes.extend_from_slice(json.as_bytes());
        let mut rest = &bytes[..];
        let written = poll_fn(|cx| {
            while !rest.is_empty() {
                match ready!(self.wire.lock().poll_write(&[IoSlice::new(rest)], cx)) {
                    Ok(length @ 1..) => rest = &rest[length..],
                    // A client that is gone needs no answer.
                    Ok(0) | Err(_) => break,
                }
            }
            Poll::Ready(())
        });
        let _ = timeout(LINGER, written).await;
        Next::Linger
    }

    /// Closes our half, then reads what the client still sends, to a limit, before closing the rest.
    ///
    /// A drain does not cut it short: it has written some of these answers itself.
    async fn linger(&mut self) {
        let Self { wire, patience, .. } = self;
        if poll_fn(|cx| wire.lock().poll_shutdown(cx)).await.is_ok() {
            outlast(patience, |cx| wire.lock().poll_forget(cx)).await;
        }
    }
}

/// Waits until a client has closed, of which `forget` forgets a piece; or is silent, or goes on for too long.
async fn outlast(patience: &mut Patience, mut forget: impl FnMut(&mut Context<'_>) -> Poll<bool>) {
    let began = Instant::now();
    let (mut due, end) = (began + LINGER, began + LINGER_IN_ALL);
    poll_fn(|cx| {
        while let Poll::Ready(more) = forget(cx) {
            let now = Instant::now();
            // A client that never pauses leaves the timer no turn.
            if !more || now >= end {
                return Poll::Ready(());
            }
            due = end.min(now + LINGER);
        }
        patience.poll(due, cx)
    })
    .await;
}

#[cfg(test)]
mod tests;
