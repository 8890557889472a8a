//! The head of a response, in however many pieces it comes.

use std::mem::MaybeUninit;

use http::response::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode, Version};

use crate::http1::heads::{LINES, LONGEST, may_be_whole};
use crate::http1::hop::Hop;

/// What is wrong with a response before its body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::upstream) enum Malformed {
    #[error("the response head is too large")]
    TooLarge,
    #[error("the response head is not HTTP/1.1: {0}")]
    NotHttp(String),
}

/// What a head says.
#[derive(Debug)]
pub(in crate::upstream) struct Head {
    /// To whoever asked.
    pub(in crate::upstream) parts: Parts,
    /// To the connection.
    pub(in crate::upstream) hop: Hop,
}

/// Waits for the head of the response proper; what a server says before it (`100`, `103`) is
/// skipped.
#[derive(Debug, Default)]
pub(in crate::upstream) struct HeadReader {
    /// A head that is not whole yet; empty as long as every head came in one piece.
    held: Vec<u8>,
    /// How much of it has been looked at in vain.
    seen: usize,
    /// The bytes of the interim responses.
    skipped: usize,
}

/// A head, or nothing yet.
type Read<'b> = Option<(Head, &'b [u8])>;

impl HeadReader {
    /// Takes what was read; once the head is whole, it and what came behind it.
    pub(in crate::upstream) fn push<'b>(&'b mut self, bytes: &'b [u8]) -> Result<Read<'b>, Malformed> {
        let before = self.held.len();
        let mut rest = if before == 0 {
            bytes
        } else {
            self.held.extend_from_slice(bytes);
            if !may_be_whole(&self.held, before, self.seen) {
                return Ok(None);
            }
            &self.held[..]
        };
        let all = rest.len();
        while !rest.is_empty() {
            let Some((head, length)) = parse(rest, LONGEST - self.skipped)? else {
                break;
            };
            rest = &rest[length..];
            if !is_interim(head.parts.status) {
                // The borrow checker does not see that `rest` may be a part of what is held.
                let start = all - rest.len();
                let rest = if before == 0 { &bytes[start..] } else { &self.held[start..] };
                return Ok(Some((head, rest)));
            }
            self.skipped += length;
        }
        let done = all - rest.len();
        if before == 0 {
            self.held.extend_from_slice(&bytes[done..]);
        } else {
            self.held.drain(..done);
        }
        self.seen = self.held.len();
        Ok(None)
    }

    /// What is wrong with a head that broke off; nothing if that is all that is wrong.
    pub(in crate::upstream) fn finish(&self) -> Result<(), Malformed> {
        parse(&self.held, LONGEST - self.skipped).map(drop)
    }
}

fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

/// The head at the beginning of `bytes` and its length, if it is there within `most` bytes.
///
/// A header line that makes no sense is left out, as browsers do: answers come from all kinds of
/// servers, and the rest of them may be sound.
fn parse(bytes: &[u8], most: usize) -> Result<Option<(Head, usize)>, Malformed> {
    let bytes = &bytes[..most.min(bytes.len())];
    let mut lines = [const { MaybeUninit::uninit() }; LINES];
    let mut response = httparse::Response::new(&mut []);
    let mut config = httparse::ParserConfig::default();
    config.ignore_invalid_headers_in_responses(true);
    let length = match config.parse_response_with_uninit_headers(&mut response, bytes, &mut lines) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() == most => return Err(Malformed::TooLarge),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Malformed::TooLarge),
        Err(problem) => return Err(Malformed::NotHttp(problem.to_string())),
    };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = status.ok_or_else(|| Malformed::NotHttp("invalid status".to_owned()))?;
    parts.version = if response.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let mut hop = Hop::default();
    for line in response.headers {
        if hop.take(line.name, line.value) {
            continue;
        }
        let name = HeaderName::from_bytes(line.name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line.value)) {
            parts.headers.append(name, value);
        }
    }
    Ok(Some((Head { parts, hop }, length)))
}

#[cfg(test)]
mod tests;
