//! What a connection is doing, so that each way of doing nothing has its own limit.
//!
//! hyper has one timer for "no whole head yet" and runs it on idle connections too. Here the
//! socket, the service and the response's body report what they see, and the connection's task
//! asks when its patience ends.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Limits;

/// How many requests are under way, over all connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Active(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    requests: AtomicUsize,
    /// Told when there are none any more.
    none: Notify,
}

impl Active {
    /// How many there are now.
    pub fn count(&self) -> usize {
        self.0.requests.load(Ordering::SeqCst)
    }

    /// Resolves when there are none.
    pub async fn none(&self) {
        loop {
            let none = self.0.none.notified();
            if self.count() == 0 {
                return;
            }
            none.await;
        }
    }

    fn enter(&self) -> Counted {
        self.0.requests.fetch_add(1, Ordering::SeqCst);
        Counted(self.clone())
    }
}

/// One request under way.
#[derive(Debug)]
struct Counted(Active);

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.0.requests.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.0.none.notify_waiters();
        }
    }
}

#[derive(Debug)]
enum Phase {
    /// Between two requests.
    Idle { since: Since },
    /// A part of a head is in.
    Head { since: Since },
    /// A request is being read or answered; since when the socket takes no more of the answer.
    Busy { blocked: Option<Since>, counted: Counted },
    /// The answer's last bytes are on their way to the socket.
    Flushing { since: Since, _counted: Counted },
}

/// When something began. A quick request goes through all phases in one turn of its task, and four looks at
/// the clock would cost it as much as the rest of its watch: the first who asks looks, before the task sleeps.
#[derive(Debug, Default)]
struct Since(Option<Instant>);

impl Since {
    fn get(&mut self) -> Instant {
        *self.0.get_or_insert_with(Instant::now)
    }
}

/// What a connection is doing.
#[derive(Debug)]
pub(super) struct Watch {
    phase: Mutex<Phase>,
    active: Active,
}

impl Watch {
    /// A connection that has just been made.
    pub fn new(active: Active) -> Arc<Self> {
        Arc::new(Self { phase: Mutex::new(Phase::Idle { since: Since::default() }), active })
    }

    /// When the connection's patience ends, to be asked before its task sleeps; never, while a request is under way and the client
    /// reads what there is of its answer.
    pub fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match &mut *self.phase() {
            Phase::Idle { since } | Phase::Flushing { since, .. } => Some(since.get() + limits.idle),
            Phase::Head { since } => Some(since.get() + limits.head),
            Phase::Busy { blocked, .. } => blocked.as_mut().map(|since| since.get() + limits.idle),
        }
    }

    /// Whether a part of a head is in, and no more.
    pub fn is_in_head(&self) -> bool {
        matches!(*self.phase(), Phase::Head { .. })
    }

    /// Whether a request is under way.
    pub fn is_busy(&self) -> bool {
        matches!(*self.phase(), Phase::Busy { .. } | Phase::Flushing { .. })
    }

    /// The head of a request is in.
    pub fn request_began(&self) {
        let counted = self.active.enter();
        *self.phase() = Phase::Busy { blocked: None, counted };
    }

    /// The body of the answer has been handed over, to its end or not.
    pub fn answer_ended(&self) {
        let mut phase = self.phase();
        let idle = Phase::Idle { since: Since::default() };
        if let Phase::Busy { counted, .. } = std::mem::replace(&mut *phase, idle) {
            *phase = Phase::Flushing { since: Since::default(), _counted: counted };
        }
    }

    fn received(&self) {
        let mut phase = self.phase();
        if let Phase::Idle { .. } = *phase {
            *phase = Phase::Head { since: Since::default() };
        }
    }

    fn wrote(&self) {
        match &mut *self.phase() {
            Phase::Flushing { since, .. } => *since = Since::default(),
            Phase::Busy { blocked, .. } => *blocked = None,
            Phase::Idle { .. } | Phase::Head { .. } => {}
        }
    }

    fn could_not_write(&self) {
        if let Phase::Busy { blocked, .. } = &mut *self.phase() {
            blocked.get_or_insert_default();
        }
    }

    fn tried_to_write<T>(&self, polled: &Poll<T>) {
        if polled.is_ready() {
            self.wrote();
        } else {
            self.could_not_write();
        }
    }

    fn flushed(&self) {
        let mut phase = self.phase();
        if let Phase::Flushing { .. } = *phase {
            *phase = Phase::Idle { since: Since::default() };
        }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that reports what passes through it.
#[derive(Debug)]
pub(super) struct Watched {
    stream: TcpStream,
    watch: Arc<Watch>,
}

impl Watched {
    /// `stream`, reporting to `watch`.
    pub fn new(stream: TcpStream, watch: Arc<Watch>) -> Self {
        Self { stream, watch }
    }

    /// The socket.
    pub fn into_inner(self) -> TcpStream {
        self.stream
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.watch.received();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch.tried_to_write(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch.tried_to_write(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes the socket only when its own buffer is empty.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        if polled.is_ready() {
            self.watch.flushed();
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: Limits = Limits {
        head: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        body: Duration::from_secs(30),
    };

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_limit() {
        let active = Active::default();
        let watch = Watch::new(active.clone());
        let left = |watch: &Watch| watch.deadline(&LIMITS).map(|at| at - Instant::now());
        let second = Duration::from_secs(1);
        assert_eq!(left(&watch), Some(LIMITS.idle));

        tokio::time::advance(second).await;
        watch.received();
        assert_eq!(left(&watch), Some(LIMITS.head));
        tokio::time::advance(second).await;
        watch.received();
        assert_eq!(left(&watch), Some(Duration::from_secs(9)), "the limit is for the whole head");

        watch.request_began();
        watch.received();
        watch.wrote();
        watch.flushed();
        assert_eq!((left(&watch), active.count()), (None, 1));

        watch.could_not_write();
        assert_eq!(left(&watch), Some(LIMITS.idle));
        tokio::time::advance(second).await;
        watch.could_not_write();
        assert_eq!(left(&watch), Some(Duration::from_secs(74)), "a client that does not read");
        watch.wrote();
        assert_eq!(left(&watch), None, "a slow reader that reads");

        watch.answer_ended();
        assert_eq!((left(&watch), active.count()), (Some(LIMITS.idle), 1));
        tokio::time::advance(second).await;
        assert_eq!(left(&watch), Some(Duration::from_secs(74)));
        watch.wrote();
        assert_eq!(left(&watch), Some(LIMITS.idle), "a slow reader that reads is not idle");

        watch.flushed();
        assert_eq!((watch.is_busy(), active.count()), (false, 0));
        active.none().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_dropped_no_longer_counts() {
        let active = Active::default();
        let watch = Watch::new(active.clone());
        watch.request_began();

        drop(watch);

        assert_eq!(active.count(), 0);
    }
}
