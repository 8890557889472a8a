//! The end of the process, as requests hear of it.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Tells requests that the process is about to end.
#[derive(Debug, Clone, Default)]
pub struct Drain(Arc<Signals>);

/// What a [`Drain`] tells.
#[derive(Debug, Default)]
pub struct Signals {
    /// Given with the signal to stop: no wait is begun any more, and those under way end.
    pub pauses: Signal,
    /// Given when the grace is over: streams end with the error event.
    pub streams: Signal,
}

impl Deref for Drain {
    type Target = Signals;

    fn deref(&self) -> &Signals {
        &self.0
    }
}

/// Something that all hear of once.
///
/// A token of the library would be looked at and copied under a lock that all threads share, which every request
/// does some ten times.
#[derive(Debug, Clone, Default)]
pub struct Signal(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_given: AtomicBool,
    hear: Notify,
}

impl Signal {
    /// Gives it. Only the first call counts.
    pub fn give(&self) {
        self.0.is_given.store(true, Ordering::Release);
        self.0.hear.notify_waiters();
    }

    /// Whether it was given.
    pub fn is_given(&self) -> bool {
        self.0.is_given.load(Ordering::Acquire)
    }

    /// Waits until it is given.
    pub async fn given(&self) {
        // It hears of what is given from its making on, though it is not polled before.
        let heard = self.0.hear.notified();
        if !self.is_given() {
            heard.await;
        }
    }

    /// The same for whoever cannot borrow it.
    pub fn given_owned(&self) -> impl Future<Output = ()> + Send + use<> {
        let signal = self.clone();
        async move { signal.given().await }
    }

    /// Gives it when it is dropped.
    pub fn on_drop(&self) -> OnDrop {
        OnDrop(self.clone())
    }
}

/// Gives a [`Signal`] when it is dropped.
#[derive(Debug)]
pub struct OnDrop(Signal);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.give();
    }
}
