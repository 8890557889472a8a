//! Users with keys of their own: whose key a provider sees, and that nobody else does.

use std::time::{Duration, Instant};

use backstop::sim::{Act, Finish, Provider, Request, Script};

use crate::support::{Call, Got, Log, Proxy, Refusal, proxy};

mod secrets;

const SHARED: &str = "sk-shared-1a2b3c4d5e6f";
const ANNA: &str = "sk-anna-2b3c4d5e6f7a";
const BERT: &str = "sk-bert-3c4d5e6f7a8b";
const HEADER: &str = "sk-header-4d5e6f7a8b9c";

/// Route `r` over `p/m`, whose configured key is [`SHARED`], and over `more` candidates; Anna and Bert have keys
/// for it. `rest` goes on where the table of the route stands.
fn config(provider: &Provider, trust: bool, more: &str, rest: &str) -> String {
    format!(
        r#"
        [server]
        trust_user_headers = {trust}
        [retry]
        attempts_per_burst = 2
        attempt_delay = "10ms"
        bursts_per_cycle = 1
        cycles = 1
        [providers.p]
        base_url = "{url}"
        api_key = "{SHARED}"
        [users."anna@example.org"]
        keys = {{ p = "{ANNA}" }}
        [users.7f3a]
        keys = {{ p = "{BERT}" }}
        [routes.r]
        chain = ["p/m"{more}]
        {rest}
        "#,
        url = provider.base_url(),
    )
}

/// Who the provider was asked for, in order: `S`hared, `A`nna, `B`ert, the key from a `H`eader, or nobody.
fn keys(provider: &Provider) -> String {
    let letter = |request: &Request| match request.key() {
        SHARED => 'S',
        ANNA => 'A',
        BERT => 'B',
        HEADER => 'H',
        "" => '-',
        other => panic!("no such key: {other}"),
    };
    provider.requests().iter().map(letter).collect()
}

fn anna(call: Call) -> Call {
    call.header("X-OpenWebUI-User-Email", "Anna@Example.org").header("X-OpenWebUI-User-Name", "Anna%20%C3%96")
}

fn bert(call: Call) -> Call {
    call.header("X-OpenWebUI-User-Id", "7f3a")
}

fn with_key(call: Call) -> Call {
    call.header("X-Backstop-Key-P", HEADER)
}

async fn ask(proxy: &Proxy, call: Call) -> Got {
    Got::read(call.send(proxy.address).await).await
}

fn hello() -> Got {
    Got::Whole("Hello".to_owned())
}

fn missing() -> Got {
    Got::Refused { status: 401, code: "user_key_missing".to_owned(), attempts: 0 }
}

#[tokio::test]
async fn whose_key_is_sent_is_the_routes_to_say() {
    type Asks = fn(Call) -> Call;
    let both: Asks = |call| with_key(anna(call));
    let asks: [(&str, Asks); 5] =
        [("nobody", |call| call), ("anna", anna), ("bert", bert), ("a key", with_key), ("both", both)];
    for (credentials, trust, seen) in [
        ("", false, ["S", "S", "S", "H", "H"]),
        ("", true, ["S", "A", "B", "H", "H"]),
        ("user-then-shared", true, ["S", "A", "B", "H", "H"]),
        ("shared", false, ["S", "S", "S", "S", "S"]),
        ("shared", true, ["S", "S", "S", "S", "S"]),
        ("user", false, ["", "", "", "H", "H"]),
        ("user", true, ["", "A", "B", "H", "H"]),
    ] {
        let provider = Provider::start(Act::answer("Hello")).unwrap();
        let rest = match credentials {
            "" => String::new(),
            named => format!("credentials = \"{named}\""),
        };
        let proxy = proxy(&config(&provider, trust, "", &rest)).await;
        for ((who, asks), expected) in asks.iter().zip(seen) {
            for call in [Call::stream("r"), Call::whole("r")] {
                let before = provider.count();
                let got = ask(&proxy, asks(call)).await;
                assert_eq!(&keys(&provider)[before..], expected, "{credentials} {trust} {who}");
                assert_eq!(got, if expected.is_empty() { missing() } else { hello() }, "{credentials} {who}");
            }
        }
        let before = provider.count();
        assert_eq!(ask(&proxy, with_key(Call::whole("p/any"))).await, hello());
        assert_eq!(&keys(&provider)[before..], "H", "a model asked for directly");
    }
}

