//! Sees everything that happens to a request: log lines, the trail and the shown progress all
//! hang on it, and there is no second place that counts.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::health::{Pass, Rest};
use super::progress::Progress;
use super::{Asked, Attempt, Drain, Failure, Outcome, Request};
use crate::config::Secrets;
use crate::retry::Fault;
use crate::retry::schedule::Send;
use crate::route::{Candidate, Kind, Route};
use crate::telemetry::{self, Access};

mod story;
mod tried;
mod words;

pub(super) use tried::Try;
pub(super) use words::{attempts, not_asked};

use story::Story;

/// More attempts than this are counted but not told one by one.
const LONGEST_TRAIL: usize = 500;

/// Watches one request; dropped before the end, it records `client_gone`, or `internal` in a panic.
pub(super) struct Observer {
    asked: Arc<Asked>,
    route: Arc<Route>,
    secrets: Secrets,
    status: fn(Outcome, Option<u16>) -> StatusCode,
    provider_status: Option<u16>,
    started: Instant,
    /// Whether nobody waits for the answer, if so.
    task: Option<bool>,
    of: u32,
    sent: u32,
    /// The attempt that was sent last or has answered.
    latest: Option<Try>,
    /// What the answer's candidate is told about its end.
    pass: Option<Box<Pass>>,
    trail: Vec<Attempt>,
    story: Story,
    /// Whether errors are for the eyes of the user of a chat.
    brief: bool,
    warned: bool,
    ended: bool,
    dropped: Outcome,
    drain: Drain,
}

impl Observer {
    /// The observer of a request that begins now.
    pub(super) fn new(
        request: &Request,
        secrets: Secrets,
        status: fn(Outcome, Option<u16>) -> StatusCode,
        drain: Drain,
    ) -> Self {
        let started = Instant::now();
        Self {
            asked: Arc::clone(&request.asked),
            route: Arc::clone(&request.route),
            secrets,
            status,
            provider_status: None,
            started,
            task: (request.route.kind == Kind::Task).then_some(true),
            of: 0,
            sent: 0,
            latest: None,
            pass: None,
            trail: Vec::new(),
            story: Story::new(request, started),
            brief: request.progress.is_for_a_chat(),
            warned: false,
            ended: false,
            dropped: Outcome::ClientGone,
            drain,
        }
    }

    /// What is shown of the request, if it is a stream and anything can be.
    pub(super) fn progress(&self) -> Option<&Progress> {
        self.story.progress()
    }

    /// Whether errors are one short sentence, for the user of a chat.
    pub(super) fn brief(&self) -> bool {
        self.brief
    }

    pub(super) fn trail(&self) -> &[Attempt] {
        &self.trail
    }

    pub(super) fn take_trail(&mut self) -> Vec<Attempt> {
        std::mem::take(&mut self.trail)
    }

    /// When the request began.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// Time since the request began.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whom the latest attempt asked.
    pub(super) fn latest_candidate(&self) -> Option<&Candidate> {
        self.latest.as_ref().map(|attempt| self.whom(attempt))
    }

    /// `provider/model` of the latest attempt.
    pub(super) fn candidate(&self) -> String {
        self.latest_candidate().map(Candidate::name).unwrap_or_default()
    }

    /// Whom an attempt asks.
    fn whom(&self, attempt: &Try) -> &Candidate {
        &self.route.chain.candidates()[attempt.candidate]
    }

    /// A wait of `send.wait` begins; `rest` says which candidate is left alone, and why.
    ///
    /// It may be `cut_short` where it ends as soon as others get through.
    pub(super) fn waiting(
        &mut self,
        send: &Send,
        of: u32,
        rest: Option<(&Candidate, &str)>,
        cut_short: bool,
    ) {
        let text = words::waiting(send, of, rest, cut_short);
        tracing::debug!(request_id = self.asked.id(), "{}:{} - {text}", self.asked.who(), self.route.name);
        self.story.waiting(send, text);
    }

    /// The next attempt has to wait for its turn behind those of others.
    pub(super) fn queued(&self, send: &Send, of: u32, candidate: &Candidate, rest: &Rest) {
        if let Some(progress) = self.story.progress() {
            progress.wait(words::queued(send, of, candidate, rest));
        }
    }

    /// A candidate was not asked when it was its turn.
    pub(super) fn skipped(&self, candidate: &Candidate, why: &str) {
        tracing::debug!(
            request_id = %self.asked.id(),
            "{}:{} - not asked: {}", self.asked.who(), self.route.name, not_asked(candidate, why),
        );
    }

    /// An attempt goes out; the request may make `of` of them.
    pub(super) fn sending(&mut self, attempt: &Try, of: u32) {
        // One more key is tried under the number of the first.
        self.sent = self.sent.max(attempt.number);
        self.of = of;
        self.story.sending(self.route.chain.candidates(), attempt, self.latest.as_ref(), of);
        self.latest = Some(attempt.clone());
    }

    /// An attempt failed; gives the fault back with every secret masked.
    pub(super) fn failed(&mut self, attempt: &Try, mut fault: Fault) -> Fault {
        fault.reason = self.mask(&fault.reason);
        let candidate = self.whom(attempt);
        tracing::info!(
            request_id = %self.asked.id(), route = %self.route.name, task = self.task,
            provider = %candidate.provider_name, class = fault.class.as_str(), status = fault.status,
            key = attempt.key.as_deref(), "{}:{} - Attempt {}/{}: ERROR: {fault}",
            self.asked.who(), candidate.model, attempt.number, self.of,
        );
        self.remember(attempt, &fault);
        self.story.failed(self.route.chain.candidates(), attempt, &fault);
        fault
    }

