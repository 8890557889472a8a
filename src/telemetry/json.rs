//! Log lines as JSON, written as they are read: what a line costs, every request pays.

use std::cell::Cell;
use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::digits::Digits;
use super::stamp;

mod escape;
#[cfg(test)]
mod tests;

/// How many bytes of room a thread keeps for its next line; usual ones have 300 to 400.
const KEPT: usize = 4 << 10;

thread_local! {
    /// The room of the last line. A value that logs while it is printed finds none, and makes its own.
    static ROOM: Cell<String> = const { Cell::new(String::new()) };
}

/// Gives each event to its function as one line, an object: `timestamp`, `level`, the fields of the event with
/// its `message`, `target`.
pub(super) struct Json<W>(pub W);

impl<S: Subscriber, W: Fn(&[u8]) + 'static> Layer<S> for Json<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = ROOM.take();
        let metadata = event.metadata();
        line.push_str("{\"timestamp\":\"");
        stamp::now(&mut line);
        line.push_str("\",\"level\":\"");
        line.push_str(metadata.level().as_str());
        line.push('"');
        event.record(&mut Fields(&mut line));
        text(&mut line, "target", |line| line.push_str(metadata.target()));
        line.push_str("}\n");
        (self.0)(line.as_bytes());
        line.clear();
        line.shrink_to(KEPT);
        ROOM.set(line);
    }
}

/// Writes each field behind the one before.
struct Fields<'a>(&'a mut String);

impl Fields<'_> {
    /// A text, written by `write`.
    fn text(&mut self, field: &Field, write: impl FnOnce(&mut String)) {
        text(self.0, name(field), write);
    }

    /// A value that is JSON as it is written.
    fn plain(&mut self, field: &Field, write: impl FnOnce(&mut String)) {
        self.0.push_str(",\"");
        self.0.push_str(name(field));
        self.0.push_str("\":");
        write(self.0);
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // A value that fails has said what it could.
        self.text(field, |line| _ = write!(line, "{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, |line| line.push_str(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, |line| line.push_str(Digits::of(value).as_str()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, |line| {
            line.push_str(if value < 0 { "-" } else { "" });
            line.push_str(Digits::of(value.unsigned_abs()).as_str());
        });
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, |line| line.push_str(if value { "true" } else { "false" }));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no other numbers.
        if value.is_finite() {
            self.plain(field, |line| _ = write!(line, "{value}"));
        } else {
            self.plain(field, |line| line.push_str("null"));
        }
    }
}

/// The name without the mark of a keyword.
fn name(field: &Field) -> &'static str {
    let name = field.name();
    name.strip_prefix("r#").unwrap_or(name)
}

/// Writes a member whose value is the text that `write` appends.
fn text(line: &mut String, name: &str, write: impl FnOnce(&mut String)) {
    line.push_str(",\"");
    line.push_str(name);
    line.push_str("\":\"");
    let start = line.len();
    write(line);
    escape::behind(line, start);
    line.push('"');
}
