//! Undoes the compression of an answer, piece by piece, whether it was asked for or not.

use std::fmt;

use bytes::{Buf, Bytes};
use flate2::{Crc, Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

mod gzip;

/// The most bytes that come out in one piece, however well they were packed.
const PIECE: usize = 16 * 1024;

/// Decodes a body that comes in pieces: [`Decoder::feed`] it one, take everything that
/// [`Decoder::next_piece`] gives, and so on; call [`Decoder::finish`] when there is no more to feed.
///
/// Every piece that is fed gives all it can at once: a compressed stream flows like a plain one.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// Fed and not yet decoded.
    input: Bytes,
}

/// Why a body cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// The coding is none that we ask for.
    #[error("content-encoding `{0}` was not asked for")]
    Unsupported(String),
    /// The compressed data ended before its end.
    #[error("the answer's {0} data ends too soon")]
    Truncated(&'static str),
    /// The compressed data is wrong.
    #[error("the answer's {0} data is broken: {1}")]
    Corrupt(&'static str, &'static str),
}

#[derive(Debug)]
enum State {
    Sniffing(Label),
    Identity,
    Inflating(Box<Inflater>),
    Unsupported(String),
}

/// What the header says, which need not be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Plain,
    Gzip,
    Deflate,
}

impl Decoder {
    /// A decoder for the body of a response with these headers.
    pub fn new(headers: &HeaderMap) -> Self {
        let text: Vec<String> = headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase())
            .collect();
        let codings: Vec<&str> = text
            .iter()
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|coding| !matches!(*coding, "" | "identity"))
            .collect();
        let state = match *codings {
            [] => State::Sniffing(Label::Plain),
            ["gzip" | "x-gzip"] => State::Sniffing(Label::Gzip),
            ["deflate"] => State::Sniffing(Label::Deflate),
            _ => State::Unsupported(codings.join(", ").chars().take(64).collect()),
        };
        Self { state, input: Bytes::new() }
    }

    /// Takes the next piece of the body.
    pub fn feed(&mut self, data: Bytes) {
        if self.input.is_empty() {
            self.input = data;
        } else {
            self.input = [&*self.input, &*data].concat().into();
        }
    }

    /// The next decoded piece; `None` if there is none without more input.
    pub fn next_piece(&mut self) -> Result<Option<Bytes>, Undecodable> {
        loop {
            match &mut self.state {
                State::Sniffing(label) => match sniff(*label, &self.input) {
                    Some(state) => self.state = state,
                    None => return Ok(None),
                },
                State::Identity | State::Unsupported(_) if self.input.is_empty() => return Ok(None),
                State::Identity => {
                    let piece = std::mem::take(&mut self.input);
                    return Ok(Some(piece));
                }
                State::Inflating(inflater) => return inflater.next(&mut self.input),
                State::Unsupported(coding) => return Err(Undecodable::Unsupported(coding.clone())),
            }
        }
    }

    /// Says that the body has ended; [`Decoder::next_piece`] may have a last piece.
    pub fn finish(&mut self) -> Result<(), Undecodable> {
        match &self.state {
            State::Sniffing(Label::Plain) => self.state = State::Identity,
            State::Sniffing(_) if self.input.is_empty() => {}
            State::Sniffing(Label::Gzip) => return Err(Undecodable::Truncated(Format::Gzip.as_str())),
            State::Sniffing(Label::Deflate) => return Err(Undecodable::Truncated(Format::Raw.as_str())),
            State::Identity | State::Unsupported(_) => {}
            State::Inflating(inflater) => return inflater.finish(),
        }
        Ok(())
    }
}

