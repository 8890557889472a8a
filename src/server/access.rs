//! The access line of a request on its way through the server.

use std::borrow::Cow;
use std::sync::Arc;

use http::Method;
use tokio::time::Instant;

use crate::relay::{Asked, Outcome, Signal};
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

/// Writes the access line of a request unless the relay does; dropped early, the client has left, unless
/// a drain cut it off.
#[derive(Debug)]
pub(super) struct Line<'c> {
    /// What the line calls it.
    pub asked: Arc<Asked>,
    method: Method,
    began: Instant,
    cut: &'c Signal,
    written: bool,
}

impl<'c> Line<'c> {
    /// A request whose head has just come in; from `cut` on, requests are cut off.
    pub fn begin(id: Box<str>, client: Arc<str>, method: &Method, path: &str, cut: &'c Signal) -> Self {
        Self {
            asked: Asked::new(id, client, clip(path).into()),
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
        if self.written || self.asked.is_relayed() {
            return;
        }
        self.written = true;
        telemetry::access(&Access {
            request_id: self.asked.id(),
            client: self.asked.client(),
            user: self.asked.user(),
            method: &clip(self.method.as_str()),
            path: self.asked.path(),
            outcome: outcome.as_str(),
            status,
            elapsed: self.began.elapsed(),
            ..Default::default()
        });
    }
}

impl Drop for Line<'_> {
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
        let line = Line::begin("id".into(), "127.0.0.1".into(), &Method::GET, "/", &cut);

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
