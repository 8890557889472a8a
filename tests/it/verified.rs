//! Answers that are held until they are complete: no client sees the beginning of one that is cut.

use std::time::{Duration, Instant};

use backstop::sim::{Act, Encoding, Ended, Finish, Provider, Script, error_beside_choices};
use serde_json::Value;

use crate::ends::breaks;
use crate::support::events::{DONE, HELLO, ROLE, STOP};
use crate::support::{Call, Connection, End, Log, Peer, Proxy, Refusal, proxy, route, soon};

const IDLE: &str = "timeouts = { idle = \"300ms\" }";

/// Two attempts on each candidate, a few milliseconds apart.
const RETRY: &str =
    "retry = { attempts_per_burst = 2, bursts_per_cycle = 1, cycles = 1, attempt_delay = \"3ms\" }";

fn whole() -> String {
    [ROLE, HELLO, STOP, DONE].concat()
}

fn good() -> Act {
    Act::events([ROLE, HELLO, STOP, DONE])
}

/// Backstop before two providers, on a route that verifies.
async fn stage(providers: [&Provider; 2], rest: &str) -> Proxy {
    let rest = format!("delivery = \"verified\"\n{RETRY}\n{IDLE}\n{rest}");
    proxy(&route(providers.map(Provider::base_url), &rest)).await
}

#[tokio::test]
async fn a_break_is_a_failed_attempt_and_no_byte_of_it_is_seen() {
    let beside = |code: u16| Act::events([ROLE, HELLO]).insert(2, error_beside_choices("gone", code));
    let mut ways: Vec<(Act, &str, bool)> = breaks()
        .into_iter()
        .map(|(act, code, _)| match code {
            "stream_idle" => (act, "timeout", false),
            _ => (act, "broken", true),
        })
        .collect();
    ways.extend([
        (beside(502).then(Finish::Stall), "overloaded", true),
        (Act::events([ROLE, HELLO, STOP]).insert(3, error_beside_choices("full", 503)), "overloaded", true),
        (beside(429).then(Finish::Stall), "rate_limited", true),
        (beside(401).then(Finish::Stall), "unauthorized", false),
    ]);
    for (act, class, again) in ways {
        let log = Log::begin();
        let (first, second) = if again {
            (Script::exactly([act.clone(), good()]), Script::exactly([]))
        } else {
            (Script::exactly([act.clone()]), Script::exactly([good()]))
        };
        let (first, second) = (Provider::start(first).unwrap(), Provider::start(second).unwrap());
        let proxy = stage([&first, &second], "").await;

        let mut answer = Call::stream("r").send(proxy.address).await;

        assert_eq!(answer.header("x-backstop-attempts"), "2", "{act:?}");
        assert_eq!(answer.header("x-backstop-provider"), if again { "p" } else { "q" }, "{act:?}");
        assert_eq!(answer.text().await, whole(), "{act:?}");
        assert_eq!((first.check(), second.check()), (Ok(()), Ok(())), "{act:?}");
        log.ended(1).await;
        assert_eq!(log.outcomes(), ["ok"]);
        let told = log.saying("m - Attempt 1/4: ERROR");
        assert_eq!((told.len(), &told[0]["class"]), (1, &class.into()), "{act:?}: {told:?}");
    }
}

#[tokio::test]
async fn a_failure_keeps_its_status_and_its_trail_where_nothing_is_said_early() {
    let cut = Script::always(Act::events([ROLE, HELLO]).then(Finish::Eof));
    let (first, second) = (Provider::start(cut).unwrap(), Provider::start(Act::status(401)).unwrap());
    for (progress, head_after) in [("off", "1ms"), ("comments", "15s")] {
        let rest = format!("progress = \"{progress}\"\n[server]\nhead_after = \"{head_after}\"");
        let proxy = stage([&first, &second], &rest).await;

        let refusal = Refusal::read(Call::stream("r").send(proxy.address).await).await;

        assert_eq!((refusal.status, &*refusal.error.code), (502, "broken"));
        assert_eq!(refusal.asked(), ["p", "p", "q"]);
        let phases: Vec<_> = refusal.attempts().iter().map(|tried| &*tried.phase).collect();
        assert_eq!(phases, ["stream", "stream", "first_byte"]);
        assert!(!refusal.body.contains("Hello"), "{}", refusal.body);
    }
}

