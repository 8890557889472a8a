//! What an observer says.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::relay::health::Rest;
use crate::retry::Words;
use crate::retry::schedule::{Gap, Send};
use crate::route::{Candidate, Vendor};
use crate::telemetry::digits::Digits;

/// A wait of `send.wait` begins, at most so long if it may be `cut_short`; `rest` says which candidate is left
/// alone, and why.
pub(super) fn waiting(send: &Send, of: u32, rest: Option<(&Candidate, &str)>, cut_short: bool) -> String {
    let up_to = if cut_short { "up to " } else { "" };
    let wait = format!("{up_to}{}", Words::about(send.wait));
    let sent = send.number - 1;
    match send.gap {
        Gap::Burst { completed, of: bursts } => format!(
            "Burst {completed}/{bursts} completed ({sent}/{of} attempts). Waiting {wait} before next burst"
        ),
        Gap::Cycle { completed, of: cycles } => format!(
            "Cycle {completed}/{cycles} completed ({sent}/{of} attempts). Waiting {wait} before next cycle"
        ),
        Gap::Lap => {
            format!("Every model was tried ({sent}/{of} attempts). Waiting {wait} before the next round")
        }
        Gap::RetryAfter => {
            format!("The provider asks to wait ({sent}/{of} attempts). Waiting {wait} before next attempt")
        }
        Gap::Rest => {
            let why =
                rest.map_or("every model rests".to_owned(), |(candidate, why)| not_asked(candidate, why));
            format!("Not asked yet: {why} ({sent}/{of} attempts). Waiting {wait} before next attempt")
        }
        Gap::Attempt | Gap::None => {
            format!("Attempt {sent}/{of} failed. Waiting {wait} before next attempt")
        }
    }
}

/// The next attempt has to wait for its turn behind those of others.
pub(super) fn queued(send: &Send, of: u32, candidate: &Candidate, rest: &Rest) -> String {
    let (why, sent) = (not_asked(candidate, &rest.why), send.number - 1);
    let wait = if rest.queue {
        format!("up to {} ", Words::about(rest.until.saturating_duration_since(Instant::now())))
    } else {
        String::new()
    };
    format!("Not asked yet: {why} ({sent}/{of} attempts). Waiting {wait}for a turn")
}

/// `why` follows the name of `candidate`.
pub(in crate::relay) fn not_asked(candidate: &Candidate, why: &str) -> String {
    format!("`{}` {why}", candidate.name())
}

/// The next model is asked, after `times` attempts at the one before it; `sent` of `of` have been made.
pub(super) fn switched(from: &str, to: &str, times: u32, (sent, of): (u32, u32)) -> String {
    format!("Switched to {to} after {} at {from} ({sent}/{of} attempts)", attempts(times))
}

/// Who makes `model`, or else the model.
pub(super) fn maker(model: &str) -> &str {
    match Vendor::of_model(model) {
        Some(vendor) => vendor.name(),
        None => model,
    }
}

/// An answer of `who` came: the line, and a toast where it took more than one attempt.
pub(super) fn received(who: &str, elapsed: Duration, sent: u32) -> (String, Option<String>) {
    let (time, attempts) = (Words::about(elapsed), attempts(sent));
    let line = format!("Response received from {who} after {time} ({attempts})");
    (line, (sent > 1).then(|| format!("Response received after {attempts}")))
}

/// `who` goes on with an answer that had broken off so long ago.
pub(super) fn continued(who: &str, elapsed: Duration, sent: u32) -> (String, Option<String>) {
    let (time, attempts) = (Words::about(elapsed), attempts(sent));
    let line = format!("Response continued by {who} after {time} ({attempts})");
    (line, Some(format!("Response continued after {attempts}")))
}

/// Nobody answered.
pub(super) fn not_received(elapsed: Duration, sent: u32) -> String {
    format!("No answer after {} in {}", attempts(sent), Words::about(elapsed))
}

/// Nobody went on with an answer that had broken off so long ago.
pub(super) fn not_continued(elapsed: Duration, sent: u32) -> String {
    format!("Nobody went on with the answer, after {} in {}", attempts(sent), Words::about(elapsed))
}

/// So many attempts.
pub(in crate::relay) fn attempts(count: u32) -> String {
    match count {
        1 => "1 attempt".to_owned(),
        count => format!("{count} attempts"),
    }
}

/// An attempt out of so many has been answered after that time, in minutes and seconds as the retry pipe logged
/// them: `ann:some/model - Attempt 4/60 (0m27s): SUCCESS`. Written in pieces, for every request says this.
pub(super) struct Success<'a> {
    pub(super) who: &'a str,
    pub(super) model: &'a str,
    pub(super) number: u32,
    pub(super) of: u32,
    pub(super) elapsed: Duration,
}

impl fmt::Display for Success<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs();
        f.write_str(self.who)?;
        f.write_str(":")?;
        f.write_str(self.model)?;
        f.write_str(" - Attempt ")?;
        f.write_str(Digits::of(self.number.into()).as_str())?;
        f.write_str("/")?;
        f.write_str(Digits::of(self.of.into()).as_str())?;
        f.write_str(" (")?;
        f.write_str(Digits::of(seconds / 60).as_str())?;
        f.write_str(if seconds % 60 < 10 { "m0" } else { "m" })?;
        f.write_str(Digits::of(seconds % 60).as_str())?;
        f.write_str("s): SUCCESS")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_is_byte_for_byte_this() {
        for (seconds, time) in [(0, "0m00s"), (9, "0m09s"), (27, "0m27s"), (60, "1m00s"), (7199, "119m59s")] {
            let success = Success {
                who: "ann",
                model: "some/model",
                number: 4,
                of: 60,
                elapsed: Duration::from_millis(seconds * 1000 + 999),
            };
            assert_eq!(success.to_string(), format!("ann:some/model - Attempt 4/60 ({time}): SUCCESS"));
        }
    }
}
