//! A client on a bare socket, which sees each frame as it comes and how the body ends.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::memmem;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::soon;

/// A request before it is sent.
#[derive(Debug, Clone)]
pub struct Call {
    head: String,
    body: Bytes,
}

impl Call {
    /// A request without a body.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path, Bytes::new())
    }

    /// A request with a JSON body.
    pub fn post(path: &str, body: impl Into<Bytes>) -> Self {
        Self::new("POST", path, body.into()).header("content-type", "application/json")
    }

    /// A chat with one message for `model`, streamed.
    pub fn stream(model: &str) -> Self {
        Self::chat(model, true)
    }

    /// A chat with one message for `model`, answered whole.
    pub fn whole(model: &str) -> Self {
        Self::chat(model, false)
    }

    fn chat(model: &str, stream: bool) -> Self {
        let messages = r#"[{"role":"user","content":"Hello"}]"#;
        let body = format!(r#"{{"model":"{model}","stream":{stream},"messages":{messages}}}"#);
        Self::post("/v1/chat/completions", body)
    }

    /// A request of any method.
    pub fn new(method: &str, path: &str, body: Bytes) -> Self {
        Self { head: format!("{method} {path} HTTP/1.1\r\nhost: backstop.test\r\n"), body }
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head += name;
        self.head += ": ";
        self.head += value;
        self.head += "\r\n";
        self
    }

    /// The request as it is sent.
    pub fn bytes(&self) -> Vec<u8> {
        let length = self.body.len();
        let mut bytes = match length {
            0 => format!("{}\r\n", self.head),
            length => format!("{}content-length: {length}\r\n\r\n", self.head),
        }
        .into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends it on a connection of its own and waits for the head of the answer.
    pub async fn send(&self, address: SocketAddr) -> Answer {
        self.start(address).await.head().await.expect("an answer")
    }

    /// Sends it on a connection of its own and waits for nothing.
    pub async fn start(&self, address: SocketAddr) -> Connection {
        let mut connection = Connection::open(address).await;
        connection.write(&self.bytes()).await;
        connection
    }
}

/// A connection; dropping it is leaving.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Connection {
    /// Connects to `address`.
    pub async fn open(address: SocketAddr) -> Self {
        Self::over(soon("connection", TcpStream::connect(address)).await.expect("a connection"))
    }

    /// Takes a socket that is connected.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a socket");
        Self { stream, buffer: BytesMut::new() }
    }

    /// Sends bytes as they are.
    pub async fn write(&mut self, bytes: &[u8]) {
        soon("room to write", self.stream.write_all(bytes)).await.expect("an open connection");
    }

    /// Waits for the head of an answer; an error if the connection ends without one.
    pub async fn head(mut self) -> io::Result<Answer> {
        let head = loop {
            if let Some(at) = memmem::find(&self.buffer, b"\r\n\r\n") {
                break self.buffer.split_to(at + 4);
            }
            if soon("response head", self.stream.read_buf(&mut self.buffer)).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let at = Instant::now();
        let head = std::str::from_utf8(&head).expect("a head in ASCII");
        let (first, lines) = head.split_once("\r\n").expect("a status line");
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let mut headers = HeaderMap::new();
        for (name, value) in lines.lines().filter_map(|line| line.split_once(": ")) {
            let name: HeaderName = name.parse().expect("a header name");
            headers.append(name, HeaderValue::from_str(value).expect("a header value"));
        }
        let length =
            headers.get("content-length").map(|value| value.to_str().ok().and_then(|n| n.parse().ok()));
        let framing = match length {
            Some(length) => Framing::Left(length.expect("a length")),
            None if headers.contains_key("transfer-encoding") => Framing::Chunks,
            None => Framing::UntilClose,
        };
        Ok(Answer { connection: self, status, headers, at, framing, end: None, text: BytesMut::new() })
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        self.stream.set_zero_linger().expect("a socket");
    }
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Clean,
    /// The connection ended first.
    Torn,
}

/// A piece of a body, as it was framed.
#[derive(Debug, Clone)]
pub struct Frame {
    /// When it had come.
    pub at: Instant,
    /// What it holds.
    pub bytes: Bytes,
}

#[derive(Debug)]
enum Framing {
    Left(usize),
    Chunks,
    UntilClose,
}

/// An answer whose body is read piece by piece.
#[derive(Debug)]
pub struct Answer {
    connection: Connection,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// When the head had come.
    pub at: Instant,
    framing: Framing,
    end: Option<End>,
    /// What has come of events that are not yet taken.
    text: BytesMut,
}

