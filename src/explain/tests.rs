//! The play held against the relay itself, in paused time and with waits that leave nothing to chance.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Frame;
use proptest::prelude::*;
use tokio::time::Instant;

use super::fail::Failure;
use super::play::{ANSWER, Timeline, timeline};
use super::*;
use crate::config::Secrets;
use crate::openai::envelope::Envelope;
use crate::relay::resume::Prefills;
use crate::relay::{Asked, Drain, Health, Relay, Request};
use crate::retry::patience::late;
use crate::retry::{Class, Fault, Phase};
use crate::route::{Candidate, Route};
use crate::upstream::{Call, Upstream};

const CONFIG: &str = "
[providers.a]
base_url = 'http://127.0.0.1:1'
[providers.b]
base_url = 'http://127.0.0.1:2'
[retry]
attempt_delay = '3s'
burst_pause = '17s'
cycle_pause = '61s'
attempts_per_burst = 3
bursts_per_cycle = 2
[routes.depth]
chain = ['a/one', 'b/two/three', 'a/late']
[routes.breadth]
chain = ['a/one', 'b/two/three', 'a/late']
order = 'breadth'
[routes.alone]
chain = ['a/one']
retry = { deadline = '20m' }
[routes.own]
chain = [{ use = 'a/one', retry = { attempts_per_burst = 1, on = { overloaded = 'next' } } }, 'b/two/three']
retry = { max_attempts = 7, on = { bad_request = 'reject' } }
";

fn runtime() -> config::Runtime {
    let source = Source::Text { name: "test".into(), text: CONFIG.into() };
    let loaded = config::load(&source, &Environment::default(), &Overrides::default());
    loaded.unwrap_or_else(|faults| panic!("{faults}")).runtime
}

fn route(name: &str) -> Arc<Route> {
    let runtime = runtime();
    let mut route = (*runtime.routes.resolve(name).expect("a route")).clone();
    route.progress = Some(crate::route::ProgressMode::Off);
    Arc::new(route)
}

/// Two models of `a` with one of `b` between them.
pub(super) fn chain() -> Vec<Candidate> {
    route("depth").chain.candidates().to_vec()
}

/// An upstream that fails as it is told.
struct MadeUp {
    route: Arc<Route>,
    failures: Mutex<Failures>,
    started: Instant,
    /// Who was asked, and when.
    sent: Mutex<Vec<(usize, Duration)>>,
}

impl Upstream for MadeUp {
    type Body = Parts;

    async fn send(&self, call: Call<'_>) -> Result<Response<Parts>, Fault> {
        let same = |candidate: &Candidate| candidate.model == call.candidate.model;
        let index = self.route.chain.candidates().iter().position(same).expect("one of the chain");
        self.sent.lock().unwrap().push((index, self.started.elapsed()));
        let failure = self.failures.lock().unwrap().next(index);
        if failure == Some(Failure::Timeout) {
            tokio::time::sleep(call.connect).await;
            return Err(late(Phase::Connect, call.connect));
        }
        if failure == Some(Failure::Refuse) {
            return Err(Fault::new(Class::Connect, Phase::Connect, "refused"));
        }
        call.connected.mark(Instant::now());
        let begun =
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
        let said = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
        let (status, text, end) = match failure {
            Some(Failure::Hang) => std::future::pending().await,
            Some(Failure::Status(status, _)) => (status, "", Poll::Ready(None)),
            Some(Failure::Silent) => (200, begun, Poll::Pending),
            Some(Failure::Cut) => {
                (200, begun, Poll::Ready(Some(Fault::new(Class::Broken, Phase::FirstToken, "cut"))))
            }
            Some(Failure::Empty) => (200, "data: [DONE]\n\n", Poll::Ready(None)),
            Some(_) => return Err(Fault::new(Class::Reset, Phase::FirstByte, "reset")),
            None => {
                tokio::time::sleep(ANSWER).await;
                (200, said, Poll::Ready(None))
            }
        };
        let text = (!text.is_empty()).then(|| Bytes::from_static(text.as_bytes()));
        let mut response = Response::new(Parts { text, end });
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        if let Some(Failure::Status(_, Some(after))) = failure {
            let seconds = HeaderValue::from(after.as_secs());
            response.headers_mut().insert(http::header::RETRY_AFTER, seconds);
        }
        Ok(response)
    }
}

