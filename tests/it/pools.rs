//! Several keys for one API: who is sent, what rests, and that nobody but the provider sees one.

use std::time::{Duration, Instant};

use backstop::cli::{self, CheckArgs};
use backstop::config::{self, Environment, Overrides, Source};
use backstop::sim::{Act, Finish, Provider, Script};

use crate::support::{Call, Got, Log, Program, Proxy, Refusal, proxy};

const A: &str = "sk-alpha-1a2b3c4d5e6f";
const B: &str = "sk-bravo-2b3c4d5e6f7a";
const C: &str = "sk-charlie-3c4d5e6f7a";

/// Route `r` over `p/m`, whose keys are A, B (called `spare`) and C, and over `more` candidates; `keys` are
/// further keys of the provider.
fn pool(provider: &Provider, keys: &str, more: &str) -> String {
    format!(
        r#"
        [retry]
        attempts_per_burst = 3
        attempt_delay = "10ms"
        bursts_per_cycle = 1
        cycles = 1
        [providers.p]
        base_url = "{url}"
        api_keys = ["{A}", {{ value = "{B}", name = "spare" }}, "{C}"]
        {keys}
        [routes.r]
        chain = ["p/m"{more}]
        "#,
        url = provider.base_url(),
    )
}

/// The keys that the provider saw, in order: `A`, `B`, `C`.
fn keys(provider: &Provider) -> String {
    let letter = |key: &str| match key {
        A => 'A',
        B => 'B',
        C => 'C',
        other => panic!("no such key: {other}"),
    };
    provider.requests().iter().map(|request| letter(request.key())).collect()
}

async fn ask(proxy: &Proxy, model: &str) -> Got {
    Got::read(Call::whole(model).send(proxy.address).await).await
}

fn hello() -> Got {
    Got::Whole("Hello".to_owned())
}