/// How the body is really coded, by its first two bytes; `None` if more of it is needed.
fn sniff(label: Label, start: &[u8]) -> Option<State> {
    match (label, start) {
        (Label::Plain, [first, ..]) if *first != gzip::MAGIC[0] => Some(State::Identity),
        (_, [] | [_]) => None,
        (_, [first, second, ..]) if [*first, *second] == gzip::MAGIC => Some(inflating(Format::Gzip)),
        (Label::Plain, _) => Some(State::Identity),
        (Label::Gzip, _) => Some(inflating(Format::Gzip)),
        (Label::Deflate, [first, second, ..]) => {
            // RFC 1950, section 2.2: method 8, a window of at most 32 KB, a header divisible by 31.
            let wrapped = first & 0x0f == 8
                && first >> 4 <= 7
                && u16::from_be_bytes([*first, *second]).is_multiple_of(31);
            Some(inflating(if wrapped { Format::Zlib } else { Format::Raw }))
        }
    }
}

fn inflating(format: Format) -> State {
    State::Inflating(Box::new(Inflater::new(format)))
}

/// What is wrapped round the deflated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Gzip,
    Zlib,
    Raw,
}

impl Format {
    fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zlib | Self::Raw => "deflate",
        }
    }
}

struct Inflater {
    format: Format,
    inflate: Decompress,
    checksum: Crc,
    stage: Stage,
    buffer: Box<[u8]>,
}

enum Stage {
    /// Of the first gzip member or a later one.
    Header(gzip::Header),
    Data,
    Trailer(gzip::Trailer),
    /// Whatever follows is not part of the answer.
    Done,
}

impl Inflater {
    fn new(format: Format) -> Self {
        let stage = match format {
            Format::Gzip => Stage::Header(gzip::Header::first()),
            Format::Zlib | Format::Raw => Stage::Data,
        };
        Self {
            format,
            inflate: Decompress::new(format == Format::Zlib),
            checksum: Crc::new(),
            stage,
            buffer: vec![0; PIECE].into(),
        }
    }

    fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, Undecodable> {
        loop {
            match &mut self.stage {
                Stage::Header(header) => match header.read(input)? {
                    gzip::Read::More => return Ok(None),
                    gzip::Read::Whole => self.stage = Stage::Data,
                    gzip::Read::Foreign => self.stage = Stage::Done,
                },
                Stage::Data => {
                    let (consumed, piece) = self.inflate(input)?;
                    if !piece.is_empty() {
                        return Ok(Some(piece));
                    }
                    if consumed == 0 && matches!(self.stage, Stage::Data) {
                        return Ok(None);
                    }
                }
                Stage::Trailer(trailer) => {
                    if !trailer.read(input, &self.checksum)? {
                        return Ok(None);
                    }
                    self.inflate.reset(false);
                    self.checksum.reset();
                    self.stage = Stage::Header(gzip::Header::later());
                }
                Stage::Done => {
                    input.clear();
                    return Ok(None);
                }
            }
        }
    }

    /// One step: how many bytes it took from `input`, and what it made of them.
    fn inflate(&mut self, input: &mut Bytes) -> Result<(usize, Bytes), Undecodable> {
        let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(input, &mut self.buffer, FlushDecompress::None)
            .map_err(|_| Undecodable::Corrupt(self.format.as_str(), "not a deflate stream"))?;
        let consumed = length(self.inflate.total_in() - read);
        let piece = &self.buffer[..length(self.inflate.total_out() - written)];
        input.advance(consumed);
        self.checksum.update(piece);
        if status == Status::StreamEnd {
            self.stage = match self.format {
                Format::Gzip => Stage::Trailer(gzip::Trailer::default()),
                Format::Zlib | Format::Raw => Stage::Done,
            };
        }
        Ok((consumed, Bytes::copy_from_slice(piece)))
    }

    fn finish(&self) -> Result<(), Undecodable> {
        match &self.stage {
            Stage::Header(header) if header.may_end() => Ok(()),
            Stage::Done => Ok(()),
            Stage::Header(_) | Stage::Data | Stage::Trailer(_) => {
                Err(Undecodable::Truncated(self.format.as_str()))
            }
        }
    }
}

/// A count of bytes that lie in memory.
fn length(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("format", &self.format).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
