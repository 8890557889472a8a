//! Timers that stay set.
//!
//! A timer is dear to set and to take back, some 25 locked instructions, and costs nothing if it is left alone. What
//! waits here hardly ever waits to the end, and the next one waits for as long. So a timer that is set for too
//! early is left as it is, and set anew when it has gone off, once in a while; and who needs it no longer
//! leaves it to the next one, as it is. Waits that are rare, or that mostly do come to their end, set the
//! runtime's timers as ever.

use std::future::poll_fn;
use std::num::NonZero;
use std::pin::{Pin, pin};
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker, ready};

use tokio::runtime::Id;
use tokio::task::coop::{has_budget_remaining, unconstrained};
use tokio::time::{Instant, Sleep, sleep_until};

mod stock;
#[cfg(test)]
mod tests;

pub use stock::block_on;

/// Waits until a time that may move.
///
/// It takes a timer when it is first polled, and gives it back when it is dropped.
#[derive(Debug, Default)]
pub struct Patience(Option<Timer>);

impl Patience {
    /// Ready at `due`.
    pub fn poll(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        self.0.get_or_insert_with(|| stock::take(due, cx.waker())).poll(due, cx)
    }
}

impl Drop for Patience {
    #[inline]
    fn drop(&mut self) {
        if let Some(timer) = self.0.take() {
            stock::give_back(timer);
        }
    }
}

/// Waits for `future`, but not beyond `due`, which is asked for whenever the future has been polled in vain and
/// comes back if it has passed. Where both are there, it is the future that counts.
///
/// # Errors
///
/// Says what was due.
pub fn within<F: Future>(
    mut future: Pin<&mut F>,
    mut due: impl FnMut() -> Instant,
) -> impl Future<Output = Result<F::Output, Instant>> {
    let mut patience = Patience::default();
    poll_fn(move |cx| {
        let had_budget = has_budget_remaining();
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let due = due();
        let late = if had_budget && !has_budget_remaining() {
            // A future that uses up the task's share of the thread each time would leave the timer no turn.
            pin!(unconstrained(poll_fn(|cx| patience.poll(due, cx)))).poll(cx)
        } else {
            patience.poll(due, cx)
        };
        late.map(|()| Err(due))
    })
}

/// A timer, which may be set.
#[derive(Debug)]
struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// Whom it wakes when it goes off.
    listener: Option<Listener>,
    /// Whose it is, if that has a stock.
    runtime: Option<Id>,
}

impl Timer {
    fn new(due: Instant, runtime: Option<Id>) -> Self {
        Self { sleep: Box::pin(sleep_until(due)), listener: None, runtime }
    }

    /// Whether it would wake `waker` if it were to go off.
    fn wakes(&self, waker: &Waker) -> bool {
        self.listener == Some(Listener::of(waker))
    }

    fn poll(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.sleep.deadline() > due {
            self.set(due);
        }
        loop {
            // Polling takes locks.
            if self.wakes(cx.waker()) && !self.sleep.is_elapsed() {
                return Poll::Pending;
            }
            // Without a budget it does not even look: then it is the turn that is over which wakes us.
            let has_looked = has_budget_remaining();
            let polled = self.sleep.as_mut().poll(cx);
            self.listener = (has_looked && polled.is_pending()).then(|| Listener::of(cx.waker()));
            ready!(polled);
            if self.sleep.deadline() >= due {
                return Poll::Ready(());
            }
            self.set(due);
        }
    }

    fn set(&mut self, due: Instant) {
        self.listener = None;
        self.sleep.as_mut().reset(due);
    }
}

/// Which waker it is. The timer has a copy of it until it goes off, so that none of another task can be at the
/// same place before; a second copy here would take two locks each time. Copies are known by where they point, as
/// those of the runtime's tasks do; any other waker is only registered once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listener {
    data: usize,
    table: NonZero<usize>,
}

impl Listener {
    fn of(waker: &Waker) -> Self {
        Self { data: waker.data().addr(), table: NonNull::from(waker.vtable()).addr() }
    }
}
