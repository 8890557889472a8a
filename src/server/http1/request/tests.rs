use http::HeaderMap;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::http1::testing::{beyond_the_hop, lengths, split};

mod yardstick;

/// What a reader made of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Got {
    Whole {
        method: String,
        uri: String,
        headers: HeaderMap,
        framing: Framing,
        flags: [bool; 3],
        behind: Vec<u8>,
    },
    Refused(Refusal),
    /// More is to come.
    Part,
}

fn read<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Got {
    let mut heads = HeadReader::default();
    let mut pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
    while let Some(piece) = pieces.next() {
        match heads.push(piece) {
            Ok(None) => {}
            Ok(Some((head, rest))) => {
                let mut behind = rest.to_vec();
                pieces.for_each(|piece| behind.extend_from_slice(piece));
                return Got::Whole {
                    method: head.parts.method.to_string(),
                    uri: head.parts.uri.to_string(),
                    headers: head.parts.headers,
                    framing: head.framing,
                    flags: [head.parts.version == Version::HTTP_10, head.expects_continue, head.keeps_alive],
                    behind,
                };
            }
            Err(refusal) => return Got::Refused(refusal),
        }
    }
    // What is wrong with a part of a head may be seen later, but no later than at its end.
    parse(&heads.held).map_or_else(Got::Refused, |_| Got::Part)
}

#[test]
fn a_request_names_its_host_once() {
    let (none, several) = (Refusal::Malformed("no host"), Refusal::Malformed("more than one host"));
    for (version, lines, refusal) in [
        ("1.1", "", Some(none)),
        ("1.1", "host: a\r\n", None),
        ("1.1", "Host:\r\n", None),
        ("1.1", "host: a\r\nHost: b\r\n", Some(several.clone())),
        ("1.1", "host: a\r\nhost: a\r\n", Some(several.clone())),
        ("1.0", "", None),
        ("1.0", "host: a\r\n", None),
        ("1.0", "host: a\r\nhost: b\r\n", Some(several)),
    ] {
        let head = format!("GET http://a/ HTTP/{version}\r\n{lines}\r\n");
        assert_eq!(parsed(&head).err(), refusal, "{head:?}");
    }
}

fn parsed(head: &str) -> Result<Head, Refusal> {
    let mut heads = HeadReader::default();
    heads.push(head.as_bytes()).map(|whole| whole.expect("a whole head").0)
}

fn refused(head: &str) -> Refusal {
    parsed(head).map(|head| head.framing).expect_err(head)
}

#[test]
fn where_a_body_ends() {
    let chunked = || Framing::Chunked(Chunks::strict());
    for (lines, framing) in [
        ("", Framing::Length(0)),
        ("content-length: 5\r\n", Framing::Length(5)),
        ("content-length: 5\r\ncontent-length: 5\r\n", Framing::Length(5)),
        ("content-length: 5, 5\r\n", Framing::Length(5)),
        ("Content-Length:5 \r\n", Framing::Length(5)),
        ("content-length: 18446744073709551615\r\n", Framing::Length(u64::MAX)),
        ("transfer-encoding: chunked\r\n", chunked()),
        ("Transfer-Encoding:\tCHUNKED\r\n", chunked()),
    ] {
        let head = parsed(&format!("POST / HTTP/1.1\r\nhost: x\r\n{lines}\r\n")).expect(lines);
        assert_eq!(head.framing, framing, "{lines:?}");
    }
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    let both = Refusal::Malformed("both transfer-encoding and content-length");
    let length = Refusal::Malformed("invalid content-length");
    let name = Refusal::Malformed("invalid header name");
    let value = Refusal::Malformed("invalid header value");
    for (lines, refusal) in [
        ("content-length: 5\r\ntransfer-encoding: chunked\r\n", both.clone()),
        ("transfer-encoding: chunked\r\ncontent-length: 5\r\n", both.clone()),
        ("transfer-encoding: chunked\r\ncontent-length: x\r\n", both),
        ("content-length: 5\r\ncontent-length: 6\r\n", length.clone()),
        ("content-length: 5, 6\r\n", length.clone()),
        ("content-length: +5\r\n", length.clone()),
        ("content-length: -5\r\n", length.clone()),
        ("content-length: 0x5\r\n", length.clone()),
        ("content-length: 5 5\r\n", length.clone()),
        ("content-length: 5,\r\n", length.clone()),
        ("content-length:\r\n", length.clone()),
        ("content-length: 18446744073709551616\r\n", length),
        ("transfer-encoding: gzip\r\n", Refusal::Coding),
        ("transfer-encoding: gzip, chunked\r\n", Refusal::Coding),
        ("transfer-encoding: chunked, gzip\r\n", Refusal::Coding),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", Refusal::Coding),
        ("transfer-encoding: chunked, chunked\r\n", Refusal::Coding),
        ("transfer-encoding: identity\r\n", Refusal::Coding),
        ("transfer-encoding: \"chunked\"\r\n", Refusal::Coding),
        ("transfer-encoding: xchunked\r\n", Refusal::Coding),
        ("transfer-encoding:\r\n", Refusal::Coding),
        ("content-length : 5\r\n", name.clone()),
        ("transfer-encoding\t: chunked\r\n", name.clone()),
        (" x: y\r\n", name.clone()),
        ("x: y\r\n folded\r\n", name.clone()),
        ("x: y\r\n\tfolded\r\n", name.clone()),
        ("no colon\r\n", name.clone()),
        ("x\0: y\r\n", name.clone()),
        (": y\r\n", name),
        ("x: y\0z\r\n", value.clone()),
        ("x: y\rz\r\n", value.clone()),
        ("x: y\r\rcontent-length: 5\r\n", value),
    ] {
        assert_eq!(refused(&format!("POST / HTTP/1.1\r\nhost: x\r\n{lines}\r\n")), refusal, "{lines:?}");
    }
    let line_end = Refusal::Malformed("invalid line end");
    for head in [
        "GET / HTTP/1.1\nhost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\nx: y\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n\n",
        "GET / HTTP/1.1\nhost: x\n\n",
        "GET / HTTP/1.0\n\n",
        "GET / HTTP/1.0\r\n\n",
        "GET / HTTP/1.0\n\r\n",
    ] {
        assert_eq!(refused(head), line_end, "{head:?}");
    }
    let old = refused("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n");
    assert_eq!(old, Refusal::Malformed("transfer-encoding in HTTP/1.0"));
}

