//! Bursts, pauses and cycles; depth and breadth.

use std::time::{Duration, Instant};

use backstop::sim::{Act, Provider, Script};

use super::{before, gaps, refused};
use crate::support::{Call, visits};

fn down() -> Provider {
    Provider::start(Act::status(503)).unwrap()
}

/// A pause replaces the delay at the end of a burst, and the long pause the short one.
#[tokio::test]
async fn bursts_and_cycles_are_paced_as_configured() {
    let provider = down();
    let schedule = r#"
        retry.attempts_per_burst = 2
        retry.bursts_per_cycle = 2
        retry.cycles = 2
        retry.attempt_delay = "10ms"
        retry.burst_pause = "30ms"
        retry.cycle_pause = "60ms"
    "#;
    let proxy = before(&[("a", &provider)], schedule).await;

    let refusal = refused(&proxy, "a/m").await;

    assert_eq!(refusal.waits(), [0, 10, 30, 10, 60, 10, 30, 10]);
    assert!(refusal.error.message.contains("8 attempts"), "{}", refusal.error.message);
    assert!(refusal.error.message.contains("the schedule is used up"), "{}", refusal.error.message);
    let gaps = gaps(&provider);
    assert_eq!(gaps.len(), 7);
    for (gap, wait) in gaps.into_iter().zip(&refusal.waits()[1..]) {
        assert!(gap >= Duration::from_millis(*wait), "{gap:?} after a wait of {wait} ms");
    }
}

