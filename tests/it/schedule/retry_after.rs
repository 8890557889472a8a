//! What a provider wishes is a floor for its next attempt, and has its limits.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use backstop::sim::{Act, Provider, Script};

use super::{answered, before, gaps, refused};
use crate::support::visits;

/// Two attempts a candidate, 40 ms between them.
const TWICE: &str = r#"
    retry.attempts_per_burst = 2
    retry.bursts_per_cycle = 1
    retry.cycles = 1
    retry.attempt_delay = "40ms"
"#;

fn limited() -> Act {
    Act::status(429)
}

/// A 429 whose header `name` says when a limit that is used up comes back.
fn spent(name: &str, reset: impl Into<String>) -> Act {
    limited().header(&name.replace("reset", "remaining"), "0").header(name, reset)
}

#[tokio::test]
async fn every_way_to_wish_is_a_floor() {
    let delay = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"0.12s"}]}}"#;
    let nested = r#"{"error":{"code":429,"metadata":{"headers":{"Retry-After-Ms":"120"}}}}"#;
    let precise = || limited().header("retry-after-ms", "120");
    for (name, act, wait) in [
        ("milliseconds", precise(), 120),
        ("milliseconds before seconds", precise().retry_after("30"), 120),
        ("a fraction of a second", limited().retry_after("0.12"), 120),
        ("a whole second", limited().retry_after("1"), 1000),
        ("less than the delay", limited().header("retry-after-ms", "20"), 40),
        ("nothing", limited().retry_after("0"), 40),
        ("the past", limited().retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), 40),
        ("no time at all", limited().retry_after("soon"), 40),
        ("in the body", limited().json(delay), 120),
        ("in the body under 200", limited().json(delay).with_status(200), 120),
        ("in headers inside the body", limited().json(nested), 120),
        ("the longer of two", limited().json(delay).header("retry-after-ms", "60"), 120),
        ("a reset", spent("x-ratelimit-reset", "120ms"), 120),
        ("a reset of tokens", spent("x-ratelimit-reset-tokens", "0.12s"), 120),
        ("a reset in seconds", spent("x-ratelimit-reset-requests", "0.12"), 120),
        ("a reset while some are left", limited().header("x-ratelimit-reset", "9s"), 40),
        ("a reset beside a wish", spent("x-ratelimit-reset", "9s").header("retry-after-ms", "120"), 120),
        ("under a 503", precise().with_status(503), 120),
        ("under a 408", precise().with_status(408), 120),
    ] {
        let provider = Provider::start(act).unwrap();
        let proxy = before(&[("a", &provider)], TWICE).await;

        let refusal = refused(&proxy, "a/m").await;

        assert_eq!(refusal.waits(), [0, wait], "{name}");
        assert!(gaps(&provider)[0] >= Duration::from_millis(wait), "{name}");
    }
}

/// A limit of which something is left is no reason to wait for it.
#[tokio::test]
async fn a_reset_counts_only_where_nothing_remains() {
    let left = limited().header("x-ratelimit-remaining-tokens", "3").header("x-ratelimit-reset-tokens", "9s");
    let mixed = left
        .clone()
        .header("x-ratelimit-remaining-requests", "0")
        .header("x-ratelimit-reset-requests", "120ms");
    for (act, wait) in [(left, 40), (mixed, 120)] {
        let provider = Provider::start(act).unwrap();
        let proxy = before(&[("a", &provider)], TWICE).await;

        assert_eq!(refused(&proxy, "a/m").await.waits(), [0, wait]);
    }
}

/// What is left of the wish when the schedule is used up is the client's to wait for.
#[tokio::test]
async fn the_client_learns_the_wish() {
    let later = SystemTime::now() + Duration::from_secs(1000);
    let epoch = later.duration_since(UNIX_EPOCH).unwrap();
    let once = "retry = { attempts_per_burst = 1, bursts_per_cycle = 1, cycles = 1 }";
    for (name, act, range) in [
        ("seconds", limited().retry_after("77"), 77..=77),
        ("rounded up", limited().header("retry-after-ms", "1001"), 2..=2),
        ("a date", limited().retry_after(httpdate::fmt_http_date(later)), 900..=1000),
        ("epoch seconds", spent("x-ratelimit-reset", epoch.as_secs().to_string()), 900..=1000),
        ("epoch milliseconds", spent("x-ratelimit-reset", epoch.as_millis().to_string()), 900..=1000),
        ("minutes", spent("x-ratelimit-reset-requests", "6m0s"), 360..=360),
        ("of a 503", Act::status(503).retry_after("77"), 77..=77),
    ] {
        let provider = Provider::start(act).unwrap();
        let proxy = before(&[("a", &provider)], once).await;

        let refusal = refused(&proxy, "a/m").await;

        assert_eq!(provider.count(), 1, "{name}");
        let seconds = refusal.retry_after.unwrap_or_else(|| panic!("{name}: {}", refusal.body));
        assert!(range.contains(&seconds), "{name}: {seconds}");
    }
}

