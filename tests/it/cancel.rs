//! A client that leaves: whatever is under way for it ends within a second, and nothing follows.

use std::time::{Duration, Instant};

use backstop::sim::{Act, Ended, Finish, Provider, Script};
use tokio::time::{sleep_until, timeout};

use crate::support::{Answer, Call, Connection, Log, Proxy, proxy, route, soon};

/// Within this time the provider must have seen the client leave.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How often a request that nobody cancelled would be tried again.
const DELAY: Duration = Duration::from_millis(100);

/// How a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Whole,
    /// A stream whose head waits for an answer.
    Late,
    /// A stream whose head has gone out while it is still being tried.
    Early,
}

use Mode::{Early, Late, Whole};

/// A client that waits for its answer.
enum Waiting {
    ForHead(Connection),
    ForAnswer(Answer),
}

struct Stage {
    provider: Provider,
    proxy: Proxy,
    mode: Mode,
}

impl Stage {
    /// Backstop before a provider that plays `act` whenever it is asked, a thousand times if need be.
    async fn new(act: Act, mode: Mode) -> Self {
        let provider = Provider::start(Script::always(act)).unwrap();
        let progress = if mode == Early { "comments" } else { "off" };
        let rest = format!(
            "progress = \"{progress}\"\n\
             retry = {{ attempts_per_burst = 1000, attempt_delay = \"{}ms\" }}\n\
             [server]\nhead_after = \"50ms\"",
            DELAY.as_millis()
        );
        let proxy = proxy(&route([provider.base_url()], &rest)).await;
        Self { provider, proxy, mode }
    }

    /// The id of its request.
    fn id(&self) -> String {
        format!("{:?}-{}", self.mode, self.proxy.address.port())
    }

    /// Asks, and waits until the first attempt has gone out.
    async fn ask(&self) -> Waiting {
        let call = if self.mode == Whole { Call::whole("r") } else { Call::stream("r") };
        let connection = call.header("x-request-id", &self.id()).start(self.proxy.address).await;
        soon("attempt", self.provider.wait_for(1)).await;
        if self.mode != Early {
            return Waiting::ForHead(connection);
        }
        let mut answer = connection.head().await.expect("an early head");
        assert!(answer.event().await.expect("a comment").starts_with(": "));
        assert_eq!(answer.header("x-backstop-provider"), "", "the head is early");
        Waiting::ForAnswer(answer)
    }

    /// When this is over, Backstop has seen what had arrived before: all runs on one thread.
    async fn settle(&self) {
        for _ in 0..3 {
            assert_eq!(Call::get("/health/live").send(self.proxy.address).await.status, 200);
        }
    }

    /// Our side closes the connection of the first attempt in time.
    async fn closes(&self) {
        let ended = timeout(AT_ONCE, self.provider.wait_ended(0)).await;
        assert_eq!(ended, Ok(Ended::ClientLeft), "{:?}", self.mode);
        let closed = timeout(AT_ONCE, self.provider.wait_closed(0)).await;
        assert_eq!(closed, Ok(()), "{:?}", self.mode);
    }

    /// A second after the client left all is over, and it stays so.
    async fn is_over(&self, left: Instant, log: &Log) {
        sleep_until((left + AT_ONCE).into()).await;
        assert_eq!(log.outcome(&self.id()).as_deref(), Some("client_gone"), "{:?}", self.mode);
        let made = self.provider.count();
        let another = timeout(DELAY * 4, self.provider.wait_for(made + 1)).await;
        assert!(another.is_err(), "{:?}: attempt {} after the client had left", self.mode, made + 1);
    }
}

#[tokio::test]
async fn in_a_pause() {
    let log = Log::begin();
    let leave = async |mode| {
        let stage = Stage::new(Act::status(503), mode).await;
        let waiting = stage.ask().await;
        soon("failure", stage.provider.wait_ended(0)).await;
        stage.settle().await;

        drop(waiting);

        stage.is_over(Instant::now(), &log).await;
    };
    tokio::join!(leave(Whole), leave(Late), leave(Early));
}

