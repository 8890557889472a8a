//! What is measured, and how.

use std::time::Duration;

use tokio::sync::Notify;

use super::client::request;
use super::load::{self, Load};
use super::proxies::{Bodies, Kind, Proxy, Setup};
use super::tls::Handshakes;

/// What one measurement gave: figures by their names, times in microseconds, memory in bytes.
pub type Sample = Vec<(&'static str, f64)>;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// How long a load goes on.
    pub time: Duration,
    /// Streams that are open at a time.
    pub streams: usize,
    /// Requests that wait at a time.
    pub waiting: usize,
}

/// One thing that is done to each proxy in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// A request of so many bytes for an answer of so many, over and over.
    Json(usize),
    /// The same with the log of requests.
    Logged(usize),
    /// A request of 1 MB for a short answer.
    Body(Bodies),
    /// 50 streams, one event each in so many milliseconds.
    Paced(u64),
    /// 200 events at once.
    Burst,
    /// As many requests as two workers can serve.
    TwoWorkers,
    /// A thousand requests a second, whatever becomes of them.
    Open,
    /// Thousands of streams, one event a second each.
    Streams,
    /// Before a load and after it; the start.
    Idle,
    /// Thousands of requests whose next attempt is minutes away.
    Waiting,
    /// A first candidate that refuses the connection, and a second one that answers.
    Refused,
    /// As `Json`, over TLS to the provider.
    TlsJson(usize),
    /// A connection for each request over TLS to the provider.
    TlsFresh,
    /// As `Paced`, over TLS to the provider.
    TlsPaced(u64),
    /// As `Burst`, over TLS to the provider.
    TlsBurst,
}

impl Measure {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 19] = [
        Self::Json(1024),
        Self::Json(16 * 1024),
        Self::Logged(1024),
        Self::Body(Bodies::Through),
        Self::Body(Bodies::Memory),
        Self::Body(Bodies::File),
        Self::Paced(20),
        Self::Paced(1),
        Self::Burst,
        Self::TwoWorkers,
        Self::Open,
        Self::Streams,
        Self::Idle,
        Self::Waiting,
        Self::Refused,
        Self::TlsJson(1024),
        Self::TlsFresh,
        Self::TlsPaced(1),
        Self::TlsBurst,
    ];

    /// What it is called in the table and on the command line.
    pub fn name(self) -> String {
        match self {
            Self::Json(length) => format!("json-{}k", length / 1024),
            Self::Logged(length) => format!("json-{}k-logged", length / 1024),
            Self::Body(Bodies::Through) => "body-1m".to_owned(),
            Self::Body(Bodies::Memory) => "body-1m-memory".to_owned(),
            Self::Body(Bodies::File) => "body-1m-file".to_owned(),
            Self::Paced(pace) => format!("paced-{pace}ms"),
            Self::Burst => "burst-200".to_owned(),
            Self::TwoWorkers => "two-workers".to_owned(),
            Self::Open => "open-loop".to_owned(),
            Self::Streams => "streams".to_owned(),
            Self::Idle => "idle".to_owned(),
            Self::Waiting => "waiting".to_owned(),
            Self::Refused => "refused".to_owned(),
            Self::TlsJson(length) => format!("tls-json-{}k", length / 1024),
            Self::TlsFresh => "tls-fresh".to_owned(),
            Self::TlsPaced(pace) => format!("tls-paced-{pace}ms"),
            Self::TlsBurst => "tls-burst-200".to_owned(),
        }
    }

    /// The models that it asks for.
    pub fn models(self, scale: &Scale) -> Vec<String> {
        match self {
            Self::Json(length) | Self::Logged(length) | Self::TlsJson(length) => {
                vec![format!("json.{length}")]
            }
            Self::Body(_) => vec!["json.64".to_owned()],
            Self::Paced(pace) | Self::TlsPaced(pace) => vec![paced_model(scale, pace)],
            Self::Burst | Self::TlsBurst => vec!["burst.200".to_owned()],
            Self::TlsFresh => vec!["close.1024".to_owned()],
            Self::TwoWorkers | Self::Open | Self::Refused => vec!["json.1024".to_owned()],
            Self::Streams => vec![paced_model(&Scale { time: long(scale), ..*scale }, 1000)],
            Self::Idle => vec!["burst.200".to_owned(), "json.64".to_owned()],
            Self::Waiting => Vec::new(),
        }
    }

    /// How the proxies are run for it.
    pub fn setup(self) -> Setup {
        let workers = if self == Self::TwoWorkers { 2 } else { 1 };
        let log = matches!(self, Self::Logged(_));
        let bodies = if let Self::Body(bodies) = self { bodies } else { Bodies::Memory };
        Setup { workers, log, tls: self.is_over_tls(), bodies }
    }

    fn is_over_tls(self) -> bool {
        matches!(self, Self::TlsJson(_) | Self::TlsFresh | Self::TlsPaced(_) | Self::TlsBurst)
    }

    /// Whether it can be asked of `kind`.
    pub fn fits(self, kind: &Kind) -> bool {
        match self {
            Self::Waiting | Self::Refused => *kind == Kind::Backstop,
            Self::Idle => matches!(kind, Kind::Nginx | Kind::Backstop),
            Self::Streams => *kind != Kind::Direct,
            tls if tls.is_over_tls() => matches!(kind, Kind::Nginx | Kind::Backstop),
            _ => true,
        }
    }

    /// Does it once.
    pub async fn run(self, scale: &Scale, proxy: &Proxy) -> Sample {
        match self {
            Self::Json(length) | Self::Logged(length) | Self::TlsJson(length) => {
                let model = format!("json.{length}");
                a_request(scale, proxy, &whole(&model, length), 32).await
            }
            Self::Body(_) => a_request(scale, proxy, &whole("json.64", 1 << 20), 8).await,
            Self::TlsFresh => fresh(scale, proxy).await,
            Self::Paced(pace) | Self::TlsPaced(pace) => paced(scale, proxy, pace).await,
            Self::Burst | Self::TlsBurst => {
                let asked = streamed("burst.200");
                let (cpu, load) = timed(proxy, load::closed(proxy.address, &asked, 8, scale.time)).await;
                vec![("cpu/event", each(cpu, load.events)), failures(&load)]
            }
            Self::TwoWorkers => {
                let asked = whole("json.1024", 1024);
                let load = load::closed(proxy.address, &asked, 64, scale.time).await;
                vec![("requests/s", load.responses as f64 / load.took.as_secs_f64()), failures(&load)]
            }
            Self::Open => {
                let asked = whole("json.1024", 1024);
                let load = load::open(proxy.address, &asked, 1000, 64, scale.time).await;
                let [p50, p99] = [0.5, 0.99].map(|at| load.first_byte.value_at_quantile(at) as f64);
                vec![("first byte p50", p50), ("first byte p99", p99), failures(&load)]
            }
            Self::Streams => streams(scale, proxy).await,
            Self::Idle => idle(scale, proxy).await,
            Self::Waiting => waiting(scale, proxy).await,
            Self::Refused => refused(scale, proxy).await,
        }
    }
}

