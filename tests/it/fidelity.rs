//! What goes through unchanged: a request but for its `model`, an answer but for the listed exceptions.

use backstop::sim::{Act, Provider};
use bytes::Bytes;

use crate::support::{Answer, Call, Connection, Proxy, proxy, route_to};

mod answers;
mod edits;
mod refusals;
mod requests;
mod streams;

const PATH: &str = "/v1/chat/completions";

/// A provider that says the same to everybody, whatever their request looks like, and a Backstop
/// whose route `r` leads to its model `m`.
async fn answering(act: Act) -> (Provider, Proxy) {
    let provider = Provider::start(act).unwrap();
    let proxy = proxy(&route_to(&provider)).await;
    (provider, proxy)
}

/// An answer that does not depend on the request.
fn hello() -> Act {
    Act::echo().json(r#"{"choices":[{"message":{"role":"assistant","content":"Hello"}}]}"#)
}

/// Asks with `body` as it stands.
async fn ask(proxy: &Proxy, body: impl Into<Bytes>) -> Answer {
    Call::post(PATH, body).send(proxy.address).await
}

/// Asks with `body` in chunks of these sizes, over and over.
async fn ask_in_chunks(proxy: &Proxy, body: &[u8], sizes: &[usize]) -> Answer {
    let mut request =
        format!("POST {PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
    let mut rest = body;
    for size in sizes.iter().cycle() {
        let (chunk, after) = rest.split_at(rest.len().min(*size));
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
        rest = after;
        if chunk.is_empty() {
            break;
        }
    }
    let mut connection = Connection::open(proxy.address).await;
    connection.write(&request).await;
    connection.head().await.expect("an answer")
}

/// The body of the latest request.
fn received(provider: &Provider) -> Bytes {
    provider.request(provider.count() - 1).expect("a request").body
}

/// Fails with the place of the first difference: bodies can be long.
#[track_caller]
fn assert_same(got: &[u8], expected: &[u8]) {
    let at = got.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let near = |bytes: &[u8]| {
        String::from_utf8_lossy(&bytes[at.saturating_sub(20)..bytes.len().min(at + 60)]).into_owned()
    };
    assert!(got == expected, "they differ at byte {at}: `{}` is not `{}`", near(got), near(expected));
}
