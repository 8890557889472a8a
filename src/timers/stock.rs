//! The timers that a thread has left.
//!
//! A timer belongs to a runtime. So only a thread that runs one, and one alone, keeps a stock; anywhere else
//! timers are made and dropped.

use std::cell::RefCell;
use std::task::Waker;

use tokio::runtime::{Id, Runtime, RuntimeFlavor};
use tokio::time::Instant;

use super::Timer;

/// How many timers a thread keeps.
///
/// One that nobody needs goes off once, and until then the memory of the task that it wakes is not free, some
/// kilobytes, whether or not that has ended. To have it forget the task would take as many locks again as are
/// spared. One that has gone off already would never do so again, and is not kept.
const MOST: usize = 64;

thread_local! {
    static STOCK: RefCell<Option<Stock>> = const { RefCell::new(None) };
}

/// Runs `future` on a runtime of this thread, whose tasks leave their timers to each other while it runs.
pub fn block_on<F: Future>(runtime: &Runtime, future: F) -> F::Output {
    let handle = runtime.handle();
    let is_of_this_thread = handle.runtime_flavor() == RuntimeFlavor::CurrentThread;
    let _open = Open::new(is_of_this_thread.then(|| Stock { runtime: handle.id(), timers: Vec::new() }));
    runtime.block_on(future)
}

/// A timer, which may be set for another time than `due`: if there is one that wakes `waker` already, that one.
pub(super) fn take(due: Instant, waker: &Waker) -> Timer {
    let of_stock = |stock: &RefCell<Option<Stock>>| Some(stock.borrow_mut().as_mut()?.take(due, waker));
    STOCK.try_with(of_stock).ok().flatten().unwrap_or_else(|| Timer::new(due, None))
}

/// Leaves a timer to the next one who needs one.
pub(super) fn give_back(timer: Timer) {
    if timer.runtime.is_none() {
        return;
    }
    // Dropping it may drop the task that it was to wake, which may have timers too: the stock is free by then.
    let _no_room = STOCK.try_with(|stock| match stock.borrow_mut().as_mut() {
        Some(stock) => stock.give_back(timer),
        None => Some(timer),
    });
}

/// How many timers this thread has.
#[cfg(test)]
pub(super) fn left() -> usize {
    STOCK.with_borrow(|stock| stock.as_ref().map_or(0, |stock| stock.timers.len()))
}

/// The timers that the tasks of a runtime have left.
struct Stock {
    runtime: Id,
    timers: Vec<Timer>,
}

impl Stock {
    fn take(&mut self, due: Instant, waker: &Waker) -> Timer {
        let timer = match self.timers.iter().rposition(|timer| timer.wakes(waker)) {
            Some(own) => Some(self.timers.swap_remove(own)),
            None => self.timers.pop(),
        };
        timer.unwrap_or_else(|| Timer::new(due, Some(self.runtime)))
    }

    /// The timer again if there is no room for it.
    fn give_back(&mut self, timer: Timer) -> Option<Timer> {
        if timer.runtime != Some(self.runtime) || timer.sleep.is_elapsed() || self.timers.len() == MOST {
            return Some(timer);
        }
        self.timers.push(timer);
        None
    }
}

/// A thread has a stock as long as this is there.
struct Open {
    before: Option<Stock>,
}

impl Open {
    fn new(stock: Option<Stock>) -> Self {
        Self { before: STOCK.replace(stock) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // What is left is dropped when the stock is free, see above.
        let _left = STOCK.replace(self.before.take());
    }
}
