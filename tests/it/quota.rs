//! The quota clock through real sockets: what is left, who moves on, and what ends a wait.

use std::time::{Duration, Instant};

use backstop::sim::{Act, Provider, Refusing, Script};

use crate::support::{Call, Got, Log, Refusal, providers, proxy, soon};

/// Routes `r` over `p/m` and `pq` over `p/m` and `q/m`; `p` has these limits.
fn limited(p: &str, q: &Provider, limits: &str) -> String {
    format!(
        r#"
        retry = {{ attempts_per_burst = 3, attempt_delay = "10ms", bursts_per_cycle = 1, cycles = 1 }}
        routes.r.chain = ["p/m"]
        routes.pq.chain = ["p/m", "q/m"]
        {}
        [providers.p]
        base_url = "{p}"
        limits = {{ {limits} }}
        "#,
        providers(&[("q", q)]).replace("[providers.q]\nbase_url", "providers.q.base_url"),
    )
}

fn hello() -> Got {
    Got::Whole("Hello".to_owned())
}

const REMAINING: &str = "x-backstop-quota-remaining";

#[tokio::test]
async fn what_is_left_is_in_every_answer_and_in_the_log() {
    let log = Log::begin();
    let (p, q) =
        (Provider::start(Act::answer("Hello")).unwrap(), Provider::start(Act::answer("Hello")).unwrap());
    let proxy = proxy(&limited(&p.base_url(), &q, "requests_per_minute = 4, requests_per_day = 3")).await;

    for (call, left) in [(Call::stream("r"), "2"), (Call::whole("pq"), "1"), (Call::whole("p/other"), "0")] {
        let answer = call.send(proxy.address).await;
        assert_eq!(answer.header(REMAINING), left);
        assert_eq!(Got::read(answer).await, hello());
    }
    let unlimited = Call::whole("q/m").send(proxy.address).await;
    assert_eq!((unlimited.status, unlimited.header(REMAINING)), (200, ""));

    log.ended(4).await;
    let lines = log.saying("SUCCESS");
    let fields: Vec<_> = lines.iter().map(|line| (&line["quota_minute"], &line["quota_day"])).collect();
    assert_eq!(fields[..3], [(&3.into(), &2.into()), (&2.into(), &1.into()), (&1.into(), &0.into())]);
    assert!(fields[3].0.is_null() && fields[3].1.is_null());
}

#[tokio::test]
async fn a_day_that_is_spent_moves_the_route_on_or_is_a_429_until_midnight() {
    let (p, q) =
        (Provider::start(Act::answer("Hello")).unwrap(), Provider::start(Act::answer("Hello")).unwrap());
    let proxy = proxy(&limited(&p.base_url(), &q, "requests_per_day = 1")).await;
    Call::whole("r").send(proxy.address).await;

    for call in [Call::whole("pq"), Call::stream("pq")] {
        let answer = call.send(proxy.address).await;
        assert_eq!((answer.header("x-backstop-provider"), answer.header("x-backstop-attempts")), ("q", "1"));
    }
    for model in ["r", "p/m", "p/other"] {
        let refusal = Refusal::read(Call::whole(model).send(proxy.address).await).await;
        assert_eq!((refusal.status, refusal.error.code.as_str()), (429, "rate_limited"));
        let left = 86_400 - std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() % 86_400;
        let after = refusal.retry_after.expect("a Retry-After");
        assert!(after.abs_diff(left) <= 2, "{after} and not {left}");
        let message = &refusal.error.message;
        assert!(
            message.contains("has spent its quota (1 a day) until 00:00 UTC; try again in "),
            "{message}"
        );
    }
    assert_eq!(p.count(), 1);
}

#[tokio::test]
async fn a_restart_relearns_the_day_from_headers() {
    let answer = Act::answer("Hello").header("x-ratelimit-limit-requests", "50");
    let answer = answer.header("x-ratelimit-remaining-requests", "1");
    let (p, q) = (Provider::start(answer).unwrap(), Provider::start(Act::answer("Hello")).unwrap());
    let proxy = proxy(&limited(&p.base_url(), &q, "requests_per_minute = 20, requests_per_day = 50")).await;

    for (provider, left) in [("p", "1"), ("p", "0"), ("q", "")] {
        let answer = Call::whole("pq").send(proxy.address).await;
        assert_eq!((answer.header("x-backstop-provider"), answer.header(REMAINING)), (provider, left));
    }
}

