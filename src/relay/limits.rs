//! The limits of an attempt, and those who keep them.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use crate::retry::patience::{late, out_of_time};
use crate::retry::{Class, Fault, Growth, Phase, Words};
use crate::route::Timeouts;
use crate::upstream::Connected;

impl Growth {
    /// The limits of the next attempt, which must have opened by `until`.
    pub(super) fn limits(&self, timeouts: &Timeouts, stream: bool, until: Until) -> Limits {
        let timeouts = self.of(timeouts);
        Limits {
            connect: timeouts.connect,
            first_byte: timeouts.first_byte(stream),
            first_token: timeouts.first_token,
            idle: timeouts.idle,
            until,
            fresh: false,
        }
    }
}

/// What one attempt is held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) first_byte: Duration,
    pub(super) first_token: Duration,
    pub(super) idle: Duration,
    pub(super) until: Until,
    /// Whether it goes without the connections that are open already.
    pub(super) fresh: bool,
}

/// The moment by which an attempt must have opened, whatever its own limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until {
    pub(super) time: Instant,
    /// Whether it is the end of a share, which leaves time for other candidates.
    pub(super) is_share: bool,
}

impl Limits {
    /// Waits for the response head. The `first_byte` limit begins when `connected` says that there
    /// is a connection; how long that may take is the upstream's to limit.
    pub(super) async fn head<T>(
        &self,
        connected: &Connected,
        mut sending: Pin<&mut impl Future<Output = Result<T, Fault>>>,
    ) -> Result<T, Fault> {
        let began = Instant::now();
        let mut now = began;
        loop {
            let from = connected.at();
            let end = self.clip(from.unwrap_or(now), self.first_byte);
            match tokio::time::timeout_at(end, sending.as_mut()).await {
                Ok(result) => return result,
                Err(_) if end == self.until.time => {
                    let phase = connected.at().map_or(Phase::Connect, |_| Phase::FirstByte);
                    return Err(out_of_time(phase, began.elapsed(), self.until.is_share));
                }
                Err(_) if from.is_some() && connected.at() == from => {
                    return Err(late(Phase::FirstByte, self.first_byte));
                }
                // It was connecting when the clock was set, or is again.
                Err(_) => now = Instant::now(),
            }
        }
    }

    /// Waits for the first payload, or for the next piece of an answer that is not streamed.
    pub(super) async fn payload<T>(
        &self,
        mut reading: Pin<&mut impl Future<Output = Result<T, Fault>>>,
    ) -> Result<T, Fault> {
        if let Poll::Ready(result) = at_once(&mut reading).await {
            return result;
        }
        let began = Instant::now();
        let end = self.clip(began, self.first_token);
        match tokio::time::timeout_at(end, reading).await {
            Ok(result) => result,
            Err(_) if end == self.until.time => {
                Err(out_of_time(Phase::FirstToken, began.elapsed(), self.until.is_share))
            }
            Err(_) => Err(late(Phase::FirstToken, self.first_token)),
        }
    }

    /// Waits for the next piece of an answer whose first payload has come, though it has not opened.
    pub(super) async fn silence<T>(
        &self,
        reading: Pin<&mut impl Future<Output = Result<T, Fault>>>,
    ) -> Result<T, Fault> {
        let began = Instant::now();
        let end = self.clip(began, self.idle);
        match tokio::time::timeout_at(end, reading).await {
            Ok(result) => result,
            Err(_) if end == self.until.time => {
                Err(out_of_time(Phase::FirstToken, began.elapsed(), self.until.is_share))
            }
            Err(_) => {
                let reason = format!("no byte within {} (idle)", Words(self.idle));
                Err(Fault::new(Class::Timeout, Phase::FirstToken, reason))
            }
        }
    }

    fn clip(&self, from: Instant, limit: Duration) -> Instant {
        from.checked_add(limit).map_or(self.until.time, |end| end.min(self.until.time))
    }
}

/// Looks whether something is there already: then it needs neither a look at the clock nor a timer.
async fn at_once<F: Future>(future: &mut Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
