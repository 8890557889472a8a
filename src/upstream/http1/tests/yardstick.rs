//! The same bytes for hyper's client.

use std::error::Error as _;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::join;

use super::*;

/// What hyper reads of a response that comes in `pieces` and then ends.
async fn read_by_hyper(pieces: &[&[u8]]) -> Got {
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let (mut sender, connection) = http1::Builder::new()
        .ignore_invalid_headers_in_responses(true)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(ours))
        .await
        .expect("a connection");
    let request = Request::get("/").header("host", "x").body(Empty::new()).expect("a request");
    let provider = async move {
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            theirs.read_buf(&mut seen).await.expect("a request");
        }
        for piece in pieces {
            // hyper may have had enough.
            if theirs.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let reading = async move {
        let response = match sender.send_request(request).await {
            Ok(response) => response,
            Err(error) => return Got::nothing(&error),
        };
        let (head, mut body) = response.into_parts();
        let mut got = Got {
            head: Some((head.status.as_u16(), beyond_the_hop(head.headers))),
            body: Vec::new(),
            whole: true,
            why: String::new(),
            reusable: false,
        };
        while let Some(frame) = body.frame().await {
            match frame.map(http_body::Frame::into_data) {
                Ok(Ok(data)) => got.body.extend_from_slice(&data),
                Ok(Err(_trailers)) => {}
                Err(error) => {
                    got.whole = false;
                    got.why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                }
            }
        }
        got
    };
    let (got, _, ()) = join!(reading, connection, provider);
    got
}

/// Whether hyper minds trailers that we do not read.
fn is_about_trailers(hyper: &Got) -> bool {
    ["Partial header", "invalid header name", "invalid header value", "invalid new line", "too many headers"]
        .iter()
        .any(|words| hyper.why.starts_with(words))
}

#[test]
fn hyper_reads_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let config = ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() };
    proptest!(config, |(bytes in responses::nearly_sound(), lengths in lengths())| {
        let pieces = split(&bytes, &lengths);

        let hyper = runtime.block_on(read_by_hyper(&pieces));
        let ours = read(pieces);

        prop_assert_eq!(&ours.head, &hyper.head, "{:?} {:?}", ours.why, hyper.why);
        prop_assert_eq!(ours.body, &hyper.body[..], "{:?} {:?}", ours.why, hyper.why);
        let same = ours.whole == hyper.whole || (ours.whole && is_about_trailers(&hyper));
        prop_assert!(same, "{:?} {:?}", ours.why, hyper.why);
    });
}

#[test]
fn both_read_a_sound_response_to_its_end() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(sound in responses::sound())| {
        let hyper = runtime.block_on(read_by_hyper(&[&sound.bytes]));

        prop_assert!(hyper.whole, "{}", hyper.why);
        prop_assert_eq!(hyper.body, sound.body);
    });
}
