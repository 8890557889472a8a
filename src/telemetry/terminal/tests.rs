use std::io;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use tracing_subscriber::fmt::format::DefaultFields;

use super::*;
use crate::telemetry::{Access, access};

struct Lines(Sender<Vec<u8>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is written while `log` runs.
fn written<N>(fields: N, colours: bool, log: impl FnOnce()) -> String
where
    N: for<'a> FormatFields<'a> + Send + Sync + 'static,
{
    let (sender, lines) = mpsc::channel();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || Lines(sender.clone()))
        .without_time()
        .with_target(false)
        .with_ansi(colours)
        .compact()
        .fmt_fields(fields)
        .finish();
    tracing::subscriber::with_default(subscriber, log);
    String::from_utf8(lines.try_iter().flatten().collect()).unwrap()
}

#[test]
fn words_have_no_quotes_and_other_texts_have() {
    let line = written(Fields, false, || {
        tracing::warn!(
            request_id = "r-1",
            user = Some("ann"),
            model = Option::<&str>::None,
            key = "k 1",
            count = 7,
            "said {}",
            1
        );
    });

    assert_eq!(line, " WARN said 1 request_id=r-1 user=ann key=\"k 1\" count=7\n");
}

#[test]
fn everything_else_is_as_it_is_by_default() {
    for colours in [false, true] {
        let log = || {
            let error = io::Error::other("no");
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::info!(
                error, route = %"r", r#type = "t", place = Option::<&str>::None, known = ?Some("q"), half = 0.5,
                no = false, below = -1, hint = "two words", wide = u128::MAX, "said {}", "\u{1b}[1mso"
            );
            tracing::info!(class = "c", "said");
            tracing::info!(class = "c", message = "said");
            tracing::info!(count = 1);
        };
        assert_eq!(written(Fields, colours, log), written(DefaultFields::new(), colours, log));
    }
}

#[test]
fn the_line_of_a_request_is_byte_for_byte_this() {
    let line = written(Fields, false, || {
        access(&Access {
            request_id: "r-1",
            client: "127.0.0.1",
            user: Some("ann"),
            method: "POST",
            path: "/v1/chat/completions",
            route: Some("fullfat"),
            task: Some(true),
            outcome: "ok",
            status: 200,
            attempts: Some(3),
            provider: Some("openrouter"),
            model: Some("openrouter/free"),
            elapsed: Duration::from_millis(1234),
        });
    });

    assert_eq!(
        line,
        " INFO request request_id=r-1 client=127.0.0.1 user=ann method=POST path=/v1/chat/completions \
         route=fullfat task=true outcome=ok status=200 attempts=3 provider=openrouter model=openrouter/free \
         elapsed_ms=1234\n"
    );
}

#[test]
fn the_time_of_day_has_a_fixed_width() {
    let mut text = String::new();
    WallClock.format_time(&mut Writer::new(&mut text)).unwrap();

    assert_eq!(text.len(), "12:34:56.789Z".len());
}
