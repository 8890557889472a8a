use http::header::REFERER;
use tokio::join;

use super::*;
use crate::config::{Connections, KeyOrder, Proxy};
use crate::retry::Quota;
use crate::upstream::peer::Peer;

fn json(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn lists_those_that_answer_and_waits_for_none_that_do_not() {
    let ollama = Peer::bind().await;
    let silent = Peer::bind().await;
    let website = Peer::bind().await;
    let empty = Peer::bind().await;
    let closed = Peer::bind().await;
    let urls = [&ollama, &silent, &website, &empty, &closed].map(Peer::base_url);
    let [ollama_url, silent_url, website_url, empty_url, closed_url] = &urls;
    drop(closed);
    let presets = [
        ("ollama", ollama_url.as_str()),
        ("llamacpp", silent_url),
        ("website", website_url),
        ("vllm", empty_url),
        ("lmstudio", closed_url),
        ("nonsense", "no url at all"),
    ];

    let (found, seen, _silent, (), ()) = join!(
        local_servers(&presets),
        async {
            let mut socket = ollama.accept().await;
            let seen = socket.request().await;
            socket
                .say(json(200, r#"{"object":"list","data":[{"id":"gemma3:1b","x":1},{"id":"qwen3"}]}"#))
                .await;
            seen
        },
        silent.accept(),
        async { website.accept().await.answer(json(200, "<html>")).await },
        async { empty.accept().await.answer(json(200, r#"{"data":[]}"#)).await },
    );

    let server = |name: &str, base_url: &str, models: &[&str]| LocalServer {
        name: name.to_owned(),
        base_url: base_url.to_owned(),
        models: models.iter().map(|model| (*model).to_owned()).collect(),
    };
    assert_eq!(
        found,
        [server("ollama", ollama_url, &["gemma3:1b", "qwen3"]), server("vllm", empty_url, &[])]
    );
    assert!(seen.head.starts_with("GET /v1/models HTTP/1.1\r\n"), "{}", seen.head);
    assert!(seen.head.contains(&format!("host: {}\r\n", ollama.address)), "{}", seen.head);
}

#[tokio::test]
async fn any_status_but_200_is_no_answer() {
    let peer = Peer::bind().await;
    let url = peer.base_url();

    let presets = [("ollama", url.as_str())];
    let (found, ()) = join!(local_servers(&presets), async {
        peer.accept().await.answer(json(401, r#"{"data":[{"id":"a"}]}"#)).await;
    });

    assert_eq!(found, []);
}

fn provider(base_url: &str, keys: &[&str]) -> Provider {
    let key = |secret: &&str| Key {
        name: (*secret).into(),
        secret: secrecy::SecretString::from(*secret),
        quota: Quota::default(),
    };
    Provider {
        name: "p".into(),
        base_url: base_url.parse().unwrap(),
        keys: keys.iter().map(key).collect(),
        key_order: KeyOrder::default(),
        quota: Quota::default(),
        headers: HeaderMap::from_iter([(REFERER, HeaderValue::from_static("http://here"))]),
        connections: Connections::default(),
    }
}

async fn fetch(peer: &Peer, keys: &[&str], limit: Duration) -> Result<Vec<Listed>, NoAnswer> {
    Lists::default().fetch(&provider(&peer.base_url(), keys), limit).await
}

const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_list_is_asked_for_past_the_proxy() {
    let proxy = Peer::bind().await;
    let past = |base_url: &str| {
        let mut provider = provider(base_url, &["key-1"]);
        let url = format!("http://me:open-sesame@{}", proxy.address);
        provider.connections.proxy = Some(Proxy::parse(&url).expect("a proxy").proxy);
        provider
    };
    let (plain, secure) = (past("http://p.example/v1"), past("https://p.example/v1"));
    let lists = Lists::default();

    let (listed, head) = join!(lists.fetch(&plain, LONG), async {
        let mut socket = proxy.accept().await;
        let head = socket.request().await.head;
        socket.say(json(200, r#"{"data":[{"id":"a"}]}"#)).await;
        head
    });
    assert_eq!(listed.expect("a list").len(), 1);
    assert!(head.starts_with("GET http://p.example/v1/models HTTP/1.1\r\nhost: p.example\r\n"), "{head}");
    assert!(head.contains("\r\nproxy-authorization: Basic "), "{head}");

    let (listed, ()) = join!(lists.fetch(&plain, LONG), async {
        proxy.accept().await.answer(json(407, "{}")).await;
    });
    let no = listed.expect_err("no list");
    let reason = "refused the request: 407 Proxy Authentication Required";
    assert_eq!(no.reason, format!("the proxy http://{} {reason}", proxy.address));
    assert_eq!(no.advice, "check the user and the password of the proxy");

    let (listed, head) = join!(lists.fetch(&secure, LONG), async {
        let mut socket = proxy.accept().await;
        let head = socket.request().await.head;
        socket.say("HTTP/1.1 403 Forbidden\r\n\r\n").await;
        head
    });
    assert!(head.starts_with("CONNECT p.example:443 HTTP/1.1\r\n"), "{head}");
    let reason = "refused to connect to p.example:443: 403 Forbidden";
    assert_eq!(listed.expect_err("no list").reason, format!("the proxy http://{} {reason}", proxy.address));
}

#[tokio::test]
async fn a_list_is_asked_for_with_the_first_key_that_is_taken() {
    let peer = Peer::bind().await;

    let (listed, seen) = join!(fetch(&peer, &["key-1", "key-2", "key-3"], LONG), async {
        let mut seen = Vec::new();
        for (status, body) in [(401, "{}"), (200, r#"{"data":[{"id":"a"},{"id":7}]}"#)] {
            let mut socket = peer.accept().await;
            seen.push(socket.request().await.head);
            socket.say(json(status, body)).await;
        }
        seen
    });

    assert_eq!(listed, Ok(vec![Listed::new("a")]));
    for (head, key) in seen.iter().zip(["key-1", "key-2"]) {
        assert!(head.starts_with("GET /v1/models HTTP/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("authorization: Bearer {key}\r\n")), "{head}");
        assert!(head.contains("referer: http://here\r\n"), "{head}");
    }
}

#[tokio::test]
async fn silence_has_an_end() {
    let peer = Peer::bind().await;

    let limit = Duration::from_millis(50);
    let (listed, _silent) = join!(fetch(&peer, &[], limit), peer.accept());

    assert_eq!(listed.unwrap_err().to_string(), "no whole list within 50ms");
}

#[tokio::test]
async fn every_status_says_what_to_do() {
    let peer = Peer::bind().await;
    for (status, body, reason, advice) in [
        (401, r#"{"error":{"message":"No such key"}}"#, "401 - No such key", KEY),
        (402, "", "402 - Payment Required", KEY),
        (403, "", "403 - Forbidden", KEY),
        (404, "<html><title>Nothing here</title>", "404 - Nothing here", BASE_URL),
        (302, "", "302 - not the status of a chat API, check the provider's `base_url`", BASE_URL),
        (429, "{}", "429 - Too Many Requests", LATER),
        (503, "", "503 - Service Unavailable", LATER),
        (200, "<html>", "200 - this is no list of models", BASE_URL),
    ] {
        let (listed, ()) = join!(fetch(&peer, &["key"], LONG), async {
            peer.accept().await.answer(json(status, body)).await;
        });
        assert_eq!(listed, Err(NoAnswer::new(reason, advice)), "{status}");
    }
}

#[tokio::test]
async fn who_asks_to_be_left_alone_is_heard() {
    let peer = Peer::bind().await;
    let answer = "HTTP/1.1 429 X\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n";

    let (listed, ()) = join!(fetch(&peer, &[], LONG), async { peer.accept().await.answer(answer).await });

    assert_eq!(listed.unwrap_err().retry_after, Some(Duration::from_secs(90)));
}

#[tokio::test]
async fn all_pages_together_have_an_end() {
    let peer = Peer::bind().await;
    let page = |number: usize| {
        let ids = (0..MOST * 2 / 3).map(|model| format!("{{\"id\":\"{number}-{model}\"}}"));
        let ids: Vec<_> = ids.collect();
        json(200, &format!("{{\"data\":[{}],\"links\":{{\"next\":\"/more\"}}}}", ids.join(",")))
    };

    let (listed, ()) = join!(fetch(&peer, &[], LONG), async {
        for number in 0..2 {
            peer.accept().await.answer(page(number)).await;
        }
    });

    assert_eq!(listed.unwrap().len(), MOST);
}

#[test]
fn the_next_page_is_where_the_first_one_was() {
    let base = Uri::from_static("https://a.example/api/v1");
    for (next, expected) in [
        ("/api/v1/models?offset=500", Some("/api/v1/models?offset=500")),
        ("https://a.example/api/v1/models?offset=500", Some("/api/v1/models?offset=500")),
        ("http://a.example/x", None),
        ("https://b.example/x", None),
        ("https://a.example:444/x", None),
        // No other host: it is a path of the same one.
        ("//b.example/x", Some("//b.example/x")),
        ("models", None),
        ("not a path", None),
        ("", None),
    ] {
        let path = same_place(&base, next).map(|path| path.to_string());
        assert_eq!(path.as_deref(), expected, "{next}");
    }
}
