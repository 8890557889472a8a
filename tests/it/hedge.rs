//! Hedging: a second candidate starts when the answer of the first is late, and one of them wins.

use std::time::{Duration, Instant};

use backstop::sim::{Act, Ended, Finish, Provider, Script};
use serde_json::Value;

use crate::support::events::{DONE, HELLO, ROLE, STOP};
use crate::support::{Call, Got, Log, Proxy, Refusal, proxy, route, soon};

/// Within this time the loser must have seen that it is not wanted any more; its answer would take far
/// longer, and a busy machine takes some of it.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Two attempts on each candidate; the next one starts too after 100 ms.
const HEDGED: &str = "hedge_after = \"100ms\"\n\
    retry = { attempts_per_burst = 2, bursts_per_cycle = 1, cycles = 1, attempt_delay = \"20ms\" }";

fn slow(text: &str) -> Act {
    Act::answer(text).after(Duration::from_secs(20))
}

fn start(script: impl Into<Script>) -> Provider {
    Provider::start(script).unwrap()
}

async fn stage<const N: usize>(providers: [&Provider; N], rest: &str) -> Proxy {
    proxy(&route(providers.map(Provider::base_url), &format!("{HEDGED}\n{rest}"))).await
}

/// The loser's connection is closed, and long before its answer would have come.
async fn is_let_go(provider: &Provider, index: usize, since: Instant) {
    assert_eq!(soon("end", provider.wait_ended(index)).await, Ended::ClientLeft);
    soon("close", provider.wait_closed(index)).await;
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
}

#[tokio::test]
async fn the_second_wins_and_the_first_is_cancelled() {
    for call in [Call::stream("r"), Call::whole("r")] {
        let log = Log::begin();
        let (first, second) = (start(Script::exactly([slow("late")])), start(Script::exactly([Act::echo()])));
        let proxy = stage([&first, &second], "").await;
        let began = Instant::now();

        let answer = call.send(proxy.address).await;

        let answered = Instant::now();
        assert!(answered - began >= Duration::from_millis(100), "no sooner");
        assert_eq!((answer.header("x-backstop-provider"), answer.header("x-backstop-attempts")), ("q", "2"));
        is_let_go(&first, 0, answered).await;
        assert!(matches!(Got::read(answer).await, Got::Whole(_)));
        assert_eq!((first.check(), second.check()), (Ok(()), Ok(())));
        let arrivals = second.request(0).unwrap().at - first.request(0).unwrap().at;
        assert!(arrivals >= Duration::from_millis(95), "{arrivals:?}");
        log.ended(1).await;
        assert_eq!((&log.access()[0]["attempts"], &log.access()[0]["provider"]), (&2.into(), &"q".into()));
        let lines: Vec<Value> = log.saying("Attempt");
        let told: Vec<&str> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0], "127.0.0.1:m - Attempt 1/4: cancelled, attempt 2 answered first");
        assert_eq!((&lines[0]["level"], &lines[0]["provider"]), (&"INFO".into(), &"p".into()));
        assert!(told[1].contains("Attempt 2/4") && told[1].ends_with("SUCCESS"), "{told:?}");
    }
}

#[tokio::test]
async fn the_first_may_still_win() {
    let first = start(Script::exactly([Act::echo().after(Duration::from_millis(400))]));
    let second = start(Script::exactly([slow("late")]));
    let proxy = stage([&first, &second], "").await;

    let mut answer = Call::stream("r").send(proxy.address).await;

    let answered = Instant::now();
    assert_eq!((answer.header("x-backstop-provider"), answer.header("x-backstop-attempts")), ("p", "2"));
    is_let_go(&second, 0, answered).await;
    assert_eq!(answer.content().await, "m");
}

#[tokio::test]
async fn a_head_without_a_word_is_late_too() {
    let silent = Act::events([ROLE]).then(Finish::Stall);
    let (first, second) = (start(Script::exactly([silent])), start(Script::exactly([Act::echo()])));
    let proxy = stage([&first, &second], "").await;
    let mut answer = Call::stream("r").send(proxy.address).await;
    assert_eq!(answer.header("x-backstop-provider"), "q");
    assert_eq!(answer.content().await, "m");
}

#[tokio::test]
async fn a_word_in_time_is_not_late_however_long_the_rest_takes() {
    // Its words go on for longer than the first of them might have taken.
    let (first, second) =
        (start(Act::tokens(60).pace(Duration::from_millis(25))), start(Script::exactly([])));
    let base_urls = [&first, &second].map(Provider::base_url);
    let proxy = proxy(&route(base_urls, "hedge_after = \"1s\"")).await;
    let mut answer = Call::stream("r").send(proxy.address).await;
    assert_eq!(answer.header("x-backstop-attempts"), "1");
    assert!(answer.content().await.ends_with("token59"));
    assert_eq!(second.count(), 0);
}

