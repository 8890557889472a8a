//! The limits of an attempt, and those who keep them.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use crate::retry::patience::{late, out_of_time};
use crate::retry::{Class, Fault, Growth, Phase, Words};
use crate::route::Timeouts;
use crate::timers;
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
        sending: Pin<&mut impl Future<Output = Result<T, Fault>>>,
    ) -> Result<T, Fault> {
        // Only `sending` connects, so that whatever it has changed is seen when it has been polled.
        let end = || connected.at().map_or(self.until.time, |from| self.clip(from, self.first_byte));
        match timers::within(sending, end).await {
            Ok(result) => result,
            Err(end) if end == self.until.time => {
                let phase = connected.at().map_or(Phase::Connect, |_| Phase::FirstByte);
                Err(out_of_time(phase, connected.began().elapsed(), self.until.is_share))
            }
            Err(_) => Err(late(Phase::FirstByte, self.first_byte)),
        }
    }

    /// Waits for the first payload, or for the next piece of an answer that is not streamed.
    pub(super) fn payload<T>(
        &self,
        reading: Pin<&mut impl Future<Output = Result<T, Fault>>>,
    ) -> impl Future<Output = Result<T, Fault>> {
        self.piece(self.first_token, reading, || late(Phase::FirstToken, self.first_token))
    }

    /// Waits for the next piece of an answer whose first payload has come, though it has not opened.
    pub(super) fn silence<T>(
        &self,
        reading: Pin<&mut impl Future<Output = Result<T, Fault>>>,
    ) -> impl Future<Output = Result<T, Fault>> {
        let silent = || {
            let reason = format!("no byte within {} (idle)", Words(self.idle));
            Fault::new(Class::Timeout, Phase::FirstToken, reason)
        };
        self.piece(self.idle, reading, silent)
    }

    /// Waits for a piece of an answer. What is there already needs neither a look at the clock nor a timer.
    async fn piece<T>(
        &self,
        limit: Duration,
        reading: Pin<&mut impl Future<Output = Result<T, Fault>>>,
        late: impl FnOnce() -> Fault,
    ) -> Result<T, Fault> {
        let mut began = None;
        let end = || self.clip(*began.get_or_insert_with(Instant::now), limit);
        match timers::within(reading, end).await {
            Ok(result) => result,
            Err(end) if end == self.until.time => {
                let waited = began.map_or(Duration::ZERO, |began| began.elapsed());
                Err(out_of_time(Phase::FirstToken, waited, self.until.is_share))
            }
            Err(_) => Err(late()),
        }
    }

    fn clip(&self, from: Instant, limit: Duration) -> Instant {
        from.checked_add(limit).map_or(self.until.time, |end| end.min(self.until.time))
    }
}
