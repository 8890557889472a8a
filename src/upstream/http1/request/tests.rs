use http::header::AUTHORIZATION;
use proptest::prelude::*;

use super::*;
use crate::http1::room::SLICES;

const HOST_VALUE: HeaderValue = HeaderValue::from_static("api.example:8080");

fn outgoing(method: &Method, uri: &str, headers: &HeaderMap, body: &[&[u8]]) -> Outgoing {
    let body = body.iter().map(|slice| Bytes::copy_from_slice(slice)).collect();
    Outgoing::new(&Opening::new(method, &uri.parse().expect("a URI"), &HOST_VALUE, headers), body)
}

/// What goes out in writes that take as many bytes as `takes` says, over and over.
fn written(request: &Outgoing, takes: &[usize]) -> Vec<u8> {
    let mut takes = takes.iter().cycle();
    let (mut cursor, mut bytes) = (Cursor::default(), Vec::new());
    while !request.is_sent(cursor) {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let used = request.fill(cursor, &mut slices);
        let offered: Vec<u8> = slices[..used].iter().flat_map(|slice| slice.to_vec()).collect();
        let taken = (*takes.next().expect("a cycle")).min(offered.len());
        bytes.extend_from_slice(&offered[..taken]);
        cursor = request.after(cursor, taken);
    }
    bytes
}

#[test]
fn requests_as_bytes() {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer sk-secret"));
    let mut elsewhere = HeaderMap::new();
    elsewhere.insert(HOST, HeaderValue::from_static("other.example"));

    for (request, expected) in [
        (
            outgoing(&Method::POST, "/v1/chat/completions?a=b", &headers, &[b"{", b"", b"}"]),
            "POST /v1/chat/completions?a=b HTTP/1.1\r\nhost: api.example:8080\r\n\
             authorization: Bearer sk-secret\r\ncontent-length: 2\r\n\r\n{}",
        ),
        (
            outgoing(&Method::POST, "/", &elsewhere, &[]),
            "POST / HTTP/1.1\r\nhost: other.example\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            outgoing(&Method::GET, "https://x.example", &HeaderMap::new(), &[]),
            "GET https://x.example/ HTTP/1.1\r\nhost: api.example:8080\r\n\r\n",
        ),
    ] {
        assert_eq!(String::from_utf8_lossy(&written(&request, &[usize::MAX])), expected);
    }
}

#[test]
fn a_body_is_not_copied() {
    let slices = [1, 70_000].map(|size| Bytes::from(vec![b' '; size]));
    let opening = Opening::new(&Method::POST, &Uri::from_static("/"), &HOST_VALUE, &HeaderMap::new());
    let request = Outgoing::new(&opening, slices.to_vec());

    let mut room = [IoSlice::new(&[]); SLICES];

    assert_eq!(request.fill(Cursor::default(), &mut room), 4);
    assert_eq!([room[2].as_ptr(), room[3].as_ptr()], [slices[0].as_ptr(), slices[1].as_ptr()]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_much_a_write_takes_the_same_goes_out(
        body in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..40),
        takes in prop::collection::vec(1_usize..120, 1..10),
    ) {
        let slices: Vec<&[u8]> = body.iter().map(Vec::as_slice).collect();
        let request = outgoing(&Method::POST, "/v1", &HeaderMap::new(), &slices);
        let length = body.iter().map(Vec::len).sum::<usize>();
        let head = format!("POST /v1 HTTP/1.1\r\nhost: api.example:8080\r\ncontent-length: {length}\r\n\r\n");

        let bytes = written(&request, &takes);

        prop_assert_eq!(bytes, [head.as_bytes(), &body.concat()].concat());
    }
}
