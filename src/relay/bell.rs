//! A signal that a request listens for beside its provider: asked for after every piece, and hardly ever given.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::task::coop::has_budget_remaining;

/// A future that wakes whoever polled it, and is not polled again before that: polling takes locks and a
/// place in a list, which every piece of a stream would pay for.
#[derive(Debug)]
pub(super) struct Bell<F> {
    future: F,
    /// Whom it will wake.
    listener: Option<Waker>,
}

impl<F: Future<Output = ()> + Unpin> Bell<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future, listener: None }
    }

    /// The same as polling the future, for a caller who can tell whether it `may_be_ready`.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, may_be_ready: bool) -> Poll<()> {
        let listens = self.listener.as_ref().is_some_and(|listener| listener.will_wake(cx.waker()));
        if listens && !may_be_ready {
            return Poll::Pending;
        }
        // Without a budget the future does not even look: then it is the turn that is over which wakes us.
        let has_looked = has_budget_remaining();
        let polled = Pin::new(&mut self.future).poll(cx);
        self.listener = (has_looked && polled.is_pending()).then(|| cx.waker().clone());
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::time::Duration;

    use tokio::task::coop::consume_budget;

    use super::*;
    use crate::relay::Signal;

    #[test]
    fn it_is_polled_once_for_each_listener() {
        let polls = Cell::new(0);
        let mut bell = Bell::new(poll_fn(|_| {
            polls.set(polls.get() + 1);
            if polls.get() < 4 { Poll::Pending } else { Poll::Ready(()) }
        }));
        let one = std::sync::Arc::new(Woken).into();
        let other = std::sync::Arc::new(Woken).into();
        let (mut one, mut other) = (Context::from_waker(&one), Context::from_waker(&other));

        let polled = [
            (bell.poll(&mut one, false), polls.get()),
            (bell.poll(&mut one, false), polls.get()),
            (bell.poll(&mut other, false), polls.get()),
            (bell.poll(&mut other, false), polls.get()),
            (bell.poll(&mut other, true), polls.get()),
        ];
        assert_eq!(polled.map(|(_, polls)| polls), [1, 1, 2, 2, 3]);
        assert!(polled.iter().all(|(polled, _)| polled.is_pending()));
        assert_eq!((bell.poll(&mut other, true), polls.get()), (Poll::Ready(()), 4));
    }

    struct Woken;

    impl std::task::Wake for Woken {
        fn wake(self: std::sync::Arc<Self>) {}
    }

    #[tokio::test]
    async fn whoever_listens_is_woken() {
        let signal = Signal::default();
        let mut bell = Bell::new(Box::pin(signal.given()));
        let ring = async {
            tokio::task::yield_now().await;
            signal.give();
        };

        let heard = poll_fn(|cx| bell.poll(cx, signal.is_given()));

        tokio::join!(heard, ring);
    }

    /// As after a burst, whose pieces are read until the task has had its share of the thread.
    #[tokio::test(start_paused = true)]
    async fn it_is_heard_though_it_was_first_polled_at_the_end_of_a_long_turn() {
        let mut bell = Bell::new(Box::pin(tokio::time::sleep(Duration::from_secs(1))));
        let mut is_long = true;
        let heard = poll_fn(|cx| {
            while is_long && has_budget_remaining() {
                let _ = pin!(consume_budget()).poll(cx);
            }
            is_long = false;
            bell.poll(cx, bell.future.is_elapsed())
        });

        assert!(tokio::time::timeout(Duration::from_secs(10), heard).await.is_ok());
    }
}
