//! Many at once, before the real binary: all are served, and nothing stays behind.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use backstop::sim::{Act, Provider, Refusing, Script};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::settings::ONCE;
use crate::support::{Call, Connection, Program, pooled, route, soon};

const STREAMS: usize = 200;

/// Within this time every pooled connection that nobody used again is closed.
const POOL_TIME: Duration = Duration::from_secs(45);

/// What a first load may leave behind for good, in KiB: code that ran for the first time has set up
/// its tables, and a page is given back only when all of it is free.
const REMAINDER: usize = 4 * 1024;

const TOKENS: usize = 50;

/// The program, with room for many open files.
async fn serve(text: &str) -> Program {
    // Both ends of many sockets are ours, and the program inherits what we may.
    let id = std::process::id().to_string();
    let allowed =
        Command::new("prlimit").args(["--nofile=8192:", "--pid", &id]).stderr(Stdio::null()).status();
    drop(allowed);
    Program::serve(Some(text), &[]).await
}

/// One attempt each; a candidate that fails a hundred times is asked all the same.
fn awake() -> String {
    format!("cooldown = {{ enabled = false }}\n{ONCE}")
}

fn answer() -> Act {
    Act::tokens(TOKENS).pace(Duration::from_millis(5))
}

fn text() -> String {
    (0..TOKENS).map(|n| format!("token{n}")).collect::<Vec<_>>().join(" ")
}

/// As many streams at once, all open before the first one ends; each must come whole.
async fn load(program: &Program) {
    let all_open = Arc::new(Barrier::new(STREAMS));
    let mut clients = JoinSet::new();
    for _ in 0..STREAMS {
        let (address, all_open) = (program.address, Arc::clone(&all_open));
        clients.spawn(async move {
            let mut answer = Call::stream("r").send(address).await;
            assert_eq!((answer.status, answer.header("x-backstop-attempts")), (200, "2"));
            assert_eq!(answer.header("x-backstop-provider"), "q");
            answer.data().await.expect("the first event");
            soon("stream for everybody", all_open.wait()).await;
            assert_eq!(answer.content().await, text());
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
}

#[tokio::test]
async fn all_streams_complete_and_nothing_stays_behind() {
    let busy = Provider::start_counting(Script::always(Act::status(503))).unwrap();
    let good = Provider::start_counting(answer()).unwrap();
    let program = serve(&route([busy.base_url(), good.base_url()], &awake())).await;
    let before = program.memory();

    let mut loaded = Vec::new();
    for round in 1..=3 {
        load(&program).await;
        loaded.push(program.memory());

        assert_eq!((busy.count(), good.count()), (round * STREAMS, round * STREAMS));
        soon("close of what is not pooled", busy.wait_connections(pooled())).await;
        soon("close of what is not pooled", good.wait_connections(pooled())).await;
    }

    let no_more_open = async {
        busy.wait_connections(0).await;
        good.wait_connections(0).await;
    };
    tokio::time::timeout(POOL_TIME, no_more_open).await.expect("pooled connections are closed in time");
    let after = program.memory_below(before + REMAINDER).await;
    println!("KiB in use: {before} before, {loaded:?} under load, {after} after");
}

#[tokio::test]
async fn all_streams_complete_behind_a_refused_connection() {
    let nobody = Refusing::start().unwrap();
    let good = Provider::start_counting(answer()).unwrap();
    let program = serve(&route([nobody.base_url(), good.base_url()], &awake())).await;

    load(&program).await;

    assert_eq!(good.count(), STREAMS);
    soon("close of what is not pooled", good.wait_connections(pooled())).await;
}

#[tokio::test]
async fn streams_that_are_left_close_everything() {
    let busy = Provider::start_counting(Script::always(Act::status(503))).unwrap();
    let good = Provider::start_counting(Act::tokens(200).pace(Duration::from_millis(100))).unwrap();
    let program = serve(&route([busy.base_url(), good.base_url()], &awake())).await;
    let mut clients = JoinSet::new();
    for _ in 0..STREAMS {
        let call = Call::stream("r");
        let address = program.address;
        clients.spawn(async move {
            let mut answer = call.send(address).await;
            answer.data().await.expect("the first event");
            answer
        });
    }
    let open = clients.join_all().await;
    assert_eq!(good.open_connections(), STREAMS);

    drop(open);

    soon("close of every stream", good.wait_connections(0)).await;
    assert_eq!((busy.count(), good.count()), (STREAMS, STREAMS));
}

#[tokio::test]
async fn two_thousand_idle_connections_cost_little() {
    let program = serve(&route(["http://127.0.0.1:1/v1"], "")).await;
    for _ in 0..20 {
        assert_eq!(Call::get("/v1/models").send(program.address).await.status, 200);
    }
    let before = program.memory();

    let mut fresh = Vec::new();
    for _ in 0..8 {
        for _ in 0..250 {
            fresh.push(TcpStream::connect(program.address).await.expect("room for another connection"));
        }
        // Connections are taken in turn, so whoever is answered is behind all others.
        assert_eq!(Call::get("/health/live").send(program.address).await.status, 200);
    }
    let unused = program.memory() - before;
    let mut asked = Vec::new();
    for stream in fresh {
        let mut connection = Connection::over(stream);
        connection.write(&Call::get("/v1/models").bytes()).await;
        asked.push(connection);
    }
    let mut used = Vec::new();
    for connection in asked {
        let mut answer = connection.head().await.expect("an answer");
        answer.text().await;
        used.push(answer.into_connection());
    }
    let kept_alive = program.memory() - before;

    println!("KiB for 2,000 connections: {unused} unused, {kept_alive} kept alive");
    assert!(unused < 8 * 1024, "{unused} KiB for connections that were never used");
    assert!(kept_alive < 40 * 1024, "{kept_alive} KiB for connections between two requests");
    assert_eq!(used.len(), 2000);
}
