//! The server over real sockets: clients are raw connections, so that they can misbehave.

use std::convert::Infallible;
use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use backstop::app;
use backstop::config::{Connections, Cors, KeyOrder, Provider, Runtime, Secrets, Server};
use backstop::relay::{Drain, Signal};
use backstop::retry::{Fault, Policy, Quota};
use backstop::route::{Candidate, Card, Chain, Edits, ProgressMode, ProviderId, Route, Routes, Timeouts};
use backstop::server::accept;
use backstop::server::front::Front;
use backstop::server::workers::Workers;
use backstop::server::{self, Limits, Summary};
use backstop::upstream::{Call, Upstream};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

mod ends;
mod limits;
mod lines;
mod origins;
mod paths;
mod process;
mod readers;
mod wire;
mod workers;

/// A provider that never says anything.
struct Silent;

impl Upstream for Silent {
    type Body = BoxBody<Bytes, Fault>;

    async fn send(&self, _: Call<'_>) -> Result<http::Response<Self::Body>, Fault> {
        pending().await
    }
}

fn route(name: &str) -> Arc<Route> {
    let candidate = Candidate {
        provider: ProviderId(0),
        provider_name: "nvidia".into(),
        model: "kimi".into(),
        policy: Policy::default(),
        timeouts: Timeouts::default(),
        headers: http::HeaderMap::new(),
        edits: Edits::default(),
        prefill: None,
    };
    let card = Card {
        title: Some("Full fat".to_owned()),
        description: Some("The large one".to_owned()),
        ..Card::default()
    };
    let chain = Chain::try_new(vec![candidate]).unwrap();
    let route = Route::new(name.into(), chain, Policy::default());
    Arc::new(Route { card, progress: Some(ProgressMode::Off), ..route })
}

fn runtime(max_body: usize, cors: Cors) -> Arc<Runtime> {
    Arc::new(Runtime {
        server: Server {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            max_body,
            max_answer: 1000,
            cors,
            grace: Duration::from_millis(300),
            head_after: Duration::from_secs(15),
            workers: None,
            trust_user_headers: false,
        },
        providers: vec![Provider {
            name: "silent".into(),
            base_url: "http://127.0.0.1:1".parse().unwrap(),
            keys: Vec::new(),
            key_order: KeyOrder::default(),
            quota: Quota::default(),
            headers: http::HeaderMap::new(),
            connections: Connections::default(),
        }],
        routes: Routes::new(vec![route("fullfat"), route("moonshotai/kimi-k2.5")], Vec::new()),
        users: Vec::new(),
        secrets: Secrets::default(),
    })
}

/// A free port of this machine.
const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Limits that a test can wait for.
const QUICK: Limits = Limits {
    head: Duration::from_millis(200),
    idle: Duration::from_millis(500),
    body: Duration::from_millis(200),
};

/// A server on a port of its own; dropping it ends it.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinSet<Summary>,
}

impl Running {
    /// The real paths before a provider that never answers.
    async fn paths(cors: Cors, limits: Limits) -> Self {
        Self::with_bodies_of(1000, cors, limits).await
    }

    /// The same for bodies of at most `max_body` bytes.
    async fn with_bodies_of(max_body: usize, cors: Cors, limits: Limits) -> Self {
        let runtime = runtime(max_body, cors);
        let listener = TcpListener::bind(ANYWHERE).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let stopped = async { drop(stopped.await) };
            app::run_with(listener, runtime, Silent, limits, Workers::here(), stopped).await.unwrap()
        });
        Self { address, stop, task }
    }

    /// `answer` in place of the paths, behind the same front.
    fn answering(drain: Drain, answer: impl Fn(Request) -> Response + Clone + Send + Sync + 'static) -> Self {
        Self::answering_within(Limits::default(), drain, answer)
    }

    /// The same with other limits.
    fn answering_within(
        limits: Limits,
        drain: Drain,
        answer: impl Fn(Request) -> Response + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::answering_on(Workers::here(), limits, drain, answer)
    }

    /// The same on these workers.
    fn answering_on(
        workers: Workers,
        limits: Limits,
        drain: Drain,
        answer: impl Fn(Request) -> Response + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = accept::listen(ANYWHERE).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let service = tower::service_fn(move |request| {
                let answer = answer.clone();
                async move { Ok::<_, Infallible>(answer(request)) }
            });
            let front = Front::new(service, Cors::Loopback, drain.clone());
            let grace = Duration::from_millis(300);
            let stopped = async { drop(stopped.await) };
            server::serve(listener, workers, front, limits, &drain, grace, stopped).await
        });
        Self { address, stop, task }
    }

    async fn client(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// The answer to one request on a connection of its own.
    async fn ask(&self, request: &str) -> Answer {
        let mut client = self.client().await;
        client.send(request).await;
        client.answer().await
    }

    /// Ends it and waits for the end.
    async fn stop(self) -> Summary {
        let Self { stop, mut task, .. } = self;
        drop(stop);
        let ended = timeout(Duration::from_secs(30), task.join_next()).await;
        ended.expect("an end within half a minute").unwrap().unwrap()
    }
}

/// A client that does what it is told, byte by byte.
struct Client(TcpStream);

impl Client {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        self.answer().await
    }

    /// Reads to the end of a head and the body that it announces.
    async fn answer(&mut self) -> Answer {
        let head = self.until("\r\n\r\n").await;
        let mut answer = Answer { head: head.to_ascii_lowercase(), body: String::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        answer.body = String::from_utf8(body).unwrap();
        answer
    }

    /// Reads up to and including `mark`.
    async fn until(&mut self, mark: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(mark.as_bytes()) {
            let byte = timeout(Duration::from_secs(10), self.0.read_u8()).await.expect("bytes in time");
            text.push(
                byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&text))),
            );
        }
        String::from_utf8(text).unwrap()
    }

    /// Everything up to the end of the connection.
    async fn rest(&mut self) -> String {
        let mut text = String::new();
        let read = timeout(Duration::from_secs(10), self.0.read_to_string(&mut text)).await;
        read.expect("an end in time").unwrap();
        text
    }
}

/// A response.
#[derive(Debug)]
struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        lines.filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }

    fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }
}

fn post(body: &str) -> String {
    format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn text(body: &'static str) -> Response {
    Response::new(Body::from(body))
}
