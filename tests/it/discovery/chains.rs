//! Chains that are looked up in a list.

use super::*;

const LIVE: &str =
    "[routes.live]\nchain = [{ discover = \"p\", free = true, min_context = 32000, limit = 2 }]\n";

/// Who answers a chat with `live`.
async fn who_answers(proxy: &Proxy) -> String {
    Call::stream("live").send(proxy.address).await.content().await
}

#[tokio::test]
async fn a_live_chain_follows_the_list() {
    let lists =
        [few(&["a", "b", "c"]), few(&["b", "d", "a"]), few(&["b", "d", "a"])].map(|items| listing(&items));
    let log = Log::begin();
    // The first attempt at whoever is first fails, so that the second has to answer.
    let script = Script::by(|request| match request.model().as_str() {
        "a" => Act::status(503),
        "b" => Act::status(401),
        _ => Act::echo(),
    });
    let provider = Provider::start(script.on_models(Script::sequence(lists))).unwrap();
    let text = super::provider(&provider, "[providers.p.discover]\nevery = \"200ms\"\nonly = [\"none\"]");
    let proxy = proxy(&(text + LIVE)).await;

    said(&log, "route live: p/a → p/b").await;
    let changed = said(&log, "route live: p/b → p/d").await;
    assert_eq!(changed, "route live: p/b → p/d; came: p/d; went: p/a");
    assert_eq!(who_answers(&proxy).await, "d", "the second of those that are listed now");
    assert_eq!(
        log.saying("route live: ").iter().filter(|line| line["level"] == "INFO").count(),
        3,
        "one is at the start"
    );
    assert_eq!(models(&proxy).await.len(), 1, "the route itself");
}

#[tokio::test]
async fn it_mixes_with_named_ones_and_repeats_nobody() {
    let provider = lister(&few(&["a", "b", "c"]));
    let log = Log::begin();
    let chain =
        "[routes.live]\nchain = [\"p/b\", { discover = \"p\", set = { seed = 7 }, limit = 2 }, \"p/z\"]\n";
    let proxy = proxy(&(super::provider(&provider, "") + chain)).await;

    said(&log, "route live: p/b → p/a → p/c → p/z").await;
    assert_eq!(who_answers(&proxy).await, "b");
    assert_eq!(models(&proxy).await.len(), 1, "a list for a chain makes no routes");
    assert!(log.saying("are routes").is_empty());
}

#[tokio::test]
async fn what_the_entry_says_counts_for_each_model() {
    let provider = lister(&few(&["a"]));
    let log = Log::begin();
    let chain =
        "[routes.live]\nchain = [{ discover = \"p\", set = { seed = 7 }, headers = { X-Way = \"live\" } }]\n";
    let proxy = proxy(&(super::provider(&provider, "") + chain)).await;
    said(&log, "route live: p/a").await;

    assert_eq!(who_answers(&proxy).await, "a");
    let request = provider.request(0).unwrap();
    assert_eq!(request.header("x-way"), "live");
    assert_eq!(request.json()["seed"], 7);
}

#[tokio::test]
async fn with_nobody_in_it_the_error_says_why() {
    let provider = lister(&few(&["a"]));
    let log = Log::begin();
    let chain =
        "[routes.live]\nname = \"Live\"\nchain = [{ discover = \"p\", only = [\"x*\"], limit = 3 }]\n";
    let proxy = proxy(&(super::provider(&provider, "") + chain)).await;
    let warning = said(&log, "stand for").await;
    assert_eq!(
        warning,
        "route live: none of the 1 models that p lists stand for up to 3 models of p, only `x*`"
    );

    let mut answer = Call::stream("live").send(proxy.address).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "10"));
    assert_eq!((answer.header("x-should-retry"), answer.header("x-backstop-attempts")), ("", "0"));
    let error = answer.json().await;
    assert_eq!((&error["error"]["code"], &error["error"]["param"]), (&json!("no_models"), &json!("model")));
    let message = error["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with(
            "there is nobody to ask for `live` now: it looks for up to 3 models of p, only `x*` (its list has none of them)\n\
             hint: "
        ),
        "{message}"
    );
    assert_eq!(each(&models(&proxy).await, "name"), ["Live"], "it is listed all the same");
    assert_eq!(log.outcomes(), ["no_models", "ok"]);
    assert_eq!(provider.count(), 0);
}
