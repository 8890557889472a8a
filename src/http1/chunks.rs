//! The chunked transfer coding (RFC 9112, section 7.1).

/// The most bytes of chunk extensions in one body; hyper's limit.
const EXTENSIONS: u32 = 16 * 1024;

/// The most bytes of trailers in one body; hyper's limit.
const TRAILERS: u32 = 16 * 1024;

/// The most lines of trailers in one body; hyper's limit.
const TRAILER_LINES: u32 = 100;

/// Finds the payload between the sizes, byte by byte.
///
/// A line ends with CR LF, a size has a digit and fits 64 bits, and nothing but white space or an extension
/// follows it. Extensions and trailers are skipped; what the lines of trailers hold is looked at where it may
/// hide another message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunks {
    state: State,
    /// How much of the chunk is to come; while its line is read, what the digits say so far.
    left: u64,
    extensions: u32,
    trailers: u32,
    trailer_lines: u32,
    /// Each trailer must be one.
    is_strict: bool,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The first digit of a size.
    Size,
    MoreSize,
    AfterSize,
    Extension,
    SizeLf,
    Payload,
    PayloadCr,
    PayloadLf,
    /// A trailer, or the CR of the empty line that ends it all.
    Trailer,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    End,
}

/// What is wrong with the coding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadChunk {
    /// No digit where one belongs, or something behind them.
    #[error("invalid chunk size")]
    Size,
    /// More than 16 digits that count.
    #[error("a chunk size beyond 64 bits")]
    Overflow,
    /// Extensions without end.
    #[error("more than 16 KiB of chunk extensions")]
    Extensions,
    /// A line that does not end with CR LF.
    #[error("no line end after {0}")]
    LineEnd(&'static str),
    /// A line that is no trailer.
    #[error("invalid trailer")]
    Trailer,
    /// Trailers without end.
    #[error("more than 16 KiB or 100 lines of trailers")]
    Trailers,
}

impl Default for Chunks {
    fn default() -> Self {
        Self::new()
    }
}

impl Chunks {
    /// The beginning of a body that is all there at its trailers, whatever they hold: that of a response.
    pub fn new() -> Self {
        Self { state: State::Size, left: 0, extensions: 0, trailers: 0, trailer_lines: 0, is_strict: false }
    }

    /// The beginning of a body behind which others may have seen another message, had the trailers a line that
    /// is none: that of a request.
    pub fn strict() -> Self {
        Self { is_strict: true, ..Self::new() }
    }

    /// Whether the last chunk and the trailers have gone by.
    pub fn is_ended(&self) -> bool {
        self.state == State::End
    }

    /// Takes the next piece of payload off `input`; nothing if there is none without more input,
    /// all of which is then taken unless the body ends in it.
    pub fn payload<'b>(&mut self, input: &mut &'b [u8]) -> Result<Option<&'b [u8]>, BadChunk> {
        while self.state != State::End {
            if self.state == State::Payload {
                let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
                if most == 0 {
                    return Ok(None);
                }
                let (payload, rest) = input.split_at(most);
                *input = rest;
                self.left -= most as u64;
                if self.left == 0 {
                    self.state = State::PayloadCr;
                }
                return Ok(Some(payload));
            }
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(None);
            };
            self.state = self.after(byte)?;
            *input = rest;
        }
        Ok(None)
    }

    fn after(&mut self, byte: u8) -> Result<State, BadChunk> {
        Ok(match (self.state, byte) {
            (State::Size | State::MoreSize, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                self.left = self.longer(byte).ok_or(BadChunk::Overflow)?;
                State::MoreSize
            }
            (State::MoreSize | State::AfterSize, b' ' | b'\t') => State::AfterSize,
            (State::MoreSize | State::AfterSize, b';') => State::Extension,
            (State::MoreSize | State::AfterSize | State::Extension, b'\r') => State::SizeLf,
            (State::Size | State::MoreSize | State::AfterSize, _) => return Err(BadChunk::Size),
            (State::Extension, b'\n') => return Err(BadChunk::LineEnd("a chunk extension")),
            (State::Extension, _) => {
                self.extensions += 1;
                if self.extensions == EXTENSIONS {
                    return Err(BadChunk::Extensions);
                }
                State::Extension
            }
            (State::SizeLf, b'\n') if self.left == 0 => State::Trailer,
            (State::SizeLf, b'\n') => State::Payload,
            (State::SizeLf, _) => return Err(BadChunk::LineEnd("a chunk size")),
            (State::PayloadCr, b'\r') => State::PayloadLf,
            (State::PayloadLf, b'\n') => State::Size,
            (State::PayloadCr | State::PayloadLf, _) => return Err(BadChunk::LineEnd("a chunk")),
            (State::Trailer, b'\r') => State::LastLf,
            (State::Trailer | State::TrailerName | State::TrailerValue, _) => {
                let next = self.in_trailer(byte)?;
                self.trailer(next)?
            }
            (State::TrailerLf, b'\n') => {
                self.trailer_lines += 1;
                if self.trailer_lines > TRAILER_LINES {
                    return Err(BadChunk::Trailers);
                }
                self.trailer(State::Trailer)?
            }
            (State::TrailerLf, _) => return Err(BadChunk::LineEnd("a trailer")),
            (State::LastLf, b'\n') => State::End,
            (State::LastLf, _) => return Err(BadChunk::LineEnd("the last chunk")),
            (state @ (State::Payload | State::End), _) => state,
        })
    }

    fn longer(&self, digit: u8) -> Option<u64> {
        let digit = char::from(digit).to_digit(16)?;
        self.left.checked_mul(16)?.checked_add(digit.into())
    }

    /// What follows a byte of a trailer.
    fn in_trailer(&self, byte: u8) -> Result<State, BadChunk> {
        match (self.state, byte) {
            (State::TrailerValue, b'\r') => Ok(State::TrailerLf),
            _ if !self.is_strict => Ok(State::TrailerValue),
            (State::Trailer, b'\n') => Err(BadChunk::LineEnd("the last chunk")),
            (State::TrailerValue, b'\n') => Err(BadChunk::LineEnd("a trailer")),
            (State::TrailerName, b':') | (State::TrailerValue, b'\t' | b' '..=b'~' | 0x80..) => {
                Ok(State::TrailerValue)
            }
            (State::Trailer | State::TrailerName, byte) if is_token(byte) => Ok(State::TrailerName),
            _ => Err(BadChunk::Trailer),
        }
    }

    /// Counts a byte of the trailers.
    fn trailer(&mut self, next: State) -> Result<State, BadChunk> {
        self.trailers += 1;
        if self.trailers == TRAILERS { Err(BadChunk::Trailers) } else { Ok(next) }
    }
}

/// Whether a name may hold this byte (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
