//! A connection to a client: requests in, bytes out, and an eye on whether the client is still there.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Request;

/// The client closed the connection, or sent what is no HTTP.
#[derive(Debug)]
pub(super) struct Gone;

/// A connection to a client.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    /// What has arrived and is not yet read.
    buffer: BytesMut,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        // Frames must leave one by one; without it they only might.
        let _ = stream.set_nodelay(true);
        Self { stream, buffer: BytesMut::new() }
    }

    /// Reads the next request whole.
    pub(super) async fn request(&mut self, connection: u64) -> Result<Request, Gone> {
        let head = self.until(b"\r\n\r\n").await?;
        let Some((method, path, headers)) = parse_head(&head) else {
            self.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await?;
            return Err(Gone);
        };
        if headers.contains_key(EXPECT) {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let body = if headers.contains_key(TRANSFER_ENCODING) {
            self.chunked().await?
        } else {
            let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
            self.exactly(length.unwrap_or(0)).await?
        };
        Ok(Request { at: Instant::now(), method, path, headers, body, connection, ended: None, closed: None })
    }

    /// Waits for `duration`, or for ever, unless the client leaves.
    pub(super) async fn rest(&mut self, duration: Option<Duration>) -> Result<(), Gone> {
        let Some(duration) = duration else {
            loop {
                self.fill().await?;
            }
        };
        if duration.is_zero() {
            return Ok(());
        }
        let end = tokio::time::sleep(duration);
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return Ok(()),
                filled = self.fill() => filled?,
            }
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.stream.write_all(bytes).await.map_err(|_| Gone)
    }

    /// Ends the connection in order.
    pub(super) async fn close(mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Ends the connection with a reset.
    pub(super) fn reset(self) {
        let _ = self.stream.set_zero_linger();
    }

    /// Waits for the first byte of another request and leaves it unread.
    pub(super) async fn wait_for_more(&mut self) -> Result<(), Gone> {
        if self.buffer.is_empty() && !matches!(self.stream.peek(&mut [0]).await, Ok(1)) {
            return Err(Gone);
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<(), Gone> {
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => Err(Gone),
            Ok(_) => Ok(()),
        }
    }

    /// Everything up to and with `end`.
    async fn until(&mut self, end: &[u8]) -> Result<Bytes, Gone> {
        loop {
            if let Some(at) = memmem::find(&self.buffer, end) {
                return Ok(self.buffer.split_to(at + end.len()).freeze());
            }
            self.fill().await?;
        }
    }

    async fn exactly(&mut self, length: usize) -> Result<Bytes, Gone> {
        while self.buffer.len() < length {
            self.buffer.reserve(length - self.buffer.len());
            self.fill().await?;
        }
        Ok(self.buffer.split_to(length).freeze())
    }

    async fn chunked(&mut self) -> Result<Bytes, Gone> {
        let mut body = BytesMut::new();
        loop {
            let line = self.until(b"\r\n").await?;
            let size = std::str::from_utf8(&line).ok().and_then(|line| line.trim().split(';').next());
            let size = size.and_then(|size| usize::from_str_radix(size, 16).ok()).ok_or(Gone)?;
            if size == 0 {
                while self.until(b"\r\n").await?.len() > 2 {}
                return Ok(body.freeze());
            }
            body.extend_from_slice(&self.exactly(size).await?);
            self.exactly(2).await?;
        }
    }
}

fn parse_head(head: &[u8]) -> Option<(Method, String, HeaderMap)> {
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let method = first.next()?.parse().ok()?;
    let path = first.next()?.to_owned();
    let mut headers = HeaderMap::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?);
    }
    Some((method, path, headers))
}
