//! The one timer of a connection.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// Waits until a time that moves on with each request.
///
/// A timer is dear to set and cheap to hear, so one that is set for too early is left as it is: it is set anew
/// when it has gone off, once in a while, and not with each request.
#[derive(Debug)]
pub(super) struct Patience(Pin<Box<Sleep>>);

impl Patience {
    /// One that goes off at `first`, or sooner if it is asked to.
    pub fn until(first: Instant) -> Self {
        Self(Box::pin(sleep_until(first)))
    }

    /// Ready at `due`.
    pub fn poll(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.deadline() > due {
            self.0.as_mut().reset(due);
        }
        loop {
            ready!(self.0.as_mut().poll(cx));
            if self.0.deadline() >= due {
                return Poll::Ready(());
            }
            self.0.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_it_is_due_however_that_moves() {
        let began = Instant::now();
        let second = Duration::from_secs(1);
        let mut patience = Patience::until(began + 5 * second);

        for seconds in [9, 10, 12, 40] {
            let due = began + seconds * second;
            // It was once to end sooner, and much later, and nobody asked again.
            let _ = futures_now(&mut patience, due + 100 * second).await;
            poll_fn(|cx| patience.poll(due, cx)).await;
            assert_eq!(began.elapsed(), seconds * second);
        }
    }

    async fn futures_now(patience: &mut Patience, due: Instant) -> Poll<()> {
        poll_fn(|cx| Poll::Ready(patience.poll(due, cx))).await
    }
}
