//! Connections that wait for their next request.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;

/// The most connections that wait for one provider on one thread, as with nginx's `keepalive 32`,
/// which counts for each of its workers.
const MOST: usize = 32;

/// The longest wait. Servers that close sooner (many do after five seconds) are noticed when the
/// connection is taken out.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// How old a connection may be to be used again.
///
/// A name is looked up and a load balancer asked only for new connections, so this is how soon a
/// busy Backstop follows a provider that moves: as long as most of their DNS records live at most.
/// nginx's `keepalive_time` is an hour, Go and hyper have no such limit. It costs one handshake
/// in five minutes for each connection.
const OLDEST: Duration = Duration::from_mins(5);

/// The idle connections to one provider, of each thread the one used last on top.
///
/// A socket is woken by the runtime that watches it, and each thread has a runtime of its own; so a connection
/// stays with its thread. Another one takes it only if it has none itself, and has its own runtime watch it from
/// then on. That is four system calls: a new connection costs round trips, and an old one that stayed where it was
/// would wake both threads for every piece of an answer.
///
/// Nobody polls them, so a provider that closes one is noticed when it is taken out.
#[derive(Debug)]
pub(super) struct Pool {
    shards: Box<[Shard]>,
}

/// The connections of a thread, apart from those of others as far as the processor's caches go.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(Mutex<Vec<Idle>>);

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

/// Whose runtime watches a connection, and when it was opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Birth {
    thread: usize,
    at: Instant,
}

impl Birth {
    /// Here and now.
    pub(super) fn now() -> Self {
        Self { thread: thread(), at: Instant::now() }
    }

    /// Whether it is watched on this thread.
    pub(super) fn is_here(self) -> bool {
        self.thread == thread()
    }

    /// As old, and watched on this thread.
    pub(super) fn here(self) -> Self {
        Self { thread: thread(), ..self }
    }
}

impl Pool {
    /// With a place for each of so many threads, or of those that can run at once. Threads that share one take
    /// each other's connections, and move them each time.
    pub(super) fn new(threads: Option<NonZeroU32>) -> Self {
        let told = threads.and_then(|threads| usize::try_from(threads.get()).ok());
        Self::with_shards(told.unwrap_or_else(|| available_parallelism().map_or(1, usize::from)))
    }

    fn with_shards(count: usize) -> Self {
        Self { shards: (0..count).map(|_| Shard::default()).collect() }
    }

    /// A connection that is still open `now`, as far as can be known without sending.
    pub(super) fn take(&self, now: Instant) -> Option<Connection> {
        let (before, own_and_after) = self.shards.split_at(thread() % self.shards.len());
        own_and_after.iter().chain(before).find_map(|shard| shard.take(now))
    }

    /// Keeps `connection` for a later request, unless it is too old for one.
    pub(super) fn put(&self, connection: Connection) {
        let Birth { thread, at } = connection.birth();
        let now = Instant::now();
        if now.duration_since(at) < OLDEST
            && let Some(shard) = self.shards.get(thread % self.shards.len())
        {
            shard.put(Idle { connection, since: now });
        }
    }

    /// Closes the connections that have waited for `longest` or more.
    pub(super) fn tidy(&self, longest: Duration) {
        let now = Instant::now();
        for shard in &self.shards {
            let old = |idle: &mut Idle| now.duration_since(idle.since) >= longest;
            let closing: Vec<Idle> = shard.lock().extract_if(.., old).collect();
            drop(closing);
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}

impl Shard {
    fn take(&self, now: Instant) -> Option<Connection> {
        loop {
            let Idle { mut connection, since } = self.lock().pop()?;
            let age = now.duration_since(connection.birth().at);
            if now.duration_since(since) < LONGEST
                && age < OLDEST
                && connection.is_reusable()
                && connection.come_here().is_ok()
            {
                return Some(connection);
            }
        }
    }

    fn put(&self, newest: Idle) {
        let mut idle = self.lock();
        let oldest = (idle.len() == MOST).then(|| idle.remove(0));
        idle.push(newest);
        drop(idle);
        // Closing takes a while, and others need the lock.
        drop(oldest);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of this thread among those that have asked.
fn thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}

#[cfg(test)]
mod tests;
