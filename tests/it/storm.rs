//! Many callers before a provider that says 429.
//!
//! What is counted is counted by the provider, whose clock starts with the first request. The exact times
//! are held in virtual time, beside the relay.

use std::time::{Duration, Instant};

use backstop::sim::{Act, Provider, Script};
use tokio::task::JoinSet;

use crate::support::{Call, Connection, Log, Proxy, proxy, route, soon};

const CALLERS: usize = 50;
const LIMITED: Duration = Duration::from_secs(3);
/// How soon after the recovery all are answered, if the answers themselves take no time.
const RECOVERED: Duration = Duration::from_secs(3);
const POLICY: &str = "retry = { attempt_delay = \"500ms..2s\" }";

/// Fifty callers at once; when each had its whole answer, and after how many attempts.
async fn fifty(proxy: &Proxy, call: &Call) -> Vec<(Instant, u32)> {
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (call, address) = (call.clone(), proxy.address);
        callers.spawn(async move {
            let mut answer = call.send(address).await;
            assert_eq!(answer.status, 200);
            let body = answer.text().await;
            assert!(body.contains("there"), "{body}");
            (Instant::now(), answer.header("x-backstop-attempts").parse().expect("a number"))
        });
    }
    callers.join_all().await
}

/// When the last of them had its answer.
fn last(answered: &[(Instant, u32)]) -> Instant {
    answered.iter().map(|(at, _)| *at).max().expect("an answer")
}

#[tokio::test]
async fn fifty_callers_do_not_storm_and_are_answered_soon_after() {
    for call in [Call::stream("r"), Call::whole("r")] {
        let refusal = Act::status(429).after(Duration::from_millis(20));
        let answer = Act::answer("I am there").first_token_after(Duration::from_millis(50));
        let provider = Provider::start(Script::until(LIMITED, refusal, answer)).unwrap();
        let proxy = proxy(&route([provider.base_url()], POLICY)).await;

        let answered = fifty(&proxy, &call).await;

        let requests = provider.requests();
        let recovery = requests[0].at + LIMITED;
        let storm = requests.iter().filter(|request| request.at < recovery).count();
        assert!(storm * 10 <= CALLERS * 12, "{storm} attempts while it said 429");
        // The gate opens for 5, 10, 20 and then for all of the rest; what the machine needs for all fifty
        // at once is the most that it needs for each round.
        let began = Instant::now();
        let round = last(&fifty(&proxy, &call).await) - began;
        let last = last(&answered).saturating_duration_since(recovery);
        assert!(last <= RECOVERED + 4 * round, "{last:?} after the recovery, at {round:?} a round");
        println!("{storm} attempts in {LIMITED:?}, {} in all, last answer {last:?} after", requests.len());
    }
}

#[tokio::test]
async fn with_somebody_else_in_the_chain_they_go_there() {
    let limited = Provider::start(Act::status(429).after(Duration::from_millis(20))).unwrap();
    let other = Provider::start(Act::answer("I am there")).unwrap();
    let policy = "retry = { attempt_delay = \"300ms..500ms\", deadline = \"6s\" }";
    let proxy = proxy(&route([limited.base_url(), other.base_url()], policy)).await;

    let answered = fifty(&proxy, &Call::stream("r")).await;

    // One in ten may ask the first one again, and whoever waits alone keeps to the chain's order.
    let soon = answered.iter().filter(|(_, attempts)| *attempts <= 2).count();
    assert!(soon >= CALLERS - 6, "{soon} went to the second one after their first attempt: {answered:?}");
    assert_eq!(other.count(), CALLERS);
    let storm = limited.count();
    assert!(storm * 10 <= CALLERS * 12, "{storm} attempts at the first one");
}

#[tokio::test]
async fn who_leaves_and_a_drain_free_the_line() {
    let provider = Provider::start(Act::status(429).after(Duration::from_millis(400))).unwrap();
    let text = format!("{POLICY}\n[server]\ngrace = \"30s\"");
    let proxy = proxy(&route([provider.base_url()], &text)).await;
    let log = Log::begin();
    let mut callers: Vec<Connection> = Vec::new();
    for _ in 0..20 {
        callers.push(Call::stream("r").start(proxy.address).await);
    }
    // All are under way before the first of them is refused.
    soon("first attempts", provider.wait_for(20)).await;
    soon("a refusal", provider.wait_ended(0)).await;
    let left = callers.split_off(10);
    drop(left);
    log.ended(10).await;
    assert!(log.outcomes().iter().all(|outcome| outcome == "client_gone"));

    let asked = provider.count();
    let summary = proxy.stop().await;

    assert_eq!(summary.cut, 0);
    // Of ten that wait one may be on its way; the grace is long enough for all to ask many times more.
    let more = provider.count() - asked;
    assert!(more <= 1, "pauses and lines end at once: {more} attempts more");
    for caller in callers {
        let mut answer = caller.head().await.expect("an answer");
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
        assert_eq!(answer.json().await["error"]["code"], "shutting_down");
    }
}
