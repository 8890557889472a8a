//! What a client sees of us and of the provider.

use super::*;

/// A provider that tells too much.
fn talkative(act: Act) -> Act {
    let headers = [
        ("set-cookie", "session=provider"),
        ("server", "cloudflare"),
        ("via", "1.1 provider"),
        ("keep-alive", "timeout=5"),
        ("x-api-key", "sk-provider"),
        ("x-goog-api-key", "sk-provider"),
        ("authorization", "Bearer sk-provider"),
        ("www-authenticate", "Bearer realm=provider"),
        ("proxy-authenticate", "Basic"),
        ("openai-organization", "org-provider"),
        ("cf-ray", "8c1"),
        ("access-control-allow-origin", "*"),
        ("access-control-allow-credentials", "true"),
        ("content-security-policy", "default-src 'none'"),
        ("x-backstop-provider", "a liar"),
        ("x-backstop-attempts", "99"),
        ("x-should-retry", "true"),
        ("trailer", "x-checksum"),
        ("alt-svc", "h3=\":443\""),
    ];
    let welcome = [
        ("x-ratelimit-limit-requests", "100"),
        ("x-ratelimit-remaining-tokens", "7"),
        ("x-generation-id", "gen-1"),
        ("openai-processing-ms", "12"),
        ("x-request-id", "req_provider"),
    ];
    headers.iter().chain(&welcome).fold(act, |act, (name, value)| act.header(name, *value))
}

fn seen(answer: &Answer) -> Vec<String> {
    let mut lines = lines(&answer.headers);
    lines.retain(|line| !line.starts_with("date: ") && !line.starts_with("content-length: "));
    lines
}

const PASSED: [&str; 5] = [
    "openai-processing-ms: 12",
    "x-backstop-upstream-request-id: req_provider",
    "x-generation-id: gen-1",
    "x-ratelimit-limit-requests: 100",
    "x-ratelimit-remaining-tokens: 7",
];

#[tokio::test]
async fn a_client_sees_the_allowed_ones_and_ours() {
    let provider = Provider::start(talkative(Act::answer("Hello"))).unwrap();
    let proxy = proxy(&route_to(&provider)).await;
    for (call, framing) in [
        (Call::whole("r"), &["content-type: application/json"][..]),
        (Call::stream("r"), &["content-type: text/event-stream", "transfer-encoding: chunked"]),
    ] {
        let answer = call.header("x-request-id", "chat-7/a:b").send(proxy.address).await;

        let ours = [
            "x-backstop-attempts: 1",
            "x-backstop-model: m",
            "x-backstop-provider: p",
            "x-backstop-route: r",
            "x-request-id: chat-7/a:b",
        ];
        let mut expected = [framing, &PASSED, &ours].concat();
        expected.sort_unstable();
        assert_eq!(seen(&answer), expected);
    }
}

#[tokio::test]
async fn an_error_has_nothing_of_the_providers_headers() {
    let provider = Provider::start(talkative(Act::status(400))).unwrap();
    let proxy = proxy(&route_to(&provider)).await;

    let answer = Call::whole("r").header("x-request-id", "two words").send(proxy.address).await;

    assert_eq!((answer.status, answer.header("x-request-id").len()), (400, 16), "an odd id is replaced");
    let mut lines = seen(&answer);
    lines.retain(|line| !line.starts_with("x-request-id: "));
    assert_eq!(
        lines,
        [
            "content-type: application/json",
            "x-backstop-attempts: 1",
            "x-backstop-route: r",
            "x-should-retry: false",
        ]
    );
}

#[tokio::test]
async fn they_say_who_answered_at_last() {
    let busy = Provider::start(talkative(Act::status(503))).unwrap();
    let good = Provider::start(Act::answer("Hello")).unwrap();
    let text = format!(
        r#"
        [providers]
        busy = {{ base_url = "{}" }}
        good = {{ base_url = "{}" }}
        [retry]
        attempts_per_burst = 2
        attempt_delay = "1ms"
        bursts_per_cycle = 1
        cycles = 1
        [routes."team/fast"]
        chain = ["busy/x", "good/org/model:free"]
        "#,
        busy.base_url(),
        good.base_url()
    );
    let proxy = proxy(&text).await;

    let answer = Call::stream("team/fast").send(proxy.address).await;

    let expected = [
        "content-type: text/event-stream",
        "transfer-encoding: chunked",
        "x-backstop-attempts: 3",
        "x-backstop-model: org/model:free",
        "x-backstop-provider: good",
        "x-backstop-route: team/fast",
    ];
    let mut lines = seen(&answer);
    lines.retain(|line| !line.starts_with("x-request-id: "));
    assert_eq!(lines, expected, "nothing of those who failed");
    assert_eq!((busy.count(), good.count()), (2, 1));
}
