//! A request as its user is told of it: which lines and toasts its progress has.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Try, words};
use crate::openai::progress::Toast;
use crate::relay::progress::Progress;
use crate::relay::{Request, brief};
use crate::retry::Fault;
use crate::retry::schedule::{Gap, Send};

/// What has been told, and what has to be known to tell the rest.
pub(super) struct Story {
    progress: Progress,
    /// Whoever was asked, and how often.
    asked: Vec<(Arc<str>, Arc<str>, u32)>,
    /// Attempts under way.
    under_way: u32,
    /// Of whom it has been told that they refuse.
    refusals: Vec<String>,
    /// When an answer broke off, and after how many attempts.
    broke: Option<(Duration, u32)>,
}

impl Story {
    pub(super) fn new(request: &Request, began: Instant) -> Self {
        let progress = Progress::new(request, began);
        Self { progress, asked: Vec::new(), under_way: 0, refusals: Vec::new(), broke: None }
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// A wait begins.
    pub(super) fn waiting(&self, send: &Send, text: String) {
        if let Gap::Burst { .. } | Gap::Cycle { .. } = send.gap {
            self.progress.toast(Toast::Warning, text.clone());
        }
        self.progress.wait(text);
    }

    /// `attempt` goes out after `latest`; the request may make `of` of them.
    pub(super) fn sending(&mut self, attempt: &Try, latest: Option<&Try>, of: u32) {
        let beside = self.under_way > 0;
        self.under_way += 1;
        let before = latest.filter(|latest| !beside && !latest.is_of(attempt));
        let asked = self.asked.iter_mut().find(|(provider, model, _)| attempt.asks(provider, model));
        let is_new = asked.is_none();
        match asked {
            // One more key is tried under the number of the first.
            Some(_) if latest.is_some_and(|latest| latest.number == attempt.number) => {}
            Some((_, _, times)) => *times += 1,
            None => self.asked.push((Arc::clone(&attempt.provider), Arc::clone(&attempt.model), 1)),
        }
        let switch = before.filter(|_| is_new).map(|before| {
            let asked = self.asked.iter().find(|(provider, model, _)| before.asks(provider, model));
            let times = asked.map_or(1, |(_, _, times)| *times);
            let (from, to) = if before.model == attempt.model {
                (before.candidate(), attempt.candidate())
            } else {
                (before.model.to_string(), attempt.model.to_string())
            };
            words::switched(&from, &to, times, (attempt.number - 1, of))
        });
        self.progress.attempt(attempt.number, of, switch.clone());
        if let Some(text) = switch {
            self.progress.toast(Toast::Info, text);
        }
    }

    /// `attempt` failed.
    pub(super) fn failed(&mut self, attempt: &Try, fault: &Fault) {
        self.let_go();
        self.progress.failed();
        let who = attempt.candidate();
        let Some(text) = brief::refusal(&who, attempt.key.as_deref(), fault) else { return };
        if !self.refusals.contains(&text) {
            self.progress.refusal(text.clone());
            self.refusals.push(text);
        }
    }

    /// An attempt under way is let go of.
    pub(super) fn let_go(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// An answer comes from `attempt` to a request that began then, after `sent` attempts.
    pub(super) fn answered(&mut self, attempt: &Try, began: Instant, sent: u32) {
        self.under_way = 0;
        if self.progress.is_silent() {
            return;
        }
        let elapsed = began.elapsed();
        let who = words::maker(&attempt.model);
        let (line, toast) = match self.broke.take() {
            Some((when, before)) => words::continued(who, elapsed.saturating_sub(when), sent - before),
            None => words::received(who, elapsed, sent),
        };
        self.progress.answered(line, toast);
    }

    /// The answer broke off, so long after the request began and after `sent` attempts.
    pub(super) fn broke(&mut self, elapsed: Duration, sent: u32) {
        self.broke = Some((elapsed, sent));
        self.progress.broke();
    }

    /// Nobody answered.
    pub(super) fn unanswered(&self, elapsed: Duration, sent: u32) {
        let line = match self.broke {
            Some((when, before)) => words::not_continued(elapsed.saturating_sub(when), sent - before),
            None => words::not_received(elapsed, sent),
        };
        self.progress.unanswered(line);
    }
}