#[tokio::test]
async fn every_attempt_that_reaches_the_provider_counts() {
    let script = Script::sequence([Act::reset(), Act::status(503), Act::answer("Hello")]);
    let (p, q) = (Provider::start(script).unwrap(), Provider::start(Act::answer("Hello")).unwrap());
    let proxy = proxy(&limited(&p.base_url(), &q, "requests_per_day = 9")).await;
    assert_eq!(Call::whole("r").send(proxy.address).await.header(REMAINING), "6");
}

#[tokio::test]
async fn a_server_that_is_not_there_spends_nothing() {
    let log = Log::begin();
    let (p, q) = (Refusing::start().unwrap(), Provider::start(Act::answer("Hello")).unwrap());
    let proxy = proxy(&limited(&p.base_url(), &q, "requests_per_day = 1")).await;
    for _ in 0..2 {
        let refusal = Refusal::read(Call::whole("r").send(proxy.address).await).await;
        assert_eq!((refusal.status, refusal.error.code.as_str()), (502, "connect"));
        assert_eq!(refusal.attempts().len(), 3);
    }
    log.ended(2).await;
    assert_eq!(log.saying("ERROR: connect").len(), 6);
}

#[tokio::test]
async fn keys_have_limits_of_their_own_within_those_of_the_provider() {
    let p = Provider::start(Act::answer("Hello")).unwrap();
    let config = format!(
        r#"
        [providers.p]
        base_url = "{}"
        api_keys = [
            {{ value = "first-of-the-keys", limits = {{ requests_per_day = 1 }} }},
            {{ value = "second-of-the-keys", limits = {{ requests_per_minute = 5 }} }},
        ]
        key_order = "in-order"
        limits = {{ requests_per_day = 3 }}
        "#,
        p.base_url()
    );
    let proxy = proxy(&config).await;
    for left in ["0", "1", "0"] {
        assert_eq!(Call::whole("p/m").send(proxy.address).await.header(REMAINING), left);
    }
    assert_eq!(Call::whole("p/m").send(proxy.address).await.status, 429);
    let sent: Vec<_> = p.requests().iter().map(|request| request.key().to_owned()).collect();
    assert_eq!(sent, ["first-of-the-keys", "second-of-the-keys", "second-of-the-keys"]);
}

#[tokio::test]
async fn a_wait_for_a_quota_is_shown_and_ends_with_the_drain() {
    let (p, q) =
        (Provider::start(Act::answer("Hello")).unwrap(), Provider::start(Act::answer("Hello")).unwrap());
    let config = limited(&p.base_url(), &q, "requests_per_minute = 1") + "[server]\nhead_after = \"50ms\"\n";
    let proxy = proxy(&config).await;
    Call::whole("r").send(proxy.address).await;
    let whole = Call::whole("r").start(proxy.address).await;
    let mut stream = Call::stream("r").send(proxy.address).await;
    let shown = stream.event().await.unwrap();
    assert!(
        shown.starts_with(
            ": Not asked yet: `p/m` has spent its quota (1 a minute) (0/3 attempts). Waiting up to"
        ),
        "{shown}"
    );
    let began = Instant::now();

    let (_, whole, error) = tokio::join!(proxy.stop(), whole.head(), stream.data());

    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(whole.expect("an answer").status, 503);
    assert!(error.unwrap().contains("shutting_down"));
    assert_eq!(p.count(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_is_gone_at_once() {
    let log = Log::begin();
    let (p, q) =
        (Provider::start(Act::answer("Hello")).unwrap(), Provider::start(Act::answer("Hello")).unwrap());
    let proxy = proxy(&limited(&p.base_url(), &q, "requests_per_minute = 1")).await;
    Call::whole("r").send(proxy.address).await;
    log.ended(1).await;

    drop(Call::whole("r").start(proxy.address).await);

    soon("end", log.ended(2)).await;
    assert_eq!(log.outcomes(), ["ok", "client_gone"]);
    assert_eq!(log.access()[1]["attempts"], 0);
    assert_eq!(p.count(), 1);
}
