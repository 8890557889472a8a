//! The same bytes for hyper's server.

use std::cell::RefCell;
use std::convert::Infallible;

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::join;

use super::*;

/// A request, and its body if all of that came.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    method: String,
    uri: String,
    is_old: bool,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

/// What hyper takes for the first request in `pieces`, behind which the client closes its half.
async fn seen_by_hyper(pieces: &[&[u8]]) -> Option<Seen> {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (mut answers, mut requests) = tokio::io::split(theirs);
    let seen = RefCell::new(None);
    let service = service_fn(|request: Request<Incoming>| {
        let seen = &seen;
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.ok().map(|body| body.to_bytes().to_vec());
            seen.borrow_mut().get_or_insert(Seen {
                method: head.method.to_string(),
                uri: head.uri.to_string(),
                is_old: head.version == Version::HTTP_10,
                headers: beyond_the_hop(head.headers),
                body,
            });
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let serving = async {
        // What it thinks of the bytes is in what it has seen.
        let _ = http1::Builder::new().half_close(true).serve_connection(TokioIo::new(ours), service).await;
    };
    let client = async {
        for piece in pieces {
            // hyper may have had enough.
            if requests.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        let _ = requests.shutdown().await;
    };
    let mut told = Vec::new();
    let _ = join!(serving, client, answers.read_to_end(&mut told));
    seen.into_inner()
}

/// What we take for it; an error where we refuse it, which hyper need not.
fn seen(pieces: Vec<&[u8]>) -> Result<Option<Seen>, ()> {
    let (method, uri, headers, framing, is_old, behind) = match read(pieces) {
        Got::Whole { method, uri, headers, framing, flags: [is_old, ..], behind } => {
            (method, uri, headers, framing, is_old, behind)
        }
        Got::Refused(_) => return Err(()),
        Got::Part => return Ok(None),
    };
    let body = match framing {
        Framing::Length(length) => {
            usize::try_from(length).ok().and_then(|length| behind.get(..length)).map(<[u8]>::to_vec)
        }
        Framing::Chunked(mut chunks) => {
            let (mut rest, mut body) = (&behind[..], Vec::new());
            while let Some(payload) = chunks.payload(&mut rest).map_err(drop)? {
                body.extend_from_slice(payload);
            }
            chunks.is_ended().then_some(body)
        }
        Framing::Broken => return Err(()),
    };
    Ok(Some(Seen { method, uri, is_old, headers, body }))
}

#[test]
fn what_we_take_hyper_takes_for_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let config = ProptestConfig { failure_persistence: None, cases: 3_000, ..ProptestConfig::default() };
    proptest!(config, |(bytes in nearly_sound(), lengths in lengths())| {
        if let Ok(ours) = seen(split(&bytes, &lengths)) {
            let hyper = runtime.block_on(seen_by_hyper(&split(&bytes, &lengths)));
            prop_assert_eq!(ours, hyper, "{:?}", String::from_utf8_lossy(&bytes));
        }
    });
}

#[test]
fn both_read_bodies_to_their_ends() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for (lines, behind, body) in [
        ("content-length: 3\r\n", "abcGET /", Some("abc")),
        ("content-length: 3\r\n", "ab", None),
        ("transfer-encoding: chunked\r\n", "2\r\nab\r\n1;x=y\r\nc\r\n0\r\nx: y\r\n\r\nGET /", Some("abc")),
        ("transfer-encoding: chunked\r\n", "2\r\nab\r\n", None),
        ("", "GET /", Some("")),
    ] {
        let request = format!("POST /a HTTP/1.1\r\nhost: x\r\n{lines}\r\n{behind}");
        let pieces = || request.as_bytes().chunks(3).collect::<Vec<_>>();

        let ours = seen(pieces()).expect("nothing wrong");

        assert_eq!(ours, runtime.block_on(seen_by_hyper(&pieces())), "{request:?}");
        assert_eq!(ours.expect("a head").body.as_deref(), body.map(str::as_bytes), "{request:?}");
    }
}