    /// Of two attempts under way `attempt` is cancelled, because `other` did `what`; that is no failure.
    pub(super) fn cancelled(&mut self, attempt: &Try, other: &Try, what: &str) {
        let candidate = self.whom(attempt);
        tracing::info!(
            request_id = %self.asked.id(), route = %self.route.name, task = self.task,
            provider = %candidate.provider_name, key = attempt.key.as_deref(),
            "{}:{} - Attempt {}/{}: cancelled, attempt {} {what}",
            self.asked.who(), candidate.model, attempt.number, self.of, other.number,
        );
        self.story.let_go();
    }

    /// The answer of the latest attempt broke off after it had opened; gives the fault back with
    /// every secret masked, and the attempt's key if the provider has another one.
    pub(super) fn broke(&mut self, outcome: Outcome, mut fault: Fault) -> (Fault, Option<usize>) {
        fault.reason = self.mask(&fault.reason);
        let mut key = None;
        if let Some(pass) = self.pass.take() {
            key = pass.other_keys().then_some(pass.key());
            pass.failed(&fault);
        }
        if let Some(attempt) = self.latest.clone() {
            let candidate = self.whom(&attempt);
            tracing::info!(
                request_id = %self.asked.id(), route = %self.route.name, task = self.task,
                provider = %candidate.provider_name, "{}:{} - Attempt {}/{}: ERROR: {outcome} - {}",
                self.asked.who(), candidate.model, attempt.number, self.of, fault.reason,
            );
            self.remember(&attempt, &fault);
        }
        self.story.broke(self.elapsed(), self.sent);
        (fault, key)
    }

    fn remember(&mut self, attempt: &Try, fault: &Fault) {
        if self.trail.len() == LONGEST_TRAIL {
            return;
        }
        // Of two under way at a time, the later one may fail first.
        let at = self.trail.partition_point(|tried| tried.number <= attempt.number);
        let candidate = self.whom(attempt);
        let tried = Attempt {
            number: attempt.number,
            provider: Arc::clone(&candidate.provider_name),
            model: Arc::clone(&candidate.model),
            key: attempt.key.clone(),
            phase: fault.phase.as_str(),
            code: fault.class.as_str(),
            status: fault.status,
            reason: fault.reason.clone(),
            waited: (attempt.waited.as_secs_f64() * 1000.0).round() / 1000.0,
        };
        // Most trails stay short, and a vector would begin with room for four.
        self.trail.reserve_exact(usize::from(self.trail.is_empty()));
        self.trail.insert(at, tried);
    }

    /// The answer of an attempt goes out; what becomes of it, its `pass` is told.
    pub(super) fn answered(&mut self, attempt: Try, pass: Box<Pass>) {
        let (left, candidate) = (pass.quota_left(), self.whom(&attempt));
        tracing::info!(
            message = %words::Success {
                who: self.asked.who(),
                model: &candidate.model,
                number: attempt.number,
                of: self.of,
                elapsed: self.elapsed(),
            },
            request_id = self.asked.id(),
            route = &*self.route.name,
            task = self.task,
            provider = &*candidate.provider_name,
            key = attempt.key.as_deref(),
            quota_minute = left.and_then(|left| left.minute),
            quota_day = left.and_then(|left| left.day),
        );
        self.story.answered(self.route.chain.candidates(), &attempt, self.started, self.sent);
        self.latest = Some(attempt);
        self.pass = Some(pass);
    }

    /// How many requests the quotas of the answer's key leave, the tightest one counted.
    pub(super) fn quota_left(&self) -> Option<u32> {
        self.pass.as_deref().and_then(Pass::quota_left)?.lowest()
    }

    /// The provider sent something that is no event; said once a stream.
    pub(super) fn dropped_event(&mut self) {
        if !self.warned {
            self.warned = true;
            tracing::warn!(
                request_id = %self.asked.id(),
                "{}:{} - dropped an event that is not JSON", self.asked.who(), self.candidate(),
            );
        }
    }

    /// The number of the latest attempt.
    pub(super) fn attempts(&self) -> u32 {
        self.sent
    }

    /// `text` without secrets.
    fn mask(&self, text: &str) -> String {
        self.secrets.mask(text).into_owned()
    }

    /// No attempt follows, and none was answered.
    pub(super) fn failed_for_good(&mut self, failure: &Failure) {
        self.unanswered();
        self.provider_status = failure.provider_status;
        self.ended(failure.outcome);
    }

    /// Nobody answers, or goes on with an answer.
    pub(super) fn unanswered(&self) {
        self.story.unanswered(self.elapsed(), self.sent);
    }

    /// From now on being dropped before the end means this.
    pub(super) fn if_dropped(&mut self, outcome: Outcome) {
        self.dropped = outcome;
    }

    /// The request is over; only the first call counts.
    pub(super) fn ended(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        match self.pass.take() {
            Some(pass) if outcome == Outcome::Ok => pass.finished(),
            // Whatever else ended it was no fault of the candidate.
            pass => drop(pass),
        }
        telemetry::access(&Access {
            request_id: self.asked.id(),
            client: self.asked.client(),
            user: self.asked.user(),
            method: "POST",
            path: self.asked.path(),
            route: Some(&self.route.name),
            task: self.task,
            outcome: outcome.as_str(),
            status: (self.status)(outcome, self.provider_status).as_u16(),
            attempts: Some(self.sent),
            provider: self.latest_candidate().map(|candidate| &*candidate.provider_name),
            model: self.latest_candidate().map(|candidate| &*candidate.model),
            elapsed: self.elapsed(),
        });
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.ended(match self.dropped {
            _ if std::thread::panicking() => Outcome::Internal,
            Outcome::ClientGone if self.drain.streams.is_given() => Outcome::ShuttingDown,
            dropped => dropped,
        });
    }
}
