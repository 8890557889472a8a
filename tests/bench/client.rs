//! One keep-alive connection of a load generator: it writes prepared bytes and counts what comes back.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::upstream::epoch;

/// A request, ready to be written.
pub fn request(path: &str, model: &str, stream: bool, length: usize) -> Vec<u8> {
    let beginning =
        format!(r#"{{"model":"{model}","stream":{stream},"messages":[{{"role":"user","content":""#);
    let end = r#""}]}"#;
    let filling = "y".repeat(length.saturating_sub(beginning.len() + end.len()));
    let body = beginning + &filling + end;
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nauthorization: Bearer sk-bench\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// What came back.
#[derive(Debug, Default, Clone, Copy)]
pub struct Seen {
    /// The status of the response.
    pub status: u16,
    /// How many events it held, `[DONE]` and comments not counted.
    pub events: u64,
    /// The time from the first byte written to the first one read.
    pub first_byte: Duration,
}

/// A keep-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// How the end of a body is found.
#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
    Close,
}

impl Connection {
    /// Connects to `address`.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Writes `request` and reads the response to its end; `late` is told of each event how long it was under
    /// way from where it was made.
    pub async fn exchange(&mut self, request: &[u8], late: &mut impl FnMut(Duration)) -> io::Result<Seen> {
        let began = Instant::now();
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut seen = Seen::default();
        let head = loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            self.read().await?;
            if seen.first_byte.is_zero() {
                seen.first_byte = began.elapsed();
            }
        };
        let (status, framing) = parse(&self.buffer[..head]).ok_or_else(|| broken("no HTTP response"))?;
        seen.status = status;
        self.buffer.drain(..head);
        match framing {
            Framing::Length(length) => {
                let mut left = length.saturating_sub(self.buffer.len());
                while left > 0 {
                    self.buffer.clear();
                    left = left.saturating_sub(self.read().await?);
                }
            }
            Framing::Chunked => self.chunks(&mut seen, late).await?,
            Framing::Close => while self.read().await.is_ok() {},
        }
        Ok(seen)
    }

    /// Reads chunks, and counts the events in them; none of ours is longer than the buffer.
    async fn chunks(&mut self, seen: &mut Seen, late: &mut impl FnMut(Duration)) -> io::Result<()> {
        let mut events = Vec::new();
        loop {
            let (size, from) = loop {
                if let Some(line) = memchr::memmem::find(&self.buffer, b"\r\n") {
                    let text = str::from_utf8(&self.buffer[..line]).map_err(|_| broken("a chunk size"))?;
                    let size = usize::from_str_radix(text, 16).map_err(|_| broken("a chunk size"))?;
                    break (size, line + 2);
                }
                self.read().await?;
            };
            while self.buffer.len() < from + size + 2 {
                self.read().await?;
            }
            if size == 0 {
                return Ok(());
            }
            events.extend_from_slice(&self.buffer[from..from + size]);
            self.buffer.drain(..from + size + 2);
            let now = epoch().elapsed();
            let mut start = 0;
            while let Some(length) = memchr::memmem::find(&events[start..], b"\n\n") {
                let event = &events[start..start + length];
                start += length + 2;
                if event.starts_with(b"data: {") {
                    seen.events += 1;
                    if let Some(made) = made(event) {
                        late(now.saturating_sub(made));
                    }
                }
            }
            events.drain(..start);
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

/// When the event was made.
fn made(event: &[u8]) -> Option<Duration> {
    let from = memchr::memmem::rfind(event, b"\" at ")? + 5;
    let digits = event[from..].split(|byte| !byte.is_ascii_digit()).next()?;
    Some(Duration::from_nanos(str::from_utf8(digits).ok()?.parse().ok()?))
}

fn parse(head: &[u8]) -> Option<(u16, Framing)> {
    let head = str::from_utf8(head).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut framing = Framing::Close;
    for (name, value) in head.split("\r\n").filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            framing = Framing::Length(value.trim().parse().ok()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Framing::Chunked;
        }
    }
    Some((status, framing))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the proxy sent no {what}"))
}
