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
            .with_max_level(LevelFilter::TRACE)
            .with_writer(move || writer.clone())
            .json()
            .flatten_event(true)
            .finish()
            .with(filter.parse::<Targets>().unwrap());
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

/// The filter where `BACKSTOP_LOG` and `RUST_LOG` say this, and the complaint about it.
fn chosen(own: Option<&str>, common: Option<&str>) -> (String, Option<String>) {
    let (filter, complaint) = filter(|name| {
        let value = if name == "BACKSTOP_LOG" { own } else { common };
        value.map(ToOwned::to_owned)
    });
    (filter.to_string(), complaint)
}

#[test]
fn the_first_variable_that_is_set_chooses_and_a_bad_one_is_reported() {
    assert_eq!(chosen(None, None), (DEFAULT_FILTER.to_owned(), None));
    assert_eq!(chosen(None, Some("warn")).0, "warn");
    assert_eq!(chosen(Some("debug"), Some("warn")).0, "debug");
    assert_eq!(chosen(Some(""), None).0, DEFAULT_FILTER);
    assert_eq!(
        chosen(Some("hyper=warn, backstop=debug ,"), None).0,
        chosen(Some("hyper=warn,backstop=debug"), None).0
    );
    for bad in ["backstop=loud", "backstop=info=debug", "a[{b=info"] {
        let (filter, complaint) = chosen(Some(bad), None);
        assert_eq!(filter, DEFAULT_FILTER);
        let complaint = complaint.unwrap();
        assert!(complaint.starts_with("`BACKSTOP_LOG` is ignored: "), "{complaint}");
        assert!(complaint.ends_with("; it should read like `backstop=info`"), "{complaint}");
    }
}

#[test]
fn a_word_that_is_no_level_does_not_silence_the_log() {
    for bad in ["verbose", "all,backstop=debug", "hyper", "backstopp"] {
        let (filter, complaint) = chosen(None, Some(bad));
        assert_eq!(filter, DEFAULT_FILTER, "{bad}");
        let word = bad.split(',').next().unwrap();
        let what = format!("`RUST_LOG` is ignored: `{word}` is none of `off`, `error`, `warn`, `info`, ");
        assert!(complaint.as_ref().is_some_and(|complaint| complaint.starts_with(&what)), "{complaint:?}");
    }
    for good in ["off", "Debug", "3", "backstop", "backstop::relay", "warn,backstop::relay=trace"] {
        assert_eq!(chosen(None, Some(good)).1, None, "{good}");
    }
}

#[test]
fn a_filter_says_how_much_each_part_logs() {
    let lines = Lines::of("info,backstop=debug,hyper=off", || {
        tracing::debug!(target: "backstop::relay", "own");
        tracing::debug!(target: "rustls", "theirs, too low");
        tracing::info!(target: "rustls", "theirs");
        tracing::error!(target: "hyper::proto", "never");
    });

    let targets: Vec<String> = lines
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["target"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(targets, ["backstop::relay", "rustls"]);
}
