//! Who keeps failing rests, for all requests.

use std::time::{Duration, Instant};

use backstop::sim::{Act, Finish, Provider, Script};
use tokio::task::JoinSet;

use crate::support::settings::ONCE;
use crate::support::{Call, Log, Proxy, Refusal, providers, proxy, route, soon};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Route `r` over these providers, one attempt each, which rest for as long after two failures.
async fn resting(providers: &[&Provider], rest: &str, more: &str) -> Proxy {
    let urls = providers.iter().map(|provider| provider.base_url());
    let cooldown = format!("cooldown = {{ failures = 2, rest = \"{rest}\", rest_max = \"{rest}\" }}");
    proxy(&route(urls, &format!("{more}\n{cooldown}\n{ONCE}"))).await
}

/// Who answered, after how many attempts.
async fn asked(proxy: &Proxy, call: &Call) -> (String, String) {
    let mut answer = call.send(proxy.address).await;
    let header = |name: &str| answer.header(name).to_owned();
    let by = (header("x-backstop-provider"), header("x-backstop-attempts"));
    answer.rest().await;
    by
}

fn by(provider: &str, attempts: u32) -> (String, String) {
    (provider.to_owned(), attempts.to_string())
}

#[tokio::test]
async fn others_skip_who_rests_and_come_back_when_it_is_back() {
    for call in [Call::stream("r"), Call::whole("r")] {
        let first = Provider::start(Script::until(millis(400), Act::status(503), Act::answer("a"))).unwrap();
        let second = Provider::start(Act::answer("b")).unwrap();
        let proxy = resting(&[&first, &second], "1s", "").await;
        let log = Log::begin();

        assert_eq!(asked(&proxy, &call).await, by("q", 2));
        assert_eq!(asked(&proxy, &call).await, by("q", 2));
        for _ in 0..10 {
            assert_eq!(asked(&proxy, &call).await, by("q", 1), "nobody waits for it, nobody asks it");
        }
        assert_eq!(first.count(), 2);
        let said = log.saying("m rests for");
        assert_eq!(said.len(), 1, "it is said once");
        let message = said[0]["message"].as_str().unwrap();
        assert!(message.ends_with("s: 503 - The model is overloaded"), "{message}");
        assert_eq!(said[0]["provider"], "p");

        let back = async { while asked(&proxy, &call).await != by("p", 1) {} };
        soon("return of the first one", back).await;
        assert_eq!(first.count(), 3, "the probe was the first to find out");
        assert_eq!(log.saying("m answers again").len(), 1);
        assert_eq!(asked(&proxy, &call).await, by("p", 1));
    }
}

#[tokio::test]
async fn a_stream_that_breaks_counts_and_one_whose_client_leaves_does_not() {
    let cut = Act::tokens(9).cut_after(3).then(Finish::Reset);
    let endless = Act::tokens(1_000).pace(millis(20));
    for (act, count) in [(cut, 2), (endless, 6)] {
        let first = Provider::start(act).unwrap();
        let second = Provider::start(Act::answer("b")).unwrap();
        let proxy = resting(&[&first, &second], "60s", "").await;
        for index in 0..6 {
            let mut answer = Call::stream("r").send(proxy.address).await;
            answer.data().await.expect("the first event");
            if count == 2 {
                answer.rest().await;
            } else {
                drop(answer);
                soon("close", first.wait_ended(index)).await;
            }
        }
        assert_eq!(first.count(), count);
    }
}

#[tokio::test]
async fn a_wrong_request_and_one_that_nobody_waits_for_do_not_count() {
    let wrong = || Act::status(400).error("what is this", "invalid_request_error");
    let script = Script::sequence([
        wrong(),
        wrong(),
        wrong(),
        Act::hang(),
        Act::hang(),
        Act::hang(),
        Act::answer("a"),
    ]);
    let first = Provider::start(script).unwrap();
    let second = Provider::start(Act::answer("b")).unwrap();
    let proxy = resting(&[&first, &second], "60s", "").await;
    for _ in 0..3 {
        assert_eq!(asked(&proxy, &Call::whole("r")).await, by("q", 2));
    }
    for index in 3..6 {
        let leaves = Call::stream("r").start(proxy.address).await;
        soon("attempt", first.wait_for(index + 1)).await;
        drop(leaves);
        soon("close", first.wait_ended(index)).await;
    }
    assert_eq!(asked(&proxy, &Call::stream("r")).await, by("p", 1));
}