#[test]
fn what_is_another_protocol_is_refused() {
    for (bytes, refusal) in [
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal::Version),
        ("GET / HTTP/2.0\r\n\r\n", Refusal::Version),
        ("GET / HTTP/1.2\r\n\r\n", Refusal::Version),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}", Refusal::Malformed("invalid request line")),
        ("NONSENSE\r\n\r\n", Refusal::Malformed("invalid request line")),
        ("G@T / HTTP/1.1\r\n\r\n", Refusal::Malformed("invalid request line")),
        ("GET http://[ HTTP/1.1\r\n\r\n", Refusal::Malformed("invalid target")),
        ("\rGET / HTTP/1.1\r\n\r\n", Refusal::Malformed("invalid line end")),
    ] {
        assert_eq!(refused(bytes), refusal, "{bytes:?}");
    }
}

#[test]
fn empty_lines_before_a_request_are_no_part_of_it() {
    let request = "GET / HTTP/1.1\r\nhost: x\r\n\r\nbehind";
    for before in ["\r\n", "\r\n\r\n", "\n"] {
        let both = format!("{before}{request}");
        for size in [1, 2, 3, both.len()] {
            assert_eq!(
                read(both.as_bytes().chunks(size)),
                read([request.as_bytes()]),
                "{before:?} by {size}"
            );
        }
        let mut heads = HeadReader::default();
        assert!(heads.push(before.as_bytes()).expect("nothing wrong").is_none());
        assert!(!heads.has_begun(), "{before:?}");
        assert!(heads.push(b"\r").expect("nothing wrong").is_none());
        assert!(!heads.has_begun(), "{before:?}");
        assert!(heads.push(b"\nG").expect("nothing wrong").is_none());
        assert!(heads.has_begun());
    }
}

#[test]
fn whether_another_request_follows() {
    for (version, connection, keeps) in [
        ("1.1", "", true),
        ("1.1", "connection: close\r\n", false),
        ("1.1", "connection: keep-alive, Close\r\n", false),
        ("1.1", "connection: keep-alive\r\nconnection: close\r\n", false),
        ("1.1", "connection: upgrade\r\n", true),
        ("1.0", "", false),
        ("1.0", "connection: Keep-Alive\r\n", true),
        ("1.0", "connection: keep-alive, close\r\n", false),
    ] {
        let head = parsed(&format!("GET / HTTP/{version}\r\nhost: x\r\n{connection}\r\n")).expect("a head");
        assert_eq!(head.keeps_alive, keeps, "{version} {connection}");
    }
}

#[test]
fn a_continue_is_expected_by_who_says_so_and_knows_it() {
    for (version, expect, expects) in [
        ("1.1", "100-continue", true),
        ("1.1", "100-Continue", true),
        ("1.1", "tea", false),
        ("1.0", "100-continue", false),
    ] {
        let head = parsed(&format!(
            "POST / HTTP/{version}\r\nhost: x\r\nexpect: {expect}\r\ncontent-length: 1\r\n\r\n"
        ));
        assert_eq!(head.expect("a head").expects_continue, expects, "{version} {expect}");
    }
}