#[tokio::test]
async fn comments_go_out_while_it_is_held_and_then_all_of_it_at_once() {
    let peer = Peer::start();
    let rest = "delivery = \"verified\"\n[server]\nhead_after = \"50ms\"";
    let proxy = proxy(&route([peer.base_url()], rest)).await;
    let connection = Call::stream("r").start(proxy.address).await;
    let mut provider = peer.asked().await;
    provider.begin().await;
    provider.say([ROLE, HELLO].concat()).await;

    let mut answer = connection.head().await.expect("an early head");
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"));
    assert_eq!(answer.header("x-backstop-provider"), "");
    assert_eq!(answer.event().await.unwrap(), ": Attempt 1/60 in progress…");
    provider.say(HELLO).await;
    let early = tokio::time::timeout(Duration::from_millis(300), answer.event()).await;
    assert!(early.is_err(), "a part of what is held: {early:?}");

    provider.say([STOP, DONE].concat()).await;
    assert_eq!(answer.text().await, [ROLE, HELLO, HELLO, STOP, DONE].concat());
}

#[tokio::test]
async fn after_an_early_head_a_failure_is_in_band_and_alone() {
    let cut = || Act::tokens(9).pace(Duration::from_millis(20)).cut_after(5).then(Finish::Reset);
    let providers = [cut(), cut()].map(|act| Provider::start(Script::always(act)).unwrap());
    let proxy = stage([&providers[0], &providers[1]], "[server]\nhead_after = \"30ms\"").await;

    let mut answer = Call::stream("r").send(proxy.address).await;

    let error: Value = serde_json::from_str(&answer.data().await.unwrap()).unwrap();
    assert!(error.get("choices").is_none());
    assert_eq!(error["error"]["code"], "broken");
    assert_eq!(error["error"]["metadata"]["attempts"].as_array().unwrap().len(), 4);
    assert_eq!(answer.text().await, DONE);
}

#[tokio::test]
async fn an_answer_is_the_same_byte_for_byte_however_it_comes() {
    let text = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich ".repeat(50);
    let plain = Provider::start(Act::answer(&*text)).unwrap();
    let reference = proxy(&route([plain.base_url()], "")).await;
    let expected = Call::stream("r").send(reference.address).await.text().await;
    for act in [
        Act::answer(&*text),
        Act::answer(&*text).split([1, 7, 300]),
        Act::answer(&*text).encode(Encoding::Gzip),
        Act::answer(&*text).encode(Encoding::Deflate).split([11]),
        Act::answer(&*text).without_done(),
    ] {
        let provider = Provider::start(Script::exactly([act.clone()])).unwrap();
        let spare = Provider::start(Script::exactly([])).unwrap();
        let proxy = stage([&provider, &spare], "").await;

        let mut answer = Call::stream("r").send(proxy.address).await;

        let strip = |text: &str| text.replace("sim-", "");
        assert_eq!(strip(&answer.text().await), strip(&expected), "{act:?}");
    }
}

#[tokio::test]
async fn what_is_whole_already_is_not_held_up() {
    let provider = Provider::start(Act::answer("Hello there").whole()).unwrap();
    let spare = Provider::start(Script::exactly([])).unwrap();
    let proxy = stage([&provider, &spare], "").await;

    assert_eq!(Call::stream("r").send(proxy.address).await.content().await, "Hello there");
    let mut whole = Call::whole("r").send(proxy.address).await;
    assert_eq!(whole.json().await["choices"][0]["message"]["content"], "Hello there");
}

#[tokio::test]
async fn more_than_max_answer_is_not_held() {
    let providers = [Act::tokens(2000), good()].map(|act| Provider::start(Script::exactly([act])).unwrap());
    let proxy = stage([&providers[0], &providers[1]], "[server]\nmax_answer = \"100KB\"").await;

    let mut answer = Call::stream("r").send(proxy.address).await;

    assert_eq!(answer.header("x-backstop-provider"), "q");
    assert_eq!(answer.text().await, whole());
    // Direct, it is nobody's business how long an answer gets.
    assert_eq!((providers[0].check(), providers[1].check()), (Ok(()), Ok(())));
}

