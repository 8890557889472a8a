//! Where the body of a response ends (RFC 9112, section 6), and what of the bytes is payload.

use bytes::Bytes;
use http::response::Parts;
use http::{StatusCode, Version};

use super::head::{Head, HeadReader, Malformed};
use crate::http1::chunks::{BadChunk, Chunks};
use crate::http1::hop::Length;

/// A response whose head is there.
#[derive(Debug)]
pub(in crate::upstream) struct Opened {
    pub(in crate::upstream) head: Parts,
    pub(in crate::upstream) body: BodyReader,
    /// What of the body came with the head.
    pub(in crate::upstream) first: Bytes,
}

impl Opened {
    /// Takes what was read; nothing as long as `heads` has no whole head.
    pub(in crate::upstream) fn read(heads: &mut HeadReader, bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some((head, rest)) = heads.push(bytes)? else {
            return Ok(None);
        };
        let mut body = BodyReader::new(&head)?;
        let first = body.push(rest);
        Ok(Some(Self { head: head.parts, body, first }))
    }
}

/// Takes a body out of the bytes that carry it.
#[derive(Debug)]
pub(in crate::upstream) struct BodyReader {
    framing: Framing,
    received: u64,
    end: Option<Result<(), Broken>>,
    keeps_alive: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked(Chunks),
    UntilClose,
}

/// How a body can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::upstream) enum Broken {
    #[error("the answer was cut after {received} of {length} bytes")]
    Short { received: u64, length: u64 },
    #[error("the answer was cut before its end")]
    Cut,
    #[error("the answer's chunks are broken: {0}")]
    Chunks(#[from] BadChunk),
}

impl BodyReader {
    /// The reader for the body that follows a head.
    pub(in crate::upstream) fn new(head: &Head) -> Result<Self, Malformed> {
        let framing = framing(head)?;
        let end = (framing == Framing::Length(0)).then_some(Ok(()));
        let sure = match framing {
            // Whoever sends both may have been talked into it; RFC 9112 has such a connection closed.
            Framing::Chunked(_) => head.hop.length().is_none(),
            Framing::Length(_) => head.parts.status != StatusCode::SWITCHING_PROTOCOLS,
            Framing::UntilClose => false,
        };
        Ok(Self { framing, received: 0, end, keeps_alive: sure && head.hop.keeps_alive(head.parts.version) })
    }

    /// How the body ended, if it has.
    pub(in crate::upstream) fn end(&self) -> Option<Result<(), Broken>> {
        self.end
    }

    /// Whether the connection can carry another request after the end of this body.
    pub(in crate::upstream) fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    /// The payload in what was read. What comes behind the end of the body is nobody's, and spoils
    /// the connection.
    pub(in crate::upstream) fn push(&mut self, bytes: &[u8]) -> Bytes {
        if self.end.is_some() {
            self.keeps_alive &= bytes.is_empty();
            return Bytes::new();
        }
        let mut rest = bytes;
        let payload = match &mut self.framing {
            Framing::Length(length) => {
                let left = usize::try_from(*length - self.received).unwrap_or(usize::MAX);
                let (payload, excess) = rest.split_at(left.min(rest.len()));
                rest = excess;
                if payload.len() == left {
                    self.end = Some(Ok(()));
                }
                Bytes::copy_from_slice(payload)
            }
            Framing::Chunked(chunks) => {
                let (payload, end) = joined(chunks, &mut rest);
                self.end = end;
                payload
            }
            Framing::UntilClose => Bytes::copy_from_slice(std::mem::take(&mut rest)),
        };
        self.received += payload.len() as u64;
        self.keeps_alive &= rest.is_empty();
        payload
    }

    /// The other side has closed.
    pub(in crate::upstream) fn close(&mut self) {
        self.keeps_alive = false;
        if self.end.is_none() {
            self.end = Some(match self.framing {
                Framing::UntilClose => Ok(()),
                _ => Err(self.cut()),
            });
        }
    }

    /// How a body breaks whose bytes stop here.
    pub(in crate::upstream) fn cut(&self) -> Broken {
        match self.framing {
            Framing::Length(length) => Broken::Short { received: self.received, length },
            Framing::Chunked(_) | Framing::UntilClose => Broken::Cut,
        }
    }
}

/// The payload of all chunks in `rest` as one piece: the fewer there are, the fewer writes to the
/// client.
fn joined(chunks: &mut Chunks, rest: &mut &[u8]) -> (Bytes, Option<Result<(), Broken>>) {
    let size = rest.len();
    let mut first: &[u8] = &[];
    let mut more = Vec::new();
    let end = loop {
        match chunks.payload(rest) {
            Ok(Some(payload)) if first.is_empty() => first = payload,
            Ok(Some(payload)) => {
                if more.is_empty() {
                    more.reserve_exact(size);
                    more.extend_from_slice(first);
                }
                more.extend_from_slice(payload);
            }
            Ok(None) if chunks.is_ended() => break Some(Ok(())),
            Ok(None) => break None,
            Err(bad) => break Some(Err(bad.into())),
        }
    };
    let payload = if more.is_empty() { Bytes::copy_from_slice(first) } else { Bytes::from(more) };
    (payload, end)
}

fn framing(Head { parts, hop }: &Head) -> Result<Framing, Malformed> {
    // `304` and `204` have no body whatever their headers say, and of `101` none that is HTTP.
    if [StatusCode::SWITCHING_PROTOCOLS, StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED]
        .contains(&parts.status)
    {
        return Ok(Framing::Length(0));
    }
    match (hop.codings(), hop.length()) {
        (Some(_), _) if parts.version == Version::HTTP_10 => Err(malformed("transfer-encoding in HTTP/1.0")),
        (Some(codings), _) if codings.ends_chunked => Ok(Framing::Chunked(Chunks::new())),
        (Some(_), _) | (None, None) => Ok(Framing::UntilClose),
        (None, Some(Length::Bytes(length))) => Ok(Framing::Length(length)),
        (None, Some(Length::Invalid)) => Err(malformed("invalid content-length")),
    }
}

fn malformed(what: &str) -> Malformed {
    Malformed::NotHttp(what.to_owned())
}

#[cfg(test)]
mod tests;
