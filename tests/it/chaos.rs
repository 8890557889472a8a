//! Hundreds of requests at once over providers that flap, with every fault mixed in.
//!
//! What each provider does with its next call is drawn from a seed. Whatever it is, a request ends in
//! one outcome, an answer is whole, an error is a clean one, and the numbers add up: also where answers
//! that break are gone on with, where they are held until they are whole beside those of somebody else,
//! and where keys take turns.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backstop::sim::{Ended, Provider, Refusing};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::faults::{self, TABLE};
use crate::support::{Call, Got, Log, pooled, providers, proxy, soon};

mod flapping;
mod told;

use told::Told;

const REQUESTS: usize = 300;

/// How many of them are under way at a time.
const AT_ONCE: usize = 30;

/// One in so many leaves before it has its answer.
const LEAVERS: usize = 10;

/// The routes and the most attempts that each may make: four for each candidate, or fewer.
const ROUTES: [(&str, u64); 6] =
    [("deep", 12), ("broad", 16), ("capped", 3), ("resumed", 12), ("verified", 12), ("keyed", 12)];

/// The keys of the pool.
const KEYS: [&str; 2] = ["sk-one-0123456789", "sk-two-0123456789"];

/// How many requests they may make in a day: more than there are.
const DAY: u64 = 100_000;

const CONFIG: &str = r#"
    server.head_after = "20ms"
    timeouts = { first_byte = "150ms", first_token = "150ms", idle = "200ms" }
    [retry]
    attempts_per_burst = 2
    bursts_per_cycle = 1
    cycles = 2
    attempt_delay = "1ms..4ms"
    cycle_pause = "5ms..10ms"
    deadline = "8s"
    [cooldown]
    rest = "5ms"
    rest_max = "40ms"
    [routes]
    deep.chain = ["a/m", "b/m", "c/m"]
    broad = { chain = ["nobody/m", "b/m", "c/m", "a/m"], order = "breadth" }
    capped = { chain = ["c/m", "a/m", "b/m"], retry = { max_attempts = 3 } }
    resumed.chain = ["a/same", "b/same", { use = "c/same", prefill = true }]
    resumed.on_break = "resume"
    verified = { chain = ["b/m", "c/m", "a/m"], delivery = "verified", hedge_after = "25ms" }
    keyed.chain = ["pool/m", "c/m", "a/m"]
"#;

/// A request, by what the client does.
#[derive(Debug, Clone)]
struct Asked {
    id: String,
    route: &'static str,
    /// The most attempts it may make.
    most: u64,
    stream: bool,
    /// When it leaves.
    leaves: Option<Duration>,
}

/// What became of a request, as its client saw it.
#[derive(Debug)]
enum Seen {
    Got { got: Got, attempts: String },
    Left,
}

impl Asked {
    fn draw(number: usize, generator: &mut SmallRng) -> Self {
        let leaves = number.is_multiple_of(LEAVERS);
        let (route, most) = ROUTES[generator.random_range(0..ROUTES.len())];
        Self {
            id: format!("{}-{number}", if leaves { "leaver" } else { "stayer" }),
            route,
            most,
            stream: generator.random_bool(0.6),
            leaves: leaves.then(|| Duration::from_millis(generator.random_range(50..140))),
        }
    }