const PATH: &str = "/v1/chat/completions";

fn whole(model: &str, length: usize) -> Vec<u8> {
    request(PATH, model, false, length)
}

fn streamed(model: &str) -> Vec<u8> {
    request(PATH, model, true, 1024)
}

/// What `work` gives, and the CPU time of the proxy meanwhile.
async fn timed<T>(proxy: &Proxy, work: impl Future<Output = T>) -> (Duration, T) {
    let before = proxy.cpu();
    let result = work.await;
    (proxy.cpu().saturating_sub(before), result)
}

/// A share of `time`, in microseconds.
fn each(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count.max(1) as f64
}

fn failures(load: &Load) -> (&'static str, f64) {
    ("failures", load.failures as f64)
}

async fn warm(proxy: &Proxy, asked: &[u8], connections: usize) {
    load::closed(proxy.address, asked, connections, Duration::from_millis(200)).await;
}

async fn a_request(scale: &Scale, proxy: &Proxy, asked: &[u8], connections: usize) -> Sample {
    warm(proxy, asked, connections).await;
    let (cpu, load) = timed(proxy, load::closed(proxy.address, asked, connections, scale.time)).await;
    vec![("cpu/request", each(cpu, load.responses)), failures(&load)]
}

async fn fresh(scale: &Scale, proxy: &Proxy) -> Sample {
    let asked = whole("close.1024", 1024);
    warm(proxy, &asked, 8).await;
    let before = Handshakes::now();
    let (cpu, load) = timed(proxy, load::closed(proxy.address, &asked, 8, scale.time)).await;
    let handshakes = before.since();
    let share = |part: u64, of: u64| part as f64 / of.max(1) as f64;
    vec![
        ("cpu/request", each(cpu, load.responses)),
        ("handshakes/request", share(handshakes.count(), load.responses)),
        ("resumed", share(handshakes.resumed, handshakes.count())),
        failures(&load),
    ]
}