#[tokio::test]
async fn one_probe_finds_out_and_its_place_is_free_when_its_client_leaves() {
    let script = Script::sequence([Act::status(503), Act::status(503), Act::hang(), Act::answer("a")]);
    let first = Provider::start(script).unwrap();
    let second = Provider::start(Act::answer("b")).unwrap();
    // A probe that is silent for longer than the longest rest is overtaken by another one.
    let cooldown = "cooldown = { failures = 2, rest = \"200ms\", rest_max = \"60s\" }";
    let urls = [first.base_url(), second.base_url()];
    let proxy = proxy(&route(urls, &format!("{cooldown}\n{ONCE}"))).await;
    for _ in 0..2 {
        asked(&proxy, &Call::stream("r")).await;
    }
    let probe = async {
        loop {
            // As long as it rests, the other one answers.
            let connection = Call::stream("r").start(proxy.address).await;
            if tokio::time::timeout(millis(50), first.wait_for(3)).await.is_ok() {
                return connection;
            }
        }
    };
    let probe = soon("probe", probe).await;
    for _ in 0..10 {
        assert_eq!(asked(&proxy, &Call::stream("r")).await, by("q", 1), "one probe at a time");
    }
    assert_eq!(first.count(), 3);
    drop(probe);
    soon("close", first.wait_ended(2)).await;
    let back = async { while asked(&proxy, &Call::stream("r")).await != by("p", 1) {} };
    soon("another probe", back).await;
    assert_eq!(first.count(), 4);
}

#[tokio::test]
async fn a_cooldown_can_be_off() {
    let first = Provider::start(Act::status(503)).unwrap();
    let second = Provider::start(Act::answer("b")).unwrap();
    let urls = [first.base_url(), second.base_url()];
    let text = format!(
        "cooldown = {{ enabled = false }}\n{ONCE}\n[cooldown]\nfailures = 1\nrest = \"60s\"\nrest_max = \"60s\""
    );
    let proxy = proxy(&route(urls, &text)).await;
    for _ in 0..10 {
        assert_eq!(asked(&proxy, &Call::whole("r")).await, by("q", 2));
    }
    let refusal = Refusal::read(Call::whole("p/m").send(proxy.address).await).await;
    assert_eq!((refusal.status, refusal.attempts().len()), (503, 1), "{}", refusal.body);
    let waits = Call::whole("p/m").start(proxy.address).await;
    assert_eq!(asked(&proxy, &Call::whole("r")).await, by("q", 2), "the rests of others are nothing to it");
    assert_eq!(first.count(), 12, "the one without a route waits");
    drop(waits);
}

#[tokio::test]
async fn all_rest_so_it_waits_for_the_soonest_and_is_woken() {
    let provider =
        Provider::start(Script::sequence([Act::status(503), Act::status(503), Act::answer("a")])).unwrap();
    let proxy = resting(&[&provider], "700ms", "").await;
    for _ in 0..2 {
        assert_eq!(Call::whole("r").send(proxy.address).await.status, 503);
    }
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..10 {
        let address = proxy.address;
        callers.spawn(async move {
            let mut answer = Call::whole("r").send(address).await;
            assert_eq!(answer.header("x-backstop-attempts"), "1");
            answer.json().await["choices"][0]["message"]["content"].as_str().map(str::to_owned)
        });
    }
    let answers = callers.join_all().await;
    assert!(answers.iter().all(|text| text.as_deref() == Some("a")), "{answers:?}");
    let waited = began.elapsed();
    assert!(waited >= millis(500) && waited < millis(1_500), "{waited:?}");
}

