//! Failures before there is a head: no connection, a connection that ends, silence.

use std::time::Duration;

use backstop::sim::{Act, Finish, Provider, Refusing, Script, Unanswering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::Row;
use crate::support::settings::ONCE;
use crate::support::{Call, Refusal, providers, proxy, soon};

pub async fn connect() -> Vec<Row> {
    let refusing = Refusing::start().unwrap();
    let (plain, task) = plain_server().await;
    // No name may have a part of more than 63 characters, so nobody is asked about it.
    let unknown = format!("http://{}.invalid/v1", "x".repeat(64));
    vec![
        Row::unreachable("refused", refusing.base_url(), "connection refused by 127.0.0.1:")
            .holding(refusing),
        Row::unreachable("no such name", unknown, "could not resolve `xxxx"),
        Row::unreachable("TLS to a plain port", plain, "the other side does not speak TLS").holding(task),
    ]
}

/// A server that takes whatever comes for a bad request.
async fn plain_server() -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("https://{}/v1", listener.local_addr().unwrap());
    let mut task = JoinSet::new();
    task.spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _hello = socket.read(&mut [0; 4096]).await;
            let _gone = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    (base_url, task)
}

pub fn reset() -> Vec<Row> {
    let inside = Act::raw("HTTP/1.1 200 OK\r\ncontent-ty");
    vec![
        Row::before("a reset", Act::reset(), "connection reset before the response head"),
        Row::before("a close", Act::close(), "connection closed before the response head"),
        Row::before("a close inside the head", inside.clone(), "connection closed inside the response head"),
        Row::before("a reset inside the head", inside.then(Finish::Reset), "inside the response head"),
    ]
}

pub async fn timeout() -> Vec<Row> {
    let unanswering = Unanswering::start().await.unwrap();
    let no_head = r#"timeouts = { first_byte = "30ms" }"#;
    let no_payload = r#"timeouts = { first_token = "30ms" }"#;
    let comments = Act::hang_after_head().comments_every(Duration::from_millis(10));
    let role = Act::answer("Hello").cut_after(1).then(Finish::Stall);
    vec![
        Row::unreachable("no connection", unanswering.base_url(), "(connect)")
            .with(r#"timeouts = { connect = "30ms" }"#)
            .holding(unanswering),
        Row::before("no head", Act::hang(), "(first_byte)").with(no_head),
        Row::inside("no payload", Act::hang_after_head(), "(first_token)").with(no_payload),
        Row::inside("no more than a role", role, "(first_token)").with(no_payload),
        Row::inside("comments are no payload", comments, "(first_token)").with(no_payload).streamed(),
    ]
}

#[tokio::test]
async fn an_attempt_that_timed_out_is_hung_up_on() {
    let provider = Provider::start(Act::hang()).unwrap();
    let limit = "timeouts.first_byte = \"50ms\"\n";
    let proxy = proxy(&format!("{limit}{ONCE}{}", providers(&[("bad", &provider)]))).await;

    Refusal::read(Call::whole("bad/m").send(proxy.address).await).await;

    soon("close", provider.wait_closed(0)).await;
    assert_eq!(provider.count(), 1);
}

/// The provider closed the connection while it was kept: that is no attempt.
#[tokio::test]
async fn a_stale_connection_costs_no_attempt() {
    for stale in [Finish::DropNext, Finish::Close] {
        let script = Script::exactly([Act::answer("one").then(stale), Act::answer("two")]);
        let provider = Provider::start(script).unwrap();
        let proxy = proxy(&providers(&[("kept", &provider)])).await;

        for text in ["one", "two"] {
            let mut answer = Call::stream("kept/m").send(proxy.address).await;
            assert_eq!((answer.status, answer.header("x-backstop-attempts")), (200, "1"), "{stale:?}");
            assert_eq!(answer.content().await, text, "{stale:?}");
        }

        assert_eq!(provider.check(), Ok(()), "{stale:?}");
        assert_eq!(provider.connections(), 2, "{stale:?}");
    }
}

/// It is sent again once; what happens on the new connection counts.
#[tokio::test]
async fn a_stale_connection_is_replaced_once() {
    let script = Script::exactly([Act::answer("one").then(Finish::DropNext), Act::reset()]);
    let provider = Provider::start(script).unwrap();
    let proxy = proxy(&format!("{ONCE}{}", providers(&[("kept", &provider)]))).await;

    Call::stream("kept/m").send(proxy.address).await.content().await;
    let refusal = Refusal::read(Call::stream("kept/m").send(proxy.address).await).await;

    assert_eq!((refusal.status, refusal.error.code.as_str()), (502, "reset"));
    assert_eq!(refusal.asked(), ["kept"]);
    assert_eq!(provider.check(), Ok(()));
    assert_eq!(provider.connections(), 2);
}
