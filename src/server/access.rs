//! What is known about a request on its way through the server, and its access line.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use http::Method;
use tokio::time::Instant;

use crate::relay::{Outcome, Signal, User};
use crate::telemetry::{self, Access};

/// More characters of what a client sent are in no message and no line of the log.
const LONGEST: usize = 256;

/// The first characters of `text`, and a sign that there were more.
pub(super) fn clip(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Who asks, for handlers; an extension of the request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The value of `x-request-id`.
    pub(super) id: Arc<str>,
    /// The client's IP address.
    pub(super) client: Arc<str>,
    /// The path, without its query, clipped.
    pub(super) path: Arc<str>,
    learnt: Arc<Learnt>,
}

/// What becomes known of a request on its way.
#[derive(Debug, Default)]
struct Learnt {
    user: OnceLock<Arc<str>>,
    relayed: AtomicBool,
}

impl Asked {
    /// It is known now who asks.
    pub(super) fn is(&self, user: &User) {
        if let Some(name) = user.name() {
            self.learnt.user.get_or_init(|| Arc::clone(name));
        }
    }

    /// From here on the relay answers, and it writes the access line when the answer has ended.
    pub(super) fn hand_over(&self) {
        self.learnt.relayed.store(true, Ordering::Relaxed);
    }
}

/// Writes the access line of a request unless the relay does; dropped early, the client has left, unless
/// a drain cut it off.
#[derive(Debug)]
pub(super) struct Line {
    /// Who asks.
    pub asked: Asked,
    method: Method,
    began: Instant,
    cut: Signal,
    written: bool,
}

impl Line {
    /// A request whose head has just come in; from `cut` on, requests are cut off.
    pub fn begin(id: Arc<str>, client: Arc<str>, method: &Method, path: &str, cut: Signal) -> Self {
        Self {
            asked: Asked { id, client, path: clip(path).into(), learnt: Arc::default() },
            method: method.clone(),
            began: Instant::now(),
            cut,
            written: false,
        }
    }

    /// The request ends with `status`.
    pub fn end(mut self, outcome: Outcome, status: u16) {
        self.write(outcome, status);
    }

    /// What it means that the request does not come to its end.
    fn unfinished(&self) -> Outcome {
        if self.cut.is_given() { Outcome::ShuttingDown } else { Outcome::ClientGone }
    }

    fn write(&mut self, outcome: Outcome, status: u16) {
        if self.written || self.asked.learnt.relayed.load(Ordering::Relaxed) {
            return;
        }
        self.written = true;
        telemetry::access(&Access {
            request_id: &self.asked.id,
            client: &self.asked.client,
            user: self.asked.learnt.user.get().map(|user| &**user),
            method: &clip(self.method.as_str()),
            path: &self.asked.path,
            outcome: outcome.as_str(),
            status,
            elapsed: self.began.elapsed(),
            ..Default::default()
        });
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let outcome = self.unfinished();
        self.write(outcome, super::error::status(outcome, None).as_u16());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_a_drain_cuts_off_has_not_left() {
        let cut = Signal::default();
        let line = Line::begin("id".into(), "127.0.0.1".into(), &Method::GET, "/", cut.clone());

        assert_eq!(line.unfinished(), Outcome::ClientGone);
        cut.give();
        assert_eq!(line.unfinished(), Outcome::ShuttingDown);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
        #[test]
        fn a_clipped_text_is_the_beginning_of_it(text in ".{0,600}") {
            let clipped = clip(&text);
            prop_assert!(clipped.chars().count() <= LONGEST + 1);
            prop_assert!(text == clipped || text.starts_with(clipped.strip_suffix('…').unwrap()));
        }
    }
}
