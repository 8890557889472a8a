//! What a provider was asked, with waiting for it.

use std::time::Instant;

use tokio::sync::watch;

use super::{Ended, Request};

/// The log of one provider; every change wakes those who wait.
#[derive(Debug)]
pub(super) struct Log {
    state: watch::Sender<State>,
    keep: bool,
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<Request>,
    count: usize,
    unexpected: usize,
    open: usize,
    connections: u64,
}

impl Log {
    pub(super) fn keeping() -> Self {
        Self { state: watch::Sender::default(), keep: true }
    }

    pub(super) fn counting() -> Self {
        Self { state: watch::Sender::default(), keep: false }
    }

    /// Enters a connection, which stays open as long as the guard lives.
    pub(super) fn open(&self) -> Open<'_> {
        let mut number = 0;
        self.state.send_modify(|state| {
            number = state.connections;
            state.connections += 1;
            state.open += 1;
        });
        Open { log: self, number }
    }

    /// Enters a request and gives it its number.
    pub(super) fn arrived(&self, request: &Request, expected: bool) -> usize {
        let mut index = 0;
        self.state.send_modify(|state| {
            index = state.count;
            state.count += 1;
            state.unexpected += usize::from(!expected);
            if self.keep {
                state.requests.push(request.clone());
            }
        });
        index
    }

    pub(super) fn ended(&self, index: usize, ended: Ended) {
        self.state.send_modify(|state| {
            if let Some(request) = state.requests.get_mut(index) {
                request.ended = Some(ended);
            }
        });
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.state.borrow().requests.clone()
    }

    pub(super) fn request(&self, index: usize) -> Option<Request> {
        self.state.borrow().requests.get(index).cloned()
    }

    pub(super) fn count(&self) -> usize {
        self.state.borrow().count
    }

    pub(super) fn unexpected(&self) -> usize {
        self.state.borrow().unexpected
    }

    pub(super) fn open_connections(&self) -> usize {
        self.state.borrow().open
    }

    pub(super) fn connections(&self) -> u64 {
        self.state.borrow().connections
    }

    pub(super) async fn wait_for(&self, count: usize) {
        self.wait(|state| (state.count >= count).then_some(())).await;
    }

    pub(super) async fn wait_ended(&self, index: usize) -> Ended {
        self.wait(|state| state.requests.get(index)?.ended).await
    }

    pub(super) async fn wait_closed(&self, index: usize) {
        self.wait(|state| state.requests.get(index)?.closed).await;
    }

    pub(super) async fn wait_connections(&self, count: usize) {
        self.wait(|state| (state.open <= count).then_some(())).await;
    }

    async fn wait<T>(&self, mut find: impl FnMut(&State) -> Option<T>) -> T {
        let mut changes = self.state.subscribe();
        loop {
            if let Some(found) = find(&changes.borrow_and_update()) {
                return found;
            }
            // The sender lives in `self`, so this cannot fail.
            let _ = changes.changed().await;
        }
    }
}

/// A connection that is open; dropping it enters the close.
pub(super) struct Open<'a> {
    log: &'a Log,
    pub(super) number: u64,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        self.log.state.send_modify(|state| {
            state.open -= 1;
            for request in state.requests.iter_mut().filter(|request| request.connection == self.number) {
                request.closed.get_or_insert(now);
            }
        });
    }
}
