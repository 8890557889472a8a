//! What the demo writes: at most 80 columns, in colour only where colour is welcome.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use super::client::Provenance;
use super::lines::{Line, Mood};

/// The widest line.
const WIDTH: usize = 80;
/// Where the text of an attempt begins.
const ATTEMPT: usize = 25;
/// What stands before each line of the answer.
const MARGIN: &str = "  │ ";

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const CYAN: &str = "36";

/// A terminal, or a file that stands for one.
pub(super) struct Screen<W> {
    out: W,
    colour: bool,
    /// The columns of the current line that answer text has filled, if any has come.
    column: Option<usize>,
}

impl<W: Write> Screen<W> {
    pub(super) fn new(out: W, colour: bool) -> Self {
        Self { out, colour, column: None }
    }

    pub(super) fn title(&mut self, name: &str, what: &str) -> io::Result<()> {
        let (name, what) = (self.paint(BOLD, name), self.paint(DIM, &format!("· {what}")));
        writeln!(self.out, "\n  {name} {what}\n")
    }

    pub(super) fn fact(&mut self, name: &str, value: &str) -> io::Result<()> {
        let name = self.paint(CYAN, &format!("{name:<8}"));
        writeln!(self.out, "  {name}{value}")
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// What happened to an attempt, and when.
    pub(super) fn attempt(&mut self, at: Option<Duration>, line: &Line) -> io::Result<()> {
        self.end_text()?;
        let (mark, colour) = match line.mood {
            Mood::Success => ("✓", GREEN),
            Mood::Failure => ("✗", RED),
            Mood::Waiting => ("·", DIM),
        };
        let time = at.map_or_else(String::new, |at| format!("{:.1}s", at.as_secs_f64()));
        let time = self.paint(DIM, &format!("{time:>6}"));
        let who = if line.mood == Mood::Waiting { String::new() } else { clip(&line.who, 14) };
        let mut margin = format!("{time}  {} {who:<14} ", self.paint(colour, mark));
        for part in wrap(&line.text, WIDTH - ATTEMPT) {
            let part = if line.mood == Mood::Waiting { self.paint(DIM, &part) } else { part };
            writeln!(self.out, "{margin}{part}")?;
            margin = " ".repeat(ATTEMPT);
        }
        Ok(())
    }

    /// More of the answer.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        let margin = self.paint(GREEN, MARGIN);
        if self.column.is_none() {
            write!(self.out, "\n{margin}")?;
        }
        let mut column = self.column.unwrap_or(0);
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                write!(self.out, "\n{margin}")?;
                column = 0;
            }
            let mut line = line;
            if column > 0 && column + width(line) > WIDTH - width(MARGIN) {
                write!(self.out, "\n{margin}")?;
                column = 0;
                line = line.trim_start();
            }
            write!(self.out, "{line}")?;
            column += width(line);
        }
        self.column = Some(column);
        self.out.flush()
    }

    /// The end of the answer's text, if there was any.
    pub(super) fn end_text(&mut self) -> io::Result<()> {
        if self.column.take().is_some() { writeln!(self.out, "\n") } else { Ok(()) }
    }

    pub(super) fn summary(&mut self, from: &Provenance, opened: Duration, all: Duration) -> io::Result<()> {
        let mark = self.paint(GREEN, "✓");
        let candidate = self.paint(BOLD, &from.candidate);
        let (opened, all) = (opened.as_secs_f64(), all.as_secs_f64());
        writeln!(self.out, "  {mark} answered by {candidate} on attempt {}", from.attempts)?;
        writeln!(self.out, "    first word after {opened:.1}s, all of it after {all:.1}s")
    }

    /// How to ask for oneself.
    pub(super) fn invitation(&mut self, address: SocketAddr) -> io::Result<()> {
        let heading = self.paint(BOLD, "Now you");
        let hint = self.paint(DIM, "· the attempts show up here; Ctrl-C ends the demo");
        writeln!(
            self.out,
            r#"
  {heading} {hint}

  curl -N http://{address}/v1/chat/completions \
    -H 'content-type: application/json' \
    -d '{{"model": "demo", "stream": true,
         "messages": [{{"role": "user", "content": "Hello"}}]}}'
"#
        )
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// `text` in at most `columns` columns.
fn clip(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    text.chars().take(columns - 1).chain(['…']).collect()
}

/// `text` in lines of at most `columns` columns, broken at spaces where there are any.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let line = lines.last_mut().expect("there is a first line");
            let gap = usize::from(!line.is_empty());
            let taken = if width(line) + gap + rest.len() <= columns {
                rest.len()
            } else if line.is_empty() {
                columns
            } else {
                lines.push(String::new());
                continue;
            };
            line.extend(std::iter::repeat_n(' ', gap).chain(rest.drain(..taken)));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn wrapping_keeps_every_character_within_the_columns(text in "\\PC*", columns in 1usize..20) {
            let lines = wrap(&text, columns);

            prop_assert!(lines.iter().all(|line| width(line) <= columns));
            let joined = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(joined(&lines.concat()), joined(&text));
        }
    }

    fn written(show: impl FnOnce(&mut Screen<&mut Vec<u8>>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        show(&mut Screen::new(&mut out, false)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_attempt_fits_the_width() {
        let reason = "a reason that goes on and on ".repeat(4);
        let line = Line { who: "a/very/long/model".into(), text: reason, mood: Mood::Failure };

        let text = written(|screen| screen.attempt(Some(Duration::from_millis(1234)), &line));

        assert!(text.starts_with("  1.2s  ✗ a/very/long/m… a reason"), "{text}");
        assert!(text.lines().all(|line| width(line) <= WIDTH), "{text}");
    }

    #[test]
    fn an_answer_wraps_as_it_streams() {
        let text = written(|screen| {
            for _ in 0..30 {
                screen.text(" words")?;
            }
            screen.text("\nnext")?;
            screen.end_text()
        });

        assert!(text.lines().all(|line| width(line) <= WIDTH), "{text}");
        assert!(text.ends_with("\n  │ next\n\n"), "{text}");
        assert!(!text.contains('\x1b'));
    }
}
