//! The queue between those who log and the thread that writes: a line costs its log a copy, not a
//! system call, and many lines are written at once.

use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use memchr::memchr_iter;

#[cfg(test)]
mod tests;

/// How long a line waits for others to be written with it; nobody at a terminal notices.
const GATHER: Duration = Duration::from_millis(15);

/// How many bytes may wait; as many again may be on their way to a reader that does not read.
const MOST_WAITING: usize = 4 << 20;

/// How many bytes of room each of the two buffers keeps when it is empty: those of a busy moment.
const KEPT: usize = 256 << 10;

/// How long the rest of a piece waits where the reader is too slow and writing does not wait for it.
const TOO_SLOW: Duration = Duration::from_millis(10);

/// Takes whole lines, each in one call of `write`, and never makes those who log wait for the reader.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Told when the thread is needed.
    wanted: Condvar,
    /// Told when nothing is left to be written, if somebody waits for it.
    settled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// How many lines found no room since this was told last.
    lost: u64,
    /// Whether a line has come since the thread had nothing to do, so that it need not be woken.
    busy: bool,
    /// How many wait until nothing is left.
    hurried: usize,
    closed: bool,
}

impl Queue {
    /// A queue and the thread that writes its lines to `out`.
    ///
    /// When lines found no room, or `out` did not take them, `tell` is called with their number as soon as it
    /// takes others again; it may log.
    pub(super) fn start(out: impl Write + Send + 'static, tell: impl Fn(u64) + Send + 'static) -> Arc<Self> {
        let queue = Arc::new(Self::default());
        let lines = Arc::clone(&queue);
        thread::Builder::new()
            .name("backstop-log".to_owned())
            .spawn(move || lines.write_to(out, tell))
            .expect("who cannot start a thread cannot serve either");
        queue
    }

    /// Waits until every line is written, but not longer than `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        let mut state = self.lock();
        state.hurried += 1;
        self.wanted.notify_one();
        let settled = self.settled.wait_timeout_while(state, limit, |state| state.busy);
        settled.unwrap_or_else(PoisonError::into_inner).0.hurried -= 1;
    }

    /// Writes every line within `limit`, and takes none after that.
    pub(super) fn close(&self, limit: Duration) {
        self.flush(limit);
        self.lock().closed = true;
        self.wanted.notify_one();
    }

    /// Takes a line, unless there is no room for it.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        if state.waiting.len() + line.len() > MOST_WAITING {
            state.lost += 1;
            return;
        }
        state.waiting.extend_from_slice(line);
        if !mem::replace(&mut state.busy, true) {
            drop(state);
            self.wanted.notify_one();
        }
    }

    fn write_to(&self, mut out: impl Write, tell: impl Fn(u64)) {
        let mut piece = Vec::new();
        let mut refused = 0;
        while let Some(lost) = self.take(&mut piece) {
            if lost > 0 {
                tell(lost);
            }
            let rest = write_out(&mut out, &piece);
            refused += memchr_iter(b'\n', rest).count() as u64;
            // Before that, the word of it would be refused as well, and be one more to tell of.
            if rest.is_empty() && refused > 0 {
                tell(mem::take(&mut refused));
            }
            piece.clear();
            piece.shrink_to(KEPT);
        }
    }

    /// Puts the lines that wait into the empty `piece`, as soon as there are some; the number of those
    /// that were lost after them. Nothing when no more will come.
    fn take(&self, piece: &mut Vec<u8>) -> Option<u64> {
        let mut state = self.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            state.busy = false;
            if state.hurried > 0 {
                self.settled.notify_all();
            }
            state = self.wanted.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let gathered =
            self.wanted.wait_timeout_while(state, GATHER, |state| state.hurried == 0 && !state.closed);
        let mut state = gathered.unwrap_or_else(PoisonError::into_inner).0;
        mem::swap(piece, &mut state.waiting);
        Some(mem::take(&mut state.lost))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that panics is done under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes until `out` refuses the rest, which is returned.
///
/// Unlike `write_all` it goes on where stderr was made non-blocking by a process that shares it.
fn write_out<'p>(out: &mut impl Write, piece: &'p [u8]) -> &'p [u8] {
    let mut rest = piece;
    while !rest.is_empty() {
        match out.write(rest) {
            Ok(written) if written > 0 => rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(TOO_SLOW),
            // A closed pipe, a full disk.
            Ok(_) | Err(_) => break,
        }
    }
    rest
}