#[tokio::test]
async fn keys_take_turns_or_come_in_order_on_routes_and_directly() {
    for (order, seen) in [("", "ABCABC"), (r#"key_order = "in-order""#, "AAAAAA")] {
        let provider = Provider::start(Act::answer("Hello")).unwrap();
        let proxy = proxy(&pool(&provider, order, "")).await;
        for model in ["r", "p/m", "p/other", "r", "p/m", "r"] {
            assert_eq!(ask(&proxy, model).await, hello());
        }
        assert_eq!(keys(&provider), seen);
    }
}

#[tokio::test]
async fn a_refused_key_is_passed_over_by_the_next_requests_too() {
    for status in [401, 429] {
        let refusal = Act::status(status).retry_after("60");
        let good = || Script::always(Act::answer("Hello"));
        let script = Script::per_key([(A, Script::always(refusal)), (B, good()), (C, good())]);
        let provider = Provider::start(script).unwrap();
        let proxy = proxy(&pool(&provider, r#"key_order = "in-order""#, "")).await;

        for form in [Call::stream("r"), Call::whole("r"), Call::whole("p/m")] {
            let answer = form.send(proxy.address).await;
            assert_eq!(answer.header("x-backstop-attempts"), "1");
            assert_eq!(Got::read(answer).await, hello());
        }
        assert_eq!(keys(&provider), "ABBB", "{status}");

        // A key is refused for every model, a limit is met by one.
        assert_eq!(ask(&proxy, "p/other").await, hello());
        assert_eq!(keys(&provider), if status == 401 { "ABBBB" } else { "ABBBAB" }, "{status}");
    }
}

#[tokio::test]
async fn a_key_is_used_again_when_its_rest_is_over() {
    let back = Script::sequence([Act::status(429).header("retry-after-ms", "200"), Act::answer("Hello")]);
    let script = Script::per_key([(A, back), (B, Act::answer("Hello").into())]);
    let provider = Provider::start(script).unwrap();
    let proxy = proxy(&pool(&provider, r#"key_order = "in-order""#, "")).await;
    assert_eq!(ask(&proxy, "r").await, hello());

    tokio::time::sleep(Duration::from_millis(210)).await;
    assert_eq!(ask(&proxy, "r").await, hello());

    assert_eq!(keys(&provider), "ABA");
}

#[tokio::test]
async fn a_trouble_of_the_provider_moves_no_keys() {
    for act in [Act::status(500), Act::status(400), Act::close(), Act::answer(""), Act::status(404)] {
        let provider = Provider::start(act).unwrap();
        let other = Provider::start(Act::answer("Hello")).unwrap();
        let config = pool(&provider, "", ", \"q/m\"") + &crate::support::providers(&[("q", &other)]);
        let proxy = proxy(&config.replace("attempts_per_burst = 3", "attempts_per_burst = 1")).await;
        assert_eq!(ask(&proxy, "r").await, hello());
        assert_eq!(keys(&provider), "A");
    }
}

#[tokio::test]
async fn when_all_keys_have_failed_the_next_model_is_asked_at_once() {
    let script = Script::per_key([
        (A, Act::status(401)),
        (B, Act::status(402)),
        (C, Act::status(429).retry_after("30")),
    ]);
    let (provider, other) =
        (Provider::start(script).unwrap(), Provider::start(Act::answer("Hello")).unwrap());
    let config = pool(&provider, "", ", \"q/m\"") + &crate::support::providers(&[("q", &other)]);
    let proxy = proxy(&config).await;
    let began = Instant::now();

    let answer = Call::whole("r").send(proxy.address).await;

    assert_eq!(answer.header("x-backstop-attempts"), "2");
    assert_eq!((answer.header("x-backstop-provider"), keys(&provider).as_str()), ("q", "ABC"));
    assert_eq!(ask(&proxy, "r").await, hello());
    assert_eq!(keys(&provider), "ABC", "they rest");
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn logs_and_the_trail_name_each_key_and_tell_none() {
    let log = Log::begin();
    let echo = |status: u16, key: &str| {
        Act::status(status).error(&format!("Incorrect API key provided: {key}"), "invalid_api_key")
    };
    let script = Script::per_key([(A, echo(401, A)), (B, echo(403, B)), (C, echo(429, C))]);
    let provider = Provider::start(script).unwrap();
    let config = pool(&provider, "", "").replace("attempts_per_burst = 3", "attempts_per_burst = 1");
    let proxy = proxy(&config).await;

    let refusal = Refusal::read(Call::whole("r").send(proxy.address).await).await;

    assert_eq!((refusal.status, refusal.error.code.as_str()), (429, "rate_limited"));
    let names: Vec<_> = refusal.attempts().iter().map(|tried| tried.key.as_deref().unwrap()).collect();
    assert_eq!(names, ["key 1", "spare", "key 3"]);
    assert!(
        refusal.attempts().iter().all(|tried| tried.reason.ends_with("provided: ***")),
        "{}",
        refusal.body
    );
    log.ended(1).await;
    let lines = log.saying("Attempt 1/1: ERROR");
    let logged: Vec<_> = lines.iter().map(|line| line["key"].as_str().unwrap()).collect();
    assert_eq!(logged, names);
    let rests = log.saying("rests for");
    assert!(rests.iter().any(|line| line["key"] == "key 1"), "{rests:?}");
    let everything = format!("{:?}{}", log.saying(""), refusal.body);
    for key in [A, B, C] {
        assert!(!everything.contains(&key[..9]), "{everything}");
    }
}

#[tokio::test]
async fn neither_check_nor_debug_tells_a_key() {
    let provider = Provider::start(Act::answer("Hello")).unwrap();
    let text = pool(&provider, "limits = { requests_per_day = 9 }", "");
    let source = Source::Text { name: "test.toml".to_owned(), text: text.clone() };
    let loaded = config::load(&source, &Environment::new(), &Overrides::default()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("backstop.toml");
    std::fs::write(&file, &text).unwrap();
    let (report, _) = cli::check(&CheckArgs { file: Some(file), config: None }, &Environment::new());
    let told = format!("{loaded:?}{report}");
    assert!(told.contains("3 keys in turn"), "{told}");
    for key in [A, B, C] {
        assert!(!told.contains(&key[..9]), "{told}");
    }
}

#[tokio::test]
async fn another_key_goes_on_with_a_stream_that_broke() {
    let cut = Act::completes("one two three four").cut_after(3).then(Finish::Reset);
    let script = Script::per_key([(A, cut), (B, Act::completes("one two three four"))]);
    let provider = Provider::start(script).unwrap();
    let config = pool(&provider, "prefill = true", "") + "on_break = \"resume\"";
    let proxy = proxy(&config).await;

    let got = Got::read(Call::stream("r").send(proxy.address).await).await;

    assert_eq!(got, Got::Whole("one two three four".to_owned()));
    assert_eq!(keys(&provider), "AB");
}

/// A key from each place, through the program itself.
#[tokio::test]
async fn keys_from_files_and_variables_are_called_by_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("team-key");
    std::fs::write(&secret, format!("{B}\n")).unwrap();
    let script = Script::per_key([(A, Act::status(401)), (B, Act::status(401)), (C, Act::answer("Hello"))]);
    let provider = Provider::start(script).unwrap();
    let config = format!(
        "[providers.p]\nbase_url = \"{}\"\napi_keys = [{{ env = \"KEY_ONE\" }}, {{ file = \"{}\" }}, \"{C}\"]\n",
        provider.base_url(),
        secret.display()
    );
    let mut program = Program::serve(Some(&config), &[("KEY_ONE", A)]).await;

    assert_eq!(Got::read(Call::whole("p/m").send(program.address).await).await, hello());

    let first = program.line("Attempt 1/60: ERROR: 401").await;
    let second = program.line("Attempt 1/60: ERROR: 401").await;
    let third = program.line("SUCCESS").await;
    assert!(
        first.contains("KEY_ONE") && second.contains("team-key") && third.contains("key 3"),
        "{first}{second}{third}"
    );
    assert_eq!(keys(&provider), "ABC");
}