#[tokio::test]
async fn a_loser_has_not_failed_however_often_it_loses() {
    let (first, second) = (start(Script::always(slow("late"))), start(Script::always(Act::echo())));
    let proxy = stage([&first, &second], "cooldown = { failures = 1 }").await;

    for asked in 1..=4 {
        let mut answer = Call::stream("r").send(proxy.address).await;
        assert_eq!(answer.header("x-backstop-provider"), "q");
        assert_eq!(answer.content().await, "m");
        assert_eq!(first.count(), asked, "it does not rest");
    }
}

#[tokio::test]
async fn one_fails_while_the_other_is_under_way() {
    let late = || Act::echo().after(Duration::from_millis(900));
    let failing = || Act::status(503).after(Duration::from_millis(500));
    for (first, second, winner) in [(failing(), late(), "q"), (late(), Act::status(503), "p")] {
        let (first, second) = (start(Script::exactly([first])), start(Script::exactly([second])));
        let proxy = stage([&first, &second], "").await;

        let mut answer = Call::stream("r").send(proxy.address).await;

        assert_eq!(answer.header("x-backstop-provider"), winner);
        assert_eq!(answer.header("x-backstop-attempts"), "2");
        assert_eq!(answer.content().await, "m");
        assert_eq!((first.check(), second.check()), (Ok(()), Ok(())));
    }
}

#[tokio::test]
async fn both_fail_and_both_are_told() {
    let failing = |status| Script::always(Act::status(status).after(Duration::from_millis(500)));
    let (first, second) = (start(failing(503)), start(failing(429)));
    let proxy = stage([&first, &second], "").await;

    let refusal = Refusal::read(Call::stream("r").send(proxy.address).await).await;

    assert_eq!((refusal.status, &*refusal.error.code), (503, "overloaded"), "{}", refusal.body);
    assert_eq!(refusal.asked(), ["p", "q", "p", "q"]);
    assert_eq!((first.count(), second.count()), (2, 2), "within the plan");
}

#[tokio::test]
async fn a_budget_of_attempts_covers_both() {
    let (first, second) = (start(Script::always(Act::hang())), start(Script::exactly([])));
    let rest = "timeouts = { first_byte = \"300ms\" }\nhedge_after = \"50ms\"\nretry = { max_attempts = 1 }";
    let proxy = proxy(&route([&first, &second].map(Provider::base_url), rest)).await;

    let refusal = Refusal::read(Call::stream("r").send(proxy.address).await).await;

    assert_eq!((refusal.asked(), second.count()), (vec!["p"], 0));
}

#[tokio::test]
async fn a_quota_is_not_spent_beside_another_unless_told_but_it_is_after_it() {
    let day = "limits = { requests_per_day = 50 }";
    let minute = "api_keys = [{ value = \"sk-one\", limits = { requests_per_minute = 50 } }]";
    for (limits, hedge_quota, race) in
        [(day, "", false), (day, "hedge_quota = true", true), (minute, "", false)]
    {
        let log = Log::begin();
        // Without the race it is the fallback, as soon as the first one has failed.
        let first_byte = if race { "20s" } else { "500ms" };
        let (first, second) = (start(Script::always(Act::hang())), start(Script::always(Act::echo())));
        let text = format!(
            "[providers.p]\nbase_url = \"{}\"\n[providers.q]\n{limits}\nbase_url = \"{}\"\n[routes.r]\nchain = [\"p/m\", \"q/m\"]\n\
             timeouts = {{ first_byte = \"{first_byte}\" }}\n{HEDGED}\n{hedge_quota}",
            first.base_url(),
            second.base_url()
        );
        let proxy = proxy(&text).await;

        let mut answer = Call::stream("r").send(proxy.address).await;

        assert_eq!(answer.header("x-backstop-provider"), "q");
        let ends = ["cancelled, attempt 2 answered first", "ERROR: timeout"].map(|end| log.saying(end).len());
        assert_eq!(ends, if race { [1, 0] } else { [0, 1] });
        assert_eq!(answer.header("x-backstop-quota-remaining"), "49");
        assert_eq!(answer.content().await, "m");
        assert_eq!((first.count(), second.count()), (1, 1));
    }
}

#[tokio::test]
async fn who_rests_is_passed_over() {
    let resting = start(Script::always(Act::status(503)));
    let (first, third) = (start(Script::always(slow("late"))), start(Script::always(Act::echo())));
    let rest = "cooldown = { failures = 1, rest = \"30s\", rest_max = \"30s\" }\n\
        [routes.alone]\nchain = [\"q/m\"]\ncooldown = { failures = 1, rest = \"30s\", rest_max = \"30s\" }\n\
        retry = { max_attempts = 1 }";
    let proxy = stage([&first, &resting, &third], rest).await;
    assert_eq!(Call::stream("alone").send(proxy.address).await.status, 503);

    let mut answer = Call::stream("r").send(proxy.address).await;

    assert_eq!(answer.header("x-backstop-provider"), "r");
    assert_eq!(answer.content().await, "m");
    assert_eq!(resting.count(), 1);
}

