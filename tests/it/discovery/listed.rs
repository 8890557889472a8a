//! Models of a list as routes.

use backstop::sim::Encoding;

use super::*;

/// Starts Backstop before `provider` with these keys of its `discover`, and waits for the list.
async fn listed(provider: &Provider, keys: &str) -> (Proxy, Log) {
    let log = Log::begin();
    let proxy = proxy(&super::provider(provider, &format!("[providers.p.discover]\n{keys}"))).await;
    said(&log, " are routes: ").await;
    (proxy, log)
}

#[tokio::test]
async fn every_model_of_a_long_and_odd_list_is_a_route() {
    let (items, odd) = with_odd_ones();
    let provider = lister(&items);
    let (proxy, log) = listed(&provider, "").await;

    let models = models(&proxy).await;
    let ids = each(&models, "id");
    let names = each(&models, "name");
    assert_eq!(ids.len(), many().len() + odd.len());
    for id in odd {
        assert!(ids.contains(&format!("p/{id}").as_str()), "{id}");
    }
    assert_eq!(ids.iter().filter(|id| **id == "p/openai/model-006:free").count(), 1, "the first of two");
    assert!(!names.contains(&"Not the first"));
    assert!(!ids.contains(&"p/odd/painter:free"), "it answers with images");
    let mut sorted = names.clone();
    sorted.sort_by_key(|name| name.to_lowercase());
    assert_eq!(names, sorted);
    for (item, forbidden) in models.iter().flat_map(|item| {
        ["pipeline", "arena", "actions", "provider", "preset"].map(|forbidden| (item, forbidden))
    }) {
        assert!(item.get(forbidden).is_none(), "{item}");
        assert!(item["id"].is_string() && item["name"].is_string() && item["created"].is_u64(), "{item}");
        assert_eq!((&item["object"], &item["owned_by"]), (&json!("model"), &json!("backstop")));
    }
    assert_eq!(log.saying(" are routes: ").len(), 1);

    let mut answer = Call::whole("p/odd/bare").send(proxy.address).await;
    assert_eq!(answer.header("x-backstop-model"), "odd/bare");
    assert_eq!(answer.json().await["choices"][0]["message"]["content"], "odd/bare");
}

#[tokio::test]
async fn a_list_that_is_packed_unasked_is_read() {
    let act = listing(&few(&["a"])).encode(Encoding::Gzip);
    let provider = Provider::start(Script::always(Act::echo()).on_models(act)).unwrap();
    let (proxy, _log) = listed(&provider, "").await;

    assert_eq!(each(&models(&proxy).await, "id"), ["p/a"]);
}

#[tokio::test]
async fn free_is_by_name_or_by_price_and_the_names_are_those_of_the_pipe() {
    let (items, _) = with_odd_ones();
    let provider = lister(&items);
    let (proxy, _log) =
        listed(&provider, "free = true\nprefix = \"OR-Free/\"\nsuffix = \" (Auto-Retry)\"").await;

    let models = models(&proxy).await;
    let ids = each(&models, "id");
    let by_name = ids.iter().filter(|id| id.ends_with(":free")).count();
    assert_eq!(by_name, 134);
    assert!(ids.contains(&"p/qwen/model-055"), "free by price but not by name");
    assert!(ids.contains(&"p/odd/numbers"));
    for id in ["odd/auto", "odd/null-prices", "odd/no-pricing", "odd/bare", "odd/nulls", "deepseek/model-001"]
    {
        assert!(!ids.contains(&format!("p/{id}").as_str()), "{id}");
    }
    for name in each(&models, "name") {
        assert!(name.starts_with("OR-Free/") && name.ends_with(" (Auto-Retry)"), "{name}");
    }
    let item = models.iter().find(|item| item["id"] == "p/google/model-042:free").expect("listed");
    assert_eq!(
        *item,
        json!({
            "id": "p/google/model-042:free", "object": "model", "created": 1_735_241_320, "owned_by": "backstop",
            "name": "OR-Free/google: Model 042 (free) (Auto-Retry)", "context_length": 131_072,
            "info": {"meta": {
                "description": "google: Model 042 (free) writes.", "capabilities": {"vision": false},
            }},
        })
    );
    let one = Call::get("/v1/models/p/google/model-042:free").send(proxy.address).await.json().await;
    assert_eq!(one, *item);
}

#[tokio::test]
async fn each_filter_counts() {
    let provider = lister(&many());
    for (keys, expected) in [
        ("only = [\"qwen/*\"]", 50),
        ("only = [\"qwen/*\", \"*-001\"]", 51),
        ("except = [\"qwen/*\", \"*:free\"]", 233),
        ("min_context = 100000", 200),
        ("modalities = [\"image\"]", 100),
        ("tools = true", 58),
        ("tools = false", 342),
        ("free = true", 187),
        ("free = false", 213),
        ("free = true\nmin_context = 100000\ntools = true\nmodalities = [\"image\"]", 7),
    ] {
        let (proxy, _log) = listed(&provider, keys).await;
        assert_eq!(models(&proxy).await.len(), expected, "{keys}");
    }
}

