//! Over which connections attempts go.

use std::time::Duration;

use backstop::sim::{Act, Finish, Provider, Script};
use tokio::task::JoinSet;

use crate::support::settings::ONCE;
use crate::support::{Call, Log, Proxy, proxy, route, soon};

const QUICK: &str =
    "[retry]\nattempts_per_burst = 3\nbursts_per_cycle = 1\ncycles = 1\nattempt_delay = \"1ms\"\n";

fn start(script: impl Into<Script>) -> Provider {
    Provider::start(script).unwrap()
}

/// The status of an answer that is read to its end.
async fn status(proxy: &Proxy) -> u16 {
    let mut answer = Call::whole("r").send(proxy.address).await;
    answer.text().await;
    answer.status
}

#[tokio::test]
async fn a_retry_opens_a_connection_where_a_policy_says_so() {
    for (rest, retry, connections) in [
        ("", "", 1),
        ("fresh_connections = true", "", 2),
        ("fresh_connections = true", "retry = { fresh_connections = false }", 1),
        ("", "retry = { fresh_connections = true }", 2),
        ("[policies.elsewhere]\nfresh_connections = true", "retry = \"elsewhere\"", 2),
        ("", "order = \"breadth\"\nretry = { fresh_connections = true }", 2),
    ] {
        let acts = [Act::echo(), Act::status(503), Act::echo(), Act::echo()];
        let provider = start(Script::exactly(acts));
        let proxy = proxy(&format!("{QUICK}{rest}\n{}", route([provider.base_url()], retry))).await;

        // The first leaves a connection behind, which the first attempt of the second takes.
        for _ in 0..3 {
            assert_eq!(status(&proxy).await, 200, "{rest} {retry}");
        }

        assert_eq!(provider.check(), Ok(()));
        assert_eq!(provider.connections(), connections, "{rest} {retry}");
    }
}

/// Provider `p`, with keys of its table, and route `r` over its models `a` and `b`.
fn limited(provider: &Provider, keys: &str, rest: &str) -> String {
    format!(
        "{QUICK}[providers.p]\nbase_url = \"{}\"\n{keys}\n[routes.r]\nchain = [\"p/a\", \"p/b\"]\n{rest}\n",
        provider.base_url()
    )
}

#[tokio::test]
async fn no_more_attempts_are_under_way_than_allowed() {
    let slow = Act::echo().after(Duration::from_millis(20));
    let provider = start(Script::at_once(3, slow, Act::status(400)));
    let proxy = proxy(&limited(&provider, "max_connections = 3", "")).await;

    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let address = proxy.address;
        calls.spawn(async move { Call::stream("r").send(address).await.content().await });
    }
    let answers = calls.join_all().await;

    assert_eq!(answers.len(), 20);
    assert_eq!(provider.count(), 20, "none was sent twice");
    assert!(provider.connections() <= 3, "{} connections", provider.connections());
}

#[tokio::test]
async fn who_finds_no_connection_free_goes_on() {
    let full = start(Script::exactly([Act::hang(), Act::echo()]));
    let other = start(Script::exactly([Act::echo()]));
    let config = format!(
        "{QUICK}[providers.p]\nmax_connections = 1\nbase_url = \"{}\"\ntimeouts = {{ connect = \"50ms\" }}\n[providers.q]\nbase_url = \"{}\"\n\
         [routes.r]\nchain = [\"p/m\", \"q/m\"]\n[routes.alone]\nchain = [\"p/m\"]\nretry = {{ attempts_per_burst = 1 }}\n",
        full.base_url(),
        other.base_url()
    );
    let proxy = proxy(&config).await;
    let holding = Call::whole("r").start(proxy.address).await;
    full.wait_for(1).await;

    let refusal = Call::whole("alone").send(proxy.address).await.json().await;
    let answer = Call::whole("r").send(proxy.address).await;

    let attempt = &refusal["error"]["metadata"]["attempts"][0];
    assert_eq!(attempt["reason"], "the one connection to `p` has been in use for 50ms (max_connections)");
    assert_eq!((&attempt["phase"], &refusal["error"]["code"]), (&"connect".into(), &"connect".into()));
    let message = refusal["error"]["message"].as_str().unwrap();
    assert!(message.ends_with("; try again in a moment, or allow more with `max_connections`"), "{message}");
    assert_eq!(answer.header("x-backstop-provider"), "q");
    // Whoever leaves makes room.
    drop(holding);
    full.wait_closed(0).await;
    let answer = Call::whole("alone").send(proxy.address).await;
    assert_eq!(answer.header("x-backstop-provider"), "p");
    assert_eq!((full.check(), other.check()), (Ok(()), Ok(())));
}

