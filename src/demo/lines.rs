//! The log lines about attempts, caught as they are written.

use std::fmt;

use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// A log line about an attempt or the wait between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The model that is tried, or the route that waits.
    pub(super) who: String,
    /// What happened.
    pub(super) text: String,
    /// How it is meant.
    pub(super) mood: Mood,
}

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Success,
    Failure,
    Waiting,
}

/// More lines than a person reads in the time it takes to write them.
const BACKLOG: usize = 256;

/// Makes the lines of this process's log about attempts come out here.
pub(super) fn subscribe() -> Result<mpsc::Receiver<Line>, TryInitError> {
    let (sender, receiver) = mpsc::channel(BACKLOG);
    tracing_subscriber::registry().with(Catch(sender)).try_init()?;
    Ok(receiver)
}

struct Catch(mpsc::Sender<Line>);

impl<S: Subscriber> Layer<S> for Catch {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("backstop") && *metadata.level() <= Level::DEBUG
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        if let Some(line) = Line::parse(&message.0) {
            // A line too many is lost: the log must not hold a request back.
            let _ = self.0.try_send(line);
        }
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Line {
    /// Reads `client:model - what happened`; nothing if it is about something else.
    fn parse(message: &str) -> Option<Self> {
        let (who, text) = message.split_once(" - ")?;
        let who = who.rsplit_once(':')?.1.to_owned();
        let mood = if text.ends_with("SUCCESS") {
            Mood::Success
        } else if text.contains(": ERROR") {
            Mood::Failure
        } else if text.contains("Waiting ") {
            Mood::Waiting
        } else {
            return None;
        };
        Some(Self { who, text: text.to_owned(), mood })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines_about_attempts_only() {
        for (message, expected) in [
            (
                "127.0.0.1:first - Attempt 1/9: ERROR: 429 - Rate limit exceeded",
                Some(("first", "Attempt 1/9: ERROR: 429 - Rate limit exceeded", Mood::Failure)),
            ),
            (
                "127.0.0.1:a - Attempt 2/9 (0m02s): SUCCESS",
                Some(("a", "Attempt 2/9 (0m02s): SUCCESS", Mood::Success)),
            ),
            (
                "::1:a - Attempt 1/9 failed. Waiting 1s",
                Some(("a", "Attempt 1/9 failed. Waiting 1s", Mood::Waiting)),
            ),
            ("backstop listens on http://127.0.0.1:8420/v1", None),
            ("127.0.0.1:a - dropped an event that is not JSON", None),
        ] {
            let line = Line::parse(message);

            let line = line.as_ref().map(|line| (line.who.as_str(), line.text.as_str(), line.mood));
            assert_eq!(line, expected, "{message}");
        }
    }
}
