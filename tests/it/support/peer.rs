//! A provider played by the test itself, for when the order of things on both sides matters.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::soon;

/// Where connections of the proxy arrive.
#[derive(Debug)]
pub struct Peer {
    listener: TcpListener,
}

impl Peer {
    /// Listens on a free port.
    pub fn start() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // What is sent is then nearly what was taken.
        socket.set_send_buffer_size(64 * 1024).unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self { listener: socket.listen(64).unwrap() }
    }

    /// The base URL of its API.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.listener.local_addr().unwrap())
    }

    /// Waits for the next request on a connection of its own.
    pub async fn asked(&self) -> Asked {
        let (stream, _) = soon("connection at the provider", self.listener.accept()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut asked = Asked { stream };
        asked.read_request().await;
        asked
    }
}

/// A request that waits for its answer.
#[derive(Debug)]
pub struct Asked {
    stream: TcpStream,
}

impl Asked {
    async fn read_request(&mut self) {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
                break at + 4;
            }
            assert_ne!(soon("request", self.stream.read_buf(&mut bytes)).await.unwrap(), 0);
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let whole = end + length.parse::<usize>().unwrap();
        while bytes.len() < whole {
            assert_ne!(soon("request body", self.stream.read_buf(&mut bytes)).await.unwrap(), 0);
        }
    }

    /// Begins to answer with a stream.
    pub async fn begin(&mut self) {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        self.stream.write_all(head.as_bytes()).await.unwrap();
    }

    /// Sends `bytes` as one chunk; waits for as long as nobody takes it.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.stream.write_all(&chunk).await.unwrap();
    }

    /// Ends the stream in order.
    pub async fn end(&mut self) {
        self.stream.write_all(b"0\r\n\r\n").await.unwrap();
    }
}
