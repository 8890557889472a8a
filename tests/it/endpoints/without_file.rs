//! The program without a configuration file.

use super::*;

#[tokio::test]
async fn a_key_in_the_environment_is_enough() {
    let provider = Provider::start(Act::echo()).unwrap();
    let url = provider.base_url();
    let variables = [
        ("OPENROUTER_API_KEY", "sk-or-environment"),
        ("BACKSTOP_PROVIDERS__OPENROUTER__BASE_URL", url.as_str()),
        // It goes to OpenRouter alone, unless it is sent elsewhere on purpose.
        ("BACKSTOP_PROVIDERS__OPENROUTER__API_KEY", "sk-or-environment"),
        // Kubernetes injects this for a service called backstop.
        ("BACKSTOP_PORT", "tcp://10.0.0.1:8420"),
    ];
    let program = Program::serve(None, &variables).await;

    let mut answer = Call::stream("openrouter/org/model:free").send(program.address).await;
    assert_eq!(answer.content().await, "org/model:free");
    assert_eq!(Call::whole("openai/gpt").send(program.address).await.status, 404, "no key, no provider");

    let request = provider.request(0).unwrap();
    assert_eq!(request.header("authorization"), "Bearer sk-or-environment");
    assert_eq!(request.header("x-title"), "Backstop");
    assert_eq!(provider.count(), 1);
    let (code, log) = program.stop().await;
    let log = log.join("\n");
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("found a key in `OPENROUTER_API_KEY`: ask for `openrouter/MODEL`"), "{log}");
    assert!(log.contains("write down `[providers.openrouter]`"), "{log}");
    assert!(!log.contains("sk-or-environment"), "{log}");
}

#[tokio::test]
async fn the_environment_wins_over_the_file_and_a_flag_over_both() {
    let provider = Provider::start(Act::status(503)).unwrap();
    let text = format!("[server]\nlisten = \"127.0.0.1:1\"\n{}", route_to(&provider));
    let variables = [
        ("BACKSTOP_SERVER__LISTEN", "127.0.0.1:2"),
        ("BACKSTOP_RETRY__ATTEMPTS_PER_BURST", "3"),
        ("BACKSTOP_RETRY__ATTEMPT_DELAY", "1ms"),
    ];
    let mut program = Program::serve(Some(&text), &variables).await;

    let answer = Call::whole("r").send(program.address).await;

    assert_eq!((answer.status, answer.header("x-backstop-attempts")), (503, "3"));
    assert_eq!(provider.count(), 3);
    program.line("Attempt 3/3: ERROR: 503").await;
}
