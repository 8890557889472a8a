//! A request as its user is told of it: which lines and toasts its progress has.

use std::time::Duration;

use tokio::time::Instant;

use super::{Try, words};
use crate::openai::progress::Toast;
use crate::relay::progress::Progress;
use crate::relay::{Request, brief};
use crate::retry::Fault;
use crate::retry::schedule::{Gap, Send};
use crate::route::Candidate;

/// What has been told, and what has to be known to tell the rest.
pub(super) struct Story {
    /// Where it is told; an answer that comes as a whole has no such place.
    progress: Option<Progress>,
    /// The places in the chain of those who were tried, and how often each was; where a model stands in it more
    /// than once, the first one.
    tried: Vec<(usize, u32)>,
    /// Attempts under way.
    under_way: u32,
    /// Of whom it has been told that they refuse.
    refusals: Vec<String>,
    /// When an answer broke off, and after how many attempts.
    broke: Option<(Duration, u32)>,
}

impl Story {
    pub(super) fn new(request: &Request, began: Instant) -> Self {
        let progress = request.envelope.stream().then(|| Progress::new(request, began));
        Self { progress, tried: Vec::new(), under_way: 0, refusals: Vec::new(), broke: None }
    }

    pub(super) fn progress(&self) -> Option<&Progress> {
        self.progress.as_ref()
    }

    /// A wait begins.
    pub(super) fn waiting(&self, send: &Send, text: String) {
        let Some(progress) = &self.progress else { return };
        if let Gap::Burst { .. } | Gap::Cycle { .. } = send.gap {
            progress.toast(Toast::Warning, text.clone());
        }
        progress.wait(text);
    }

    /// `attempt` at one of the `chain` goes out after `latest`; the request may make `of` of them.
    pub(super) fn sending(&mut self, chain: &[Candidate], attempt: &Try, latest: Option<&Try>, of: u32) {
        let beside = self.under_way > 0;
        self.under_way += 1;
        let Some(progress) = &self.progress else { return };
        let to = &chain[attempt.candidate];
        let is_other = |latest: &&Try| !beside && !chain[latest.candidate].is_same_model(to);
        let known = self.tried.iter_mut().find(|(place, _)| chain[*place].is_same_model(to));
        let is_new = known.is_none();
        match known {
            // One more key is tried under the number of the first.
            Some(_) if latest.is_some_and(|latest| latest.number == attempt.number) => {}
            Some((_, times)) => *times += 1,
            None => self.tried.push((attempt.candidate, 1)),
        }
        let switch = latest.filter(is_other).filter(|_| is_new).map(|before| {
            let from = &chain[before.candidate];
            let known = self.tried.iter().find(|(place, _)| chain[*place].is_same_model(from));
            let times = known.map_or(1, |(_, times)| *times);
            let (from, to) = if from.model == to.model {
                (from.name(), to.name())
            } else {
                (from.model.to_string(), to.model.to_string())
            };
            words::switched(&from, &to, times, (attempt.number - 1, of))
        });
        progress.attempt(attempt.number, of, switch.clone());
        if let Some(text) = switch {
            progress.toast(Toast::Info, text);
        }
    }

    /// `attempt` at one of the `chain` failed.
    pub(super) fn failed(&mut self, chain: &[Candidate], attempt: &Try, fault: &Fault) {
        self.let_go();
        let Some(progress) = &self.progress else { return };
        progress.failed();
        let who = chain[attempt.candidate].name();
        let Some(text) = brief::refusal(&who, attempt.key.as_deref(), fault) else { return };
        if !self.refusals.contains(&text) {
            progress.refusal(text.clone());
            self.refusals.push(text);
        }
    }

    /// An attempt under way is let go of.
    pub(super) fn let_go(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// An answer comes from `attempt` at one of the `chain` to a request that began then, after `sent` attempts.
    pub(super) fn answered(&mut self, chain: &[Candidate], attempt: &Try, began: Instant, sent: u32) {
        self.under_way = 0;
        let Some(progress) = self.progress.as_ref().filter(|progress| !progress.is_silent()) else { return };
        let elapsed = began.elapsed();
        let who = words::maker(&chain[attempt.candidate].model);
        let (line, toast) = match self.broke.take() {
            Some((when, before)) => words::continued(who, elapsed.saturating_sub(when), sent - before),
            None => words::received(who, elapsed, sent),
        };
        progress.answered(line, toast);
    }

    /// The answer broke off, so long after the request began and after `sent` attempts.
    pub(super) fn broke(&mut self, elapsed: Duration, sent: u32) {
        self.broke = Some((elapsed, sent));
        if let Some(progress) = &self.progress {
            progress.broke();
        }
    }

    /// Nobody answered.
    pub(super) fn unanswered(&self, elapsed: Duration, sent: u32) {
        let Some(progress) = &self.progress else { return };
        let line = match self.broke {
            Some((when, before)) => words::not_continued(elapsed.saturating_sub(when), sent - before),
            None => words::not_received(elapsed, sent),
        };
        progress.unanswered(line);
    }
}
