//! The provider over real sockets, asked by hand.

use std::time::{Duration, Instant};

use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

mod connections;
mod scripts;

const SOON: Duration = Duration::from_secs(5);
const WHOLE: &str = r#"{"model":"m"}"#;
const STREAM: &str = r#"{"model":"m","stream":true}"#;

async fn connect(provider: &Provider) -> TcpStream {
    TcpStream::connect(provider.address()).await.unwrap()
}

fn post(body: &str) -> String {
    format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Everything that comes back before the connection ends, and how it ends.
async fn drain(stream: &mut TcpStream) -> (Vec<u8>, io::Result<usize>) {
    let mut all = Vec::new();
    let end = timeout(SOON, stream.read_to_end(&mut all)).await.expect("the connection stays open");
    (all, end)
}

/// Reads until `end` has come.
async fn read_to(stream: &mut TcpStream, end: &str) -> String {
    let mut all = Vec::new();
    while !all.ends_with(end.as_bytes()) {
        let byte = timeout(SOON, stream.read_u8()).await.expect("no more comes");
        all.push(byte.unwrap_or_else(|error| panic!("{error} after {}", String::from_utf8_lossy(&all))));
    }
    String::from_utf8(all).unwrap()
}

/// Asks once on a connection of its own; the head and the body, unchunked.
async fn ask(act: Act, body: &str) -> (String, Vec<u8>) {
    let provider = Provider::start(act).unwrap();
    let mut stream = connect(&provider).await;
    stream.write_all(post(body).as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let (all, _) = drain(&mut stream).await;
    let at = all.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(all[..at].to_vec()).unwrap();
    let body = if head.contains("chunked") { chunks(&all[at..]).concat() } else { all[at..].to_vec() };
    (head, body)
}

/// The chunks of a body, without the last one.
fn chunks(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    while let Some(at) = rest.windows(2).position(|bytes| bytes == b"\r\n") {
        let Ok(size) = usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap(), 16) else { break };
        if size == 0 {
            break;
        }
        chunks.push(rest[at + 2..at + 2 + size].to_vec());
        rest = &rest[at + 4 + size..];
    }
    chunks
}

fn text(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap()
}

fn inflate(mut reader: impl io::Read) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn answers_whole() {
    let (head, body) = ask(Act::answer("Hello \"there\""), WHOLE).await;

    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "),
        "{head}"
    );
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "Hello \"there\"");
    assert_eq!((&body["model"], &body["usage"]["completion_tokens"]), (&"m".into(), &2.into()));
}

#[tokio::test]
async fn answers_as_a_stream() {
    let request = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#;
    let (head, body) = ask(Act::reasoning("Hm", "Hello there"), request).await;

    assert!(head.contains("content-type: text/event-stream"), "{head}");
    let body = text(body);
    let events: Vec<&str> =
        body.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap()).collect();
    let (done, chunks) = events.split_last().unwrap();
    assert_eq!(*done, "[DONE]");
    let chunks: Vec<Value> = chunks.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect();
    let deltas: Vec<&Value> = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]).collect();
    assert_eq!(deltas[0]["role"], "assistant");
    assert_eq!(deltas[1]["reasoning_content"], "Hm");
    assert_eq!((&deltas[2]["content"], &deltas[3]["content"]), (&"Hello".into(), &" there".into()));
    assert_eq!(chunks[4]["choices"][0]["finish_reason"], "stop");
    assert_eq!(chunks[5]["usage"]["completion_tokens"], 3);
}