/// How many events a stream has that lasts as long as a load does.
fn events(scale: &Scale, pace: u64) -> u64 {
    u64::try_from(scale.time.as_millis()).unwrap_or(u64::MAX) / pace
}

fn paced_model(scale: &Scale, pace: u64) -> String {
    format!("paced.{pace}.{}", events(scale, pace))
}

/// How long the streams stay open that are many.
fn long(scale: &Scale) -> Duration {
    scale.time.max(Duration::from_secs(1)) * 6
}

async fn paced(scale: &Scale, proxy: &Proxy, pace: u64) -> Sample {
    let events = events(scale, pace);
    let asked = streamed(&paced_model(scale, pace));
    let (cpu, load) = timed(proxy, load::once(proxy.address, &asked, 50)).await;
    let [p50, p99] = [0.5, 0.99].map(|at| load.event.value_at_quantile(at) as f64);
    let lost = (50 * (events + 1)).saturating_sub(load.events);
    let cpu = ("cpu/event", each(cpu, load.events));
    vec![cpu, ("event p50", p50), ("event p99", p99), ("lost", lost as f64), failures(&load)]
}

/// Memory in the middle of it, when all of them have been open for a while.
async fn streams(scale: &Scale, proxy: &Proxy) -> Sample {
    let scale = &Scale { time: long(scale), ..*scale };
    let asked = streamed(&paced_model(scale, 1000));
    let before = proxy.own_memory();
    let look = async {
        tokio::time::sleep(scale.time * 2 / 3).await;
        proxy.own_memory()
    };
    let run = load::once(proxy.address, &asked, scale.streams);
    let (load, during) = tokio::join!(run, look);
    let streams = scale.streams as u64;
    let lost = (streams * (events(scale, 1000) + 1)).saturating_sub(load.events);
    vec![
        ("memory/stream", during.saturating_sub(before) as f64 / streams as f64),
        ("lost", lost as f64),
        failures(&load),
    ]
}

async fn idle(scale: &Scale, proxy: &Proxy) -> Sample {
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = proxy.resident();
    let asked = streamed("burst.200");
    let load = load::closed(proxy.address, &asked, 200, scale.time).await;
    let big = load::closed(proxy.address, &whole("json.64", 1 << 20), 32, scale.time).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = proxy.resident();
    vec![
        ("start", proxy.start.as_secs_f64() * 1e6),
        ("idle", before as f64),
        ("after a load", after as f64),
        ("failures", (load.failures + big.failures) as f64),
    ]
}

async fn waiting(scale: &Scale, proxy: &Proxy) -> Sample {
    let asked = whole("waiting", 1024);
    let before = proxy.own_memory();
    let others = Notify::new();
    let seen = async {
        calm(proxy).await;
        others.notify_one();
        calm(proxy).await;
        let (cpu, ()) = timed(proxy, tokio::time::sleep(scale.time)).await;
        (proxy.own_memory(), cpu.as_secs_f64() / scale.time.as_secs_f64())
    };
    // A first attempt has a connection of its own; for those of all at once there may not be files enough.
    let half = scale.waiting / 2;
    let one_half = load::once(proxy.address, &asked, half);
    let other_half = async {
        others.notified().await;
        load::once(proxy.address, &asked, scale.waiting - half).await
    };
    let (during, core) = tokio::select! {
        seen = seen => seen,
        load = one_half => return vec![("failures", load.failures.max(1) as f64)],
        load = other_half => return vec![("failures", load.failures.max(1) as f64)],
    };
    vec![
        ("memory/request", during.saturating_sub(before) as f64 / scale.waiting as f64),
        ("share of a core", core),
    ]
}

/// Waits until each request that waits has had its first attempt.
async fn calm(proxy: &Proxy) {
    let mut last = Duration::MAX;
    loop {
        let cpu = proxy.cpu();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let spent = proxy.cpu().saturating_sub(cpu);
        if spent < Duration::from_millis(25) && last < Duration::from_millis(25) {
            return;
        }
        last = spent;
    }
}

async fn refused(scale: &Scale, proxy: &Proxy) -> Sample {
    let (plain, refused) = (whole("json.1024", 1024), whole("refused", 1024));
    warm(proxy, &plain, 16).await;
    let (cpu, load) = timed(proxy, load::closed(proxy.address, &plain, 16, scale.time)).await;
    let without = each(cpu, load.responses);
    let (cpu, load) = timed(proxy, load::closed(proxy.address, &refused, 16, scale.time)).await;
    vec![("cpu more", each(cpu, load.responses) - without), failures(&load)]
}
