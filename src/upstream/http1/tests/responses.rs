//! Responses as providers send them, and as none should.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A response with nothing wrong, and what it says.
#[derive(Debug, Clone)]
pub(super) struct Sound {
    pub(super) bytes: Vec<u8>,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Whether another request may follow on its connection.
    pub(super) reusable: bool,
}

/// What goes round a body.
#[derive(Debug, Clone)]
enum Coding {
    Length,
    /// Sizes, extensions of them, trailers.
    Chunked(Vec<usize>, &'static str, &'static str),
    UntilClose,
}

fn coding() -> impl Strategy<Value = Coding> {
    let extension = select(vec!["", "", " ", ";a", ";a=\"b c\"", "\t;x=1;y"]);
    let trailer = select(vec!["", "", "", "expires: never\r\n", "a: b\r\nc: d\r\n"]);
    let chunked = (prop::collection::vec(1_usize..30, 1..6), extension, trailer);
    prop_oneof![
        2 => Just(Coding::Length),
        4 => chunked.prop_map(|(sizes, extension, trailer)| Coding::Chunked(sizes, extension, trailer)),
        1 => Just(Coding::UntilClose),
    ]
}

fn header() -> impl Strategy<Value = (String, String)> {
    ("x-[a-z]{1,8}", "[!-~]{0,3}|[!-~][ -~]{0,20}[!-~]")
}

pub(super) fn sound() -> impl Strategy<Value = Sound> {
    let interim = select(vec![
        "",
        "",
        "",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n",
    ]);
    let connection = select(vec![None, None, Some("close"), Some("keep-alive"), Some("x, Close")]);
    (
        (any::<bool>(), interim, select(vec![200_u16, 201, 302, 400, 429, 500, 529, 999])),
        prop::collection::vec(header(), 0..5),
        connection,
        coding(),
        prop::collection::vec(prop_oneof![any::<u8>(), select(b"\r\n0a;:".to_vec())], 0..80),
    )
        .prop_map(|((old, interim, status), headers, connection, coding, body)| {
            let coding = if old && matches!(coding, Coding::Chunked(..)) { Coding::Length } else { coding };
            let mut head = format!("{interim}HTTP/1.{} {status} Why not\r\n", u8::from(!old));
            for (name, value) in &headers {
                let _ = write!(head, "{name}: {value}\r\n");
            }
            if let Some(connection) = connection {
                let _ = write!(head, "Connection: {connection}\r\n");
            }
            let keeps = match connection {
                None => !old,
                Some(option) => option == "keep-alive",
            };
            let mut bytes = Vec::new();
            match &coding {
                Coding::Length => {
                    bytes.extend(format!("{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes());
                    bytes.extend(&body);
                }
                Coding::Chunked(sizes, extension, trailer) => {
                    bytes.extend(format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes());
                    let mut rest = &body[..];
                    for size in sizes.iter().cycle() {
                        let (chunk, more) = rest.split_at((*size).min(rest.len()));
                        rest = more;
                        bytes.extend(format!("{:x}{extension}\r\n", chunk.len()).into_bytes());
                        if chunk.is_empty() {
                            break;
                        }
                        bytes.extend([chunk, b"\r\n"].concat());
                    }
                    bytes.extend(format!("{trailer}\r\n").into_bytes());
                }
                Coding::UntilClose => bytes.extend([head.as_bytes(), b"\r\n", &body].concat()),
            }
            let reusable = keeps && !matches!(coding, Coding::UntilClose);
            Sound { bytes, status, headers, body, reusable }
        })
}

/// What turns up in responses that are nearly right.
const SNIPPETS: [&str; 32] = [
    "\n",
    "\r",
    "\r\n",
    "\r\n\r\n",
    "\n\n",
    " ",
    "\t",
    "\0",
    "0",
    "f",
    "-",
    "+",
    ",",
    ";",
    ";ext=1",
    ":",
    "0\r\n",
    "0\r\n\r\n",
    "ffffffffffffffff\r\n",
    "10000000000000000\r\n",
    "\r\n folded",
    "x : y\r\n",
    "no colon\r\n",
    "HTTP/1.0 ",
    "content-length: 3\r\n",
    "content-length: 3, 3\r\n",
    "content-length: +3\r\n",
    "content-length: 99999999999999999999\r\n",
    "transfer-encoding: chunked\r\n",
    "transfer-encoding: gzip\r\n",
    "HTTP/1.1 204 No Content\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
];

#[derive(Debug, Clone)]
enum Mutation {
    Cut(Index),
    Remove(Index, usize),
    Insert(Index, &'static str),
    Replace(Index, u8),
    /// Lines are what framing is made of.
    InsertLine(Index, &'static str),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let snippet = || select(SNIPPETS.to_vec());
    prop_oneof![
        any::<Index>().prop_map(Mutation::Cut),
        (any::<Index>(), 1_usize..8).prop_map(|(at, length)| Mutation::Remove(at, length)),
        (any::<Index>(), snippet()).prop_map(|(at, snippet)| Mutation::Insert(at, snippet)),
        (any::<Index>(), select(b"\r\n\0 \t;:,0aZ\x7f\xc3".to_vec()))
            .prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (any::<Index>(), snippet()).prop_map(|(at, snippet)| Mutation::InsertLine(at, snippet)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    if bytes.is_empty() {
        return;
    }
    match mutation {
        Mutation::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Mutation::Remove(at, length) => {
            let at = at.index(bytes.len());
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        Mutation::Insert(at, snippet) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, snippet.bytes());
        }
        Mutation::Replace(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Mutation::InsertLine(at, snippet) => {
            let ends: Vec<usize> = memchr::memchr_iter(b'\n', bytes).map(|end| end + 1).collect();
            if !ends.is_empty() {
                let at = ends[at.index(ends.len())];
                bytes.splice(at..at, snippet.bytes());
            }
        }
    }
}

/// A response with up to three things wrong.
pub(super) fn nearly_sound() -> impl Strategy<Value = Vec<u8>> {
    (sound(), prop::collection::vec(mutation(), 0..4)).prop_map(|(sound, mutations)| {
        let mut bytes = sound.bytes;
        for mutation in &mutations {
            mutate(&mut bytes, mutation);
        }
        bytes
    })
}

/// Bytes that have little to do with a response.
pub(super) fn rubbish() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12),
        select(SNIPPETS.to_vec()).prop_map(|snippet| snippet.as_bytes().to_vec()),
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
    ];
    prop::collection::vec(word, 0..20).prop_map(|words| words.concat())
}