#[tokio::test]
async fn where_only_a_users_key_will_do_the_others_are_passed_over() {
    let (hosted, local) = (Act::answer("Hello"), Act::answer("local"));
    let (hosted, local) = (Provider::start(hosted).unwrap(), Provider::start(local).unwrap());
    let other = format!("[providers.q]\nbase_url = \"{}\"", local.base_url());
    let text = config(&hosted, true, r#", "q/m""#, &format!("credentials = \"user\"\n{other}"));
    let proxy = proxy(&text).await;

    let answer = Call::whole("r").send(proxy.address).await;
    assert_eq!((answer.header("x-backstop-provider"), answer.header("x-backstop-attempts")), ("q", "1"));
    assert_eq!(ask(&proxy, anna(Call::whole("r"))).await, hello());

    assert_eq!((keys(&hosted), keys(&local)), ("A".to_owned(), "-".to_owned()));
}

#[tokio::test]
async fn a_secret_in_whatever_header_is_a_key() {
    let provider = Provider::start(Act::answer("Hello")).unwrap();
    let text = format!(
        "[providers.p]\nbase_url = \"{}\"\nheaders = {{ X-Auth-Token = \"{SHARED}\" }}\n\
         [routes.r]\nchain = [\"p/m\"]\ncredentials = \"user\"",
        provider.base_url()
    );
    let proxy = proxy(&text).await;

    assert_eq!(ask(&proxy, Call::whole("r")).await, missing());
    assert_eq!(ask(&proxy, with_key(Call::whole("r"))).await, hello());
    assert_eq!(keys(&provider), "H");
}

#[tokio::test]
async fn the_error_says_which_key_to_bring() {
    let provider = Provider::start(Act::answer("Hello")).unwrap();
    let proxy = proxy(&config(&provider, true, "", "credentials = \"user\"")).await;

    let refusal = Refusal::read(Call::stream("r").send(proxy.address).await).await;

    assert_eq!((refusal.status, refusal.error.kind.as_str()), (401, "authentication_error"));
    assert_eq!(
        refusal.error.message,
        "`r` got no answer, for this user has no key for `p`; \
         send one in the header `x-backstop-key-PROVIDER`, or have it written under `[users]`"
    );
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn a_refused_key_of_a_user_leaves_the_shared_one_alone_and_the_reverse() {
    for refused in [ANNA, SHARED] {
        let good = |key: &'static str| (key, Script::always(Act::answer("Hello")));
        let bad = (refused, Script::always(Act::status(401)));
        let others = [ANNA, SHARED, BERT].into_iter().filter(|key| *key != refused).map(good);
        let provider = Provider::start(Script::per_key(others.chain([bad]))).unwrap();
        let proxy = proxy(&config(&provider, true, "", "")).await;
        let unlucky = |call| if refused == ANNA { anna(call) } else { call };
        let lucky = |call| if refused == ANNA { call } else { anna(call) };

        // After so many it rests.
        for _ in 0..5 {
            let got = ask(&proxy, unlucky(Call::whole("r"))).await;
            assert!(matches!(got, Got::Refused { status: 502, attempts: 1, .. }), "{got:?}");
        }
        let began = Instant::now();
        for _ in 0..3 {
            assert_eq!(ask(&proxy, lucky(Call::whole("r"))).await, hello());
            assert_eq!(ask(&proxy, bert(Call::whole("r"))).await, hello());
        }
        assert!(began.elapsed() < Duration::from_secs(2), "nobody waits for the end of its rest");
        let refusals = provider.requests().iter().filter(|request| request.key() == refused).count();
        assert_eq!((refusals, provider.count()), (5, 11), "nobody tries another key in its place");
    }
}

#[tokio::test]
async fn after_a_refused_key_of_a_user_the_chain_goes_on() {
    let refusing = Provider::start(Act::status(401).error("Incorrect API key", "invalid_api_key")).unwrap();
    let next = Provider::start(Act::answer("Hello")).unwrap();
    let other = format!("[providers.q]\nbase_url = \"{}\"", next.base_url());
    let proxy = proxy(&config(&refusing, true, r#", "q/m""#, &other)).await;

    assert_eq!(ask(&proxy, anna(Call::whole("r"))).await, hello());

    assert_eq!((keys(&refusing), keys(&next)), ("A".to_owned(), "-".to_owned()));
}

#[tokio::test]
async fn a_429_of_one_users_key_slows_nobody_else() {
    let good = || Script::always(Act::answer("Hello"));
    let limited = Script::sequence([Act::status(429).header("retry-after-ms", "2000"), Act::answer("Hello")]);
    let provider =
        Provider::start(Script::per_key([(ANNA, limited), (BERT, good()), (SHARED, good())])).unwrap();
    let proxy = proxy(&config(&provider, true, "", "")).await;
    let began = Instant::now();
    let call = anna(Call::whole("r"));
    let waiting = async {
        let got = ask(&proxy, call).await;
        (got, began.elapsed())
    };
    let others = async {
        provider.wait_for(1).await;
        for _ in 0..10 {
            assert_eq!(ask(&proxy, bert(Call::whole("r"))).await, hello());
            assert_eq!(ask(&proxy, Call::whole("r")).await, hello());
        }
        began.elapsed()
    };

    let ((got, waited), others) = tokio::join!(waiting, others);

    assert_eq!(got, hello());
    assert!(waited >= Duration::from_secs(2) && others < Duration::from_secs(2), "{waited:?} {others:?}");
}

#[tokio::test]
async fn a_users_key_takes_the_place_of_a_whole_pool() {
    let provider = Provider::start(Script::by(|request| match request.key() {
        HEADER => Act::status(401),
        _ => Act::answer("Hello"),
    }))
    .unwrap();
    let pool = format!("api_keys = [\"{SHARED}\", \"{BERT}\"]");
    let text = config(&provider, false, "", "").replace(&format!("api_key = \"{SHARED}\""), &pool);
    let proxy = proxy(&text).await;

    let refusal = Refusal::read(with_key(Call::whole("r")).send(proxy.address).await).await;
    let told: Vec<_> = refusal.attempts().iter().map(|tried| tried.key.as_deref()).collect();
    assert_eq!(told, [Some("the user's own")], "no key of the pool is tried for it");
    assert!(
        refusal.error.message.ends_with("check your own key for the provider"),
        "{}",
        refusal.error.message
    );
    for _ in 0..3 {
        assert_eq!(ask(&proxy, Call::whole("r")).await, hello());
    }

    assert_eq!(keys(&provider), "HSBS", "and the turns of the pool go on");
}

#[tokio::test]
async fn a_users_key_spends_no_shared_quota() {
    let provider = Provider::start(Act::answer("Hello")).unwrap();
    let limits = "limits = { requests_per_day = 1 }";
    let text = config(&provider, false, "", "").replace("[users.\"anna", &format!("{limits}\n[users.\"anna"));
    let proxy = proxy(&text).await;

    for _ in 0..3 {
        let answer = with_key(Call::whole("r")).send(proxy.address).await;
        assert_eq!(answer.header("x-backstop-quota-remaining"), "");
        assert_eq!(Got::read(answer).await, hello());
    }
    let answer = Call::whole("r").send(proxy.address).await;
    assert_eq!((answer.status, answer.header("x-backstop-quota-remaining")), (200, "0"));
}

#[tokio::test]
async fn a_stream_that_broke_goes_on_with_the_key_of_its_user() {
    let cut = Act::completes("one two three four").cut_after(3).then(Finish::Reset);
    let good = || Provider::start(Act::completes("one two three four")).unwrap();
    let (first, second) = (Provider::start(cut).unwrap(), good());
    let more = format!("[providers.q]\nbase_url = \"{}\"\napi_key = \"{SHARED}\"", second.base_url());
    let text = config(&first, true, r#", "q/m""#, &format!("on_break = \"resume\"\n{more}"))
        .replace("keys = { p", &format!("keys = {{ q = \"{BERT}\", p"));
    let proxy = proxy(&text).await;

    let got = ask(&proxy, anna(Call::stream("r"))).await;

    assert_eq!(got, Got::Whole("one two three four".to_owned()));
    assert_eq!((keys(&first), keys(&second)), ("A".to_owned(), "B".to_owned()));
}

#[tokio::test]
async fn a_hedge_goes_out_with_the_key_of_its_user() {
    let slow = Provider::start(Act::answer("late").after(Duration::from_secs(20))).unwrap();
    let quick = Provider::start(Act::answer("Hello")).unwrap();
    let more = format!("[providers.q]\nbase_url = \"{}\"\napi_key = \"{SHARED}\"", quick.base_url());
    let text = config(&slow, false, r#", "q/m""#, &format!("hedge_after = \"50ms\"\n{more}"));
    let proxy = proxy(&text).await;

    let call = with_key(Call::whole("r")).header("x-backstop-key-q", BERT);
    assert_eq!(ask(&proxy, call).await, hello());

    assert_eq!((keys(&slow), keys(&quick)), ("H".to_owned(), "B".to_owned()));
}

#[tokio::test]
async fn logs_tell_users_apart_if_their_headers_are_believed() {
    let provider = Provider::start(Act::answer("Hello")).unwrap();
    for (trust, names) in [(true, ["Anna Ö", "7f3a"]), (false, ["127.0.0.1"; 2])] {
        let log = Log::begin();
        let proxy = proxy(&config(&provider, trust, "", "")).await;
        assert_eq!(ask(&proxy, anna(Call::whole("r"))).await, hello());
        assert_eq!(ask(&proxy, bert(Call::whole("r"))).await, hello());
        let unknown = anna(Call::whole("nothing")).send(proxy.address).await;
        assert_eq!(unknown.status, 404);
        log.ended(3).await;

        for (line, name) in log.saying("SUCCESS").iter().zip(names) {
            let message = line["message"].as_str().unwrap();
            assert!(message.starts_with(&format!("{name}:m - Attempt 1/2")), "{message}");
        }
        let users: Vec<_> = log.access().iter().map(|line| line["user"].clone()).collect();
        let known = |name: &str| if trust { name.into() } else { serde_json::Value::Null };
        assert_eq!(users, [known("Anna Ö"), known("7f3a"), known("Anna Ö")]);
        assert!(log.access().iter().all(|line| line["client"] == "127.0.0.1"));
    }
}

#[tokio::test]
async fn a_header_that_cannot_be_meant_so_is_refused() {
    let provider = Provider::start(Act::answer("Hello")).unwrap();
    for credentials in ["user", "shared"] {
        let rest = format!("credentials = \"{credentials}\"");
        let proxy = proxy(&config(&provider, true, "", &rest)).await;
        let long = "k".repeat(4097);
        for (name, value) in [
            ("x-backstop-key-p", ""),
            ("x-backstop-key-p", "Bearer sk-secret"),
            ("x-backstop-key-p", &long),
            ("x-backstop-key-pp", "sk-secret"),
        ] {
            let mut answer = Call::whole("r").header(name, value).send(proxy.address).await;
            assert_eq!(answer.status, 400);
            let error = answer.json().await["error"].clone();
            assert_eq!(error["code"], "invalid_request");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(&format!("`{name}`")) && !message.contains("secret"), "{message}");
        }
    }
    assert_eq!(provider.count(), 0);
}
