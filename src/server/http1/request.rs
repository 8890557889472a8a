//! The head of a request, in however many pieces it comes.

use std::mem::MaybeUninit;

use http::header::{EXPECT, HOST};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Version};

use crate::http1::chunks::Chunks;
use crate::http1::heads::{LINES, LONGEST, may_be_whole};
use crate::http1::hop::{Codings, Hop, Length};

/// Why a request is refused before anybody looks at it. Nothing behind it can be made out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::server) enum Refusal {
    /// More bytes or lines than a head may have.
    #[error("the head of the request is too large: it may have 64 KiB and 100 lines")]
    TooLarge,
    /// Another version of HTTP, or another protocol that says so.
    #[error("only HTTP/1.1 and HTTP/1.0 are spoken here")]
    Version,
    /// A body in a form that nobody here can read.
    #[error("the transfer-encoding of the request is not `chunked`")]
    Coding,
    /// No HTTP, or what could be read in two ways.
    #[error("{0}")]
    Malformed(&'static str),
}

/// Where the body of a request ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) enum Framing {
    /// After so many more bytes.
    Length(u64),
    /// Where the coding says so.
    Chunked(Chunks),
    /// Nobody knows any more.
    Broken,
}

/// What a head says, to whoever answers and to the connection.
#[derive(Debug)]
pub(in crate::server) struct Head {
    /// For whoever answers.
    pub parts: Parts,
    /// Where the body ends.
    pub framing: Framing,
    /// The client waits for a `100 Continue` to send the body.
    pub expects_continue: bool,
    /// The client would send another request after it.
    pub keeps_alive: bool,
}

/// Waits for the head of a request.
#[derive(Debug, Default)]
pub(in crate::server) struct HeadReader {
    /// A head that is not whole yet; empty as long as every head came in one piece.
    held: Vec<u8>,
    /// How much of it has been looked at in vain.
    seen: usize,
}

impl HeadReader {
    /// Takes what was read; once the head is whole, it and what came behind it.
    pub fn push<'b>(&'b mut self, bytes: &'b [u8]) -> Result<Option<(Head, &'b [u8])>, Refusal> {
        if self.held.is_empty() {
            let bytes = behind_empty_lines(bytes);
            let Some((head, length)) = parse(bytes)? else {
                self.held.extend_from_slice(bytes);
                self.seen = bytes.len();
                return Ok(None);
            };
            return Ok(Some((head, &bytes[length..])));
        }
        let mut before = self.held.len();
        self.held.extend_from_slice(bytes);
        if before == 1 && self.held[0] == b'\r' {
            let empty = self.held.len() - behind_empty_lines(&self.held).len();
            self.held.drain(..empty);
            (before, self.seen) = (0, 0);
        }
        if !may_be_whole(&self.held, before, self.seen) {
            return Ok(None);
        }
        let Some((head, length)) = parse(&self.held)? else {
            self.seen = self.held.len();
            return Ok(None);
        };
        Ok(Some((head, &self.held[length..])))
    }

    /// Whether a part of a head is in; empty lines before it are none.
    pub fn has_begun(&self) -> bool {
        !matches!(self.held[..], [] | [b'\r'])
    }
}

/// What follows the empty lines that `bytes` begin with: some end the body of the request before with one too many
/// (RFC 9112, section 2.2).
fn behind_empty_lines(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(b"\r\n").or_else(|| bytes.strip_prefix(b"\n")) {
        bytes = rest;
    }
    bytes
}

/// The head at the beginning of `bytes` and its length, if it is there.
fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Refusal> {
    let bytes = &bytes[..LONGEST.min(bytes.len())];
    let mut lines = [const { MaybeUninit::uninit() }; LINES];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, &mut lines) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() == LONGEST => return Err(Refusal::TooLarge),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(problem) => return Err(refusal(problem)),
    };
    if !ends_lines(&bytes[..length], request.headers) {
        return Err(Refusal::Malformed("invalid line end"));
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    let method = request.method.unwrap_or_default();
    parts.method = Method::from_bytes(method.as_bytes()).map_err(|_| Refusal::Malformed("invalid method"))?;
    parts.uri = request.path.unwrap_or_default().parse().map_err(|_| Refusal::Malformed("invalid target"))?;
    parts.version = if request.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    parts.headers.reserve(request.headers.len());
    // Looking for a header costs more than seeing it go by.
    let (mut hop, mut expects_continue, mut hosts) = (Hop::default(), false, 0);
    for line in request.headers {
        if hop.take(line.name, line.value) {
            continue;
        }
        let name = HeaderName::from_bytes(line.name.as_bytes())
            .map_err(|_| Refusal::Malformed("invalid header name"))?;
        hosts += u32::from(name == HOST);
        expects_continue |= name == EXPECT && line.value.eq_ignore_ascii_case(b"100-continue");
        let value =
            HeaderValue::from_bytes(line.value).map_err(|_| Refusal::Malformed("invalid header value"))?;
        parts.headers.append(name, value);
    }
    let is_new = parts.version == Version::HTTP_11;
    match hosts {
        0 if is_new => return Err(Refusal::Malformed("no host")),
        2.. => return Err(Refusal::Malformed("more than one host")),
        _ => {}
    }
    let head = Head {
        framing: framing(parts.version, &hop)?,
        expects_continue: is_new && expects_continue,
        keeps_alive: hop.keeps_alive(parts.version),
        parts,
    };
    Ok(Some((head, length)))
}

/// Whether every line of a head ends with CR LF: the parser lets it be LF alone, and others may not.
///
/// A line begins behind the end of the one before it; looking there is cheaper than looking for line ends.
fn ends_lines(head: &[u8], lines: &[httparse::Header<'_>]) -> bool {
    let ends_before = |line: &httparse::Header<'_>| {
        let start = line.name.as_ptr().addr() - head.as_ptr().addr();
        head[..start].ends_with(b"\r\n")
    };
    head.ends_with(b"\r\n\r\n") && lines.iter().all(ends_before)
}

fn refusal(problem: httparse::Error) -> Refusal {
    match problem {
        httparse::Error::TooManyHeaders => Refusal::TooLarge,
        httparse::Error::Version => Refusal::Version,
        httparse::Error::HeaderName => Refusal::Malformed("invalid header name"),
        httparse::Error::HeaderValue => Refusal::Malformed("invalid header value"),
        httparse::Error::NewLine => Refusal::Malformed("invalid line end"),
        httparse::Error::Token | httparse::Error::Status => Refusal::Malformed("invalid request line"),
    }
}

/// Where the body ends (RFC 9112, section 6.3). What a proxy before us may have read otherwise is refused.
fn framing(version: Version, hop: &Hop) -> Result<Framing, Refusal> {
    match (hop.codings(), hop.length()) {
        (Some(_), Some(_)) => Err(Refusal::Malformed("both transfer-encoding and content-length")),
        (Some(_), None) if version == Version::HTTP_10 => {
            Err(Refusal::Malformed("transfer-encoding in HTTP/1.0"))
        }
        (Some(Codings { count: 1, ends_chunked: true }), None) => Ok(Framing::Chunked(Chunks::strict())),
        (Some(_), None) => Err(Refusal::Coding),
        (None, None) => Ok(Framing::Length(0)),
        (None, Some(Length::Bytes(length))) => Ok(Framing::Length(length)),
        (None, Some(Length::Invalid)) => Err(Refusal::Malformed("invalid content-length")),
    }
}

#[cfg(test)]
mod tests;
