//! The threads that serve connections, each with a runtime of its own, which a connection never leaves.
//!
//! So whatever a request waits for (sockets, timers, its turn) comes about on one thread, and none wakes
//! another for it. One of them accepts for all and gives each connection to the one that has the fewest.
//! Given in turn, as many meet on one thread, but more of the long ones where short ones come between them. With
//! a listener each (`SO_REUSEPORT`) the system spreads 65 connections 33 to 39 on the busier of two threads,
//! not 33, which gave 0.87 times the requests/s of nginx in place of 0.96; a second Backstop would share the port
//! unnoticed, and a drain would reset those that wait to be accepted.

use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::timers;

/// The worker that accepts for all of them.
const HERE: usize = 0;

/// How long threads may take to drop what they serve; one that is stuck is left behind.
const THREADS_END: Duration = Duration::from_millis(500);

/// Where connections are served; dropping it ends its threads, and whatever they still serve.
#[derive(Debug)]
pub struct Workers {
    all: Vec<Worker>,
    /// Whose turn it is among equals.
    next: usize,
    stop: CancellationToken,
    /// Each thread says that it runs, and lets go when it has ended.
    threads: Receiver<io::Result<Handle>>,
}

/// One thread with its runtime.
#[derive(Debug)]
struct Worker {
    runtime: Handle,
    /// Each of its connections holds one.
    seat: Arc<()>,
}

impl Worker {
    fn new(runtime: Handle) -> Self {
        Self { runtime, seat: Arc::default() }
    }

    fn connections(&self) -> usize {
        Arc::strong_count(&self.seat) - 1
    }
}

impl Workers {
    /// The runtime that this is called in, and no further thread.
    pub fn here() -> Self {
        let (_, threads) = mpsc::channel();
        Self::with(CancellationToken::new(), threads)
    }

    /// So many workers, one for each core that the process may use unless told. The first is the runtime that
    /// this is called in; the others get threads of their own.
    pub fn start(count: Option<NonZeroU32>) -> io::Result<Self> {
        let cores = || thread::available_parallelism().ok()?.try_into().ok();
        let count = count.or_else(cores).map_or(1, NonZeroU32::get);
        let stop = CancellationToken::new();
        let (report, threads) = mpsc::channel();
        let mut workers = Self::with(stop.clone(), threads);
        for index in 1..count {
            let (stop, report) = (stop.clone(), report.clone());
            thread::Builder::new().name(format!("backstop-{index}")).spawn(move || work(&stop, &report))?;
        }
        for _ in 1..count {
            workers.all.push(Worker::new(workers.threads.recv().map_err(io::Error::other)??));
        }
        Ok(workers)
    }

    fn with(stop: CancellationToken, threads: Receiver<io::Result<Handle>>) -> Self {
        Self { all: vec![Worker::new(Handle::current())], next: HERE, stop, threads }
    }

    /// Has the worker with the fewest connections `serve` this one, as one of `tasks`.
    pub(super) fn spawn<F>(
        &mut self,
        tasks: &mut JoinSet<()>,
        stream: TcpStream,
        serve: impl FnOnce(TcpStream) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send,
    {
        let counts: Vec<usize> = self.all.iter().map(Worker::connections).collect();
        let index = fewest(&counts, self.next);
        self.next = index + 1;
        let worker = &self.all[index];
        let seat = Arc::clone(&worker.seat);
        let socket = match index {
            HERE => Socket::Ours(stream),
            _ => Socket::Given(stream.into_std()),
        };
        let connection = async move {
            match socket.arrive() {
                Ok(stream) => serve(stream).await,
                Err(error) => tracing::error!(%error, "a connection did not get to its thread"),
            }
            drop(seat);
        };
        tasks.spawn_on(connection, &worker.runtime);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.cancel();
        while self.threads.recv_timeout(THREADS_END).is_ok() {}
    }
}

/// What a thread does: it serves what is spawned on its runtime, until it is told to stop.
fn work(stop: &CancellationToken, report: &Sender<io::Result<Handle>>) {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            // Nobody is there to hear it if another one could not start.
            let _ = report.send(Ok(runtime.handle().clone()));
            timers::block_on(&runtime, stop.cancelled());
            // A name look-up that hangs has a thread of its own, and nobody waits for it any more.
            runtime.shutdown_background();
        }
        Err(error) => drop(report.send(Err(error))),
    }
}

/// The first of those with the lowest count, beginning with `next`.
fn fewest(counts: &[usize], next: usize) -> usize {
    let in_turn = (0..counts.len()).map(|offset| (next + offset) % counts.len());
    in_turn.min_by_key(|index| counts[*index]).unwrap_or(HERE)
}

/// A socket on its way to its thread.
enum Socket {
    /// It is there.
    Ours(TcpStream),
    /// No runtime watches it, until that of its thread does.
    Given(io::Result<std::net::TcpStream>),
}

impl Socket {
    fn arrive(self) -> io::Result<TcpStream> {
        match self {
            Self::Ours(stream) => Ok(stream),
            Self::Given(stream) => TcpStream::from_std(stream?),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_fewest_win_and_equals_take_turns() {
        for (counts, next, index) in [
            (&[0][..], 0, 0),
            (&[0], 1, 0),
            (&[0, 0], 0, 0),
            (&[0, 0], 1, 1),
            (&[0, 0], 2, 0),
            (&[3, 2], 0, 1),
            (&[2, 3], 1, 0),
            (&[1, 0, 0, 1], 3, 1),
            (&[1, 0, 0, 1], 2, 2),
        ] {
            assert_eq!(fewest(counts, next), index, "{counts:?} from {next}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
        #[test]
        fn whoever_comes_goes_where_the_fewest_are(
            workers in 1_usize..9,
            events in prop::collection::vec(prop::option::of(0_usize..9), 0..60),
        ) {
            let (mut counts, mut next) = (vec![0_usize; workers], 0);
            for left in events {
                if let Some(index) = left {
                    let count = &mut counts[index % workers];
                    *count = count.saturating_sub(1);
                    continue;
                }
                let index = fewest(&counts, next);
                next = index + 1;
                prop_assert_eq!(counts[index], counts.iter().copied().min().unwrap());
                counts[index] += 1;
            }
        }
    }

    #[tokio::test]
    async fn threads_end_with_their_owner() {
        let workers = Workers::start(NonZeroU32::new(3)).unwrap();
        let (stop, runtimes) =
            (workers.stop.clone(), workers.all.iter().map(|worker| worker.runtime.clone()));
        let [_, second, third] = runtimes.collect::<Vec<_>>().try_into().unwrap();
        let mut tasks = JoinSet::new();
        for runtime in [&second, &third] {
            tasks.spawn_on(std::future::pending::<()>(), runtime);
        }

        drop(workers);

        assert!(stop.is_cancelled());
        while let Some(ended) = tasks.join_next().await {
            assert!(ended.unwrap_err().is_cancelled());
        }
        let late = tasks.spawn_on(std::future::pending(), &second);
        assert!(late.is_finished(), "nothing runs there any more");
    }
}
