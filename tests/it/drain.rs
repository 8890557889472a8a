//! The end of the process: what becomes of those who connect, wait and read meanwhile.

use std::time::{Duration, Instant};

use backstop::server::Summary;
use backstop::sim::{Act, Ended, Finish, Provider, Script};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::support::events::{DONE, HELLO, STOP};
use crate::support::{Call, Connection, End, Log, Peer, Program, proxy, route, soon};

/// The keys of a server with this grace, whose heads go out early after this time.
fn server(grace: &str, head_after: &str) -> String {
    format!(
        "retry = {{ attempt_delay = \"60s\" }}\n[server]\ngrace = \"{grace}\"\nhead_after = \"{head_after}\""
    )
}

/// Waits until nobody can connect any more: the drain has begun.
async fn refused(address: std::net::SocketAddr) {
    soon("refusal", async { while TcpStream::connect(address).await.is_ok() {} }).await;
}

#[tokio::test]
async fn a_stream_under_way_goes_on_to_its_end_and_nothing_new_begins() {
    let peer = Peer::start();
    let proxy = proxy(&route([peer.base_url()], &server("30s", "15s"))).await;
    let address = proxy.address;
    let connection = Call::stream("r").start(address).await;
    let mut provider = peer.asked().await;
    provider.begin().await;
    provider.say(HELLO).await;
    let mut stream = connection.head().await.unwrap();
    assert_eq!(stream.event().await.unwrap(), HELLO.trim_end());
    let (mut watcher, mut late) = (Connection::open(address).await, Connection::open(address).await);
    watcher.write(&Call::get("/health/ready").bytes()).await;
    let mut ready = watcher.head().await.unwrap();
    assert_eq!((ready.status, ready.json().await["status"].as_str()), (200, Some("ready")));
    let mut watcher = ready.into_connection();

    proxy.begin_stop();
    refused(address).await;

    watcher.write(&Call::get("/health/ready").bytes()).await;
    let ready = watcher.head().await.expect("an answer on an open connection");
    assert_eq!((ready.status, ready.header("connection")), (503, "close"));
    late.write(&Call::stream("r").bytes()).await;
    let mut refusal = late.head().await.expect("an answer on an open connection");
    assert_eq!(
        (refusal.status, refusal.header("retry-after"), refusal.header("x-should-retry")),
        (503, "1", "")
    );
    assert_eq!(refusal.json().await["error"]["code"], "shutting_down");

    provider.say([HELLO, STOP, DONE].concat()).await;
    provider.end().await;
    assert_eq!(stream.text().await, [HELLO, STOP, DONE].concat());
    assert_eq!(proxy.stop().await, Summary { under_way: 1, cut: 0 });
}

#[tokio::test]
async fn a_pause_ends_at_once_with_a_503() {
    let provider = Provider::start(Script::always(Act::status(429))).unwrap();
    let proxy = proxy(&route([provider.base_url()], &server("30s", "15s"))).await;
    let stream = Call::stream("r").start(proxy.address).await;
    let whole = Call::whole("r").start(proxy.address).await;
    soon("failure", async { tokio::join!(provider.wait_ended(0), provider.wait_ended(1)) }).await;
    let began = Instant::now();

    let (summary, stream, whole) = tokio::join!(proxy.stop(), stream.head(), whole.head());

    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(summary, Summary { under_way: 2, cut: 0 });
    for answer in [stream, whole] {
        let mut answer = answer.expect("an answer");
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
        assert_eq!(answer.header("x-should-retry"), "", "asking again elsewhere is right");
        let error = answer.json().await;
        assert_eq!(error["error"]["code"], "shutting_down");
        assert_eq!(error["error"]["metadata"]["attempts"][0]["code"], "rate_limited");
    }
    assert_eq!(provider.count(), 2);
}

