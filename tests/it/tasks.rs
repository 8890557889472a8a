//! Titles, tags, follow-ups: they may fail, and they are in nobody's way.

use std::time::{Duration, Instant};

use backstop::sim::{Act, Provider, Script};
use serde_json::json;

use crate::support::{Call, Log, Refusal, providers, proxy, soon};

/// The header in which a connection of Open `WebUI` says `{{TASK}}`.
const TASK: &str = "x-backstop-task";

/// Routes `r` over `p/m` and `small` over `q/m`, with five attempts each and `more`.
fn config(p: &Provider, q: &Provider, more: &str) -> String {
    format!(
        r#"
        retry = {{ attempts_per_burst = 5, attempt_delay = "1ms", bursts_per_cycle = 1, cycles = 1 }}
        routes.r.chain = ["p/m"]
        routes.small.chain = ["q/m"]
        {more}
        {}
        "#,
        providers(&[("p", p), ("q", q)])
    )
}

/// What Open `WebUI` asks for a title with.
fn title(model: &str) -> Call {
    let content = "### Task:\nGenerate a concise title summarizing the chat history.\n<chat_history>\nUSER: Hi\n</chat_history>";
    let body = json!({
        "model": model, "messages": [{ "role": "user", "content": content }], "stream": false, "max_tokens": 1000,
    });
    Call::post("/v1/chat/completions", body.to_string())
}

fn two(p: impl Into<Script>, q: impl Into<Script>) -> (Provider, Provider) {
    (Provider::start(p).unwrap(), Provider::start(q).unwrap())
}

#[tokio::test]
async fn tasks_are_known_by_shape_or_header_and_tried_twice() {
    let (p, q) = two(Act::status(503), Act::answer("Hello"));
    let more = "cooldown.enabled = false\ntasks.retry = { attempt_delay = \"1ms\" }";
    let proxy = proxy(&config(&p, &q, more)).await;
    let log = Log::begin();
    let told = |value: &str| Call::stream("r").header(TASK, value);
    let calls = [
        (title("r"), 2, true),
        (title("p/m"), 2, true),
        (told("title_generation"), 2, true),
        (told("anything"), 2, true),
        (title("r").header(TASK, ""), 2, true),
        (Call::whole("r"), 5, false),
        (told(""), 5, false),
        (told("{{TASK}}"), 5, false),
        (told("moa_response_generation"), 5, false),
        (title("r").header(TASK, "context_compaction"), 5, false),
    ];
    let count = calls.len();
    for (call, attempts, _) in &calls {
        let refusal = Refusal::read(call.send(proxy.address).await).await;
        assert_eq!((refusal.status, refusal.attempts().len()), (503, *attempts), "{call:?}");
    }

    log.ended(count).await;
    for (line, (call, _, is_task)) in log.access().iter().zip(&calls) {
        assert_eq!(line["task"] == true, *is_task, "{call:?}: {line}");
    }
    let attempts = log.saying("ERROR: 503");
    assert_eq!(attempts.iter().filter(|line| line["task"] == true).count(), 5 * 2);
    assert!(attempts.iter().any(|line| line.get("task").is_none()));
}

#[tokio::test]
async fn tasks_have_a_route_of_their_own_and_its_cases() {
    let (p, q) = two(Act::answer("of the chat"), Script::by(|request| Act::answer(request.model())));
    let more = r#"
        tasks.route = "small"
        routes.small.when = [
            { kind = "chat", chain = ["p/m"] },
            { max_tokens = 100, kind = "task", chain = ["q/short"] },
        ]
    "#;
    let proxy = proxy(&config(&p, &q, more)).await;

    for (call, route, provider, model) in [
        (title("r"), "small", "q", "short"),
        (title("small"), "small", "q", "short"),
        (title("p/other"), "small", "q", "short"),
        (Call::whole("r"), "r", "p", "m"),
        (Call::whole("small"), "small", "p", "m"),
        (Call::stream("r").header(TASK, "tags_generation"), "small", "q", "short"),
    ] {
        let answer = call.send(proxy.address).await;
        let got = ["route", "provider", "model"].map(|name| answer.header(&format!("x-backstop-{name}")));
        assert_eq!((answer.status, got), (200, [route, provider, model]), "{call:?}");
    }
    assert_eq!(
        title("nobody").send(proxy.address).await.status,
        404,
        "it says so although the name is not needed"
    );
}