#[tokio::test]
async fn a_winner_that_breaks_ends_with_its_own_error() {
    let log = Log::begin();
    let broken = Act::events([ROLE, HELLO]).then(Finish::Eof);
    let (first, second) = (start(Script::exactly([slow("late")])), start(Script::exactly([broken])));
    let proxy = stage([&first, &second], "").await;

    let got = Got::read(Call::stream("r").send(proxy.address).await).await;

    let Got::Broken { text, code, message } = got else { panic!("{got:?}") };
    assert_eq!((&*text, &*code), ("Hello", "stream_broken"));
    assert!(message.contains("`q/m`"), "{message}");
    log.ended(1).await;
    assert_eq!(log.access()[0]["provider"], "q");
}

#[tokio::test]
async fn a_winner_that_breaks_is_resumed_by_the_one_that_was_late() {
    let text = "one two three four five";
    let first = start(Script::sequence([slow(text), Act::completes(text)]));
    let second = start(Script::exactly([Act::answer(text).cut_after(3).then(Finish::Eof)]));
    let proxy = stage([&first, &second], "on_break = \"resume\"").await;

    let got = Got::read(Call::stream("r").send(proxy.address).await).await;

    assert_eq!(got, Got::Whole(text.to_owned()));
    assert_eq!((first.count(), second.count()), (2, 1));
}

#[tokio::test]
async fn verified_the_cut_of_a_winner_is_a_failed_attempt() {
    let first = start(Script::always(slow("late")));
    let cut = Act::events([ROLE, HELLO]).then(Finish::Eof);
    let second = start(Script::exactly([cut, Act::events([ROLE, HELLO, STOP, DONE])]));
    let proxy = stage([&first, &second], "delivery = \"verified\"").await;

    let mut answer = Call::stream("r").send(proxy.address).await;

    assert_eq!((answer.header("x-backstop-provider"), answer.header("x-backstop-attempts")), ("q", "3"));
    assert_eq!(answer.text().await, [ROLE, HELLO, STOP, DONE].concat());
    assert_eq!((first.count(), second.check()), (1, Ok(())));
}

#[tokio::test]
async fn in_breadth_order_nobody_is_asked_twice_a_round() {
    let failing = |millis| Script::always(Act::status(503).after(Duration::from_millis(millis)));
    let providers = [failing(600), failing(50), failing(0)].map(start);
    let proxy = stage([&providers[0], &providers[1], &providers[2]], "order = \"breadth\"").await;

    let refusal = Refusal::read(Call::stream("r").send(proxy.address).await).await;

    // The second fails beside the first and before it, which changes nothing in the trail.
    assert_eq!(refusal.attempts().len(), 6, "{}", refusal.body);
    assert_eq!(providers.each_ref().map(Provider::count), [2, 2, 2]);
    assert_eq!(refusal.asked(), ["p", "q", "r", "p", "q", "r"]);
}

#[tokio::test]
async fn a_client_that_leaves_cancels_both() {
    let log = Log::begin();
    let providers = [Act::hang(), Act::hang()].map(|act| start(Script::exactly([act])));
    let proxy = stage([&providers[0], &providers[1]], "").await;
    let connection = Call::stream("r").header("x-request-id", "gone").start(proxy.address).await;
    soon("second attempt", providers[1].wait_for(1)).await;

    let left = Instant::now();
    drop(connection);

    is_let_go(&providers[0], 0, left).await;
    is_let_go(&providers[1], 0, left).await;
    log.ended(1).await;
    assert_eq!(log.outcome("gone").as_deref(), Some("client_gone"));
    assert_eq!(log.access()[0]["attempts"], 2);
}

#[tokio::test]
async fn the_end_of_the_grace_ends_both() {
    let providers = [Act::hang(), Act::hang()].map(|act| start(Script::exactly([act])));
    let proxy = stage([&providers[0], &providers[1]], "[server]\ngrace = \"200ms\"").await;
    let connection = Call::whole("r").start(proxy.address).await;
    soon("second attempt", providers[1].wait_for(1)).await;

    let (_, answer) = tokio::join!(proxy.stop(), connection.head());

    let mut answer = answer.expect("an answer");
    assert_eq!((answer.status, answer.header("x-backstop-attempts")), (503, "2"));
    assert_eq!(answer.json().await["error"]["code"], "shutting_down");
    for provider in &providers {
        assert_eq!(soon("end", provider.wait_ended(0)).await, Ended::ClientLeft);
    }
}
