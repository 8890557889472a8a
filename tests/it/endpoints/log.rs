//! The log of the program itself: the words of the retry pipe, one access line a request, no secrets.

use serde_json::Value;

use super::*;
use crate::support::program::message;

const PROMPT: &str = "the-prompt-is-nobodys-business";

#[tokio::test]
async fn a_request_is_told_attempt_by_attempt() {
    let script = [
        Act::status(429).error("Slow down please", "rate_limit_exceeded"),
        Act::status(503),
        Act::answer("the-answer-neither"),
    ];
    let provider = Provider::start(backstop::sim::Script::exactly(script)).unwrap();
    let text = format!(
        "[providers.p]\nbase_url = \"{}\"\napi_key = \"sk-logged-never\"\n\
         [retry]\nattempt_delay = \"1ms\"\n[routes.r]\nchain = [\"p/org/m\"]\n",
        provider.base_url()
    );
    let program = Program::serve(Some(&text), &[("BACKSTOP_LOG", "backstop=trace")]).await;
    let body =
        format!(r#"{{"model":"r","stream":true,"messages":[{{"role":"user","content":"{PROMPT}"}}]}}"#);
    let call = Call::post("/v1/chat/completions", body).header("x-request-id", "chat-1");

    assert_eq!(call.send(program.address).await.content().await, "the-answer-neither");
    Call::get("/v1/models/nobody").send(program.address).await.text().await;
    let (code, log) = program.stop().await;

    assert_eq!(code, Some(0), "{log:#?}");
    assert_eq!(provider.check(), Ok(()));
    let attempts: Vec<String> = log
        .iter()
        .map(|line| message(line))
        .filter(|line| line.contains(": ERROR") || line.contains("SUCCESS"))
        .collect();
    assert_eq!(
        attempts,
        [
            "127.0.0.1:org/m - Attempt 1/60: ERROR: 429 - Slow down please",
            "127.0.0.1:org/m - Attempt 2/60: ERROR: 503 - The model is overloaded",
            "127.0.0.1:org/m - Attempt 3/60 (0m00s): SUCCESS",
        ]
    );
    let lines: Vec<Value> = log.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let access: Vec<&Value> = lines.iter().filter(|line| line["target"] == "backstop::access").collect();
    let [chat, models] = access[..] else { panic!("two access lines: {access:#?}") };
    let expected = [
        ("request_id", "chat-1"),
        ("client", "127.0.0.1"),
        ("method", "POST"),
        ("path", "/v1/chat/completions"),
        ("route", "r"),
        ("outcome", "ok"),
        ("provider", "p"),
        ("model", "org/m"),
    ];
    for (field, value) in expected {
        assert_eq!(chat[field], value, "{chat}");
    }
    assert_eq!((chat["status"].as_u64(), chat["attempts"].as_u64()), (Some(200), Some(3)), "{chat}");
    assert!(chat["elapsed_ms"].is_u64(), "{chat}");
    assert_eq!((&models["outcome"], models["status"].as_u64()), (&"model_not_found".into(), Some(404)));
    let all = log.join("\n");
    for never in [PROMPT, "the-answer-neither", "sk-logged-never"] {
        assert!(!all.contains(never), "{all}");
    }
    assert!(!all.contains('\u{1b}'), "colour where there is no terminal");
}

#[tokio::test]
async fn the_last_line_of_a_failure_says_how_it_ended() {
    let provider = Provider::start(Act::status(402)).unwrap();
    let mut program = Program::serve(Some(&route_to(&provider)), &[]).await;

    let answer = Call::whole("r").send(program.address).await;
    assert_eq!(answer.status, 502);

    let attempt = message(&program.line("Attempt 1/1").await);
    assert_eq!(attempt, "127.0.0.1:m - Attempt 1/1: ERROR: 402 - Insufficient credits");
    let line: Value = serde_json::from_str(&program.line("backstop::access").await).unwrap();
    assert_eq!((&line["outcome"], line["status"].as_u64()), (&"payment".into(), Some(502)), "{line}");
    let (code, log) = program.stop().await;
    assert_eq!(code, Some(0));
    assert!(log.iter().all(|line| !line.contains("WARN")), "a provider that fails wakes nobody: {log:#?}");
}