#[tokio::test]
async fn tasks_wait_in_no_line() {
    let (p, q) = two(Act::answer("Hello"), Act::answer("Hello"));
    let limited = "[providers.p]\nlimits = { requests_per_minute = 1 }";
    let proxy = proxy(&config(&p, &q, "").replace("[providers.p]", limited)).await;
    assert_eq!(Call::whole("r").send(proxy.address).await.status, 200);

    let chat = Call::stream("r").start(proxy.address).await;
    let began = Instant::now();
    for call in [title("r"), title("r").header(TASK, "title_generation")] {
        let refusal = Refusal::read(call.send(proxy.address).await).await;
        assert_eq!((refusal.status, refusal.error.code.as_str()), (429, "rate_limited"));
        assert!(refusal.error.message.contains("nobody could be asked"), "{}", refusal.error.message);
        let after = refusal.retry_after.expect("a Retry-After");
        assert!((50..=120).contains(&after), "{after}");
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    drop(chat);
    assert_eq!(p.count(), 1);
}

#[tokio::test]
async fn where_everybody_rests_a_task_fails_at_once() {
    let (p, q) = two(Act::status(503).retry_after("900"), Act::answer("Hello"));
    let more = r#"cooldown = { failures = 1 }
        tasks.retry = { deadline = "1s" }"#;
    let proxy = proxy(&config(&p, &q, more)).await;
    let first = Refusal::read(title("r").send(proxy.address).await).await;
    assert_eq!((first.status, first.attempts().len()), (503, 1), "its own deadline is too short to wait");

    let began = Instant::now();
    let refusal = Refusal::read(title("r").send(proxy.address).await).await;

    assert_eq!((refusal.status, refusal.attempts().len()), (503, 0), "{}", refusal.body);
    assert!(refusal.retry_after.is_some_and(|after| after > 200), "{:?}", refusal.retry_after);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(p.count(), 1, "nobody insists");
    let chat = Refusal::read(Call::whole("r").send(proxy.address).await).await;
    assert_eq!(chat.status, 503);
    soon("a chat, which does", p.wait_for(2)).await;
}

#[tokio::test]
async fn failures_of_tasks_count_and_their_impatience_does_not() {
    let slow = Act::answer("Hello").after(Duration::from_millis(300));
    let script =
        Script::by_model([("slow", Script::always(slow)), ("bad", Script::always(Act::status(503)))]);
    let (p, q) = two(script, Act::answer("Hello"));
    let more = r#"
        cooldown = { failures = 2, rest = "1m", rest_max = "1m" }
        tasks.timeouts = { first_byte = "40ms" }
        tasks.retry = { attempt_delay = "1ms" }
        routes.slow.chain = ["p/slow", "q/m"]
        routes.bad.chain = ["p/bad", "q/m"]
    "#;
    let proxy = proxy(&config(&p, &q, more)).await;
    for route in ["slow", "bad"] {
        for _ in 0..3 {
            assert_eq!(title(route).send(proxy.address).await.header("x-backstop-provider"), "q");
        }
    }

    let header = "x-backstop-provider";
    assert_eq!(Call::whole("slow").send(proxy.address).await.header(header), "p", "slow is not bad");
    let answer = Call::whole("bad").send(proxy.address).await;
    assert_eq!((answer.header(header), answer.header("x-backstop-attempts")), ("q", "1"), "it rests");
}
