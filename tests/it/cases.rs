//! Other chains for some requests.

use backstop::sim::Act;
use backstop::sim::{Provider, Script};
use serde_json::{Value, json};

use crate::support::{Call, Refusal, providers, proxy};

/// Route `r` of one provider that answers with the name of the model it is asked for.
fn config(p: &Provider) -> String {
    format!(
        r#"
        {}
        [routes.r]
        chain = ["p/own"]
        retry = {{ attempts_per_burst = 3, attempt_delay = "1ms", bursts_per_cycle = 1, cycles = 1 }}
        [[routes.r.when]]
        has = ["images", "tools"]
        chain = ["p/sees-and-calls"]
        [[routes.r.when]]
        has = ["images"]
        chain = ["p/sees"]
        [[routes.r.when]]
        has = ["audio"]
        chain = ["p/hears"]
        [[routes.r.when]]
        has = ["json-schema"]
        max_tokens = 50
        chain = ["p/schema"]
        [[routes.r.when]]
        min_tokens = 1000
        chain = ["p/bad", "p/long"]
        [[routes.r.when]]
        users = ["anna@example.org"]
        chain = ["p/anna"]
        "#,
        providers(&[("p", p)])
    )
}

fn chat(parts: &Value, more: &[(&str, Value)]) -> Call {
    let mut body = json!({ "model": "r", "messages": [{ "role": "user", "content": parts }] });
    for (name, value) in more {
        body[*name] = value.clone();
    }
    Call::post("/v1/chat/completions", body.to_string())
}

#[tokio::test]
async fn the_first_case_that_fits_counts() {
    let script = Script::by(|request| match &*request.model() {
        "bad" => Act::status(503),
        model => Act::answer(model),
    });
    let p = Provider::start(script).unwrap();
    let proxy = proxy(&config(&p)).await;
    let image =
        json!([{ "type": "text", "text": "Hi" }, { "type": "image_url", "image_url": { "url": "data:," } }]);
    let sound = json!([{ "type": "input_audio", "input_audio": { "data": "", "format": "wav" } }]);
    let tools = ("tools", json!([{ "type": "function", "function": { "name": "f" } }]));
    let schema = ("response_format", json!({ "type": "json_schema", "json_schema": {} }));
    let (short, long) = (json!("Hi"), json!("Hi! ".repeat(1000)));
    let stream = ("stream", json!(true));
    for (call, model, attempts) in [
        (chat(&short, &[]), "own", "1"),
        (chat(&short, std::slice::from_ref(&tools)), "own", "1"),
        (chat(&image, &[]), "sees", "1"),
        (chat(&image, std::slice::from_ref(&stream)), "sees", "1"),
        (chat(&image, std::slice::from_ref(&tools)), "sees-and-calls", "1"),
        (chat(&sound, &[]), "hears", "1"),
        (chat(&short, std::slice::from_ref(&schema)), "schema", "1"),
        (chat(&long, &[schema]), "long", "4"),
        (chat(&long, &[stream]), "long", "4"),
        (chat(&short, &[]).header("x-openwebui-user-email", "anna@example.org"), "own", "1"),
    ] {
        let answer = call.send(proxy.address).await;
        let got = ["route", "model", "attempts"].map(|name| answer.header(&format!("x-backstop-{name}")));
        assert_eq!((answer.status, got), (200, ["r", model, attempts]), "{call:?}");
    }
}

#[tokio::test]
async fn a_case_keeps_the_policy_of_its_route() {
    let p = Provider::start(Act::status(503)).unwrap();
    let proxy = proxy(&config(&p)).await;
    let image = json!([{ "type": "image_url", "image_url": { "url": "data:," } }]);
    let refusal = Refusal::read(chat(&image, &[]).send(proxy.address).await).await;
    assert_eq!((refusal.status, refusal.attempts().len()), (503, 3));
    assert!(refusal.error.message.starts_with("`r` got no answer after 3 attempts"), "{}", refusal.body);
}