#[tokio::test]
async fn who_waited_for_a_connection_in_vain_gives_nobody_a_rest() {
    let provider = start(Script::exactly([Act::hang(), Act::echo()]));
    let keys = "max_connections = 1\ntimeouts = { connect = \"5ms\" }";
    let rest =
        "retry = { attempts_per_burst = 1 }\ncooldown = { failures = 1, rest = \"1m\", rest_max = \"1m\" }";
    let proxy = proxy(&limited(&provider, keys, rest)).await;
    let holding = Call::whole("r").start(proxy.address).await;
    provider.wait_for(1).await;

    for _ in 0..3 {
        assert_eq!(status(&proxy).await, 502);
    }
    drop(holding);
    provider.wait_closed(0).await;

    assert_eq!(status(&proxy).await, 200);
    assert_eq!(provider.check(), Ok(()));
}

#[tokio::test]
async fn a_hedge_that_finds_no_connection_free_is_in_nobodys_way() {
    let slow = Act::echo().after(Duration::from_millis(200));
    let provider = start(Script::exactly([slow, Act::echo()]));
    let proxy = proxy(&limited(&provider, "max_connections = 1", "hedge_after = \"20ms\"")).await;

    for attempts in ["2", "1"] {
        let mut answer = soon("answer", Call::stream("r").send(proxy.address)).await;
        assert_eq!(
            (answer.header("x-backstop-model"), answer.header("x-backstop-attempts")),
            ("a", attempts)
        );
        answer.content().await;
    }

    assert_eq!(provider.check(), Ok(()));
}

#[tokio::test]
async fn a_stream_that_breaks_leaves_its_place_to_who_goes_on() {
    let cut = Act::answer("one two three").cut_after(2).then(Finish::Eof);
    for (rest, first) in [("on_break = \"resume\"", cut.clone()), ("delivery = \"verified\"", cut)] {
        let provider = start(Script::exactly([first, Act::answer("one two three")]));
        let proxy = proxy(&limited(&provider, "max_connections = 1", rest)).await;

        let content = soon("answer", Call::stream("r").send(proxy.address)).await.content().await;

        assert_eq!(content, "one two three", "{rest}");
        assert_eq!(provider.check(), Ok(()));
    }
}

/// The password of a proxy is nowhere to be seen, not even when the proxy says it.
#[tokio::test]
async fn a_proxy_is_named_and_its_password_is_not() {
    let log = Log::begin();
    let between = start(Act::status(407).json(r#"{"error":{"message":"no: you:open-sesame-1"}}"#));
    let address = between.address();
    let config = format!(
        "{ONCE}[providers.p]\nbase_url = \"http://provider.example/v1\"\n\
         proxy = \"http://you:open-sesame-1@{address}\"\n[routes.r]\nchain = [\"p/m\"]\n"
    );
    let proxy = proxy(&config).await;

    let refusal = Call::whole("r").send(proxy.address).await.text().await;

    let reason = format!("the proxy http://{address} refused the request: 407 Proxy Authentication Required");
    assert!(refusal.contains(&reason), "{refusal}");
    assert!(refusal.contains("; check the user and the password of the proxy\""), "{refusal}");
    log.ended(1).await;
    assert_eq!(log.saying(&format!("provider p: over the proxy http://{address}")).len(), 1);
    let seen = format!("{refusal}{}", log.saying("").iter().map(ToString::to_string).collect::<String>());
    assert!(!seen.contains("open-sesame-1") && !seen.contains("eW91Om9wZW4tc2VzYW1lLTE"), "{seen}");
    let request = between.request(0).unwrap();
    assert_eq!(request.header("proxy-authorization"), "Basic eW91Om9wZW4tc2VzYW1lLTE=");
}