#[tokio::test]
async fn a_pause_after_an_early_head_ends_at_once_in_band() {
    let provider = Provider::start(Script::always(Act::status(429))).unwrap();
    let proxy = proxy(&route([provider.base_url()], &server("30s", "50ms"))).await;
    let mut answer = Call::stream("r").send(proxy.address).await;
    assert!(answer.event().await.unwrap().starts_with(": "));
    soon("failure", provider.wait_ended(0)).await;
    let began = Instant::now();

    let (summary, error) = tokio::join!(proxy.stop(), answer.data());

    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(summary, Summary { under_way: 1, cut: 0 });
    let error: Value = serde_json::from_str(&error.expect("an error event")).unwrap();
    assert_eq!(error["error"]["code"], "shutting_down");
    assert_eq!(error["error"]["metadata"]["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(answer.text().await, DONE);
}

#[tokio::test]
async fn after_the_grace_a_stream_ends_with_the_error_event() {
    let provider = Provider::start(Act::events([HELLO]).then(Finish::Stall)).unwrap();
    let proxy = proxy(&route([provider.base_url()], &server("300ms", "15s"))).await;
    let mut answer = Call::stream("r").send(proxy.address).await;
    assert_eq!(answer.event().await.unwrap(), HELLO.trim_end());
    let began = Instant::now();

    let (summary, error) = tokio::join!(proxy.stop(), answer.data());

    assert!(began.elapsed() >= Duration::from_millis(300), "no sooner: {:?}", began.elapsed());
    assert_eq!(summary, Summary { under_way: 1, cut: 0 });
    let error: Value = serde_json::from_str(&error.expect("an error event")).unwrap();
    assert!(error.get("choices").is_none());
    assert_eq!(error["error"]["code"], "shutting_down");
    assert_eq!(answer.rest().await, (DONE.into(), End::Clean));
    assert_eq!(soon("end", provider.wait_ended(0)).await, Ended::ClientLeft);
}

#[tokio::test]
async fn after_the_grace_a_stream_that_has_finished_ends_well() {
    let provider = Provider::start(Act::events([HELLO, STOP]).then(Finish::Stall)).unwrap();
    let proxy = proxy(&route([provider.base_url()], &server("100ms", "15s"))).await;
    let mut answer = Call::stream("r").send(proxy.address).await;
    assert_eq!(answer.event().await.unwrap(), HELLO.trim_end());

    let (summary, rest) = tokio::join!(proxy.stop(), answer.text());

    assert_eq!(summary, Summary { under_way: 1, cut: 0 });
    assert_eq!(rest, [STOP, DONE].concat());
}

#[tokio::test]
async fn an_attempt_has_the_grace_to_answer() {
    let peer = Peer::start();
    let proxy = proxy(&route([peer.base_url()], &server("30s", "15s"))).await;
    let address = proxy.address;
    let connection = Call::stream("r").start(address).await;
    let mut provider = peer.asked().await;

    proxy.begin_stop();
    refused(address).await;
    provider.begin().await;
    provider.say([HELLO, STOP, DONE].concat()).await;

    assert_eq!(connection.head().await.unwrap().text().await, [HELLO, STOP, DONE].concat());
    assert_eq!(proxy.stop().await.cut, 0);
}

#[tokio::test]
async fn an_attempt_without_an_answer_ends_with_the_grace() {
    let provider = Provider::start(Act::hang()).unwrap();
    let proxy = proxy(&route([provider.base_url()], &server("200ms", "15s"))).await;
    let connection = Call::whole("r").start(proxy.address).await;
    soon("attempt", provider.wait_for(1)).await;

    let (summary, answer) = tokio::join!(proxy.stop(), connection.head());

    assert_eq!(summary, Summary { under_way: 1, cut: 0 });
    let mut answer = answer.expect("an answer");
    assert_eq!((answer.status, answer.json().await["error"]["code"].as_str()), (503, Some("shutting_down")));
    assert_eq!(soon("end", provider.wait_ended(0)).await, Ended::ClientLeft);
}

/// The program before a provider at `base_url`, with a long grace.
async fn serve(base_url: &str) -> Program {
    Program::serve(Some(&route([base_url], &server("30s", "15s"))), &[]).await
}

#[tokio::test]
async fn either_signal_lets_the_program_finish_its_streams() {
    for signal in ["TERM", "INT"] {
        let peer = Peer::start();
        let mut program = serve(&peer.base_url()).await;
        let connection = Call::stream("r").start(program.address).await;
        let mut provider = peer.asked().await;
        provider.begin().await;
        provider.say(HELLO).await;
        let mut answer = connection.head().await.unwrap();
        assert_eq!(answer.event().await.unwrap(), HELLO.trim_end());

        program.signal(signal);
        program.line("waiting for open requests").await;
        assert!(program.is_running());
        provider.say([STOP, DONE].concat()).await;

        assert_eq!(answer.text().await, [STOP, DONE].concat(), "{signal}");
        assert_eq!(program.ended().await.0, Some(0), "{signal}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_program_in_the_middle_of_a_stream() {
    let provider = Provider::start(Act::events([HELLO]).then(Finish::Stall)).unwrap();
    let mut program = serve(&provider.base_url()).await;
    let mut answer = Call::stream("r").send(program.address).await;
    assert_eq!(answer.event().await.unwrap(), HELLO.trim_end());

    program.signal("INT");
    program.line("waiting for open requests").await;
    program.signal("TERM");

    // Whether the last words still go out is a race, but without them it must not look whole.
    let (rest, end) = answer.rest().await;
    match end {
        End::Torn => {}
        End::Clean => assert!(memchr::memmem::find(&rest, b"shutting_down").is_some(), "{rest:?}"),
    }
    assert_eq!(program.ended().await.0, Some(130));
    assert_eq!(soon("end", provider.wait_ended(0)).await, Ended::ClientLeft);
}

#[tokio::test]
async fn who_is_cut_off_at_once_is_no_client_that_left() {
    let log = Log::begin();
    let provider = Provider::start(Act::tokens(3).cut_after(2).then(Finish::Stall)).unwrap();
    let proxy = proxy(&route([provider.base_url()], &server("30s", "15s"))).await;
    let mut stream = Call::stream("r").send(proxy.address).await;
    stream.event().await.unwrap();

    drop(proxy);

    log.ended(1).await;
    assert_eq!(log.outcomes(), ["shutting_down"]);
}