#[tokio::test]
async fn calls_a_tool() {
    let act = Act::tool_call("weather", r#"{"city": "Paris"}"#);

    let (_, whole) = ask(act.clone(), WHOLE).await;
    let (_, stream) = ask(act, STREAM).await;

    let whole: Value = serde_json::from_slice(&whole).unwrap();
    let function = &whole["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(function["arguments"], r#"{"city": "Paris"}"#);
    let stream = text(stream);
    assert!(stream.contains(r#""name":"weather","arguments":"""#), "{stream}");
    assert!(stream.contains(r#""finish_reason":"tool_calls""#), "{stream}");
    for event in stream.split_terminator("\n\n").filter(|event| !event.ends_with("[DONE]")) {
        assert!(serde_json::from_str::<Value>(&event[6..]).is_ok(), "{event}");
    }
}

#[tokio::test]
async fn fails_with_a_status() {
    let (head, body) = ask(Act::status(429).retry_after("2"), WHOLE).await;

    assert!(head.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{head}");
    assert!(head.contains("retry-after: 2\r\n"), "{head}");
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error"]["code"], "rate_limit_exceeded");

    let (head, body) =
        ask(Act::status(502).html("<h1>Bad gateway</h1>").without_header("content-type"), WHOLE).await;
    assert!(!head.contains("content-type"), "{head}");
    assert_eq!(text(body), "<h1>Bad gateway</h1>");
}

#[tokio::test]
async fn compresses() {
    let plain = text(ask(Act::answer("a b"), STREAM).await.1);

    for (encoding, name) in
        [(Encoding::Gzip, "gzip"), (Encoding::Deflate, "deflate"), (Encoding::RawDeflate, "deflate")]
    {
        let (head, body) = ask(Act::answer("a b").encode(encoding).split([7]), STREAM).await;

        assert!(head.contains(&format!("content-encoding: {name}\r\n")), "{head}");
        let inflated = match encoding {
            Encoding::Gzip => inflate(GzDecoder::new(&*body)),
            Encoding::Deflate => inflate(ZlibDecoder::new(&*body)),
            Encoding::RawDeflate => inflate(DeflateDecoder::new(&*body)),
        };
        assert_eq!(inflated, plain);
    }
}

#[tokio::test]
async fn splits_frames_wherever_it_is_told() {
    let provider = Provider::start(Act::events(["data: 1\n\n", "data: 2\n\n"]).split([3, 100])).unwrap();
    let mut stream = connect(&provider).await;
    stream.write_all(post(STREAM).as_bytes()).await.unwrap();

    let all = read_to(&mut stream, "0\r\n\r\n").await;

    let body = all.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(chunks(body.as_bytes()), [b"dat".to_vec(), b"a: 1\n\ndata: 2\n\n".to_vec()]);
}

#[tokio::test]
async fn inserts_errors_and_leaves_out_ends() {
    let act = Act::answer("a b").insert(2, error("broke", 502)).without_finish();

    let body = text(ask(act, STREAM).await.1);

    let events: Vec<&str> = body.split_terminator("\n\n").collect();
    assert_eq!(events.len(), 4);
    assert!(events[2].starts_with(r#"data: {"error":{"message":"broke""#), "{body}");
}

#[tokio::test]
async fn comments_while_it_waits() {
    let act = Act::answer("x").first_token_after(Duration::from_millis(100));

    let body = text(ask_open(act.comments_every(Duration::from_millis(10))).await);

    assert!(body.starts_with(": PROCESSING\n\n"), "{body}");
    assert!(body.trim_start_matches(": PROCESSING\n\n").starts_with("data: "), "{body}");
}

/// As [`ask`], without closing our side first: that would count as leaving.
async fn ask_open(act: Act) -> Vec<u8> {
    let provider = Provider::start(act).unwrap();
    let mut stream = connect(&provider).await;
    stream.write_all(post(STREAM).as_bytes()).await.unwrap();
    let all = read_to(&mut stream, "0\r\n\r\n").await;
    chunks(all.split_once("\r\n\r\n").unwrap().1.as_bytes()).concat()
}

#[tokio::test]
async fn keeps_its_pace() {
    let pace = Duration::from_millis(25);
    let start = Instant::now();

    ask_open(Act::events(["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]).pace(pace)).await;

    assert!(start.elapsed() >= pace * 2);
}

#[tokio::test]
async fn an_unexpected_call_is_told_and_counted() {
    let provider = Provider::start(Script::exactly([])).unwrap();
    let mut stream = connect(&provider).await;
    stream.write_all(post(WHOLE).as_bytes()).await.unwrap();

    assert!(read_to(&mut stream, "}}").await.starts_with("HTTP/1.1 599 "));

    assert_eq!(provider.check(), Err("unexpected calls: 1".into()));
    let provider = Provider::start(Act::echo()).unwrap();
    assert_eq!(provider.check(), Err("acts left to play: 1".into()));
}

#[tokio::test]
async fn chooses_by_model_and_lists_models() {
    let script = Script::by_model([("a", Act::status(503)), ("b", Act::echo())]).models(["a", "b"]);
    let provider = Provider::start(script).unwrap();
    let mut stream = connect(&provider).await;

    for (model, status) in [("a", "503"), ("b", "200"), ("c", "599")] {
        stream.write_all(post(&format!(r#"{{"model":"{model}"}}"#)).as_bytes()).await.unwrap();
        let answer = read_to(&mut stream, "}}").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{model}: {answer}");
    }
    stream.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let list = read_to(&mut stream, "]}").await;

    assert!(list.contains(r#""id":"a""#) && list.contains(r#""id":"b""#), "{list}");
    assert_eq!((provider.count(), provider.unexpected()), (3, 1));
}

#[tokio::test]
async fn reads_chunked_bodies_and_says_continue() {
    let provider = Provider::start_counting(Script::by(|request| Act::answer(request.model()))).unwrap();
    let mut stream = connect(&provider).await;
    let head = "POST /x HTTP/1.1\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_to(&mut stream, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");

    stream.write_all(b"9;ext=1\r\n{\"model\":\r\n4\r\n\"m\"}\r\n0\r\ntrailer: x\r\n\r\n").await.unwrap();

    assert!(read_to(&mut stream, "}}").await.contains(r#""content":"m""#));
    assert_eq!((provider.count(), provider.requests().len()), (1, 0));
}
