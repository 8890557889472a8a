//! `set` and `unset`: the only edits beside `model`, and only where they are configured.

use backstop::sim::Script;

use super::*;

#[tokio::test]
async fn a_candidates_edits_are_its_own() {
    let script = Script::by_model([("edited", Act::status(503)), ("plain", hello())]);
    let provider = Provider::start(script).unwrap();
    let text = route_to(&provider).replace(
        r#"chain = ["p/m"]"#,
        r#"chain = [
            { use = "p/edited", set = { temperature = 0.2, stop = ["a", { b = true }] }, unset = ["logprobs", "seed"] },
            "p/plain",
        ]"#,
    );
    let proxy = proxy(&text).await;
    let body =
        r#"{ "seed" : 1, "temperature":1E+2 , "model":"r","nested":{"seed":2},"logprobs":true,"x":0.10 }"#;

    let answer = ask(&proxy, body).await;

    assert_eq!((answer.status, answer.header("x-backstop-attempts")), (200, "2"));
    let bodies: Vec<Bytes> = provider.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(
        bodies[0],
        r#"{ "temperature":0.2 , "model":"edited","nested":{"seed":2},"x":0.10,"stop":["a",{"b":true}] }"#
    );
    assert_eq!(
        bodies[1],
        r#"{ "seed" : 1, "temperature":1E+2 , "model":"plain","nested":{"seed":2},"logprobs":true,"x":0.10 }"#
    );
}
