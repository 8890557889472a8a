//! An act and a request make a head and the frames of a body.

use std::fmt::Write as _;
use std::io::Write as _;

use bytes::{BufMut, Bytes, BytesMut};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::StatusCode;

use super::act::{Body, Form};
use super::{Act, Encoding, Framing, Request};

/// What goes over the wire, before it is framed.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) head: Bytes,
    pub(super) frames: Vec<Bytes>,
    pub(super) framing: Framing,
    /// Whether the body falls short of the length in the head.
    pub(super) short: bool,
}

impl Act {
    /// What this act sends to answer `request`.
    pub(super) fn render(&self, request: &Request) -> Rendered {
        let (content_type, mut frames, streamed) = match &self.body {
            Body::Bytes { content_type, bytes } => (*content_type, vec![bytes.clone()], false),
            Body::Events(events) => (EVENT_STREAM, events.clone(), true),
            Body::Answer { answer, form, tail, inserted } => {
                let streamed = match form {
                    Form::AsAsked => request.json()["stream"] == true,
                    Form::Whole => false,
                    Form::Streamed => true,
                };
                if streamed {
                    let mut events = answer.events(request, *tail);
                    for (index, event) in inserted {
                        events.insert((*index).min(events.len()), event.clone());
                    }
                    (EVENT_STREAM, events, true)
                } else {
                    ("application/json", vec![answer.whole(request)], false)
                }
            }
        };

        let framing = self.framing.unwrap_or(if streamed { Framing::Chunked } else { Framing::Length });
        // A stream is cut between its events before it is compressed, so that what is left is a
        // whole archive; a length counts what was promised.
        let promised = total(&encode(self.encoding, frames.clone()));
        match self.cut_events {
            Some(events) if streamed || events == 0 => frames.truncate(events),
            Some(_) => {
                let half = total(&frames) / 2;
                frames = first(frames, half);
            }
            None => {}
        }
        let mut frames = encode(self.encoding, frames);
        if let Some(limit) = self.cut_bytes {
            frames = first(frames, limit);
        }
        if !self.split.is_empty() {
            frames = slices(&frames, &self.split);
        }
        frames.retain(|frame| !frame.is_empty());

        let promised = match framing {
            Framing::LongLength(more) => promised + more,
            _ => promised,
        };
        let short = matches!(framing, Framing::Length | Framing::LongLength(_)) && total(&frames) < promised;
        Rendered { head: self.head(content_type, framing, promised), frames, framing, short }
    }

    fn head(&self, content_type: &str, framing: Framing, length: usize) -> Bytes {
        let reason = StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        let mut own = vec![("content-type", content_type.to_owned())];
        match framing {
            Framing::Chunked => own.push(("transfer-encoding", "chunked".to_owned())),
            Framing::Length | Framing::LongLength(_) => own.push(("content-length", length.to_string())),
            Framing::UntilClose => own.push(("connection", "close".to_owned())),
        }
        match self.encoding {
            Some(Encoding::Gzip) => own.push(("content-encoding", "gzip".to_owned())),
            Some(Encoding::Deflate | Encoding::RawDeflate) => {
                own.push(("content-encoding", "deflate".to_owned()));
            }
            None => {}
        }
        own.retain(|(name, _)| !self.headers.iter().any(|(replaced, _)| replaced == name));

        let given = self.headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason.unwrap_or("Simulated"));
        for (name, value) in own.into_iter().chain(given).filter(|(_, value)| !value.is_empty()) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        Bytes::from(head + "\r\n")
    }
}

const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

/// Each frame compressed and flushed, so that a client can read it as it comes.
fn encode(encoding: Option<Encoding>, frames: Vec<Bytes>) -> Vec<Bytes> {
    // The three encoders have these methods in common, but no trait.
    macro_rules! through {
        ($encoder:ident) => {{
            let mut encoder = $encoder::new(BytesMut::new().writer(), Compression::fast());
            let mut encoded = Vec::with_capacity(frames.len() + 1);
            for frame in frames {
                encoder.write_all(&frame).and_then(|()| encoder.flush()).expect(MEMORY);
                encoded.push(encoder.get_mut().get_mut().split().freeze());
            }
            encoded.push(encoder.finish().expect(MEMORY).into_inner().freeze());
            encoded
        }};
    }
    match encoding {
        None => frames,
        Some(Encoding::Gzip) => through!(GzEncoder),
        Some(Encoding::Deflate) => through!(ZlibEncoder),
        Some(Encoding::RawDeflate) => through!(DeflateEncoder),
    }
}

const MEMORY: &str = "writing to memory cannot fail";

/// The same bytes in frames of `sizes`, taken over and over; a size of 0 counts as 1.
fn slices(frames: &[Bytes], sizes: &[usize]) -> Vec<Bytes> {
    let mut rest = Bytes::from(frames.concat());
    let mut sliced = Vec::new();
    let mut sizes = sizes.iter().cycle();
    while let Some(size) = sizes.next().filter(|_| !rest.is_empty()) {
        sliced.push(rest.split_to((*size).clamp(1, rest.len())));
    }
    sliced
}

/// The first `limit` bytes, in the same frames.
fn first(mut frames: Vec<Bytes>, mut limit: usize) -> Vec<Bytes> {
    for frame in &mut frames {
        frame.truncate(limit);
        limit -= frame.len();
    }
    frames
}

fn total(frames: &[Bytes]) -> usize {
    frames.iter().map(Bytes::len).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn slices_keep_every_byte_and_their_sizes(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..10),
            sizes in prop::collection::vec(0usize..9, 1..4),
        ) {
            let frames: Vec<Bytes> = frames.into_iter().map(Bytes::from).collect();

            let sliced = slices(&frames, &sizes);

            prop_assert_eq!(sliced.concat(), frames.concat());
            let last = sliced.len().saturating_sub(1);
            for (slice, size) in sliced.iter().zip(sizes.iter().cycle()).take(last) {
                prop_assert_eq!(slice.len(), (*size).max(1));
            }
        }
    }
}
