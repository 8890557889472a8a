//! The failure table, row by row, as a client and as the providers see it.
//!
//! A row is one way to fail. A provider `bad` fails so on every request: first in front of a
//! provider `other`, which is always overloaded, then alone. Each candidate has two attempts, so
//! the order in which the two are asked tells the verdicts apart.

use std::fmt::Debug;
use std::sync::Arc;

use backstop::sim::{Act, Provider, error};
use serde_json::Value;

use crate::support::{Call, Refusal, proxy, visits};

mod answers;
mod bodies;
mod outcomes;
mod requests;
mod rulings;
mod statuses;
mod wire;

/// The key of `bad`, which no client may ever see.
const KEY: &str = "sk-bad-0123456789";

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same candidate again.
    Retry,
    /// Another one, and this one later.
    Next,
    /// Another one, and this one never again.
    Drop,
    /// No other one.
    Reject,
}

impl Verdict {
    /// Who is asked when `bad` stands before `other`, and the waits before each, in milliseconds.
    fn in_a_chain(self) -> (&'static [&'static str], &'static [u64]) {
        match self {
            Self::Retry => (&["bad", "bad", "other", "other"], &[0, DELAY, 0, DELAY]),
            Self::Next => (&["bad", "other", "other", "bad"], &[0, 0, DELAY, DELAY]),
            Self::Drop => (&["bad", "other", "other"], &[0, 0, DELAY]),
            Self::Reject => (&["bad"], &[0]),
        }
    }

    /// Who is asked when `bad` stands alone.
    fn alone(self) -> (&'static [&'static str], &'static [u64]) {
        match self {
            Self::Retry | Self::Next => (&["bad", "bad"], &[0, DELAY]),
            Self::Drop | Self::Reject => (&["bad"], &[0]),
        }
    }
}

/// The wait between two attempts on a candidate, in milliseconds.
pub const DELAY: u64 = 3;

/// Two attempts on each candidate.
pub const SCHEDULE: &str = r#"
    attempts_per_burst = 2
    bursts_per_cycle = 1
    cycles = 1
    attempt_delay = "3ms"
"#;

/// What every class looks like, and a test of each by its name.
macro_rules! classes {
    ($($class:ident: [$($rows:expr),+],)+) => {
        $(
            #[tokio::test]
            async fn $class() {
                check(stringify!($class), [$($rows),+].concat()).await;
            }
        )+

        /// Every way to fail, by class.
        pub async fn rows() -> Vec<(&'static str, Vec<Row>)> {
            vec![$((stringify!($class), [$($rows),+].concat())),+]
        }
    };
}

classes! {
    rate_limited: [statuses::rate_limited(), requests::a_quota_that_comes_back()],
    overloaded: [statuses::overloaded(), statuses::every_5xx()],
    connect: [wire::connect().await],
    reset: [wire::reset()],
    timeout: [wire::timeout().await],
    broken: [bodies::broken()],
    unexpected: [bodies::unexpected()],
    empty: [bodies::empty()],
    unauthorized: [requests::unauthorized()],
    payment: [requests::payment()],
    not_found: [requests::not_found()],
    context_length: [requests::context_length()],
    content_policy: [requests::content_policy()],
    unsupported: [requests::unsupported()],
    bad_request: [requests::bad_request()],
}

/// The table: a class, what follows from it, and the status and the type of the final error.
pub const TABLE: [(&str, Verdict, u16, &str); 15] = [
    ("rate_limited", Verdict::Retry, 429, "rate_limit_error"),
    ("overloaded", Verdict::Retry, 503, "server_error"),
    ("connect", Verdict::Next, 502, "server_error"),
    ("reset", Verdict::Retry, 502, "server_error"),
    ("timeout", Verdict::Next, 504, "server_error"),
    ("broken", Verdict::Retry, 502, "server_error"),
    ("unexpected", Verdict::Drop, 502, "server_error"),
    ("empty", Verdict::Next, 502, "server_error"),
    ("unauthorized", Verdict::Drop, 502, "server_error"),
    ("payment", Verdict::Drop, 502, "server_error"),
    ("not_found", Verdict::Drop, 502, "server_error"),
    ("context_length", Verdict::Drop, 400, "invalid_request_error"),
    ("content_policy", Verdict::Drop, 400, "invalid_request_error"),
    ("unsupported", Verdict::Drop, 400, "invalid_request_error"),
    ("bad_request", Verdict::Drop, 400, "invalid_request_error"),
];

/// One way to fail.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it is called.
    pub name: &'static str,
    /// How `bad` meets every request; without an act, nobody listens at its address.
    pub met: Result<Act, String>,
    /// Streamed, whole, or both.
    pub forms: &'static [bool],
    /// What the trail says of it.
    phase: &'static str,
    status: Option<u16>,
    reason: &'static str,
    /// The status of the final error, where it is not that of the class.
    pub final_status: Option<u16>,
    /// Keys of `[providers.bad]`.
    pub settings: &'static str,
    /// What has to live as long as the row.
    _held: Option<Arc<dyn Debug + Send + Sync>>,
}

impl Row {
    fn new(name: &'static str, met: Result<Act, String>, phase: &'static str, reason: &'static str) -> Self {
        Self {
            name,
            met,
            forms: &[true, false],
            phase,
            status: None,
            reason,
            final_status: None,
            settings: "",
            _held: None,
        }
    }

    /// A failure before the status is known.
    fn before(name: &'static str, act: Act, reason: &'static str) -> Self {
        Self::new(name, Ok(act), "first_byte", reason)
    }