    async fn play(&self, address: SocketAddr) -> Seen {
        let Self { id, route, stream, .. } = self;
        let messages = format!(r#"[{{"role":"user","content":"{id}"}}]"#);
        let body = format!(r#"{{"model":"{route}","stream":{stream},"messages":{messages}}}"#);
        let call = Call::post("/v1/chat/completions", body).header("x-request-id", id);
        // Who leaves has asked first, and been read: nothing is told of what never came.
        let connection = call.start(address).await;
        let answer = async { connection.head().await.expect("an answer") };
        let Some(patience) = self.leaves else {
            let answer = answer.await;
            let attempts = answer.header("x-backstop-attempts").to_owned();
            return Seen::Got { got: Got::read(answer).await, attempts };
        };
        let ended = tokio::time::timeout(patience, async {
            let mut answer = answer.await;
            answer.text().await
        });
        let ended = ended.await;
        assert!(ended.is_err(), "`{id}` had its answer before it could leave: {ended:?}");
        Seen::Left
    }
}

/// Sends all the requests, so many at a time.
async fn send(address: SocketAddr, generator: &mut SmallRng) -> Vec<(Asked, Seen)> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut clients = JoinSet::new();
    for number in 0..REQUESTS {
        let asked = Asked::draw(number, generator);
        let place = Arc::clone(&places).acquire_owned().await.expect("an open semaphore");
        clients.spawn(async move {
            let seen = asked.play(address).await;
            drop(place);
            (asked, seen)
        });
    }
    clients.join_all().await
}

/// Waits until each of the requests has ended; panics with those that have not.
async fn ended(log: &Log, seen: &[(Asked, Seen)]) {
    // The proxy runs on this thread, so giving way to it is all there is to wait for.
    let all = async {
        while log.access().len() < REQUESTS {
            tokio::task::yield_now().await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(10), all).await.is_err() {
        let going_on: Vec<_> = seen.iter().filter(|(asked, _)| log.outcome(&asked.id).is_none()).collect();
        panic!("no end of {going_on:?}");
    }
}

/// The access line of each request, by its id; there must be one for each.
fn lines(log: &Log) -> BTreeMap<String, Value> {
    let mut lines = BTreeMap::new();
    for line in log.access() {
        let id = line["request_id"].as_str().expect("an id").to_owned();
        let twice = lines.insert(id, line);
        assert!(twice.is_none(), "a second line: {twice:?}");
    }
    assert_eq!(lines.len(), REQUESTS);
    lines
}

/// How many calls there were for a request, and how many of them asked to go on with its answer.
#[derive(Debug, Clone, Copy, Default)]
struct Calls {
    all: u64,
    prefilled: u64,
}

/// The calls for each request: those that a provider saw, of which those of leavers were all left, and
/// those that nobody could see.
fn calls(asked: &[(&str, &Provider)], log: &Log) -> BTreeMap<String, Calls> {
    let mut calls = BTreeMap::<String, Calls>::new();
    for refused in log.saying("ERROR: connect - connection refused") {
        assert_eq!(refused["provider"], "nobody", "{refused}");
        calls.entry(refused["request_id"].as_str().expect("an id").to_owned()).or_default().all += 1;
    }
    for (name, provider) in asked {
        for request in provider.requests() {
            let id = flapping::id(&request);
            let ended = request.ended.unwrap_or_else(|| panic!("an attempt of `{id}` at {name} goes on"));
            assert!(ended == Ended::ClientLeft || !id.starts_with("leaver"), "`{id}` stayed at {name}");
            let calls = calls.entry(id).or_default();
            calls.all += 1;
            calls.prefilled += u64::from(request.prefill().is_some());
        }
    }
    calls
}

/// Holds what one client saw against the log and the providers, which saw these calls; the outcome.
fn check(asked: &Asked, seen: &Seen, line: &Value, told: &Told, calls: Calls) -> String {
    let attempts = line["attempts"].as_u64().unwrap_or_default();
    let outcome = line["outcome"].as_str().expect("an outcome");
    let context = format!("{asked:?}: {seen:?}, {line}, {told:?}, {calls:?}");
    assert!(attempts <= asked.most, "more attempts than planned: {context}");
    assert!(asked.route == "verified" || told.cancelled == 0, "nobody lost: {context}");
    assert!(asked.route == "keyed" || told.moves == 0, "nobody has another key: {context}");
    assert!(asked.route == "resumed" || told.resumed() == 0, "nobody goes on: {context}");
    // Of what is under way when a client leaves nothing is told, and it may not have arrived; nor may what
    // has lost to another one, or was given up on a machine that is too busy to read it in time.
    let left = match (seen, asked.route) {
        (Seen::Got { .. }, _) => 0,
        (Seen::Left, "verified") => 2,
        (Seen::Left, _) => 1,
    };
    // Who refuses to go on is asked afresh within the same attempt.
    let again = calls.prefilled;
    let told_of = told.calls() - told.cancelled - told.late..=told.calls() + left + again;
    assert!(told_of.contains(&calls.all), "miscounted: {context}");
    let untold: Vec<u64> = (1..=attempts).filter(|number| !told.numbers.contains(number)).collect();
    assert!(untold.len() as u64 <= left, "{untold:?} were not told: {context}");
    assert!(told.numbers.last().is_none_or(|last| *last <= attempts), "miscounted: {context}");

    let Seen::Got { got, attempts: said } = seen else {
        assert_eq!(outcome, "client_gone", "{context}");
        return outcome.to_owned();
    };
    // An early head cannot tell, nor can one of what is gone on with later.
    let may_differ = matches!(got, Got::Broken { .. }) || told.resumed() > 0;
    assert!(said.is_empty() || may_differ || *said == attempts.to_string(), "{context}");
    let whole = |text: &str| match asked.route {
        "resumed" => Some(flapping::same(&asked.id)).filter(|whole| whole.starts_with(text)),
        _ => flapping::whole(text),
    };
    match got {
        Got::Whole(text) => {
            assert_eq!(whole(text).as_deref(), Some(text.as_str()), "{context}");
            assert_eq!(outcome, "ok", "{context}");
        }
        Got::Refused { status, code, attempts: tried } => {
            let (_, _, expected, _) = TABLE.iter().find(|row| row.0 == code).expect("a class");
            let theirs = code == "bad_request" && (400..500).contains(status);
            let early = asked.stream && *status == 200;
            assert!(status == expected || theirs || early, "{context}");
            assert_eq!((outcome, told.failed), (code.as_str(), *tried as u64), "{context}");
        }
        Got::Broken { text, code, .. } => {
            assert!(asked.stream && asked.route != "verified" && whole(text).is_some(), "{context}");
            assert!(["stream_broken", "stream_idle"].contains(&code.as_str()), "{context}");
            assert_eq!(outcome, code, "{context}");
        }
    }
    outcome.to_owned()
}

/// Holds what the log says is left of the keys' quota against the calls with them; those of so many leavers
/// may have been counted and not have arrived.
fn check_quota(log: &Log, provider: &Provider, leavers: usize) {
    let used = KEYS.map(|key| provider.requests().iter().filter(|request| request.key() == key).count());
    assert!(used.iter().all(|used| *used > 0), "both take turns: {used:?}");
    let mut lines = log.saying("SUCCESS");
    lines.retain(|line| line["provider"] == "pool");
    assert!(!lines.is_empty(), "somebody is answered with a key");
    let most = (used.iter().sum::<usize>() + leavers) as u64;
    for line in lines {
        let left = line["quota_day"].as_u64().expect("a quota");
        assert!(left < DAY && left + most >= DAY, "{used:?} calls, {leavers} leavers: {line}");
    }
    let everything = format!("{:?}", log.saying(""));
    assert!(KEYS.iter().all(|key| !everything.contains(key)), "a key is told");
}

/// What happened in a run that need not happen in each.
#[derive(Debug, Default)]
struct Tally {
    cancelled: u64,
    moves: u64,
    /// Whole answers that broke and were gone on with, by whether anybody was asked for the rest alone.
    resumed: [u64; 2],
    /// How requests ended.
    outcomes: BTreeSet<String>,
}

async fn run(seed: u64, tally: &mut Tally) {
    println!("seed {seed}");
    let began = Instant::now();
    let log = Log::begin();
    let mut faults = faults::rows().await;
    faults.retain(|(_, rows)| rows.iter().any(|row| row.met.is_ok()));
    let faults = Arc::new(faults);
    let [a, b, c] = ["a", "b", "c"].map(|name| flapping::start(name, seed, &faults));
    let named = [("a", &a), ("b", &b), ("c", &c)];
    let refusing = Refusing::start().unwrap();
    let nobody = format!("providers.nobody.base_url = \"{}\"", refusing.base_url());
    let pool = format!(
        "[providers.pool]\nbase_url = \"{}\"\napi_keys = {KEYS:?}\n\
         limits = {{ requests_per_minute = 60000, requests_per_day = {DAY} }}",
        b.base_url()
    );
    let proxy = proxy(&format!("{nobody}\n{CONFIG}\n{}\n{pool}", providers(&named))).await;

    let seen = send(proxy.address, &mut SmallRng::seed_from_u64(seed)).await;
    ended(&log, &seen).await;
    for (name, provider) in named {
        soon("close of what is not pooled", provider.wait_connections(pooled())).await;
        assert_eq!(provider.unexpected(), 0, "{name}");
    }
    let summary = proxy.stop().await;
    for (_, provider) in named {
        soon("close of every connection", provider.wait_connections(0)).await;
    }

    assert_eq!((summary.under_way, summary.cut), (0, 0));
    assert!(log.saying("panic").is_empty(), "{:?}", log.saying("panic"));
    let leavers = seen.iter().filter(|(asked, _)| asked.route == "keyed" && asked.leaves.is_some());
    check_quota(&log, &b, leavers.count());
    let (lines, calls, told) = (lines(&log), calls(&named, &log), told::read(&log));
    let mut outcomes = BTreeMap::<String, usize>::new();
    for (asked, seen) in &seen {
        let calls = calls.get(&asked.id).copied().unwrap_or_default();
        let told = told.get(&asked.id).cloned().unwrap_or_default();
        let outcome = check(asked, seen, &lines[&asked.id], &told, calls);
        tally.cancelled += told.cancelled;
        tally.moves += told.moves;
        tally.resumed[usize::from(calls.prefilled > 0)] += u64::from(outcome == "ok" && told.resumed() > 0);
        *outcomes.entry(outcome).or_default() += 1;
    }
    println!("{outcomes:?} within {:?}", began.elapsed());
    assert_eq!(outcomes["client_gone"], REQUESTS / LEAVERS);
    assert!(outcomes["ok"] > REQUESTS / 3, "many are answered: {outcomes:?}");
    tally.outcomes.extend(outcomes.into_keys());
}

#[tokio::test]
async fn every_request_ends_well_or_cleanly() {
    let mut tally = Tally::default();
    for seed in [1, 42, 133, 2026] {
        run(seed, &mut tally).await;
    }
    println!("{tally:?}");
    let Tally { cancelled, moves, resumed, outcomes } = tally;
    assert!(outcomes.len() >= 5, "too little went wrong: {outcomes:?}");
    assert!(cancelled > 0 && moves > 0 && !resumed.contains(&0), "{cancelled}, {moves}, {resumed:?}");
}