#[test]
fn targets_of_all_forms_have_a_path() {
    for (target, path) in [
        ("/v1/models?a=b", "/v1/models"),
        ("http://host:80/v1/models?a=b", "/v1/models"),
        ("http://host", "/"),
        ("*", "*"),
    ] {
        let head = parsed(&format!("OPTIONS {target} HTTP/1.1\r\nhost: x\r\n\r\n")).expect(target);
        assert_eq!(head.parts.uri.path(), path, "{target}");
    }
    let brewed = parsed("BREW /pot HTTP/1.1\r\nhost: x\r\n\r\n").expect("a method of their own");
    assert_eq!(brewed.parts.method, "BREW");
}

#[test]
fn a_head_is_bounded() {
    let lines = |count: usize| format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(count - 1));
    assert!(parsed(&lines(100)).is_ok());
    assert_eq!(refused(&lines(101)), Refusal::TooLarge);

    let long = |length: usize| {
        let rest = "GET / HTTP/1.1\r\nhost: x\r\nx: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(length - rest))
    };
    for size in [LONGEST, 1000, 1] {
        assert!(matches!(read(long(LONGEST).as_bytes().chunks(size)), Got::Whole { .. }), "{size}");
        assert_eq!(
            read(long(LONGEST + 1).as_bytes().chunks(size)),
            Got::Refused(Refusal::TooLarge),
            "{size}"
        );
    }
}

type Headers = Vec<(String, String)>;

fn sound() -> impl Strategy<Value = (String, String, Headers, Vec<u8>)> {
    (
        select(vec!["GET", "POST", "OPTIONS", "M-SEARCH"]),
        "(/[a-z%0-9]{0,8}){1,4}(\\?[a-z=&]{0,9})?",
        prop::collection::vec(("x-[a-z]{1,8}", "[!-~]{0,3}|[!-~][ -~]{0,20}[!-~]"), 0..6),
        prop::collection::vec(any::<u8>(), 0..40),
    )
        .prop_map(|(method, target, headers, behind)| (method.to_owned(), target, headers, behind))
}

fn bytes(method: &str, target: &str, headers: &Headers, behind: &[u8]) -> Vec<u8> {
    let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let lines = lines.concat();
    [format!("{method} {target} HTTP/1.1\r\nhost: x\r\n{lines}\r\n").as_bytes(), behind].concat()
}

fn nearly_sound() -> impl Strategy<Value = Vec<u8>> {
    const SNIPPETS: [&str; 16] = [
        "\n",
        "\r",
        "\r\n",
        "\r\n\r\n",
        " ",
        "\t",
        "\0",
        ":",
        ",",
        "\r\n folded",
        "content-length: 3\r\n",
        "content-length: 4\r\n",
        "transfer-encoding: chunked\r\n",
        "HTTP/1.0",
        "expect: 100-continue\r\n",
        "\u{80}",
    ];
    let mutation = (any::<Index>(), 0_usize..4, select(SNIPPETS.to_vec()));
    (sound(), prop::collection::vec(mutation, 0..4)).prop_map(
        |((method, target, headers, behind), mutations)| {
            let mut bytes = bytes(&method, &target, &headers, &behind);
            for (at, removed, snippet) in mutations {
                let at = at.index(bytes.len());
                bytes.splice(at..(at + removed).min(bytes.len()), snippet.bytes());
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_sound_head_is_read_as_it_was_meant((method, target, headers, behind) in sound(), lengths in lengths()) {
        let bytes = bytes(&method, &target, &headers, &behind);
        let Got::Whole { method: read_method, uri, headers: read_headers, behind: rest, .. } = read(split(&bytes, &lengths)) else {
            panic!("no head in {bytes:?}");
        };
        prop_assert_eq!((read_method, uri, rest), (method, target, behind));
        prop_assert_eq!(read_headers.len(), headers.len() + 1);
        for (name, value) in headers {
            prop_assert!(read_headers.get_all(&name).iter().any(|read| read == value.as_str()), "{}", name);
        }
    }

    #[test]
    fn splits_change_nothing(bytes in nearly_sound(), lengths in lengths()) {
        prop_assert_eq!(read(split(&bytes, &lengths)), read([&bytes[..]]));
    }

    #[test]
    fn rubbish_never_panics(bytes in prop::collection::vec(any::<u8>(), 1..200), lengths in lengths()) {
        prop_assert_eq!(read(split(&bytes, &lengths)), read([&bytes[..]]));
    }
}
