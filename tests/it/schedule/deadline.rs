//! The deadline covers the time to the first payload, and is shared fairly.

use std::time::{Duration, Instant};

use backstop::sim::{Act, Ended, Provider};

use super::{answered, before, refused};
use crate::support::{Call, soon, visits};

#[tokio::test]
async fn a_hanging_candidate_leaves_its_fallback_a_turn() {
    let (a, b) = (Provider::start(Act::hang()).unwrap(), Provider::start(Act::echo()).unwrap());
    let config = r#"
        retry.deadline = "3s"
        routes.all.chain = ["a/m", "b/m"]
    "#;
    let proxy = before(&[("a", &a), ("b", &b)], config).await;
    let began = Instant::now();

    let answer = answered(&proxy, "all").await;

    assert_eq!(answer.header("x-backstop-provider"), "b");
    assert!(began.elapsed() >= Duration::from_millis(1500), "it had its share: {:?}", began.elapsed());
    assert_eq!((a.count(), b.count()), (1, 1));
    assert_eq!(soon("end of the first attempt", a.wait_ended(0)).await, Ended::ClientLeft);
}

/// A candidate that fails fast and often has no more than its share either.
#[tokio::test]
async fn a_failing_candidate_leaves_its_fallback_a_turn() {
    let (a, b) = (Provider::start(Act::status(503)).unwrap(), Provider::start(Act::echo()).unwrap());
    let config = r#"
        retry = { deadline = "3s", attempts_per_burst = 10000, attempt_delay = "100ms" }
        routes.all.chain = ["a/m", "b/m"]
    "#;
    let proxy = before(&[("a", &a), ("b", &b)], config).await;

    let answer = answered(&proxy, "all").await;

    assert_eq!(answer.header("x-backstop-provider"), "b");
    assert!((2..=15).contains(&a.count()), "{}", a.count());
    assert_eq!(b.count(), 1);
}

#[tokio::test]
async fn the_last_one_may_use_all_of_it() {
    let provider = Provider::start(Act::hang()).unwrap();
    let proxy = before(&[("a", &provider)], "retry.deadline = \"300ms\"").await;
    let began = Instant::now();

    let refusal = refused(&proxy, "a/m").await;

    assert_eq!((refusal.status, refusal.error.code.as_str()), (504, "timeout"));
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(refusal.attempts().len(), 1);
    let reason = &refusal.attempts()[0].reason;
    assert!(reason.starts_with("no response head within "), "{reason}");
    assert!(reason.ends_with("all that the deadline left (deadline)"), "{reason}");
    assert!(refusal.error.message.contains("would pass the deadline"), "{}", refusal.error.message);
    soon("close", provider.wait_closed(0)).await;
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn a_wait_that_would_pass_it_is_not_begun() {
    let (a, b) = (Provider::start(Act::status(503)).unwrap(), Provider::start(Act::status(503)).unwrap());
    let named = [("a", &a), ("b", &b)];
    let config = r#"
        retry = { attempt_delay = "1h", burst_pause = "1h", cycle_pause = "1h", deadline = "59m" }
        routes.deep.chain = ["a/m", "b/m"]
        routes.broad = { chain = ["a/m", "b/m"], order = "breadth" }
    "#;
    let proxy = before(&named, config).await;

    for (route, asked) in [("a/m", &["a"][..]), ("deep", &["a", "b"]), ("broad", &["a", "b"])] {
        let seen = visits(&named).len();
        let began = Instant::now();

        let refusal = refused(&proxy, route).await;

        assert_eq!((refusal.status, refusal.retry_after), (503, Some(1)), "{route}");
        assert_eq!(refusal.asked(), asked, "{route}");
        assert_eq!(visits(&named)[seen..], *asked, "{route}");
        assert!(refusal.error.message.contains("would pass the deadline"), "{}", refusal.error.message);
        assert!(began.elapsed() < Duration::from_secs(5), "{route}");
    }
}

#[tokio::test]
async fn a_wait_that_would_pass_the_share_sends_the_chain_on() {
    let (a, b) = (Provider::start(Act::status(503)).unwrap(), Provider::start(Act::echo()).unwrap());
    let config = r#"
        retry = { attempt_delay = "1h", deadline = "90m" }
        routes.all.chain = ["a/m", "b/m"]
    "#;
    let proxy = before(&[("a", &a), ("b", &b)], config).await;

    assert_eq!(answered(&proxy, "all").await.header("x-backstop-attempts"), "2");
    assert_eq!((a.count(), b.count()), (1, 1));
}

/// A candidate's own deadline means nothing; the route's does.
#[tokio::test]
async fn it_counts_on_the_route_only() {
    let provider = Provider::start(Act::echo().after(Duration::from_millis(300))).unwrap();
    let config = r#"
        routes.theirs.chain = [{ use = "a/m", retry = { deadline = "100ms" } }]
        routes.ours = { chain = ["a/m"], retry = { deadline = "100ms" } }
    "#;
    let proxy = before(&[("a", &provider)], config).await;

    assert_eq!(answered(&proxy, "theirs").await.header("x-backstop-attempts"), "1");
    assert_eq!(refused(&proxy, "ours").await.status, 504);
}

#[tokio::test]
async fn it_stops_with_the_first_payload() {
    let act = Act::answer("one two three four").pace(Duration::from_millis(400));
    let provider = Provider::start(act).unwrap();
    let proxy = before(&[("a", &provider)], "retry.deadline = \"2s\"").await;
    let began = Instant::now();

    let mut answer = Call::stream("a/m").send(proxy.address).await;

    assert_eq!(answer.content().await, "one two three four");
    assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(provider.count(), 1);
}
