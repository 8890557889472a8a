//! What a provider sees of us and of the client.

use super::*;

/// What a client may send that is nobody else's business.
const PRIVATE: [(&str, &str); 22] = [
    ("authorization", "Bearer client-key"),
    ("proxy-authorization", "Basic Y2xpZW50"),
    ("proxy-connection", "keep-alive"),
    ("cookie", "session=client"),
    ("x-api-key", "client-key"),
    ("api-key", "client-key"),
    ("user-agent", "OpenAI/Python 2.0"),
    ("accept", "text/plain"),
    ("accept-encoding", "br, zstd"),
    ("accept-language", "de"),
    ("origin", "http://localhost:3000"),
    ("referer", "http://localhost:3000/chat"),
    ("te", "trailers"),
    ("via", "1.1 client"),
    ("forwarded", "for=10.0.0.1"),
    ("x-forwarded-for", "10.0.0.1"),
    ("x-forwarded-host", "chat.example"),
    ("x-real-ip", "10.0.0.1"),
    ("x-request-id", "client-7"),
    ("x-backstop-route", "other"),
    ("x-openwebui-user-email", "client@example"),
    ("x-stainless-retry-count", "1"),
];

const WELCOME: [(&str, &str); 3] = [
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("openai-beta", "assistants=v2"),
    ("anthropic-beta", "context-1m"),
];

/// The headers of the one attempt that `call` leads to under the configuration `text`.
async fn sent(provider: &Provider, text: &str, call: Call) -> Vec<String> {
    let proxy = proxy(text).await;
    let before = provider.count();
    assert_eq!(call.send(proxy.address).await.status, 200);
    assert_eq!(provider.count(), before + 1);
    lines(&provider.request(before).unwrap().headers)
}

#[tokio::test]
async fn a_provider_sees_ours_and_three_of_the_clients() {
    let provider = Provider::start(Act::echo()).unwrap();
    let text = route_to(&provider).replace("[routes", "api_key = \"sk-provider\"\n[routes");
    let loud = |call: Call| {
        PRIVATE.iter().chain(&WELCOME).fold(call, |call, (name, value)| call.header(name, value))
    };

    let streamed = sent(&provider, &text, loud(Call::stream("r"))).await;
    let whole = sent(&provider, &text, loud(Call::whole("r"))).await;

    let expected = |accept: &str| {
        let length = provider.request(0).unwrap().body.len();
        let mut expected = vec![
            format!("accept: {accept}"),
            "accept-encoding: gzip".to_owned(),
            "authorization: Bearer sk-provider".to_owned(),
            format!("content-length: {length}"),
            "content-type: application/json".to_owned(),
            format!("host: {}", provider.address()),
            concat!("user-agent: backstop/", env!("CARGO_PKG_VERSION")).to_owned(),
        ];
        expected.extend(WELCOME.map(|(name, value)| format!("{name}: {value}")));
        expected.sort_unstable();
        expected
    };
    assert_eq!(streamed, expected("text/event-stream, application/json;q=0.9"));
    assert_eq!(provider.request(1).unwrap().path, "/v1/chat/completions");
    let without_length = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().filter(|line| !line.starts_with("content-length")).collect()
    };
    assert_eq!(without_length(whole), without_length(expected("application/json")));
}

#[tokio::test]
async fn without_a_key_there_is_no_authorization() {
    let provider = Provider::start(Act::echo()).unwrap();
    let call = Call::whole("r").header("authorization", "Bearer client-key");

    let lines = sent(&provider, &route_to(&provider), call).await;

    assert!(!lines.iter().any(|line| line.starts_with("authorization")), "{lines:?}");
}

#[tokio::test]
async fn configured_headers_go_to_whom_they_are_for() {
    let provider = Provider::start(Act::echo()).unwrap();
    let text = format!(
        r#"
        [providers.p]
        base_url = "{url}"
        headers = {{ X-Team = "research", X-Tier = "provider", anthropic-beta = "configured" }}
        [providers.other]
        base_url = "{url}"
        [routes.r]
        chain = [{{ use = "p/m", headers = {{ x-tier = "candidate", user-agent = "special" }} }}]
        "#,
        url = provider.base_url()
    );
    let call = |model| Call::whole(model).header("anthropic-beta", "client").header("x-team", "client");
    let of_interest = |lines: Vec<String>| -> Vec<String> {
        let names = ["x-team", "x-tier", "anthropic-beta", "user-agent"];
        lines.into_iter().filter(|line| names.iter().any(|name| line.starts_with(name))).collect()
    };

    assert_eq!(
        of_interest(sent(&provider, &text, call("r")).await),
        ["anthropic-beta: configured", "user-agent: special", "x-team: research", "x-tier: candidate"]
    );
    assert_eq!(
        of_interest(sent(&provider, &text, call("p/m")).await),
        [
            "anthropic-beta: configured",
            concat!("user-agent: backstop/", env!("CARGO_PKG_VERSION")),
            "x-team: research",
            "x-tier: provider",
        ]
    );
    assert_eq!(
        of_interest(sent(&provider, &text, call("other/m")).await),
        ["anthropic-beta: client", concat!("user-agent: backstop/", env!("CARGO_PKG_VERSION"))]
    );
}

#[tokio::test]
async fn openrouter_learns_which_app_asks_unless_told_otherwise() {
    let provider = Provider::start(Act::echo()).unwrap();
    let table = [
        ("", ["http-referer: http://localhost:8420", "x-title: Backstop"].as_slice()),
        (
            "app_url = \"https://chat.example\"\napp_title = \"Ours\"",
            &["http-referer: https://chat.example", "x-title: Ours"],
        ),
        ("headers = { X-Title = \"Header\" }", &["http-referer: http://localhost:8420", "x-title: Header"]),
        ("attribution = false", &[]),
    ];
    for (keys, expected) in table {
        for name in ["openrouter", "mine"] {
            let text = format!(
                "[providers.{name}]\npreset = \"openrouter\"\nbase_url = \"{}\"\napi_key = \"sk-or-1\"\n{keys}\n",
                provider.base_url()
            );
            let call = Call::whole(&format!("{name}/a/b"))
                .header("http-referer", "http://client")
                .header("x-title", "Client");

            let lines = sent(&provider, &text, call).await;

            let found: Vec<&String> = lines
                .iter()
                .filter(|line| {
                    ["http-referer", "referer", "x-title"].iter().any(|name| line.starts_with(name))
                })
                .collect();
            assert_eq!(found, expected, "{name}: {keys}");
        }
    }
}