impl Answer {
    /// A header as text, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header in ASCII"))
    }

    /// The next frame, or how the body ended.
    pub async fn frame(&mut self) -> Result<Frame, End> {
        if let Some(end) = self.end {
            return Err(end);
        }
        let read = soon("frame", self.read()).await;
        read.map(|bytes| Frame { at: Instant::now(), bytes }).map_err(|end| *self.end.insert(end))
    }

    /// The next event or comment without the blank line after it, or how the body ended.
    pub async fn event(&mut self) -> Result<String, End> {
        loop {
            if let Some(at) = memmem::find(&self.text, b"\n\n") {
                let event = self.text.split_to(at + 2);
                return Ok(String::from_utf8(event[..at].to_vec()).expect("an event in UTF-8"));
            }
            let frame = self.frame().await?;
            self.text.extend_from_slice(&frame.bytes);
        }
    }

    /// The data of the next event, comments passed over.
    pub async fn data(&mut self) -> Result<String, End> {
        loop {
            if let Some(data) = self.event().await?.strip_prefix("data: ") {
                return Ok(data.to_owned());
            }
        }
    }

    /// The rest of the body and how it ended.
    pub async fn rest(&mut self) -> (Bytes, End) {
        let mut all = self.text.split();
        loop {
            match self.frame().await {
                Ok(frame) => all.extend_from_slice(&frame.bytes),
                Err(end) => return (all.freeze(), end),
            }
        }
    }

    /// The rest of the body as text; it must end well.
    pub async fn text(&mut self) -> String {
        let (body, end) = self.rest().await;
        let body = String::from_utf8(body.to_vec()).expect("a body in UTF-8");
        assert_eq!(end, End::Clean, "{body}");
        body
    }

    /// The body as JSON.
    pub async fn json(&mut self) -> Value {
        let body = self.text().await;
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    /// The text of a streamed answer, which must end with `[DONE]` and hold no error.
    pub async fn content(&mut self) -> String {
        let mut content = String::new();
        loop {
            let data =
                self.data().await.unwrap_or_else(|end| panic!("{end:?} without `[DONE]` after {content}"));
            if data == "[DONE]" {
                assert_eq!(self.frame().await.map(|frame| frame.bytes), Err(End::Clean), "after `[DONE]`");
                return content;
            }
            let chunk: Value = serde_json::from_str(&data).expect("a chunk in JSON");
            assert!(chunk.get("error").is_none(), "{data} after {content}");
            content += chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
        }
    }

    /// The connection, for another request once the body is read, or for a reset.
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    async fn read(&mut self) -> Result<Bytes, End> {
        match self.framing {
            Framing::Left(0) => Err(End::Clean),
            Framing::Left(left) => {
                self.fill(1).await?;
                let taken = left.min(self.connection.buffer.len());
                self.framing = Framing::Left(left - taken);
                Ok(self.connection.buffer.split_to(taken).freeze())
            }
            Framing::Chunks => {
                let line = self.line().await?;
                let size = usize::from_str_radix(line.trim_end(), 16).map_err(|_| End::Torn)?;
                if size == 0 {
                    while self.line().await? != "\r\n" {}
                    return Err(End::Clean);
                }
                self.fill(size + 2).await?;
                let chunk = self.connection.buffer.split_to(size + 2).freeze();
                Ok(chunk.slice(..size))
            }
            Framing::UntilClose => match self.fill(1).await {
                Ok(()) => Ok(self.connection.buffer.split().freeze()),
                Err(_) => Err(End::Clean),
            },
        }
    }

    async fn line(&mut self) -> Result<String, End> {
        loop {
            let buffer = &mut self.connection.buffer;
            if let Some(at) = memmem::find(buffer, b"\r\n") {
                return Ok(String::from_utf8_lossy(&buffer.split_to(at + 2)).into_owned());
            }
            let more = buffer.len() + 1;
            self.fill(more).await?;
        }
    }

    /// Reads until at least `length` bytes are there.
    async fn fill(&mut self, length: usize) -> Result<(), End> {
        let Connection { stream, buffer } = &mut self.connection;
        while buffer.len() < length {
            if matches!(stream.read_buf(buffer).await, Ok(0) | Err(_)) {
                return Err(End::Torn);
            }
        }
        Ok(())
    }
}