/// Leaves an attempt that does `act` and gives no answer.
async fn leave_waiting(act: Act) {
    let log = Log::begin();
    let leave = async |mode| {
        let stage = Stage::new(act.clone(), mode).await;
        let waiting = stage.ask().await;
        stage.settle().await;

        let left = Instant::now();
        drop(waiting);

        stage.closes().await;
        stage.is_over(left, &log).await;
    };
    tokio::join!(leave(Whole), leave(Late), leave(Early));
}

#[tokio::test]
async fn waiting_for_the_head() {
    leave_waiting(Act::hang()).await;
}

#[tokio::test]
async fn waiting_for_the_head_behind_a_body_that_came_late() {
    let log = Log::begin();
    let leave = async |words: usize, chunked: bool| {
        let stage = Stage::new(Act::hang(), Late).await;
        let text = "word ".repeat(words);
        let chat =
            format!(r#"{{"model":"r","stream":true,"messages":[{{"role":"user","content":"{text}"}}]}}"#);
        let length = chat.len();
        let (framing, body) = if chunked {
            ("transfer-encoding: chunked".to_owned(), format!("{length:x}\r\n{chat}\r\n0\r\n\r\n"))
        } else {
            (format!("content-length: {length}"), chat)
        };
        let id = stage.id();
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-request-id: {id}\r\n{framing}\r\n\r\n{body}"
        );
        let mut connection = Connection::open(stage.proxy.address).await;
        connection.write(request.as_bytes()).await;
        soon("attempt", stage.provider.wait_for(1)).await;
        stage.settle().await;

        let left = Instant::now();
        drop(connection);

        stage.closes().await;
        stage.is_over(left, &log).await;
    };
    tokio::join!(leave(20_000, false), leave(20_000, true), leave(1, true));
}

#[tokio::test]
async fn waiting_for_the_first_token() {
    // A role is no payload.
    leave_waiting(Act::answer("Hello there").cut_after(1).then(Finish::Stall)).await;
}

#[tokio::test]
async fn mid_stream() {
    let log = Log::begin();
    let leave = async |mode, reset| {
        let act = Act::answer("Hello there").cut_after(2).then(Finish::Stall);
        let delay = if mode == Early { Duration::from_millis(500) } else { Duration::ZERO };
        let stage = Stage::new(act.after(delay), mode).await;
        let mut answer = match stage.ask().await {
            Waiting::ForHead(connection) => connection.head().await.unwrap(),
            Waiting::ForAnswer(answer) => answer,
        };
        while !answer.data().await.expect("a word").contains("Hello") {}

        let left = Instant::now();
        if reset {
            answer.into_connection().reset();
        } else {
            drop(answer);
        }

        stage.closes().await;
        stage.is_over(left, &log).await;
    };
    tokio::join!(leave(Late, false), leave(Late, true), leave(Early, false), leave(Early, true));
}

#[tokio::test]
async fn mid_stream_while_words_keep_coming() {
    let log = Log::begin();
    let stage = Stage::new(Act::tokens(5000).pace(Duration::from_millis(2)), Late).await;
    let Waiting::ForHead(connection) = stage.ask().await else { panic!("an early head") };
    let mut answer = connection.head().await.unwrap();
    answer.data().await.unwrap();

    let left = Instant::now();
    drop(answer);

    stage.closes().await;
    stage.is_over(left, &log).await;
}

#[tokio::test]
async fn a_client_that_leaves_takes_no_other_along() {
    let stage = Stage::new(Act::answer("a b c").pace(Duration::from_millis(100)), Late).await;
    let leaver = stage.ask().await;
    let mut stayer = Call::stream("r").send(stage.proxy.address).await;

    drop(leaver);

    assert_eq!(stayer.content().await, "a b c");
    assert_eq!(soon("end", stage.provider.wait_ended(0)).await, Ended::ClientLeft);
    assert_eq!(soon("end", stage.provider.wait_ended(1)).await, Ended::Played);
}
