//! A request as bytes, and how much of it has gone out.

use std::fmt;
use std::io::IoSlice;

use bytes::{BufMut, Bytes};
use http::header::{HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Uri};

use crate::http1::numbers::push_number;

/// Room for the last line of a head and its end.
const END: usize = 40;

/// The head of a request but for its end, which depends on its body: many requests have it in common.
///
/// It holds what the headers hold, keys included, so its `Debug` says nothing.
#[derive(Clone)]
pub(in crate::upstream) struct Opening {
    head: Bytes,
    /// Whether a body is expected, so that one of no length is said to be so (RFC 9110, section 8.6).
    has_body: bool,
}

/// A whole request: its head, the end of that, and its body in slices. What is small is joined where it is sent.
///
/// It holds what the headers hold, keys included, so it has no `Debug`.
#[derive(Clone)]
pub(in crate::upstream) struct Outgoing {
    head: Bytes,
    end: Vec<u8>,
    body: Vec<Bytes>,
}

/// Where in a request the next write begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::upstream) struct Cursor {
    slice: usize,
    offset: usize,
}

impl Opening {
    /// That of requests for `uri` at `host`, unless `headers` name another one. With a scheme, all of it stands
    /// in the first line, as proxies want it; else its path alone.
    pub(in crate::upstream) fn new(
        method: &Method,
        uri: &Uri,
        host: &HeaderValue,
        headers: &HeaderMap,
    ) -> Self {
        Self { head: head(method, uri, host, headers).into(), has_body: method != Method::GET }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").finish_non_exhaustive()
    }
}

impl Outgoing {
    /// The request that begins so and has this body.
    pub(in crate::upstream) fn new(opening: &Opening, body: Vec<Bytes>) -> Self {
        let length: usize = body.iter().map(Bytes::len).sum();
        let mut end = Vec::with_capacity(END);
        if opening.has_body || length > 0 {
            end.put_slice(b"content-length: ");
            push_number(&mut end, length as u64, 10);
            end.put_slice(b"\r\n");
        }
        end.put_slice(b"\r\n");
        Self { head: opening.head.clone(), end, body }
    }

    fn slice(&self, index: usize) -> Option<&[u8]> {
        match index {
            0 => Some(&self.head),
            1 => Some(&self.end),
            _ => self.body.get(index - 2).map(|slice| &slice[..]),
        }
    }

    /// Whether there is nothing behind `cursor`.
    pub(in crate::upstream) fn is_sent(&self, cursor: Cursor) -> bool {
        self.slice(cursor.slice).is_none()
    }

    /// Points `room` at what is behind `cursor`; how many slices of it are in use.
    pub(in crate::upstream) fn fill<'s>(&'s self, cursor: Cursor, room: &mut [IoSlice<'s>]) -> usize {
        let mut offset = cursor.offset;
        let mut used = 0;
        for (place, index) in room.iter_mut().zip(cursor.slice..) {
            let Some(slice) = self.slice(index) else { break };
            *place = IoSlice::new(&slice[offset..]);
            offset = 0;
            used += 1;
        }
        used
    }

    /// Where the next write begins after one at `cursor` that took `length` bytes.
    pub(in crate::upstream) fn after(&self, mut cursor: Cursor, length: usize) -> Cursor {
        cursor.offset += length;
        while let Some(slice) = self.slice(cursor.slice)
            && cursor.offset >= slice.len()
        {
            cursor.offset -= slice.len();
            cursor.slice += 1;
        }
        cursor
    }
}

/// The head of a request but for its end.
fn head(method: &Method, uri: &Uri, host: &HeaderValue, headers: &HeaderMap) -> Vec<u8> {
    let whole;
    let path = if uri.scheme().is_some() {
        whole = uri.to_string();
        &whole
    } else {
        uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)
    };
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let room = method.as_str().len() + path.len() + host.len() + size + 32;
    let mut head = Vec::with_capacity(room);
    for part in [method.as_str(), " ", path, " HTTP/1.1\r\n"] {
        head.put_slice(part.as_bytes());
    }
    if !headers.contains_key(HOST) {
        line(&mut head, &HOST, host.as_bytes());
    }
    for (name, value) in headers {
        line(&mut head, name, value.as_bytes());
    }
    head
}

fn line(head: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
        head.put_slice(part);
    }
}

#[cfg(test)]
mod tests;
