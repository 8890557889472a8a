//! Clients that do not read: they hold up their own provider, and nobody else.

use std::time::Duration;

use backstop::sim::{Act, Provider};
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::events::{DONE, STOP};
use crate::support::{Call, Connection, End, Peer, Proxy, proxy, route, soon};

/// What the provider would send if it could.
const MOST: usize = 64 << 20;

/// What may be under way: the buffers of four sockets and our own.
const UNDER_WAY: usize = 16 << 20;

/// After this time without progress a writer is held back, and a silent provider would be given up.
const STUCK: Duration = Duration::from_millis(400);

/// A provider with a lot to say and a client that has not read a byte of it.
struct Stage {
    proxy: Proxy,
    /// A provider of short answers.
    other: Provider,
    client: Connection,
    /// How many bytes of events the provider has sent.
    sent: watch::Receiver<usize>,
    writer: JoinSet<()>,
}

impl Stage {
    async fn begin() -> Self {
        let peer = Peer::start();
        let other = Provider::start(Act::answer("Hello there")).unwrap();
        let rest = "timeouts = { idle = \"300ms\" }";
        let proxy = proxy(&route([peer.base_url(), other.base_url()], rest)).await;
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let mut client = Connection::over(socket.connect(proxy.address).await.unwrap());
        client.write(&Call::stream("r").bytes()).await;

        let mut provider = peer.asked().await;
        let (progress, sent) = watch::channel(0);
        let mut writer = JoinSet::new();
        writer.spawn(async move {
            let event = event();
            provider.begin().await;
            for count in 1..=MOST / event.len() {
                provider.say(&event).await;
                progress.send_replace(count * event.len());
            }
            provider.say([STOP, DONE].concat()).await;
        });
        Self { proxy, other, client, sent, writer }
    }

    /// Waits until the provider gets no further, and says how far it came.
    async fn stuck(&mut self) -> usize {
        while let Ok(changed) = timeout(STUCK, self.sent.changed()).await {
            changed.expect("all was sent to a client that reads nothing");
        }
        *self.sent.borrow()
    }
}

fn event() -> String {
    let word = "x".repeat(32_000);
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}}}}]}}\n\n")
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_its_provider_back_and_nobody_else() {
    let mut stage = Stage::begin().await;

    let sent = stage.stuck().await;
    assert!(sent < UNDER_WAY, "{} MB went to a client that reads nothing", sent >> 20);
    for _ in 0..20 {
        let mut answer = Call::stream("q/m").send(stage.proxy.address).await;
        assert_eq!(answer.content().await, "Hello there");
    }
    assert_eq!(stage.other.count(), 20);
    assert_eq!(*stage.sent.borrow(), sent, "it still reads nothing");

    // It reads on: not a byte is missing, and its own silence was not the provider's.
    let mut answer = stage.client.head().await.unwrap();
    let mut read = 0;
    let mut last = Vec::new();
    while let Ok(frame) = answer.frame().await {
        read += frame.bytes.len();
        last.extend_from_slice(&frame.bytes);
        last.drain(..last.len().saturating_sub(STOP.len() + DONE.len()));
    }
    let event = event();
    assert_eq!(read, MOST / event.len() * event.len() + STOP.len() + DONE.len());
    assert_eq!(String::from_utf8(last).unwrap(), [STOP, DONE].concat());
    assert_eq!(answer.frame().await.map(|frame| frame.bytes), Err(End::Clean));
}

#[tokio::test]
async fn a_client_that_leaves_without_reading_frees_its_provider() {
    let mut stage = Stage::begin().await;
    stage.stuck().await;

    drop(stage.client);

    // The write that was held back fails, which ends the writer.
    let ended = timeout(Duration::from_secs(1), stage.writer.join_next()).await;
    let failed = ended.expect("the provider's connection to be closed within a second").unwrap();
    assert!(failed.unwrap_err().is_panic());
    let stopped = soon("stop", stage.proxy.stop()).await;
    assert_eq!(stopped.under_way, 0);
}
