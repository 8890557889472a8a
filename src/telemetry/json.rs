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
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Gives each event to its function as one line, an object: `timestamp`, `level`, the fields of the event with
/// its `message`, `target`.
pub(super) struct Json<W>(pub W);

impl<S: Subscriber, W: Fn(&[u8]) + 'static> Layer<S> for Json<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = ROOM.take();
        let metadata = event.metadata();
        line.extend_from_slice(b"{\"timestamp\":\"");
        stamp::now(&mut line);
        line.extend_from_slice(b"\",\"level\":\"");
        line.extend_from_slice(metadata.level().as_str().as_bytes());
        line.push(b'"');
        event.record(&mut Fields(&mut line));
        text(&mut line, "target", |line| line.extend_from_slice(metadata.target().as_bytes()));
        line.extend_from_slice(b"}\n");
        (self.0)(&line);
        line.clear();
        line.shrink_to(KEPT);
        ROOM.set(line);
    }
}

/// Writes each field behind the one before.
struct Fields<'a>(&'a mut Vec<u8>);

impl Fields<'_> {
    /// A text, written by `write`.
    fn text(&mut self, field: &Field, write: impl FnOnce(&mut Vec<u8>)) {
        text(self.0, name(field), write);
    }

    /// A value that is JSON as it is written.
    fn plain(&mut self, field: &Field, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name(field).as_bytes());
        self.0.extend_from_slice(b"\":");
        write(self.0);
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // A value that fails has said what it could.
        self.text(field, |line| _ = write!(Text(line), "{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, |line| line.extend_from_slice(value.as_bytes()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, |line| line.extend_from_slice(Digits::of(value).as_bytes()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, |line| {
            line.extend_from_slice(if value < 0 { b"-" } else { b"" });
            line.extend_from_slice(Digits::of(value.unsigned_abs()).as_bytes());
        });
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, |line| line.extend_from_slice(if value { b"true" } else { b"false" }));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no other numbers.
        if value.is_finite() {
            self.plain(field, |line| _ = write!(Text(line), "{value}"));
        } else {
            self.plain(field, |line| line.extend_from_slice(b"null"));
        }
    }
}

/// What a format writes to.
struct Text<'a>(&'a mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// The name without the mark of a keyword.
fn name(field: &Field) -> &'static str {
    let name = field.name();
    name.strip_prefix("r#").unwrap_or(name)
}

/// Writes a member whose value is the text that `write` appends.
fn text(line: &mut Vec<u8>, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":\"");
    let start = line.len();
    write(line);
    escape::behind(line, start);
    line.push(b'"');
}
