//! Lists that do not come.

use backstop::sim::{Finish, Refusing};

use super::*;

const LIVE: &str = "[routes.live]\nchain = [{ discover = \"p\", limit = 1 }, \"q/z\"]\n[providers.q]\nbase_url = \"http://127.0.0.1:9\"\n";

#[tokio::test]
async fn a_failed_fetch_keeps_what_was_there() {
    let huge = format!("{{\"data\":[{{\"id\":\"{}\"}}]}}", "x".repeat(9 << 20));
    for (act, reason) in [
        (Act::status(500).error("out of order", "server_error"), "500 - out of order"),
        (Act::status(401).error("no such key: sk-very-secret", "invalid_api_key"), "401 - no such key: ***"),
        (Act::answer("").html("<html><title>Hello</title>"), "200 - this is no list of models"),
        (Act::answer("").json("{\"data\":7}"), "200 - this is no list of models"),
        (Act::answer("").json(huge), "the answer is longer than 8 MB"),
        (Act::close(), "connection closed before the response head"),
        (Act::answer("").json("{\"data\":[").then(Finish::Reset), ""),
    ] {
        let good = listing(&few(&["a", "b"]));
        let script = Script::always(Act::echo()).on_models(Script::sequence([good.clone(), act, good]));
        let provider = Provider::start(script).unwrap();
        let log = Log::begin();
        let keys = "api_key = \"sk-very-secret\"\n[providers.p.discover]\nevery = \"100ms\"";
        let proxy = proxy(&(super::provider(&provider, keys) + LIVE)).await;

        said(&log, "p lists 2 models, 2 are routes").await;
        let warning = said(&log, "no list of models from p: ").await;
        assert!(
            warning.contains(reason) && warning.contains("; the one before stays, and it is asked again in "),
            "{warning}"
        );
        assert_eq!(models(&proxy).await.len(), 3);
        assert_eq!(Call::stream("live").send(proxy.address).await.content().await, "a");

        said(&log, "p gives its list of models again").await;
        assert_eq!(log.saying("no list of models from p: ").len(), 1, "said once");
        assert_eq!(log.saying("are routes").len(), 1, "nothing has changed");
    }
}

#[tokio::test]
async fn an_empty_list_is_believed_the_second_time() {
    let lists = [few(&["a"]), Vec::new(), few(&["a"]), Vec::new(), Vec::new()].map(|items| listing(&items));
    let provider = Provider::start(Script::always(Act::echo()).on_models(Script::sequence(lists))).unwrap();
    let log = Log::begin();
    let discover = "[providers.p.discover]\nevery = \"100ms\"";
    let proxy = proxy(&(super::provider(&provider, discover) + LIVE)).await;

    let warning = said(&log, "no list of models from p: ").await;
    assert!(
        warning.starts_with("no list of models from p: its list is empty all at once; the one before stays")
    );
    said(&log, "p gives its list of models again").await;
    assert_eq!(models(&proxy).await.len(), 2);

    said(&log, "none of the 0 models that p lists become routes").await;
    assert_eq!(each(&models(&proxy).await, "id"), ["live"]);
}

#[tokio::test]
async fn a_provider_that_is_silent_holds_nothing_up() {
    let provider = Provider::start(Script::always(Act::echo()).on_models(Act::hang())).unwrap();
    let live = "[routes.live]\nchain = [{ discover = \"p\" }]\n";
    let proxy = proxy(&(super::provider(&provider, "[providers.p.discover]") + live)).await;
    // The list is being asked for.
    soon("connection", async {
        while provider.open_connections() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;

    let began = Instant::now();
    assert_eq!(each(&models(&proxy).await, "id"), ["live"]);
    assert_eq!(Call::stream("p/any").send(proxy.address).await.content().await, "any");
    let mut answer = Call::whole("live").send(proxy.address).await;
    assert_eq!(answer.status, 503);
    let message = answer.json().await["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("all models of p (its list has not come yet)"), "{message}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());

    let stopped = proxy.stop().await;
    assert_eq!(stopped.cut, 0, "nor is the end waited for");
}

#[tokio::test]
async fn a_model_of_a_list_that_has_not_come_is_not_unknown() {
    let provider = Provider::start(Script::always(Act::echo()).on_models(Act::hang())).unwrap();
    let closed = "[server]\ndirect = false\n[providers.p.discover]";
    let proxy = proxy(&super::provider(&provider, closed)).await;

    for call in [Call::stream("p/any"), Call::get("/v1/models/p/any")] {
        let mut answer = call.send(proxy.address).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "10"));
        let error = answer.json().await;
        assert_eq!(error["error"]["code"], "no_models");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(
            message.starts_with("nothing answers to `p/any` yet: the list of p has not come"),
            "{message}"
        );
    }
    assert_eq!(Call::stream("q/any").send(proxy.address).await.status, 404);
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_told_once_with_a_way_out() {
    let refusing = Refusing::start().unwrap();
    let log = Log::begin();
    let _proxy = proxy(&provider_at(&refusing.base_url(), "[providers.p.discover]\nevery = \"50ms\"")).await;

    let warning = said(&log, "no list of models from p: ").await;
    assert!(warning.starts_with("no list of models from p: connection refused by 127.0.0.1:"), "{warning}");
    assert!(warning.ends_with("; there is none yet, and it is asked again in 50ms"), "{warning}");
    let line = &log.saying("no list of models from p: ")[0];
    assert_eq!(
        (&line["level"], &line["hint"]),
        (&json!("WARN"), &json!("is it running, and is its `base_url` right?"))
    );
}
