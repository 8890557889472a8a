//! Where log lines go: to stderr, off the path of requests, one line an event.

use std::io::{self, IsTerminal};
use std::panic;
use std::sync::Arc;
use std::time::Duration;

use json::Json;
use queue::Queue;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub(crate) mod digits;
mod json;
mod queue;
mod stamp;
mod terminal;

/// What is logged unless `BACKSTOP_LOG` or `RUST_LOG` says otherwise.
const DEFAULT_FILTER: &str = "backstop=info";

/// The variables that choose what is logged, the first one set wins.
const FILTER_VARIABLES: [&str; 2] = ["BACKSTOP_LOG", "RUST_LOG"];

/// How long the end of the program waits for a reader of stderr that does not read.
const AT_THE_END: Duration = Duration::from_secs(1);

/// How long a panic waits for its line to be written: what follows may be the end of the process.
const AT_A_PANIC: Duration = Duration::from_millis(100);

/// Writes what is still queued when it is dropped; lives as long as `main`.
#[must_use = "log lines are lost when the guard is dropped early"]
pub struct Guard {
    queue: Arc<Queue>,
}

impl Guard {
    /// Writes what is queued, so that what is printed next stands below it. A reader of stderr that
    /// does not read is not waited for.
    pub fn flush(&self) {
        self.queue.flush(AT_THE_END);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.queue.close(AT_THE_END);
    }
}

/// Starts logging: readable lines on a terminal, JSON otherwise. Panics are logged too.
///
/// Lines are handed to a thread of their own, which writes them some milliseconds later, many at a
/// time; when nobody reads them, lines are dropped rather than requests held back.
pub fn init() -> Guard {
    let queue = Queue::start(io::stderr(), |lost| {
        tracing::warn!(lost, "{lost} log lines are lost: stderr did not take them");
    });
    let (filter, complaint) = filter(|name| std::env::var(name).ok());
    let own = Arc::clone(&queue);
    let started = if io::stderr().is_terminal() {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let lines = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(own);
        let lines = lines.with_timer(terminal::WallClock).with_target(false).with_ansi(!plain).compact();
        lines.fmt_fields(terminal::Fields).finish().with(filter).try_init()
    } else {
        let lines = Json(move |line: &[u8]| own.push(line));
        tracing_subscriber::registry().with(lines).with(filter).try_init()
    };
    if started.is_ok() {
        let queue = Arc::clone(&queue);
        panic::set_hook(Box::new(move |info| {
            let message = info.payload_as_str().unwrap_or("without a message");
            let place = info.location().map(ToString::to_string);
            tracing::error!(place, "panic: {message}");
            queue.flush(AT_A_PANIC);
        }));
    }
    if let Some(complaint) = complaint {
        tracing::warn!("{complaint}");
    }
    Guard { queue }
}

/// The filter, and what is wrong with the one that was asked for.
fn filter(variable: impl Fn(&str) -> Option<String>) -> (Targets, Option<String>) {
    let default = || DEFAULT_FILTER.parse().expect("a test parses it");
    let chosen = FILTER_VARIABLES
        .iter()
        .find_map(|name| Some((name, variable(name)?)))
        .filter(|(_, value)| !value.trim().is_empty());
    let Some((name, value)) = chosen else { return (default(), None) };
    // `Targets` knows no spaces, and takes an empty part for `error`.
    let parts: Vec<&str> = value.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let parsed = match parts.iter().find(|part| !says_how_much(part)) {
        Some(word) => Err(format!(
            "`{}` is none of `off`, `error`, `warn`, `info`, `debug`, `trace`",
            word.escape_debug()
        )),
        None => parts.join(",").parse().map_err(|error: ParseError| error.to_string()),
    };
    match parsed {
        Ok(filter) => (filter, None),
        Err(error) => {
            let complaint = format!("`{name}` is ignored: {error}; it should read like `{DEFAULT_FILTER}`");
            (default(), Some(complaint))
        }
    }
}

/// Whether a part of a filter is a level, or has one behind a `=`. `Targets` takes any other word for the name
/// of a crate that is to say everything, and all others for silent; only our own may be named so.
fn says_how_much(part: &str) -> bool {
    part.contains('=') || part.parse::<LevelFilter>().is_ok() || part.split("::").next() == Some("backstop")
}

/// What the access line of a request says; parts that are not known stay out of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Access<'a> {
    /// The value of `x-request-id`.
    pub request_id: &'a str,
    /// The client's IP address.
    pub client: &'a str,
    /// What logs call the user who asks.
    pub user: Option<&'a str>,
    /// The request's method.
    pub method: &'a str,
    /// The request's path, without its query.
    pub path: &'a str,
    /// The route that was asked for.
    pub route: Option<&'a str>,
    /// Whether nobody waits for the answer, if so.
    pub task: Option<bool>,
    /// How the request ended.
    pub outcome: &'a str,
    /// The status that went out, or would have.
    pub status: u16,
    /// How many attempts were made.
    pub attempts: Option<u32>,
    /// Who answered.
    pub provider: Option<&'a str>,
    /// The model that answered, as the provider spells it.
    pub model: Option<&'a str>,
    /// From the request's head to the end of its answer.
    pub elapsed: Duration,
}

/// Logs that a request has ended; health checks only show at `debug`.
pub fn access(access: &Access<'_>) {
    macro_rules! line {
        ($level:expr) => {
            tracing::event!(
                target: "backstop::access",
                $level,
                message = "request",
                request_id = access.request_id,
                client = access.client,
                user = access.user,
                method = access.method,
                path = access.path,
                route = access.route,
                task = access.task,
                outcome = access.outcome,
                status = access.status,
                attempts = access.attempts,
                provider = access.provider,
                model = access.model,
                elapsed_ms = u64::try_from(access.elapsed.as_millis()).unwrap_or(u64::MAX),
            )
        };
    }
    if access.path.starts_with("/health/") {
        line!(tracing::Level::DEBUG);
    } else {
        line!(tracing::Level::INFO);
    }
}

#[cfg(test)]
mod tests;