/// A wish is told even if nothing is waited for.
#[tokio::test]
async fn a_rejection_keeps_its_wish() {
    let provider = Provider::start(limited().retry_after("77")).unwrap();
    let proxy = before(&[("a", &provider)], "retry.on.rate_limited = \"reject\"").await;

    let refusal = refused(&proxy, "a/m").await;

    assert_eq!((refusal.status, refusal.retry_after), (429, Some(77)));
    assert_eq!(provider.count(), 1);
}

/// Who rests for long is left at once, and asked again when it is back.
#[tokio::test]
async fn a_long_wish_sends_the_chain_on() {
    let wish = |millis: &str| Act::status(429).header("retry-after-ms", millis);
    for (millis, limits, seen) in [
        (150, r#"retry.retry_after_cap = "100ms""#, &["a", "b", "b", "a"][..]),
        (60, r#"retry.retry_after_cap = "100ms""#, &["a", "a"]),
        // Unless set, the cap is 10 s.
        (10_500, "retry.max_attempts = 3", &["a", "b", "b"]),
    ] {
        let a = Script::sequence([wish(&millis.to_string()), Act::answer("Back")]);
        let (a, b) = (Provider::start(a).unwrap(), Provider::start(Act::status(503)).unwrap());
        let named = [("a", &a), ("b", &b)];
        let config = format!("{TWICE}{limits}\nroutes.all.chain = [\"a/m\", \"b/m\"]");
        let proxy = before(&named, &config).await;

        if seen.ends_with(&["a"]) {
            let answer = answered(&proxy, "all").await;
            assert_eq!(answer.header("x-backstop-attempts"), seen.len().to_string());
            assert!(gaps(&a)[0] >= Duration::from_millis(millis), "{:?}", gaps(&a));
        } else {
            let refusal = refused(&proxy, "all").await;
            assert_eq!(refusal.asked(), seen);
            assert!(refusal.retry_after.is_some_and(|seconds| (1..=11).contains(&seconds)), "{refusal:?}");
        }

        assert_eq!(visits(&named), seen, "{millis} ms, {limits}");
    }
}

/// With nowhere else to go the cap is no reason to give up.
#[tokio::test]
async fn alone_a_long_wish_is_waited_for() {
    let wish = Act::status(429).header("retry-after-ms", "150");
    let provider = Provider::start(Script::exactly([wish, Act::answer("Back")])).unwrap();
    let proxy = before(&[("a", &provider)], &format!("{TWICE}retry.retry_after_cap = \"20ms\"")).await;

    assert_eq!(answered(&proxy, "a/m").await.header("x-backstop-attempts"), "2");

    assert!(gaps(&provider)[0] >= Duration::from_millis(150), "{:?}", gaps(&provider));
}

#[tokio::test]
async fn a_wish_beyond_the_deadline_ends_it_at_once() {
    let (a, b) = (limited().retry_after("3600"), Act::status(503).retry_after("1800"));
    let (a, b) = (Provider::start(a).unwrap(), Provider::start(b).unwrap());
    let named = [("a", &a), ("b", &b)];
    let config = format!(
        "{TWICE}retry.deadline = \"30m\"\nroutes.deep.chain = [\"a/m\", \"b/m\"]\n\
         routes.broad = {{ chain = [\"a/m\", \"b/m\"], order = \"breadth\" }}"
    );
    let proxy = before(&named, &config).await;

    for (route, status, asked, seconds) in [
        ("a/m", 429, &["a"][..], 3600),
        ("b/m", 503, &["b"], 1800),
        ("deep", 503, &["a", "b"], 1800),
        ("broad", 503, &["a", "b"], 1800),
    ] {
        let began = Instant::now();

        let refusal = refused(&proxy, route).await;

        assert_eq!((refusal.status, refusal.retry_after), (status, Some(seconds)), "{route}");
        assert_eq!(refusal.asked(), asked, "{route}");
        assert!(refusal.error.message.contains("would pass the deadline"), "{}", refusal.error.message);
        assert!(began.elapsed() < Duration::from_secs(5), "{route}");
    }
}

/// In breadth order one that rests sits rounds out; if all rest, the first to be back is asked.
#[tokio::test]
async fn breadth_goes_round_those_who_rest() {
    let a = Provider::start(limited().retry_after("30")).unwrap();
    let b = Provider::start(Script::exactly([Act::status(503), Act::status(503), Act::echo()])).unwrap();
    let named = [("a", &a), ("b", &b)];
    let config = r#"
        retry = { attempts_per_burst = 4, bursts_per_cycle = 1, cycles = 1, attempt_delay = "5ms" }
        routes.all = { chain = ["a/m", "b/m"], order = "breadth" }
    "#;
    let proxy = before(&named, config).await;

    assert_eq!(answered(&proxy, "all").await.header("x-backstop-attempts"), "4");
    assert_eq!(visits(&named), ["a", "b", "b", "b"]);

    let wish = Act::status(503).header("retry-after-ms", "120");
    let c = Provider::start(Script::exactly([wish, Act::echo()])).unwrap();
    let named = [("a", &a), ("c", &c)];
    let proxy = before(&named, &config.replace("b/m", "c/m")).await;

    assert_eq!(answered(&proxy, "all").await.header("x-backstop-attempts"), "3");
    assert_eq!(visits(&named)[1..], ["a", "c", "c"]);
    assert!(gaps(&c)[0] >= Duration::from_millis(120), "{:?}", gaps(&c));
}