/// Some text, and then an end, a fault or nothing.
struct Parts {
    text: Option<Bytes>,
    end: Poll<Option<Fault>>,
}

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        match self.text.take() {
            Some(text) => Poll::Ready(Some(Ok(Frame::data(text)))),
            None => self.end.clone().map(|fault| fault.map(Err)),
        }
    }
}

/// What the relay does: who was asked when, how the attempts failed, the outcome, and when it was over.
async fn relayed(route: &Arc<Route>, failures: Failures) -> Told {
    let upstream = MadeUp {
        route: Arc::clone(route),
        failures: Mutex::new(failures),
        started: Instant::now(),
        sent: Mutex::default(),
    };
    let relay = Arc::new(Relay {
        upstream,
        health: Arc::new(Health::new(&runtime().providers)),
        prefills: Prefills::default(),
        secrets: Secrets::default(),
        head_after: Duration::from_secs(15),
        max_answer: 1_000_000,
        status: crate::server::error::status,
        drain: Drain::default(),
    });
    let body = Bytes::from_static(br#"{"model":"r","stream":true,"messages":[]}"#);
    let request = Request {
        asked: Asked::new("id".into(), "here".into(), "/".into()),
        user: crate::relay::User::default(),
        route: Arc::clone(route),
        progress: crate::route::ProgressMode::Off,
        envelope: Envelope::parse(body).expect("a request"),
        headers: HeaderMap::new(),
    };
    let began = Instant::now();
    let result = relay.respond(request).await;
    let total = began.elapsed();
    let sent = relay.upstream.sent.lock().unwrap().clone();
    match result {
        Ok(_) => Told { sent, total, failed: None },
        Err(failure) => {
            let waits = failure.trail.iter().map(|attempt| Duration::from_secs_f64(attempt.waited)).collect();
            let codes = failure.trail.iter().map(|attempt| attempt.code).collect();
            Told {
                sent,
                total,
                failed: Some(Failed {
                    outcome: failure.outcome.as_str(),
                    retry_after: failure.retry_after,
                    waits,
                    codes,
                }),
            }
        }
    }
}

/// Tokio's timers round up to milliseconds, and a share of the deadline may be any fraction of it.
const ROUNDING: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Told {
    sent: Vec<(usize, Duration)>,
    total: Duration,
    failed: Option<Failed>,
}

#[derive(Debug)]
struct Failed {
    outcome: &'static str,
    retry_after: Option<Duration>,
    /// The wait before each attempt.
    waits: Vec<Duration>,
    /// The class of each failure.
    codes: Vec<&'static str>,
}

impl PartialEq for Told {
    fn eq(&self, other: &Self) -> bool {
        let near = |a: Duration, b: Duration| a.abs_diff(b) < ROUNDING;
        self.sent.len() == other.sent.len()
            && self.sent.iter().zip(&other.sent).all(|(a, b)| a.0 == b.0 && near(a.1, b.1))
            && near(self.total, other.total)
            && match (&self.failed, &other.failed) {
                (None, None) => true,
                (Some(a), Some(b)) => {
                    let (later, sooner) = (a.retry_after, b.retry_after);
                    (a.outcome, &a.codes) == (b.outcome, &b.codes)
                        && later.is_some() == sooner.is_some()
                        && near(later.unwrap_or_default(), sooner.unwrap_or_default())
                        && a.waits.iter().zip(&b.waits).all(|(a, b)| near(*a, *b))
                }
                _ => false,
            }
    }
}

/// The same of a play.
fn played(timeline: &Timeline) -> Told {
    let attempts = &timeline.attempts;
    let failed = timeline.failure.as_ref().map(|(stop, fault, _)| {
        let waits = attempts.iter().map(|attempt| attempt.send.wait).collect();
        let codes =
            attempts.iter().filter_map(|attempt| Some(attempt.fault.as_ref()?.class.as_str())).collect();
        Failed { outcome: fault.class.as_str(), retry_after: stop.wish(fault), waits, codes }
    });
    Told {
        sent: attempts.iter().map(|attempt| (attempt.send.candidate, attempt.at)).collect(),
        total: timeline.total,
        failed,
    }
}

#[track_caller]
fn hold(name: &str, fail: &str) {
    let route = route(name);
    let failures =
        Failures::parse(fail, route.chain.candidates()).unwrap_or_else(|mistake| panic!("{mistake}"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let told = runtime.block_on(relayed(&route, failures.clone()));
    assert_eq!(played(&timeline(&route, failures, 1)), told, "{name}: {fail}");
}

#[test]
fn a_play_is_what_the_relay_does() {
    for fail in [
        "a=429,b=503",
        "a=hang,b=refuse",
        "a=429x4+hangx1,b=silentx2+401",
        "a/one=429@20sx2,a/late=timeout,b=empty",
        "a=401,b=402",
        "a=429@2m,b=429@9m",
        "a=cutx2+reset,b=404",
    ] {
        hold("depth", fail);
        hold("breadth", fail);
    }
    for fail in ["a=hang", "a=silentx2+timeoutx2+hang", "a=429@30sx3+refuse", "a=503x11", "a=400", "a=429@1h"]
    {
        hold("alone", fail);
    }
    hold("own", "a=503,b=400");
}

#[test]
fn the_head_of_a_stream_is_as_early_as_its_progress_wants_it() {
    use crate::route::ProgressMode::{Comments, Off, OpenWebui, Reasoning};
    for (name, progress, fail, expected) in [
        ("alone", Some(Off), "a=503", None),
        ("alone", None, "a=503", Some("15s")),
        ("alone", Some(Comments), "a=503", Some("15s")),
        ("alone", Some(OpenWebui), "a=503", Some("0s")),
        ("alone", Some(Reasoning), "a=hangx1+503", Some("15s")),
        ("alone", Some(OpenWebui), "a=400", None),
        ("alone", None, "a=400", None),
        ("depth", Some(OpenWebui), "a=404,b=hangx1+503", Some("1s")),
        ("depth", Some(OpenWebui), "a=404,b=404", None),
    ] {
        let route = Route { progress, ..(*route(name)).clone() };
        let failures = Failures::parse(fail, route.chain.candidates()).unwrap();
        let played = timeline(&route, failures.clone(), 1);
        let text = lines::timeline(&route, &failures, &played, Duration::from_secs(15));
        let told = text.split_once("has had its 200 after ").and_then(|(_, rest)| rest.split_once(','));
        assert_eq!(told.map(|(head, _)| head), expected, "{progress:?} {fail}");
    }
}

#[test]
fn equal_seeds_give_equal_plays() {
    let text = CONFIG.replace("'3s'", "'2s..4s'");
    let source = Source::Text { name: "test".into(), text };
    let loaded = config::load(&source, &Environment::default(), &Overrides::default()).expect("valid");
    let route = loaded.runtime.routes.resolve("depth").expect("a route");
    let play = |seed| played(&timeline(&route, Failures::all_down(route.chain.candidates()), seed));

    assert_eq!(play(7), play(7));
    assert_ne!(play(7), play(8));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_play_is_what_the_relay_does(
        name in prop::sample::select(vec!["depth", "breadth", "alone", "own"]),
        a in prop::collection::vec((fail::tests::step_text(), 1u32..4), 0..4),
        b in prop::collection::vec((fail::tests::step_text(), 1u32..4), 0..4),
        last in fail::tests::step_text(),
        endless in any::<bool>(),
    ) {
        let mut entries: Vec<String> = a.iter().map(|(what, count)| format!("a={what}x{count}")).collect();
        if endless || entries.is_empty() {
            entries.push(format!("a={last}"));
        }
        if name != "alone" {
            entries.extend(b.iter().map(|(what, count)| format!("b={what}x{count}")));
        }
        hold(name, &entries.join(","));
    }
}