#[tokio::test]
async fn two_seconds_of_silence_after_a_finish_reason_are_the_end() {
    let provider = Provider::start(Act::events([ROLE, HELLO, STOP]).then(Finish::Stall)).unwrap();
    let rest = "delivery = \"verified\"";
    let proxy = proxy(&route([provider.base_url()], rest)).await;
    let began = Instant::now();

    let mut answer = Call::stream("r").send(proxy.address).await;

    assert_eq!(answer.text().await, whole());
    let took = began.elapsed();
    assert!((1900..8000).contains(&took.as_millis()), "{took:?}");
    assert_eq!(soon("end", provider.wait_ended(0)).await, Ended::ClientLeft);
    assert_eq!(provider.count(), 1);
}

/// A provider that has begun an answer and goes on for ever, and a client that waits for it.
async fn held(rest: &str) -> (Provider, Proxy, Connection) {
    let act = Act::tokens(100_000).pace(Duration::from_millis(5));
    let provider = Provider::start(Script::exactly([act])).unwrap();
    let proxy = proxy(&route([provider.base_url()], &format!("delivery = \"verified\"\n{rest}"))).await;
    let connection = Call::stream("r").header("x-request-id", "held").start(proxy.address).await;
    soon("attempt", provider.wait_for(1)).await;
    (provider, proxy, connection)
}

#[tokio::test]
async fn a_client_that_leaves_closes_what_is_held_for_it() {
    for early in [false, true] {
        let log = Log::begin();
        let head_after = if early { "30ms" } else { "15s" };
        let (provider, _proxy, connection) = held(&format!("[server]\nhead_after = \"{head_after}\"")).await;
        let left = if early {
            let answer = connection.head().await.expect("an early head");
            drop(answer);
            Instant::now()
        } else {
            drop(connection);
            Instant::now()
        };

        assert_eq!(soon("end", provider.wait_ended(0)).await, Ended::ClientLeft);
        soon("close", provider.wait_closed(0)).await;
        assert!(left.elapsed() < Duration::from_secs(1), "{:?}", left.elapsed());
        log.ended(1).await;
        assert_eq!(log.outcome("held").as_deref(), Some("client_gone"));
        assert_eq!(provider.count(), 1);
    }
}

#[tokio::test]
async fn the_end_of_the_grace_ends_what_is_held() {
    for early in [false, true] {
        let head_after = if early { "30ms" } else { "15s" };
        let rest = format!("[server]\nhead_after = \"{head_after}\"\ngrace = \"200ms\"");
        let (provider, proxy, connection) = held(&rest).await;
        let mut answer = if early {
            let answer = connection.head().await.expect("an early head");
            proxy.stop().await;
            answer
        } else {
            let (_, answer) = tokio::join!(proxy.stop(), connection.head());
            answer.expect("an answer")
        };

        let (body, end) = answer.rest().await;
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!((answer.status, end), (if early { 200 } else { 503 }, End::Clean));
        assert!(body.contains("shutting_down") && !body.contains("token"), "{body}");
        assert_eq!(soon("end", provider.wait_ended(0)).await, Ended::ClientLeft);
    }
}

#[tokio::test]
async fn a_cut_at_every_event_gives_the_whole_answer() {
    let text = "one two three four five six";
    for events in 0..9 {
        for finish in [Finish::Eof, Finish::Reset, Finish::End] {
            let cut = Act::answer(text).cut_after(events).then(finish);
            let first = Provider::start(Script::sequence([cut, Act::answer(text)])).unwrap();
            let spare = Provider::start(Script::always(Act::answer(text))).unwrap();
            let proxy = stage([&first, &spare], "").await;

            let content = Call::stream("r").send(proxy.address).await.content().await;

            assert_eq!(content, text, "{events} events, then {finish:?}");
        }
    }
}
