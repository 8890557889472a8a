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

    /// Waits until it is given. Not to be polled once it was ready: [`Self::is_given`] says so from then on.
    pub async fn given(&self) {
        // From its making on it hears of whatever is given, even before its first poll; so it is made before the
        // look whether it was given already.
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

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::task::{JoinSet, yield_now};

    use super::*;

    #[tokio::test]
    async fn all_hear_of_it_once_it_is_given() {
        let signal = Signal::default();
        let mut listeners = JoinSet::new();
        for _ in 0..5 {
            listeners.spawn(signal.given_owned());
        }
        // Made before it is given, and first polled behind that.
        let late = signal.given_owned();
        yield_now().await;
        assert!(listeners.try_join_next().is_none());
        assert!(!signal.is_given());

        signal.give();
        signal.give();

        assert!(signal.is_given());
        assert_eq!(listeners.join_all().await.len(), 5);
        late.await;
        signal.given().await;
    }

    #[test]
    fn it_may_be_given_on_another_thread_at_any_moment() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..1_000 {
            let signal = Signal::default();
            let giver = signal.on_drop();
            let giving = thread::spawn(move || drop(giver));

            runtime.block_on(signal.given());

            giving.join().unwrap();
        }
    }
}
