//! A provider for tests: the test itself reads and writes its sockets, byte by byte.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::answer::Body;
use super::client::Client;
use super::{Call, Connected, Credential, Upstream as _};
use crate::config::{Connections, Cors, Key, KeyOrder, Provider, Runtime, Secrets, Server};
use crate::retry::{Fault, Policy, Quota};
use crate::route::{Candidate, Edits, ProviderId, Routes, Timeouts};

/// Whatever takes longer than this on loopback will never happen.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// A listening provider on a port of its own.
pub(super) struct Peer {
    listener: TcpListener,
    pub(super) address: SocketAddr,
}

impl Peer {
    pub(super) async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        Self { listener, address }
    }

    pub(super) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> Socket {
        let (stream, _) =
            timeout(SOON, self.listener.accept()).await.expect("a connection").expect("no error");
        Socket { stream }
    }

    /// Fails if anyone has connected.
    pub(super) async fn expect_nobody(&self) {
        let accepted = timeout(Duration::from_millis(50), self.listener.accept()).await;
        assert!(accepted.is_err(), "an unexpected connection");
    }
}

/// The provider's end of a connection.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
}

/// A request as it came in.
pub(super) struct Seen {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Socket {
    /// Reads one request, its body as long as `content-length` says.
    pub(super) async fn request(&mut self) -> Seen {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
                break at + 4;
            }
            let read = timeout(SOON, self.stream.read_buf(&mut bytes)).await.expect("a request");
            assert_ne!(read.expect("no error"), 0, "closed before the end of a request");
        };
        let mut body = bytes.split_off(end);
        let head = String::from_utf8(bytes).expect("a head in ASCII");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
        while body.len() < length {
            assert_ne!(self.stream.read_buf(&mut body).await.expect("no error"), 0, "closed in a body");
        }
        assert_eq!(body.len(), length, "more than one request");
        Seen { head, body }
    }

    pub(super) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("the other side still listens");
    }

    /// Reads one request and answers it.
    pub(super) async fn answer(&mut self, bytes: impl AsRef<[u8]>) {
        self.request().await;
        self.say(bytes).await;
    }

    /// Waits for the other side to close, which it must soon do.
    pub(super) async fn expect_close(mut self) {
        let read = timeout(SOON, self.stream.read(&mut [0; 64])).await.expect("a close within a second");
        assert_eq!(read.unwrap_or(0), 0, "bytes instead of a close");
    }

    /// Reads on until the other side closes, which it must soon do; how much there was.
    pub(super) async fn drain(mut self) -> io::Result<u64> {
        let mut nowhere = tokio::io::sink();
        let copied = tokio::io::copy(&mut self.stream, &mut nowhere);
        timeout(SOON, copied).await.expect("a close within a second")
    }

    /// Ends the connection with a reset.
    pub(super) fn reset(self) {
        self.stream.set_zero_linger().expect("a socket");
    }
}

/// A client of one provider.
pub(super) fn client(base_url: &str) -> Client {
    Client::new(Arc::new(runtime(provider(base_url)))).expect("a usable provider")
}

/// A key without limits.
pub(super) fn key(secret: &str) -> Key {
    Key { name: "1".into(), secret: secret.into(), quota: Quota::default() }
}

pub(super) fn provider(base_url: &str) -> Provider {
    let base_url = base_url.parse().expect("a URL");
    Provider {
        name: "peer".into(),
        base_url,
        keys: Vec::new(),
        key_order: KeyOrder::default(),
        quota: Quota::default(),
        headers: HeaderMap::new(),
        connections: Connections::default(),
    }
}

pub(super) fn runtime(provider: Provider) -> Runtime {
    Runtime {
        server: Server {
            listen: ([127, 0, 0, 1], 0).into(),
            max_body: 1 << 20,
            max_answer: 1 << 20,
            cors: Cors::Loopback,
            grace: SOON,
            head_after: SOON,
            workers: None,
            trust_user_headers: false,
        },
        providers: vec![provider],
        routes: Routes::default(),
        users: Vec::new(),
        secrets: Secrets::default(),
    }
}

pub(super) fn candidate() -> Candidate {
    Candidate {
        provider: ProviderId(0),
        provider_name: "peer".into(),
        model: "model".into(),
        policy: Policy::default(),
        timeouts: Timeouts::default(),
        headers: HeaderMap::new(),
        edits: Edits::default(),
        prefill: None,
    }
}

/// Sends an attempt with `body`.
pub(super) async fn send(client: &Client, body: Vec<Bytes>) -> Result<Response<Box<Body>>, Fault> {
    send_within(client, body, SOON).await
}

pub(super) async fn send_within(
    client: &Client,
    body: Vec<Bytes>,
    connect: Duration,
) -> Result<Response<Box<Body>>, Fault> {
    send_call(client, &candidate(), body, connect).await
}

/// Sends an attempt to another candidate.
pub(super) async fn send_to(client: &Client, candidate: &Candidate) -> Result<Response<Box<Body>>, Fault> {
    send_call(client, candidate, vec![Bytes::from_static(b"{}")], SOON).await
}

async fn send_call(
    client: &Client,
    candidate: &Candidate,
    body: Vec<Bytes>,
    connect: Duration,
) -> Result<Response<Box<Body>>, Fault> {
    let client_headers = HeaderMap::new();
    let call = Call {
        candidate,
        credential: Credential::Shared(0),
        connect,
        connected: &Connected::default(),
        fresh: false,
        client_headers: &client_headers,
        body,
        stream: true,
    };
    client.send(call).await
}

/// Sends an attempt and reads the answer to its end.
pub(super) async fn ask(client: &Client) -> Result<(StatusCode, Bytes), Fault> {
    let response = send(client, vec![Bytes::from_static(b"{}")]).await?;
    Ok((response.status(), response.into_body().collect().await?.to_bytes()))
}

/// The same on a thread of its own, whose runtime does nothing any more once the answer is there.
pub(super) fn ask_on_a_thread(client: &Arc<Client>) -> oneshot::Receiver<Result<(StatusCode, Bytes), Fault>> {
    let (client, (told, answer)) = (Arc::clone(client), oneshot::channel());
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        told.send(Box::leak(Box::new(runtime)).block_on(ask(&client)))
    });
    answer
}