    /// A status that is not 200; `act` is its body.
    fn status(name: &'static str, status: u16, act: Act, reason: &'static str) -> Self {
        let row = Self::new(name, Ok(act.with_status(status)), "first_byte", reason);
        Self { status: Some(status), ..row }
    }

    /// A failure inside a 200.
    fn inside(name: &'static str, act: Act, reason: &'static str) -> Self {
        Self::new(name, Ok(act.with_status(200)), "first_token", reason)
    }

    /// A failure that says when it passes; only its waits differ from those of its class.
    pub fn asking_to_wait(act: Act) -> Self {
        Self::before("asking to wait", act, "")
    }

    /// No connection to `base_url`.
    fn unreachable(name: &'static str, base_url: String, reason: &'static str) -> Self {
        Self::new(name, Err(base_url), "connect", reason)
    }

    fn streamed(self) -> Self {
        Self { forms: &[true], ..self }
    }

    fn whole(self) -> Self {
        Self { forms: &[false], ..self }
    }

    /// The status inside the error of a 200.
    fn saying(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    fn ending(self, status: u16) -> Self {
        Self { final_status: Some(status), ..self }
    }

    fn with(self, settings: &'static str) -> Self {
        Self { settings, ..self }
    }

    fn holding(self, guard: impl Debug + Send + Sync + 'static) -> Self {
        Self { _held: Some(Arc::new(guard)), ..self }
    }
}

/// An error object, as a body.
fn fail(message: &str, code: impl Into<Value>) -> Act {
    Act::status(400).error(message, code)
}

/// An error object, as an event before the first word of a stream.
fn event(message: &str, code: impl Into<Value>) -> Act {
    Act::answer("Hello").insert(1, error(message, code))
}

/// Plays each row and checks that it is one of `class`.
async fn check(class: &str, rows: Vec<Row>) {
    let expected = TABLE.iter().find(|row| row.0 == class).expect("a class");
    for row in rows {
        for stream in row.forms {
            play(&row, *stream, expected, "").await;
        }
    }
}

/// Plays a row under a policy with these rulings and checks what client and providers see.
async fn play(row: &Row, stream: bool, expected: &(&str, Verdict, u16, &str), on: &str) {
    let &(class, verdict, status, kind) = expected;
    let name = format!("{class}, {}, stream: {stream}, on: {{{on}}}", row.name);
    let bad = row.met.as_ref().ok().map(|act| Provider::start(act.clone()).unwrap());
    // Of another class, lest the ruling be for both.
    let other = Provider::start(Act::status(if class == "overloaded" { 429 } else { 503 })).unwrap();
    let base_url = bad.as_ref().map_or_else(|| row.met.clone().unwrap_err(), Provider::base_url);
    let config = format!(
        r#"
        [retry]
        {SCHEDULE}
        on = {{{on}}}
        [cooldown]
        enabled = false
        [providers.bad]
        base_url = "{base_url}"
        api_key = "{KEY}"
        {}
        [providers.other]
        base_url = "{}"
        [routes.chain]
        chain = ["bad/some-model", "other/another-model"]
        [routes.alone]
        chain = ["bad/some-model"]
        "#,
        row.settings,
        other.base_url(),
    );
    let proxy = proxy(&config).await;
    let call = |route| if stream { Call::stream(route) } else { Call::whole(route) };

    let (asked, waits) = verdict.in_a_chain();
    let refusal = Refusal::read(call("chain").send(proxy.address).await).await;
    assert_eq!(refusal.asked(), asked, "{name}");
    assert_eq!(refusal.waits(), waits, "{name}");
    if let Some(bad) = &bad {
        assert_eq!(visits(&[("bad", bad), ("other", &other)]), asked, "{name}");
    }
    let (before, others) = (bad.as_ref().map_or(0, Provider::count), other.count());

    let (asked, waits) = verdict.alone();
    let answer = call("alone").send(proxy.address).await;
    assert_eq!(answer.header("x-backstop-route"), "alone", "{name}");
    let refusal = Refusal::read(answer).await;
    let Refusal { error, body, .. } = &refusal;
    assert_eq!(refusal.asked(), asked, "{name}");
    assert_eq!(refusal.waits(), waits, "{name}");
    assert_eq!(other.count(), others, "{name}");
    if let Some(bad) = &bad {
        assert_eq!(bad.count() - before, asked.len(), "{name}");
    }
    assert_eq!(refusal.status, row.final_status.unwrap_or(status), "{name}: {body}");
    assert_eq!((error.code.as_str(), error.kind.as_str()), (class, kind), "{name}");
    assert!(error.message.contains("bad/some-model"), "{name}: {}", error.message);
    assert!(!body.contains(KEY), "{name}: {body}");
    let due = matches!(class, "rate_limited" | "overloaded");
    assert_eq!(refusal.retry_after, due.then_some(1), "{name}");
    for tried in refusal.attempts() {
        assert_eq!((tried.provider.as_str(), tried.model.as_str()), ("bad", "some-model"), "{name}");
        assert_eq!((tried.code.as_str(), tried.phase.as_str()), (class, row.phase), "{name}: {tried:?}");
        assert_eq!(tried.status, row.status, "{name}: {tried:?}");
        assert!(tried.reason.contains(row.reason), "{name}: {tried:?}");
        assert!(error.message.contains(&refusal.attempts()[asked.len() - 1].reason), "{name}");
    }
}
