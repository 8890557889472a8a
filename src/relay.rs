//! Drives a schedule with an upstream: from a request to the body of its answer.
//!
//! A request is tried attempt by attempt until one really opens (`peek`); then its head and
//! every byte read so far go out and the rest follows frame by frame (`stream`). A stream that
//! has waited long enough gets its head early, and its body then owns the attempts (`early`).
//! A stream that breaks may look for somebody who goes on (`resume`), with what is left of its
//! schedule. Which candidate may be asked at all, and with which key, all requests know together
//! (`health`).

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Response, StatusCode};

use crate::config::{Secrets, UserKey};
use crate::openai::envelope::Envelope;
use crate::openai::transcript::Why;
use crate::route::{Candidate, Credentials, Delivery, OnBreak, ProgressMode, Route};
use crate::upstream::Upstream;

mod answer;
pub mod asked;
mod attempt;
mod bell;
pub mod body;
mod brief;
mod dispatch;
pub mod drain;
mod early;
pub mod failure;
mod flow;
pub mod health;
mod heartbeat;
mod limits;
mod observer;
pub mod outcome;
mod peek;
mod progress;
mod record;
pub mod resume;
mod sieve;
mod stream;
#[cfg(test)]
mod tests;
pub mod user;

pub use answer::AT_ONCE;
pub use asked::Asked;
pub use body::Body;
pub use drain::{Drain, Signal};
pub use failure::{Attempt, Failure};
pub use health::Health;
pub use outcome::Outcome;
pub use progress::{PACE, Parting};
pub use user::User;

use early::{Attempts, Waiting};
use heartbeat::Heartbeat;
use observer::Observer;
use progress::Progress;
use resume::Prefills;

/// A request that is ready to be tried.
pub struct Request {
    /// What logs call it.
    pub asked: Arc<Asked>,
    /// Who asked, as far as that is known, with their own keys.
    pub user: User,
    /// The route the client asked for.
    pub route: Arc<Route>,
    /// What it shows while it waits, if it is a stream, and for whom its errors are written.
    pub progress: ProgressMode,
    /// The body, read and checked.
    pub envelope: Envelope,
    /// Those of the client's headers that attempts may carry.
    pub headers: HeaderMap,
}

impl Request {
    /// The user's own key that `candidate` is asked with, if it is.
    fn own_key(&self, candidate: &Candidate) -> Option<&UserKey> {
        self.user.key(candidate.provider).filter(|_| self.route.credentials != Credentials::Shared)
    }

    /// Whether a stream that breaks is to be continued, or else what the answer will hold that nobody can
    /// continue.
    fn resumes(&self) -> Result<(), Option<Why>> {
        let Route { on_break, delivery, .. } = &*self.route;
        match (on_break, delivery) {
            (OnBreak::Resume, Delivery::Direct) if self.envelope.may_resume() => Ok(()),
            (OnBreak::Resume, Delivery::Direct) if self.envelope.stream() => Err(Some(Why::Choices)),
            // A verified answer does not break.
            _ => Err(None),
        }
    }
}

/// Tries requests along their chains.
#[derive(Debug)]
pub struct Relay<U> {
    /// Sends the attempts.
    pub upstream: U,
    /// Which candidates cannot be asked to go on from the beginning of an answer.
    pub prefills: Prefills,
    /// Masks secrets in whatever a provider says.
    pub secrets: Secrets,
    /// Who rests, who waits, which key is next: shared by all requests.
    pub health: Arc<Health>,
    /// How long a stream waits before its head goes out without an answer.
    pub head_after: Duration,
    /// The largest answer that is not streamed, in bytes.
    pub max_answer: usize,
    /// The status that an outcome has, or would have, given the provider's own: for the log only.
    pub status: fn(Outcome, Option<u16>) -> StatusCode,
    /// The end of the process.
    pub drain: Drain,
}

impl<U: Upstream> Relay<U> {
    /// Tries `request` along its chain.
    ///
    /// The response carries the headers of an answer (`content-type`, the allowlisted ones of the
    /// provider, `x-backstop-route`, `-provider`, `-model`, `-attempts`), or those of an early head
    /// (`x-backstop-route`); a stream that shows progress has a [`Parting`] among its extensions. `x-request-id` is
    /// the server's to add. Dropping the future or the response's body ends whatever is under way.
    ///
    /// # Errors
    ///
    /// A [`Failure`] if no candidate answered before a head had gone out.
    pub fn respond(
        self: &Arc<Self>,
        request: Request,
    ) -> impl Future<Output = Result<Response<Body<U>>, Failure>> + Send + use<U> {
        let may_be_early = request.progress != ProgressMode::Off;
        let route = Arc::clone(&request.route);
        let head_after = self.head_after;
        let (attempts, progress) = self.attempts(request);
        async move {
            let Some(progress) = progress.filter(|_| may_be_early) else {
                return attempts.await.map(body::late);
            };
            let parting = progress.parting();
            let heartbeat = Heartbeat::new(progress, head_after);
            let mut response = match Waiting::new(attempts, heartbeat).head().await {
                Ok(early) => body::early(&route, early),
                Err(result) => result.map(body::late)?,
            };
            if let Some(parting) = parting {
                response.extensions_mut().insert(parting);
            }
            Ok(response)
        }
    }

    /// What will be tried for `request`, and what is shown of it.
    fn attempts(self: &Arc<Self>, request: Request) -> (Attempts<U>, Option<Progress>) {
        let secrets = self.secrets.with(request.user.secrets());
        let observer = Observer::new(&request, secrets.clone(), self.status, self.drain.clone());
        let progress = observer.progress().cloned();
        (Box::pin(dispatch::run(Arc::clone(self), request, secrets, observer)), progress)
    }
}
