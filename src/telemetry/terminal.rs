//! How log lines look on a terminal.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing_subscriber::field::{RecordFields, VisitOutput as _};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};
use tracing_subscriber::fmt::time::FormatTime;

#[cfg(test)]
mod tests;

/// Texts that stand without quotes, for they are one word. `%` would do so too, but as JSON it costs twice
/// what a text costs, and these are in the lines of every request.
const WORDS: [&str; 9] =
    ["request_id", "client", "user", "method", "path", "route", "outcome", "provider", "model"];

/// `name=value`, one behind the other.
pub(super) struct Fields;

impl<'writer> FormatFields<'writer> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut visitor = Visitor(DefaultVisitor::new(writer, true));
        fields.record(&mut visitor);
        visitor.0.finish()
    }
}

struct Visitor<'a>(DefaultVisitor<'a>);

impl Visit for Visitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if WORDS.contains(&field.name()) {
            self.0.record_debug(field, &format_args!("{value}"));
        } else {
            self.0.record_str(field, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.0.record_error(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.record_debug(field, value);
    }
}

/// The time of day in UTC, to the millisecond: a person at a terminal knows the date.
pub(super) struct WallClock;

impl FormatTime for WallClock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = jiff::Timestamp::now();
        let second = now.as_second().rem_euclid(86_400);
        let millisecond = now.subsec_millisecond();
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(writer, "{hour:02}:{minute:02}:{:02}.{millisecond:03}Z", second % 60)
    }
}