/// Or many clients would come back in step.
#[tokio::test]
async fn waits_are_drawn_from_their_range() {
    let provider = down();
    let schedule = r#"
        retry.attempts_per_burst = 12
        retry.bursts_per_cycle = 1
        retry.cycles = 1
        retry.attempt_delay = "2ms..40ms"
    "#;
    let proxy = before(&[("a", &provider)], schedule).await;

    let refusal = refused(&proxy, "a/m").await;

    let waits = &refusal.waits()[1..];
    assert_eq!(waits.len(), 11);
    assert!(waits.iter().all(|wait| (2..=40).contains(wait)), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
    assert!(gaps(&provider).into_iter().zip(waits).all(|(gap, wait)| gap >= Duration::from_millis(wait - 1)));
}

#[tokio::test]
async fn no_pause_follows_the_last_attempt() {
    let provider = down();
    let schedule = r#"
        retry.attempts_per_burst = 1
        retry.bursts_per_cycle = 1
        retry.cycles = 1
        retry.attempt_delay = "1h"
        retry.burst_pause = "1h"
        retry.cycle_pause = "1h"
        retry.deadline = "24h"
    "#;
    let proxy = before(&[("a", &provider)], schedule).await;
    let began = Instant::now();

    let refusal = refused(&proxy, "a/m").await;

    assert_eq!((refusal.status, refusal.attempts().len()), (503, 1));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn depth_gives_each_candidate_its_whole_schedule() {
    let (a, b, c) = (down(), down(), Provider::start(Act::echo()).unwrap());
    let named = [("a", &a), ("b", &b), ("c", &c)];
    let config = r#"
        retry = { attempts_per_burst = 2, bursts_per_cycle = 2, cycles = 1, attempt_delay = "2ms", burst_pause = "5ms" }
        routes.all.chain = ["a/m", "b/m", "c/m"]
    "#;
    let proxy = before(&named, config).await;

    let mut answer = Call::stream("all").send(proxy.address).await;

    assert_eq!((answer.status, answer.header("x-backstop-attempts")), (200, "9"));
    assert_eq!(answer.header("x-backstop-provider"), "c");
    answer.content().await;
    assert_eq!(visits(&named), ["a", "a", "a", "a", "b", "b", "b", "b", "c"]);
}

/// After a `next` a candidate keeps what is left of its schedule, and the chain comes back to it
/// after the wait that this schedule has next.
#[tokio::test]
async fn depth_comes_back_on_the_candidates_own_schedule() {
    let (a, b) = (down(), down());
    let named = [("a", &a), ("b", &b)];
    let config = r#"
        [retry]
        attempts_per_burst = 2
        bursts_per_cycle = 2
        cycles = 2
        attempt_delay = "5ms"
        burst_pause = "15ms"
        cycle_pause = "25ms"
        on = { overloaded = "next" }
        [routes]
        all.chain = ["a/m", "b/m"]
    "#;
    let proxy = before(&named, config).await;

    let refusal = refused(&proxy, "all").await;

    assert_eq!(refusal.asked(), ["a", "b"].repeat(8));
    assert_eq!(refusal.waits(), [0, 0, 5, 0, 15, 0, 5, 0, 25, 0, 5, 0, 15, 0, 5, 0]);
    assert_eq!(visits(&named), refusal.asked());
}

#[tokio::test]
async fn breadth_asks_everyone_before_each_pause() {
    let (a, b, c) = (down(), down(), down());
    let named = [("a", &a), ("b", &b), ("c", &c)];
    let config = r#"
        retry = { attempts_per_burst = 2, bursts_per_cycle = 2, cycles = 1, attempt_delay = "4ms", burst_pause = "9ms" }
        routes.all = { chain = ["a/m", "b/m", "c/m"], order = "breadth" }
    "#;
    let proxy = before(&named, config).await;

    let refusal = refused(&proxy, "all").await;

    assert_eq!(refusal.asked(), ["a", "b", "c"].repeat(4));
    assert_eq!(refusal.waits(), [0, 0, 0, 4, 0, 0, 9, 0, 0, 4, 0, 0]);
    assert_eq!(visits(&named), refusal.asked());
    let rounds: Vec<_> = a.requests().into_iter().map(|request| request.at).collect();
    let lasts: Vec<_> = c.requests().into_iter().map(|request| request.at).collect();
    for (round, pause) in [4, 9, 4].into_iter().enumerate() {
        assert!(rounds[round + 1] - lasts[round] >= Duration::from_millis(pause), "after round {round}");
    }
}

/// Its own policy limits how many rounds a candidate joins; who is dropped joins none.
#[tokio::test]
async fn breadth_goes_on_with_those_who_are_left() {
    let (once, never, good) = (
        down(),
        Provider::start(Act::status(401)).unwrap(),
        Provider::start(Script::exactly([Act::status(500), Act::status(429), Act::echo()])).unwrap(),
    );
    let named = [("once", &once), ("never", &never), ("good", &good)];
    let config = r#"
        [policies.once]
        attempts_per_burst = 1
        bursts_per_cycle = 1
        cycles = 1
        attempt_delay = "1h"
        [routes.all]
        order = "breadth"
        retry = { attempts_per_burst = 4, bursts_per_cycle = 1, cycles = 1, attempt_delay = "3ms" }
        chain = [{ use = "once/m", retry = "once" }, "never/m", "good/m"]
    "#;
    let proxy = before(&named, config).await;

    let answer = Call::whole("all").send(proxy.address).await;

    assert_eq!((answer.status, answer.header("x-backstop-attempts")), (200, "5"));
    assert_eq!(visits(&named), ["once", "never", "good", "good", "good"]);
}

#[tokio::test]
async fn max_attempts_counts_over_all_candidates() {
    let (a, b) = (down(), down());
    let named = [("a", &a), ("b", &b)];
    let config = r#"
        [retry]
        attempts_per_burst = 3
        bursts_per_cycle = 1
        cycles = 1
        attempt_delay = "2ms"
        max_attempts = 5
        [routes]
        deep.chain = ["a/m", "b/m"]
        broad = { chain = ["a/m", "b/m"], order = "breadth" }
        own = { chain = ["a/m", "b/m"], retry = { max_attempts = 2 } }
        # It counts on the route only.
        theirs.chain = [{ use = "a/m", retry = { max_attempts = 1 } }, "b/m"]
    "#;
    let proxy = before(&named, config).await;

    for (route, asked) in [
        ("deep", &["a", "a", "a", "b", "b"][..]),
        ("broad", &["a", "b", "a", "b", "a"]),
        ("own", &["a", "a"]),
        ("theirs", &["a", "a", "a", "b", "b"]),
    ] {
        let seen = visits(&named).len();

        let refusal = refused(&proxy, route).await;

        assert_eq!(refusal.asked(), asked, "{route}");
        assert_eq!(visits(&named)[seen..], *asked, "{route}");
        assert!(refusal.error.message.contains("the schedule is used up"), "{}", refusal.error.message);
    }
}

/// n is the attempt, N the most there could be when the request began.
#[tokio::test]
async fn attempts_are_numbered_of_all_there_may_be() {
    let hanging = Provider::start(Act::hang()).unwrap();
    let config = r#"
        server.head_after = "1ms"
        retry = { attempts_per_burst = 2, bursts_per_cycle = 3, cycles = 4 }
        routes.all.chain = ["a/m", { use = "a/n", retry = { cycles = 1 } }]
        routes.capped = { chain = ["a/m", "a/n"], retry = { max_attempts = 7 } }
        routes.broad = { chain = ["a/m", { use = "a/n", retry = { cycles = 1 } }], order = "breadth" }
    "#;
    let proxy = before(&[("a", &hanging)], config).await;

    for (route, all) in [("all", 30), ("capped", 7), ("broad", 30), ("a/x", 24)] {
        let mut answer = Call::stream(route).send(proxy.address).await;

        let comment = answer.event().await.unwrap();
        assert_eq!(comment, format!(": Attempt 1/{all} in progress…"), "{route}");
    }
}
