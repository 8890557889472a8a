//! The loop: attempt, fault, verdict, step.

use std::sync::Arc;

use rand::RngExt;
use rand::rngs::SmallRng;

use super::answer::Answer;
use super::limits::Until;
use super::observer::Observer;
use super::{Failure, Outcome, Relay, Request, attempt};
use crate::retry::classify;
use crate::retry::schedule::{Schedule, Send, Step, Stop};
use crate::retry::{Class, Deciding, DelayRange, Fault, Growth, Words};
use crate::route::Candidate;
use crate::upstream::Upstream;

/// Tries `request` until a candidate answers or none is left.
pub(super) async fn run<U: Upstream>(
    relay: Arc<Relay<U>>,
    request: Request,
    mut observer: Observer,
) -> Result<Answer<U::Body>, Failure> {
    let drain = relay.drain.clone();
    let opened = {
        let attempts = drive(&relay, &request, &mut observer);
        tokio::select! {
            biased;
            result = attempts => result,
            () = drain.streams.cancelled() => Err(End::ShuttingDown),
        }
    };
    match opened {
        Ok(opened) => Ok(Answer::new(opened, &request, observer, drain.streams)),
        Err(end) => {
            let failure = end.failure(&request, &mut observer);
            observer.failed_for_good(&failure);
            Err(failure)
        }
    }
}

/// Why a request got no answer.
enum End {
    /// The schedule stopped; the fault that decides the outcome, and whose it was.
    Stopped(Stop, (usize, Fault)),
    /// The process is about to end.
    ShuttingDown,
}

async fn drive<U: Upstream>(
    relay: &Relay<U>,
    request: &Request,
    observer: &mut Observer,
) -> Result<attempt::Opened<U::Body>, End> {
    let route = &request.route;
    let candidates = route.chain.candidates();
    let mut schedule = Schedule::new(route);
    let mut generator: SmallRng = rand::make_rng();
    let mut growth = vec![Growth::default(); candidates.len()];
    let mut deciding = Deciding::default();
    let mut step = schedule.first();
    loop {
        let send = match step {
            Step::Send(send) => send,
            Step::Stop(stop) => {
                let fault = deciding.fault().expect("a schedule stops after a failed attempt only");
                return Err(End::Stopped(stop, fault));
            }
        };
        wait(relay, &send, schedule.of(), observer).await?;
        let candidate = &candidates[send.candidate];
        observer.sending(&send, schedule.of(), candidate);
        let until =
            Until { time: observer.started() + send.until, is_share: send.until < route.policy.deadline };
        let limits = growth[send.candidate].limits(&candidate.timeouts, request.envelope.stream(), until);
        let fault = match attempt::run(relay, request, candidate, limits, observer).await {
            Ok(opened) => {
                observer.answered();
                return Ok(opened);
            }
            Err(fault) => observer.failed(fault),
        };
        if schedule.alone() {
            growth[send.candidate].after(&fault);
        }
        let verdict = classify::verdict(&fault, &candidate.policy.on);
        deciding.note(send.candidate, fault, verdict);
        let mut draw = |range: DelayRange| generator.random_range(range.min()..=range.max());
        step = schedule.after(verdict, observer.elapsed(), &mut draw);
    }
}

/// Sleeps before an attempt; the signal to stop ends the wait and the request.
async fn wait<U>(relay: &Relay<U>, send: &Send, of: u32, observer: &mut Observer) -> Result<(), End> {
    if send.wait.is_zero() {
        return Ok(());
    }
    observer.waiting(send, of);
    tokio::select! {
        biased;
        () = relay.drain.pauses.cancelled() => Err(End::ShuttingDown),
        () = tokio::time::sleep(send.wait) => Ok(()),
    }
}

impl End {
    fn failure(self, request: &Request, observer: &mut Observer) -> Failure {
        let route = &request.route.name;
        let trail = observer.take_trail();
        let sent = observer.attempts();
        let attempts = match sent {
            1 => "1 attempt".to_owned(),
            count => format!("{count} attempts"),
        };
        let (stop, candidate, fault) = match self {
            Self::Stopped(stop, (candidate, fault)) => (stop, candidate, fault),
            Self::ShuttingDown => {
                return Failure {
                    outcome: Outcome::ShuttingDown,
                    message: format!(
                        "Backstop is shutting down; `{route}` had no answer after {attempts}: ask again in a moment"
                    ),
                    retry_after: Some(std::time::Duration::from_secs(1)),
                    provider_status: None,
                    attempts: sent,
                    trail,
                };
            }
        };
        let retry_after = stop.wish(&fault);
        let Candidate { provider_name, model, .. } = &request.route.chain.candidates()[candidate];
        let hint = match retry_after {
            Some(after) => format!("; try again in {}", Words::about(after)),
            None => advice(fault.class).map(|advice| format!("; {advice}")).unwrap_or_default(),
        };
        Failure {
            outcome: Outcome::Failed(fault.class),
            message: format!(
                "`{route}` got no answer after {attempts} in {} ({}), `{provider_name}/{model}`: {fault}{hint}",
                Words::about(observer.elapsed()),
                stop.reason,
            ),
            retry_after,
            provider_status: fault.status,
            attempts: sent,
            trail,
        }
    }
}

/// What whoever reads the error may do about it.
fn advice(class: Class) -> Option<&'static str> {
    match class {
        Class::RateLimited | Class::Overloaded | Class::Reset => Some("try again in a moment"),
        Class::Connect => Some("is it running, and is its `base_url` right?"),
        Class::Timeout => Some("try again, or give it longer limits under `timeouts`"),
        Class::Broken | Class::Empty => Some("try again, or add another model to the chain"),
        Class::Unauthorized => Some("check the `api_key` of the provider"),
        Class::Payment => Some("its account needs credit"),
        Class::NotFound => Some("check the name of the model and the `base_url`"),
        Class::ContextLength => Some("shorten the conversation, or add a model with a larger context"),
        Class::Unsupported => Some("add a model to the chain that can do it"),
        // Their reasons speak for themselves.
        Class::Unexpected | Class::ContentPolicy | Class::BadRequest => None,
    }
}
