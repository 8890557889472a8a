//! The load: closed loops, open loops at a fixed rate, and streams that stay open.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use super::client::{Connection, Seen};

/// What a load came to. Times are in microseconds.
pub struct Load {
    /// Responses that came to their end.
    pub responses: u64,
    /// Events in them.
    pub events: u64,
    /// Responses that were not 200, and connections that broke.
    pub failures: u64,
    /// How long it took, in all.
    pub took: Duration,
    /// To the first byte; in an open loop from when the request was due.
    pub first_byte: Histogram<u64>,
    /// Of each event, from where it was made to here.
    pub event: Histogram<u64>,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            responses: 0,
            events: 0,
            failures: 0,
            took: Duration::ZERO,
            first_byte: histogram(),
            event: histogram(),
        }
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are in order")
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).clamp(1, 600_000_000)
}

impl Load {
    fn note(&mut self, result: &io::Result<Seen>, waited: Duration) {
        match result {
            Ok(seen) if seen.status == 200 => {
                self.responses += 1;
                self.events += seen.events;
                self.first_byte.saturating_record(microseconds(waited + seen.first_byte));
            }
            _ => self.failures += 1,
        }
    }
}

/// A load under way; all of it runs on one thread.
#[derive(Clone)]
struct Run {
    address: SocketAddr,
    request: Rc<[u8]>,
    load: Rc<RefCell<Load>>,
}

impl Run {
    fn new(address: SocketAddr, request: &[u8]) -> Self {
        Self { address, request: request.into(), load: Rc::default() }
    }

    /// Sends the request, which has `waited` for its turn, and notes what comes of it.
    async fn exchange(&self, connection: &mut Connection, waited: Duration) -> io::Result<()> {
        let late = &mut |time| self.load.borrow_mut().event.saturating_record(microseconds(time));
        let result = connection.exchange(&self.request, late).await;
        let broken = result.is_err();
        self.load.borrow_mut().note(&result, waited);
        if broken { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }

    /// Has `workers` do their work, each with a connection of its own.
    async fn all<W: Future<Output = io::Result<()>> + 'static>(
        self,
        workers: usize,
        work: impl Fn(Self, Connection) -> W + Clone + 'static,
    ) -> Load {
        let began = Instant::now();
        let set = LocalSet::new();
        let mut tasks = JoinSet::new();
        for _ in 0..workers {
            let (run, work) = (self.clone(), work.clone());
            tasks.spawn_local_on(
                async move {
                    match Connection::open(run.address).await {
                        // What went wrong has been counted.
                        Ok(connection) => drop(work(run, connection).await),
                        Err(_) => run.load.borrow_mut().failures += 1,
                    }
                },
                &set,
            );
        }
        set.run_until(async { while tasks.join_next().await.is_some() {} }).await;
        let mut load = self.load.take();
        load.took = began.elapsed();
        load
    }
}

/// Sends `request` over each of `connections` again and again until `time` has passed.
pub async fn closed(address: SocketAddr, request: &[u8], connections: usize, time: Duration) -> Load {
    let end = Instant::now() + time;
    let work = move |run: Run, mut connection| async move {
        while Instant::now() < end {
            run.exchange(&mut connection, Duration::ZERO).await?;
        }
        Ok(())
    };
    Run::new(address, request).all(connections, work).await
}

/// Sends `request` once over each of `connections`.
pub async fn once(address: SocketAddr, request: &[u8], connections: usize) -> Load {
    let work = |run: Run, mut connection| async move { run.exchange(&mut connection, Duration::ZERO).await };
    Run::new(address, request).all(connections, work).await
}

/// Sends `rate` requests a second whether or not the ones before were answered. The time to the first byte
/// counts from when a request was due, so that a proxy which stalls pays for all who had to wait.
pub async fn open(
    address: SocketAddr,
    request: &[u8],
    rate: u32,
    connections: usize,
    time: Duration,
) -> Load {
    let began = Instant::now();
    let last = u32::try_from(time.as_millis() * u128::from(rate) / 1000).unwrap_or(u32::MAX);
    let next = Rc::new(Cell::new(0));
    let work = move |run: Run, mut connection| {
        let next = Rc::clone(&next);
        async move {
            loop {
                let number = next.replace(next.get() + 1);
                if number >= last {
                    return Ok(());
                }
                let due = began + Duration::from_secs(1) * number / rate;
                sleep_until(due).await;
                run.exchange(&mut connection, due.elapsed()).await?;
            }
        }
    };
    Run::new(address, request).all(connections, work).await
}

/// The timer's steps are a millisecond; the rest is waited for by looking at the clock.
async fn sleep_until(due: Instant) {
    if let Some(before) = due.checked_sub(Duration::from_millis(2)) {
        tokio::time::sleep_until(before).await;
    }
    while Instant::now() < due {
        tokio::task::yield_now().await;
    }
}
