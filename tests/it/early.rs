//! When the head of a stream goes out, and what goes out with it.

use std::time::Duration;

use backstop::sim::{Act, Provider, Script};
use serde_json::Value;

use crate::support::events::{DONE, HELLO, STOP};
use crate::support::peer::Asked;
use crate::support::{Answer, Call, Connection, End, Peer, Proxy, proxy, route, soon};

const HEAD_AFTER: Duration = Duration::from_millis(200);

/// Backstop whose heads go out after `head_after`, with three attempts a tenth of a second apart.
async fn stage(base_url: &str, head_after: Duration, progress: &str) -> Proxy {
    let rest = format!(
        "progress = \"{progress}\"\n\
         retry = {{ attempts_per_burst = 3, bursts_per_cycle = 1, cycles = 1, attempt_delay = \"100ms\" }}\n\
         [server]\nhead_after = \"{}ms\"",
        head_after.as_millis()
    );
    proxy(&route([base_url], &rest)).await
}

/// The names of the headers, sorted.
fn names(answer: &Answer) -> Vec<&str> {
    let mut names: Vec<&str> = answer.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

/// Sends to a peer that holds its answer back until the client has its head.
async fn early_head(peer: &Peer, proxy: &Proxy, call: Call) -> (Answer, Asked) {
    let connection: Connection = call.start(proxy.address).await;
    let asked = peer.asked().await;
    let answer = connection.head().await.expect("a head before the answer");
    (answer, asked)
}

#[tokio::test]
async fn the_head_goes_out_without_an_answer_and_says_nothing_of_one() {
    let peer = Peer::start();
    let proxy = stage(&peer.base_url(), HEAD_AFTER, "comments").await;

    let (mut answer, mut provider) = early_head(&peer, &proxy, Call::stream("r")).await;

    assert_eq!(answer.status, 200);
    assert_eq!(
        names(&answer),
        ["content-type", "date", "transfer-encoding", "x-backstop-route", "x-request-id"]
    );
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!((answer.header("x-backstop-route"), answer.header("x-request-id").len()), ("r", 16));
    let comment = answer.event().await.expect("a comment with the head");
    assert_eq!(comment, ": Attempt 1/3 in progress…");

    provider.begin().await;
    provider.say([HELLO, STOP, DONE].concat()).await;
    provider.end().await;
    assert_eq!(answer.text().await, [HELLO, STOP, DONE].concat(), "the answer byte for byte");
}

#[tokio::test]
async fn a_page_may_read_an_early_head() {
    let peer = Peer::start();
    let proxy = stage(&peer.base_url(), HEAD_AFTER, "comments").await;
    let call = Call::stream("r").header("origin", "http://localhost:3000").header("x-request-id", "mine-1");

    let (answer, _provider) = early_head(&peer, &proxy, call).await;

    assert_eq!(answer.header("x-request-id"), "mine-1");
    assert_eq!(answer.header("access-control-allow-origin"), "http://localhost:3000");
    let ours = |name: &&str| !name.starts_with("access-control-") && *name != "vary";
    let rest: Vec<&str> = names(&answer).into_iter().filter(ours).collect();
    assert_eq!(rest, ["content-type", "date", "transfer-encoding", "x-backstop-route", "x-request-id"]);
}

#[tokio::test]
async fn comments_of_the_provider_follow_ours_and_an_event_is_never_cut() {
    let peer = Peer::start();
    let proxy = stage(&peer.base_url(), HEAD_AFTER, "comments").await;
    let (mut answer, mut provider) = early_head(&peer, &proxy, Call::stream("r")).await;
    assert!(answer.event().await.expect("a comment").starts_with(": Attempt"));
    let (first, second) = HELLO.split_at(20);

    // The answer opens in the middle of a frame.
    provider.begin().await;
    provider.say([": theirs\n\n", HELLO, first].concat()).await;
    assert_eq!(answer.frame().await.unwrap().bytes, [": theirs\n\n", HELLO].concat());
    provider.say([second, STOP, DONE].concat()).await;

    assert_eq!(answer.text().await, [HELLO, STOP, DONE].concat());
}

#[tokio::test]
async fn the_comments_tell_of_the_attempts() {
    let acts = [Act::status(503), Act::status(503), Act::answer("Hello there")];
    let provider = Provider::start(Script::exactly(acts)).unwrap();
    let proxy = stage(&provider.base_url(), Duration::from_millis(50), "comments").await;

    let mut answer = Call::stream("r").send(proxy.address).await;
    let comment = answer.event().await.unwrap();

    assert!(comment.starts_with(": Attempt 1/3 failed. Waiting 100ms before next attempt"), "{comment}");
    assert_eq!(answer.content().await, "Hello there");
    assert_eq!(provider.check(), Ok(()));
}

#[tokio::test]
async fn a_final_failure_is_the_same_in_band_and_by_status() {
    let provider = Provider::start(Script::always(Act::status(503))).unwrap();
    let early = stage(&provider.base_url(), Duration::from_millis(50), "comments").await;
    let late = stage(&provider.base_url(), Duration::from_secs(15), "comments").await;

    let mut answer = Call::stream("r").send(early.address).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"));
    let in_band: Value = serde_json::from_str(&answer.data().await.expect("an error event")).unwrap();
    assert_eq!(answer.data().await, Ok("[DONE]".to_owned()));
    assert_eq!(answer.frame().await.map(|frame| frame.bytes), Err(End::Clean));
    let mut connection = answer.into_connection();
    connection.write(&Call::get("/health/live").bytes()).await;
    assert_eq!(connection.head().await.expect("the connection is kept").status, 200);
    let mut failed = Call::stream("r").send(late.address).await;

    assert_eq!((failed.status, failed.header("content-type")), (503, "application/json"));
    assert_eq!(failed.header("x-should-retry"), "false");
    let by_status = failed.json().await;
    assert!(in_band.get("choices").is_none());
    for member in ["code", "type", "param", "metadata"] {
        assert_eq!(in_band["error"][member], by_status["error"][member], "{member}");
    }
    assert_eq!(in_band["error"]["code"], "overloaded");
    assert_eq!(in_band["error"]["metadata"]["attempts"].as_array().unwrap().len(), 3);
    assert_eq!(provider.count(), 6);
}

#[tokio::test]
async fn a_failure_before_its_time_keeps_its_status() {
    let provider = Provider::start(Script::always(Act::status(401))).unwrap();
    let proxy = stage(&provider.base_url(), Duration::from_secs(15), "comments").await;

    let mut answer = Call::stream("r").send(proxy.address).await;

    assert_eq!((answer.status, answer.header("content-type")), (502, "application/json"));
    assert_eq!(answer.json().await["error"]["code"], "unauthorized");
}

#[tokio::test]
async fn without_progress_and_without_a_stream_no_head_is_early() {
    for (progress, call) in
        [("off", Call::stream("r")), ("off", Call::whole("r")), ("comments", Call::whole("r"))]
    {
        let peer = Peer::start();
        let proxy = stage(&peer.base_url(), Duration::from_millis(50), progress).await;
        let connection = call.start(proxy.address).await;
        let provider = peer.asked().await;

        let head = connection.head();
        tokio::pin!(head);
        let early = tokio::time::timeout(Duration::from_millis(300), &mut head).await;
        assert!(early.is_err(), "{progress}: {early:?}");

        // The provider leaves, and so does the one after it, and the last one.
        drop(provider);
        for _ in 0..2 {
            drop(peer.asked().await);
        }
        let mut answer = soon("head", head).await.expect("a late head");
        assert_eq!((answer.status, answer.header("content-type")), (502, "application/json"));
        assert_eq!(answer.json().await["error"]["code"], "reset");
    }
}

#[tokio::test]
async fn an_answer_in_time_has_its_own_head() {
    let provider = Provider::start(Act::answer("Hello").header("x-ratelimit-limit-requests", "7")).unwrap();
    let proxy = stage(&provider.base_url(), Duration::from_secs(15), "comments").await;

    let mut answer = Call::stream("r").send(proxy.address).await;

    assert_eq!((answer.header("x-backstop-provider"), answer.header("x-backstop-model")), ("p", "m"));
    assert_eq!(answer.header("x-ratelimit-limit-requests"), "7");
    assert!(!answer.text().await.contains("\n: "), "no comment of ours");
}