#[tokio::test]
async fn a_configured_route_wins_and_comes_first() {
    let provider = lister(&few(&["b", "a"]));
    let log = Log::begin();
    let text = super::provider(&provider, "retry = { max_attempts = 1 }\n[providers.p.discover]")
        + "[routes.\"p/b\"]\nname = \"Mine\"\nchain = [\"p/other\"]\n";
    let proxy = proxy(&text).await;
    said(&log, " are routes: ").await;

    let models = models(&proxy).await;
    assert_eq!(each(&models, "id"), ["p/b", "p/a"]);
    assert_eq!(each(&models, "name"), ["Mine", "Name of a"]);
    assert_eq!(Call::stream("p/b").send(proxy.address).await.content().await, "other");

    let missing = Call::whole("p_a").send(proxy.address).await.json().await;
    assert!(missing["error"]["message"].as_str().unwrap().contains("did you mean `p/a`?"), "{missing}");
}

#[tokio::test]
async fn without_direct_access_only_listed_models_can_be_asked_for() {
    let provider = lister(&few(&["m"]));
    let log = Log::begin();
    let text = super::provider(&provider, "[providers.p.discover]\n[server]\ndirect = false");
    let proxy = proxy(&text).await;
    said(&log, " are routes: ").await;

    assert_eq!(Call::stream("p/m").send(proxy.address).await.content().await, "m");
    assert_eq!(Call::whole("p/unlisted").send(proxy.address).await.status, 404);
}

#[tokio::test]
async fn a_listed_model_has_the_policy_of_its_provider() {
    let script = Script::always(Act::status(503)).on_models(listing(&few(&["m"])));
    let provider = Provider::start(script).unwrap();
    let log = Log::begin();
    let retry = "retry = { attempts_per_burst = 3, attempt_delay = \"1ms\" }\n[providers.p.discover]";
    let proxy = proxy(&super::provider(&provider, retry)).await;
    said(&log, " are routes: ").await;

    let listed = Call::whole("p/m").send(proxy.address).await;
    assert_eq!(listed.header("x-backstop-attempts"), "3");
    let direct = Call::whole("p/unlisted").send(proxy.address).await;
    assert_eq!(direct.header("x-backstop-attempts"), "3", "its other models, too");
}

#[tokio::test]
async fn the_list_is_asked_for_with_a_key_that_is_taken() {
    let list = listing(&few(&["m"]));
    let lists = Script::by(move |request| match (request.key(), request.header("x-team")) {
        ("key-number-two", "research") => list.clone(),
        _ => Act::status(401).error("No such key", "invalid_api_key"),
    });
    let provider = Provider::start(Script::always(Act::echo()).on_models(lists)).unwrap();
    let log = Log::begin();
    let keys = "api_keys = [\"key-number-one\", \"key-number-two\"]\nheaders = { X-Team = \"research\" }\n";
    let _proxy = proxy(&super::provider(&provider, &format!("{keys}[providers.p.discover]"))).await;

    said(&log, "p lists 1 models, 1 are routes").await;
    assert!(log.saying("no list of models").is_empty());
}

#[tokio::test]
async fn a_list_in_pages_is_read_to_its_end() {
    let lists = Script::by(|request| {
        let (items, next) = match request.path.as_str() {
            "/v1/models" => (few(&["a", "b"]), json!("/v1/models?offset=2")),
            "/v1/models?offset=2" => (few(&["b", "c"]), json!("/v1/models?offset=4")),
            // Nobody else gets the key, so the list ends here.
            _ => (few(&["d"]), json!("https://elsewhere.example/v1/models")),
        };
        Act::answer("").json(json!({"data": items, "links": {"next": next}}).to_string())
    });
    let provider = Provider::start(Script::always(Act::echo()).on_models(lists)).unwrap();
    let (proxy, _log) = listed(&provider, "").await;

    assert_eq!(each(&models(&proxy).await, "id"), ["p/a", "p/b", "p/c", "p/d"]);
}

#[tokio::test]
async fn hundreds_of_routes_cost_nothing_noticeable() {
    let provider = lister(&many());
    let (proxy, _log) = listed(&provider, "").await;

    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(models(&proxy).await.len(), 400);
        let answer = Call::whole("p/qwen/model-055").send(proxy.address).await;
        assert_eq!(answer.status, 200);
    }
    let each = began.elapsed() / 20;
    assert!(
        each < Duration::from_millis(500),
        "{each:?} for a list and a chat, in a build that is not optimised"
    );
}
