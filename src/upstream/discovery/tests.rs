use tokio::join;

use super::*;
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

#[test]
fn only_a_model_list_is_one() {
    for (text, expected) in [
        (r#"{"data":[{"id":"a"},{"id":"b"}]}"#, Some(vec!["a".to_owned(), "b".to_owned()])),
        (r#"{"data":[]}"#, Some(vec![])),
        (r#"{"models":[{"name":"a"}]}"#, None),
        (r#"{"data":"a"}"#, None),
        ("[]", None),
        ("", None),
    ] {
        assert_eq!(listed(text.as_bytes()), expected, "{text}");
    }
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
