//! Word that a candidate is back, for those who wait.

use tokio::sync::watch;

/// Tells all who wait for a candidate.
#[derive(Debug, Default)]
pub(super) struct Teller(watch::Sender<()>);

impl Teller {
    pub(super) fn tell(&self) {
        self.0.send_replace(());
    }

    /// News from now on.
    pub(super) fn news(&self) -> News {
        News(self.0.subscribe())
    }

    /// Whether anybody waits.
    pub(super) fn is_heard(&self) -> bool {
        self.0.receiver_count() > 0
    }
}

/// What becomes known of a candidate since it was asked for; nothing is missed between that and the wait.
#[derive(Debug, Clone)]
pub(in crate::relay) struct News(watch::Receiver<()>);

impl News {
    /// Resolves when a rest has ended early: when an answer of the candidate has opened, also one that lets
    /// more through after a 429, or when its probe has ended without a judgement.
    pub(in crate::relay) async fn recovered(mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
