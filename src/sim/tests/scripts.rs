//! Who is met by which act: by key, by time, by how many there are, by what was already said.

use super::*;

/// A request with this key.
fn post_with(key: &str, body: &str) -> String {
    post(body).replacen("host: x", &format!("host: x\r\nauthorization: Bearer {key}"), 1)
}

/// The status of the answer to `request`, on a connection of its own.
async fn status(provider: &Provider, request: &str) -> u16 {
    let mut stream = connect(provider).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = read_to(&mut stream, "\r\n\r\n").await;
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn chooses_by_key_and_remembers_it() {
    let script = Script::per_key([("sk-a", Act::status(429)), ("sk-b", Act::echo())]);
    assert!(!format!("{script:?}").contains("sk-"), "{script:?}");
    let provider = Provider::start(script).unwrap();

    for (key, expected) in [("sk-a", 429), ("sk-b", 200), ("sk-c", 599)] {
        assert_eq!(status(&provider, &post_with(key, WHOLE)).await, expected, "{key}");
    }
    assert_eq!(status(&provider, &post(WHOLE)).await, 599);

    let requests = provider.requests();
    assert_eq!(requests.iter().map(Request::key).collect::<Vec<_>>(), ["sk-a", "sk-b", "sk-c", ""]);
    assert_eq!(provider.unexpected(), 2);
}

#[tokio::test(start_paused = true)]
async fn recovers_some_time_after_the_first_request() {
    let three = Duration::from_secs(3);
    let then = Script::sequence([Act::echo(), Act::status(500)]);
    let script = Script::until(three, Act::status(429), then);
    let status = |request: &Request| script.next(request).unwrap().act.status;
    let request = request(WHOLE);
    tokio::time::advance(three * 2).await;

    assert_eq!(status(&request), 429, "its clock starts with the first request");
    tokio::time::advance(Duration::from_millis(2999)).await;
    assert_eq!((status(&request), script.leftover()), (429, 2));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!((status(&request), status(&request), script.leftover()), (200, 500, 0));
}

/// A request with this body that nobody has sent.
fn request(body: &'static str) -> Request {
    Request {
        at: Instant::now(),
        method: http::Method::POST,
        path: "/v1/chat/completions".to_owned(),
        headers: http::HeaderMap::new(),
        body: body.into(),
        connection: 0,
        ended: None,
        closed: None,
    }
}

#[tokio::test]
async fn has_room_for_so_many_at_once() {
    let within = Script::sequence([Act::hang(), Act::hang(), Act::echo()]);
    let provider = Provider::start(Script::at_once(2, within, Act::status(429))).unwrap();
    let hang = async || {
        let mut stream = connect(&provider).await;
        stream.write_all(post(WHOLE).as_bytes()).await.unwrap();
        stream
    };
    let (first, _second) = (hang().await, hang().await);
    timeout(SOON, provider.wait_for(2)).await.unwrap();

    assert_eq!(status(&provider, &post(WHOLE)).await, 429);
    assert_eq!(status(&provider, &post(WHOLE)).await, 429);

    drop(first);
    timeout(SOON, provider.wait_ended(0)).await.unwrap();
    assert_eq!(status(&provider, &post(WHOLE)).await, 200, "who leaves frees a place");
}

/// A conversation whose last message is the assistant's.
const BEGUN: &str = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Count"},{"role":"assistant","content":"one two"}]}"#;

/// What the deltas of a stream say, and the tokens it counts.
fn said(body: &str) -> (String, Value) {
    let mut content = String::new();
    let mut tokens = Value::Null;
    for data in body.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap()) {
        let chunk: Value = serde_json::from_str(data).unwrap_or_default();
        content += chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
        tokens = chunk["usage"]["completion_tokens"].as_u64().map_or(tokens, Value::from);
    }
    (content, tokens)
}

#[tokio::test]
async fn completes_what_the_assistant_has_begun() {
    let (_, body) = ask(Act::completes("one two three four"), BEGUN).await;
    assert_eq!(said(&text(body)), (" three four".to_owned(), 2.into()));

    for (act, body) in [
        (Act::completes("one two three"), STREAM),
        (Act::completes("one two three"), r#"{"stream":true,"messages":[{"role":"user","content":"one"}]}"#),
        (Act::answer("one two three"), BEGUN),
    ] {
        let (_, answer) = ask(act, body).await;
        assert_eq!(said(&text(answer)).0, "one two three", "afresh: {body}");
    }
    let (_, body) = ask(Act::completes("ten nine"), BEGUN).await;
    assert_eq!(said(&text(body)).0, "ten nine", "who would have begun otherwise");
}

#[tokio::test]
async fn refuses_to_complete() {
    let provider = Provider::start(Script::without_prefill(Act::answer("one two three"))).unwrap();

    assert_eq!(status(&provider, &post(BEGUN)).await, 400);
    assert_eq!(status(&provider, &post(STREAM)).await, 200);

    let requests = provider.requests();
    assert_eq!(requests[0].prefill().as_deref(), Some("one two"));
    assert_eq!(requests[0].messages()[0]["content"], "Count");
    assert_eq!((requests[1].prefill(), requests[1].messages().len()), (None, 0));
}
