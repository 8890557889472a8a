//! The client of the tests against the simulated provider.

use std::time::Duration;

use backstop::server::Summary;
use backstop::sim::{Act, Ended, Finish, Framing, Provider, Script};
use tokio::net::TcpStream;

use super::{Call, Connection, End, proxy, route_to, soon};

#[tokio::test]
async fn reads_streams_and_whole_answers() {
    let provider = Provider::start(Act::answer("Hello there")).unwrap();

    let mut streamed = Call::stream("m").send(provider.address()).await;
    let mut whole = Call::whole("m").header("x-test", "1").send(provider.address()).await;

    assert_eq!((streamed.status, streamed.content().await.as_str()), (200, "Hello there"));
    assert!(streamed.at > provider.request(0).unwrap().at);
    assert_eq!(whole.header("content-type"), "application/json");
    assert_eq!(whole.json().await["choices"][0]["message"]["content"], "Hello there");
    assert_eq!(provider.request(1).unwrap().header("x-test"), "1");
}

#[tokio::test]
async fn sees_frames_when_they_come() {
    let pace = Duration::from_millis(30);
    let act = Act::events([": hi\n\n", "data: 1\n\n", "data: 2\n\n"]).pace(pace);
    let provider = Provider::start(act).unwrap();

    let mut answer = Call::stream("m").send(provider.address()).await;
    let first = answer.frame().await.unwrap();
    let second = answer.frame().await.unwrap();

    assert_eq!((&*first.bytes, &*second.bytes), (&b": hi\n\n"[..], &b"data: 1\n\n"[..]));
    assert!(second.at - first.at >= pace / 2);
    assert_eq!(answer.event().await, Ok("data: 2".into()));
    assert_eq!(answer.data().await, Err(End::Clean));
}

#[tokio::test]
async fn tells_torn_from_clean() {
    let cut = || Act::answer("a b").cut_after(1);
    for (act, expected) in [
        (cut(), End::Clean),
        (cut().then(Finish::Eof), End::Torn),
        (cut().then(Finish::Reset), End::Torn),
        (cut().then(Finish::BrokenChunking), End::Torn),
        (cut().framing(Framing::UntilClose), End::Clean),
        (Act::status(500).framing(Framing::LongLength(1)), End::Torn),
    ] {
        let provider = Provider::start(act.clone()).unwrap();

        let (_, end) = Call::stream("m").send(provider.address()).await.rest().await;

        assert_eq!(end, expected, "{act:?}");
    }
}

#[tokio::test]
async fn keeps_and_leaves_connections() {
    let provider = Provider::start(Script::sequence([Act::echo(), Act::echo(), Act::hang()])).unwrap();

    let mut answer = Call::get("/x").send(provider.address()).await;
    answer.text().await;
    let mut connection = answer.into_connection();
    connection.write(&Call::post("/x", "{}").bytes()).await;
    connection.head().await.unwrap().into_connection().reset();
    soon("close", provider.wait_closed(1)).await;
    let connection = Call::whole("m").start(provider.address()).await;
    soon("request", provider.wait_for(3)).await;
    drop(connection);

    assert_eq!(soon("end", provider.wait_ended(2)).await, Ended::ClientLeft);
    assert_eq!(provider.connections(), 2);
    let provider = Provider::start(Act::close()).unwrap();
    let mut connection = Connection::open(provider.address()).await;
    connection.write(&Call::whole("m").bytes()).await;
    assert!(connection.head().await.is_err());
}

#[tokio::test]
async fn serves_a_configuration_until_it_is_told_to_stop() {
    let provider = Provider::start(Act::echo()).unwrap();
    let proxy = proxy(&route_to(&provider)).await;
    let address = proxy.address;

    assert_eq!(Call::stream("r").send(address).await.content().await, "m");

    assert_eq!(proxy.stop().await, Summary { under_way: 0, cut: 0 });
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