#[tokio::test]
async fn all_rest_beyond_the_deadline_so_it_says_until_when() {
    for (act, status, code) in
        [(Act::status(429), 429, "rate_limited"), (Act::status(503), 503, "overloaded")]
    {
        let provider = Provider::start(act.retry_after("1200")).unwrap();
        let proxy = resting(&[&provider], "1s", "").await;
        let log = Log::begin();
        let first = Refusal::read(Call::whole("r").send(proxy.address).await).await;
        assert_eq!((first.status, first.retry_after), (status, Some(1200)), "{}", first.body);

        // One of them goes out anyway.
        let anyway = Refusal::read(Call::whole("r").send(proxy.address).await).await;
        assert_eq!((anyway.status, anyway.attempts().len()), (status, 1), "{}", anyway.body);

        for _ in 0..3 {
            let refusal = Refusal::read(Call::whole("r").send(proxy.address).await).await;
            assert_eq!((refusal.status, refusal.error.code.as_str()), (status, code));
            assert!(
                refusal.retry_after.is_some_and(|wait| (1190..=1200).contains(&wait)),
                "{}",
                refusal.body
            );
            let message = "`r` got no answer, for nobody could be asked within 9m: `p/m` rests as the provider asked; \
                try again in ";
            assert!(refusal.error.message.starts_with(message), "{}", refusal.body);
            assert_eq!(refusal.attempts(), []);
        }
        assert_eq!(provider.count(), 2);
        log.ended(5).await;
        let last = log.access().pop().unwrap();
        assert_eq!((last["attempts"].as_u64(), last["outcome"].as_str()), (Some(0), Some(code)), "{last}");
        assert!(last.get("provider").is_none(), "nobody was asked: {last}");
    }
}

#[tokio::test]
async fn an_early_head_shows_why_it_waits_and_ends_with_the_reason() {
    let provider = Provider::start(Act::status(503)).unwrap();
    let text = route(
        [provider.base_url()],
        &format!(
            "{ONCE}deadline = \"1300ms\"\n[cooldown]\nfailures = 1\nrest = \"1s\"\n[server]\nhead_after = \"1ms\""
        ),
    );
    let proxy = proxy(&text).await;
    Call::whole("r").send(proxy.address).await.rest().await;

    let mut answer = Call::stream("r").send(proxy.address).await;
    let (body, _) = answer.rest().await;
    let body = String::from_utf8(body.to_vec()).unwrap();

    assert!(
        body.starts_with(": Not asked yet: `p/m` rests after a failure (0/1 attempts). Waiting up to "),
        "{body}"
    );
    assert!(body.contains(r#""code":"overloaded""#), "{body}");
}

/// A limit on free models is about the key's free models, and a key that stands alone is never left alone.
#[tokio::test]
async fn a_rest_covers_what_the_refusal_names() {
    let free = Act::status(429)
        .error("Rate limit exceeded: free-models-per-day", 429)
        .header("x-ratelimit-remaining", "0");
    let day = free.header("x-ratelimit-reset", "600s");
    let provider = Provider::start(Script::by_model([
        ("a:free", Script::always(day.clone())),
        ("b:free", Script::always(day)),
        ("paid", Script::always(Act::answer("paid"))),
        ("no-credit", Script::always(Act::status(429).error("no money left", "insufficient_quota"))),
        ("no-key", Script::always(Act::status(401))),
    ]))
    .unwrap();
    let chain = |models: &str| format!("chain = [{models}]\n");
    let text = providers(&[("p", &provider)])
        + "[routes.free]\n"
        + &chain(r#""p/a:free", "p/b:free", "p/paid""#)
        + "[routes.keys]\n"
        + &chain(r#""p/no-credit", "p/no-key", "p/paid""#)
        + "[routes.more]\n"
        + &chain(r#""p/b:free", "p/paid""#)
        + ONCE
        + "[cooldown]\nfailures = 2\nrest = \"60s\"\nrest_max = \"60s\"\n";
    let proxy = proxy(&text).await;

    let attempts = async |route: &str| asked(&proxy, &Call::whole(route)).await.1;
    assert_eq!(attempts("free").await, "2", "the refusal of one free model is that of the other");
    assert_eq!(attempts("free").await, "1");
    assert_eq!(attempts("more").await, "1");
    assert_eq!([attempts("keys").await, attempts("keys").await, attempts("keys").await], ["3", "3", "1"]);
    let asked: Vec<_> = provider.requests().iter().map(backstop::sim::Request::model).collect();
    assert_eq!(asked.iter().filter(|model| model.ends_with("free")).count(), 1, "{asked:?}");
}
