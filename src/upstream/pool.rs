//! Connections that wait for their next request.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;

/// The most connections that wait for one provider.
const MOST: usize = 32;

/// The longest wait. Servers that close sooner (many do after five seconds) are noticed when the
/// connection is taken out.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// The idle connections to one provider, the one used last on top.
///
/// Nobody polls them, so a provider that closes one is noticed when it is taken out.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Idle>>);

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// A connection that is still open as far as can be known without sending.
    pub(super) fn take(&self) -> Option<Connection> {
        loop {
            let Idle { mut connection, since } = self.lock().pop()?;
            if since.elapsed() < LONGEST && connection.is_reusable() {
                return Some(connection);
            }
        }
    }

    /// Keeps `connection` for a later request.
    pub(super) fn put(&self, connection: Connection) {
        let mut idle = self.lock();
        if idle.len() == MOST {
            idle.remove(0);
        }
        idle.push(Idle { connection, since: Instant::now() });
    }

    /// Closes the connections that have waited for `longest` or more.
    pub(super) fn tidy(&self, longest: Duration) {
        let now = Instant::now();
        self.lock().retain(|idle| now.duration_since(idle.since) < longest);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
