use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn of(filter: &str, log: impl FnOnce()) -> String {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_writer(move || writer.clone())
            .json()
            .flatten_event(true)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }
}

const REQUEST: Access<'static> = Access {
    request_id: "r-1",
    client: "127.0.0.1",
    user: None,
    method: "POST",
    path: "/v1/chat/completions",
    route: Some("fullfat"),
    task: None,
    outcome: "ok",
    status: 200,
    attempts: Some(3),
    provider: None,
    model: None,
    elapsed: Duration::from_millis(1234),
};

#[test]
fn the_access_line_has_what_is_known_and_nothing_else() {
    let line = Lines::of("backstop=info", || access(&REQUEST));

    let json: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(json["request_id"], "r-1");
    assert_eq!(json["route"], "fullfat");
    assert_eq!(json["outcome"], "ok");
    assert_eq!(json["status"], 200);
    assert_eq!(json["attempts"], 3);
    assert_eq!(json["elapsed_ms"], 1234);
    assert_eq!(json["message"], "request");
    assert!(json.get("provider").is_none() && json.get("task").is_none());
}

#[test]
fn health_checks_show_at_debug_only() {
    let health = Access { path: "/health/live", ..REQUEST };

    assert_eq!(Lines::of("backstop=info", || access(&health)), "");
    assert!(Lines::of("backstop=debug", || access(&health)).contains("/health/live"));
}

#[test]
fn the_first_variable_that_is_set_chooses_and_a_bad_one_is_reported() {
    let chosen = |own: Option<&str>, common: Option<&str>| {
        let (filter, complaint) = filter(|name| {
            let value = if name == "BACKSTOP_LOG" { own } else { common };
            value.map(ToOwned::to_owned)
        });
        (filter.to_string(), complaint)
    };

    assert_eq!(chosen(None, None), (DEFAULT_FILTER.to_owned(), None));
    assert_eq!(chosen(None, Some("warn")).0, "warn");
    assert_eq!(chosen(Some("debug"), Some("warn")).0, "debug");
    assert_eq!(chosen(Some(""), None).0, DEFAULT_FILTER);
    let (filter, complaint) = chosen(Some("backstop=loud"), None);
    assert_eq!(filter, DEFAULT_FILTER);
    assert!(complaint.unwrap().starts_with("`BACKSTOP_LOG` is ignored: "));
}

#[test]
fn the_time_of_day_has_a_fixed_width() {
    let mut text = String::new();
    WallClock.format_time(&mut Writer::new(&mut text)).unwrap();

    assert_eq!(text.len(), "12:34:56.789Z".len());
}
