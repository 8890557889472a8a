//! What can be asked for, and under which paths and names.

use serde_json::{Value, json};

use super::*;

/// Two routes with all that a picker shows, before `provider`.
fn configuration(provider: &Provider) -> String {
    route_to(provider)
        + r#"
        name = "Erste Wahl"
        [routes."team/small fast"]
        description = "Quick answers, \"wherever\" they come from"
        tags = ["quick", "free of charge"]
        capabilities = { vision = false, usage = true }
        chain = ["p/org/deep/model:free"]
        "#
}

#[tokio::test]
async fn the_list_shows_what_the_configuration_says() {
    let provider = Provider::start(Act::echo()).unwrap();
    let proxy = proxy(&configuration(&provider)).await;

    let first = json!({
        "id": "r", "object": "model", "created": 0, "owned_by": "backstop", "name": "Erste Wahl",
    });
    let second = json!({
        "id": "team/small fast", "object": "model", "created": 0, "owned_by": "backstop", "name": "team/small fast",
        "info": {"meta": {
            "description": "Quick answers, \"wherever\" they come from",
            "tags": [{"name": "quick"}, {"name": "free of charge"}],
            "capabilities": {"usage": true, "vision": false},
        }},
    });
    for prefix in ["/v1", "/api/v1", "/open-webui/v1"] {
        let list = Call::get(&format!("{prefix}/models")).send(proxy.address).await.json().await;
        assert_eq!(list, json!({"object": "list", "data": [first, second]}), "{prefix}");

        for id in ["team/small%20fast", "team%2Fsmall%20fast", "team%2fsmall%20fast", "/team//small%20fast/"]
        {
            let one = Call::get(&format!("{prefix}/models/{id}")).send(proxy.address).await.json().await;
            assert_eq!(one, second, "{prefix}, {id}");
        }
    }
    assert_eq!(provider.connections(), 0, "the list comes from memory");
}

#[tokio::test]
async fn chats_answer_under_every_prefix() {
    let provider = Provider::start(Act::echo()).unwrap();
    let proxy = proxy(&configuration(&provider)).await;
    let body = r#"{"model":"team/small fast","messages":[]}"#;
    let paths = [
        "/v1/chat/completions",
        "/api/v1/chat/completions",
        "/open-webui/v1/chat/completions",
        "//v1//chat/completions/",
        "/v1/chat/completions?api-version=1",
    ];
    for path in paths {
        let mut answer = Call::post(path, body).send(proxy.address).await;

        assert_eq!((answer.status, answer.header("x-backstop-route")), (200, "team/small fast"), "{path}");
        assert_eq!(answer.json().await["choices"][0]["message"]["content"], "org/deep/model:free", "{path}");
    }
    let asked: Vec<String> = provider.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(asked, [const { "/v1/chat/completions" }; 5], "the client's path and query are its own");
}

#[tokio::test]
async fn any_model_of_a_provider_is_a_route_unless_that_is_off() {
    let provider = Provider::start(Act::echo()).unwrap();
    let text = configuration(&provider);
    let open = proxy(&text).await;

    let mut answer = Call::stream("p/org/other:free").send(open.address).await;
    assert_eq!(answer.header("x-backstop-route"), "p/org/other:free");
    assert_eq!(answer.content().await, "org/other:free");
    let one = Call::get("/v1/models/p%2Forg/other:free").send(open.address).await.json().await;
    assert_eq!((&one["id"], &one["name"]), (&json!("p/org/other:free"), &json!("p/org/other:free")));

    let closed = proxy(&format!("[server]\ndirect = false\n{text}")).await;
    let mut answer = Call::stream("p/org/other:free").send(closed.address).await;
    assert_eq!((answer.status, &answer.json().await["error"]["code"]), (404, &json!("model_not_found")));
    assert_eq!(Call::get("/v1/models/p/other").send(closed.address).await.status, 404);
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn an_unknown_model_is_told_the_nearest_and_costs_no_attempt() {
    let provider = Provider::start(Act::echo()).unwrap();
    let proxy = proxy(&configuration(&provider)).await;

    for (model, hint) in [
        ("team/smal fast", Some("did you mean `team/small fast`?")),
        ("gpt-4o", None),
        ("nobody/at-all", None),
        ("p/", None),
    ] {
        let mut answer = Call::whole(model).send(proxy.address).await;

        let error: Value = answer.json().await["error"].take();
        assert_eq!((answer.status, error["code"].as_str()), (404, Some("model_not_found")), "{model}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&format!("answers to `{model}`\nhint: ")), "{message}");
        match hint {
            Some(hint) => assert!(message.contains(hint), "{message}"),
            None => assert!(!message.contains("did you mean"), "{message}"),
        }
    }
    assert_eq!(provider.connections(), 0);
}

#[tokio::test]
async fn a_chat_is_asked_with_post_alone() {
    let provider = Provider::start(Act::echo()).unwrap();
    let proxy = proxy(&configuration(&provider)).await;
    let body = Bytes::from_static(br#"{"model":"r"}"#);

    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let call = Call::new(method, "/api/v1/chat/completions", body.clone());
        let answer = call.send(proxy.address).await;

        assert_eq!((answer.status, answer.header("allow")), (405, "POST"), "{method}");
    }
    let head = Call::new("HEAD", "/open-webui/v1/models/r", Bytes::new()).send(proxy.address).await;
    assert_eq!((head.status, head.header("content-type")), (200, "application/json"));
    assert_ne!(head.header("content-length"), "0", "of what GET would say");
    assert_eq!(provider.connections(), 0);
}
