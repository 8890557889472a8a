//! Clients that read their answers slowly, or not at all.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use backstop::config::{self, Environment, Overrides, Source};
use backstop::sim::{Act, Ended, Provider};
use backstop::upstream::client::Client as Real;
use http_body::Frame;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;
use crate::support::{Log, route_to, soon};

const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// More than sockets hold.
const PIECES: usize = 400;
const PIECE: Bytes = Bytes::from_static(&[b'x'; 16 * 1024]);

/// An answer that is there as fast as it is read.
struct Plenty {
    left: usize,
    _dropped: DropGuard,
}

impl http_body::Body for Plenty {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(PIECE))))
    }
}

fn plenty(gone: &CancellationToken) -> Running {
    let guard = gone.clone();
    Running::answering_within(QUICK, Drain::default(), move |_| {
        Response::new(Body::new(Plenty { left: PIECES, _dropped: guard.clone().drop_guard() }))
    })
}

#[tokio::test]
async fn who_does_not_read_is_let_go() {
    let gone = CancellationToken::new();
    let server = plenty(&gone);
    let mut client = server.client().await;
    let began = Instant::now();

    client.send(GET).await;
    timeout(QUICK.idle * 6, gone.cancelled()).await.expect("the answer to be dropped");

    assert!(began.elapsed() >= QUICK.idle, "no sooner than its limit: {:?}", began.elapsed());
    let mut rest = Vec::new();
    assert!(client.0.read_to_end(&mut rest).await.is_err(), "a cut answer must not look whole");
    assert_eq!(server.stop().await, Summary { under_way: 0, cut: 0 });
}

#[tokio::test]
async fn who_reads_slowly_gets_it_all() {
    let gone = CancellationToken::new();
    let server = plenty(&gone);
    let mut client = server.client().await;
    let began = Instant::now();

    client.send(GET).await;
    let mut piece = vec![0; 64 * 1024];
    while began.elapsed() < QUICK.idle * 3 {
        tokio::time::sleep(QUICK.idle / 20).await;
        assert!(client.0.read(&mut piece).await.unwrap() > 0);
    }
    assert!(!gone.is_cancelled(), "there is more to read");

    let mut last = Vec::new();
    while !last.ends_with(b"0\r\n\r\n") {
        let read = client.0.read(&mut piece).await.unwrap();
        assert!(read > 0, "an end, not a cut");
        last.extend_from_slice(&piece[..read]);
    }
}

/// Backstop before `provider`, with limits that a test can wait for.
fn relaying(provider: &Provider) -> (SocketAddr, JoinSet<io::Result<Summary>>) {
    let source = Source::Text { name: "test.toml".to_owned(), text: route_to(provider) };
    let loaded = config::load(&source, &Environment::new(), &Overrides::default());
    let runtime = Arc::new(loaded.unwrap_or_else(|faults| panic!("{faults}")).runtime);
    let upstream = Real::new(Arc::clone(&runtime)).unwrap();
    let listener = accept::listen(ANYWHERE).unwrap();
    let address = listener.local_addr().unwrap();
    let mut task = JoinSet::new();
    task.spawn(app::run_with(listener, runtime, upstream, QUICK, Workers::here(), pending()));
    (address, task)
}

#[tokio::test]
async fn a_provider_is_not_kept_for_who_does_not_read() {
    let provider = Provider::start(Act::tokens(40_000)).unwrap();
    let (address, _task) = relaying(&provider);
    let mut client = Client(TcpStream::connect(address).await.unwrap());

    client.send(&post(r#"{"model":"r","stream":true,"messages":[]}"#)).await;

    assert_eq!(soon("end of the attempt", provider.wait_ended(0)).await, Ended::ClientLeft);
}

#[tokio::test]
async fn an_answer_is_no_success_before_it_has_gone_out() {
    let log = Log::begin();
    let ask = async |length: usize| {
        let provider = Provider::start(Act::answer("x".repeat(length)).whole()).unwrap();
        let (address, task) = relaying(&provider);
        let mut client = Client(TcpStream::connect(address).await.unwrap());
        client.send(&post(r#"{"model":"r","messages":[]}"#)).await;
        let head = client.until("\r\n\r\n").await;
        let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
        (client, length.parse::<usize>().unwrap(), task)
    };
    // What is round the text.
    let around = ask(1).await.1 - 1;
    log.ended(1).await;
    let (all, much) = (64 * 1024 - around, 10_000_000);

    for (length, share, outcome) in [
        (all - 1, 1, "ok"),
        // From here on it is more than a write.
        (all, 1, "ok"),
        (all + 1, 1, "ok"),
        (much, 1, "ok"),
        (much, 10, "client_gone"),
        (much, usize::MAX, "client_gone"),
    ] {
        let before = log.access().len();
        let (mut client, announced, _task) = ask(length).await;
        assert_eq!(announced, length + around);
        let mut body = vec![0; announced / share];
        client.0.read_exact(&mut body).await.unwrap();
        // Who reads nothing stays.
        let _stays = body.is_empty().then_some(client);

        log.ended(before + 1).await;

        assert_eq!(log.access()[before]["outcome"], outcome, "1/{share} of {announced} bytes");
    }
}
