//! How many requests are under way, over all connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The count.
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

    /// One more is under way: its whole head is in. It counts until the last byte of its answer has gone out.
    pub fn enter(&self) -> Counted<'_> {
        self.0.requests.fetch_add(1, Ordering::SeqCst);
        Counted(&self.0)
    }
}

/// One request under way.
#[derive(Debug)]
pub(super) struct Counted<'a>(&'a Count);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if self.0.requests.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.none.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn none_is_heard_of_when_the_last_one_ends() {
        let active = Active::default();
        let (first, second) = (active.enter(), active.enter());
        assert_eq!(active.count(), 2);

        let ((), ()) = tokio::join!(active.none(), async {
            drop(first);
            tokio::task::yield_now().await;
            assert_eq!(active.count(), 1);
            drop(second);
        });

        assert_eq!(active.count(), 0);
        active.none().await;
    }
}
