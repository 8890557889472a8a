//! Authorities of a provider's own, sessions that are resumed, and tunnels.

use bytes::Bytes;
use http::StatusCode;
use rustls::HandshakeKind;
use tokio::net::TcpListener;
use tokio_rustls::server;

use super::*;
use crate::config::{Provider, Proxy, Runtime};
use crate::retry::Fault;

const SELF_SIGNED: &[u8] = include_bytes!("../../../../tests/fixtures/tls/self-signed.pem");
const SELF_SIGNED_EXPIRED: &[u8] = include_bytes!("../../../../tests/fixtures/tls/self-signed-expired.pem");

async fn listening() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// A provider at `host` that is trusted if `pem` vouches for it.
fn provider(host: &str, port: u16, pem: Option<&[u8]>) -> Provider {
    let mut provider = peer::provider(&format!("https://{host}:{port}/v1"));
    provider.connections.authorities =
        pem.map(|pem| Authorities::try_new("ca.pem", pem).expect("certificates"));
    provider
}

fn client(provider: Provider) -> Client {
    Client::new(Arc::new(peer::runtime(provider))).expect("a usable provider")
}

/// Shakes hands on the next connection, answers a request and closes; how hands were shaken.
async fn serve(listener: &TcpListener, acceptor: &TlsAcceptor) -> Option<HandshakeKind> {
    let (socket, _) = listener.accept().await.expect("a connection");
    let mut stream: server::TlsStream<TcpStream> = acceptor.accept(socket).await.ok()?;
    answer(&mut stream).await;
    let kind = stream.get_ref().1.handshake_kind();
    stream.shutdown().await.expect("a reader");
    kind
}

/// What comes of asking a server that shows `certificate`, if `pem` vouches for it.
async fn asked(certificate: &[u8], host: &str, pem: Option<&[u8]>) -> Result<StatusCode, Fault> {
    let (listener, port) = listening().await;
    let client = client(provider(host, port, pem));
    let acceptor = acceptor(certificate);
    let (answer, _) = join!(peer::ask(&client), serve(&listener, &acceptor));
    answer.map(|(status, _)| status)
}

#[tokio::test]
async fn a_file_vouches_for_its_provider() {
    let both = [SELF_SIGNED, AUTHORITY].concat();
    for (certificate, host, pem, problem) in [
        (LOCALHOST, "localhost", Some(AUTHORITY), None),
        (LOCALHOST, "localhost", Some(&both[..]), None),
        (LOCALHOST, "localhost", Some(LOCALHOST), None),
        (SELF_SIGNED, "localhost", Some(SELF_SIGNED), None),
        (LOCALHOST, "localhost", None, Some("certificate of an unknown issuer")),
        (LOCALHOST, "127.0.0.1", Some(LOCALHOST), Some("certificate is for another name")),
        (SELF_SIGNED, "127.0.0.1", Some(SELF_SIGNED), Some("certificate is for another name")),
        (EXPIRED, "localhost", Some(AUTHORITY), Some("certificate has expired")),
        (SELF_SIGNED_EXPIRED, "localhost", Some(SELF_SIGNED_EXPIRED), Some("certificate has expired")),
        (SELF_SIGNED, "localhost", Some(AUTHORITY), Some("certificate of an authority, not of a server")),
    ] {
        let answer = asked(certificate, host, pem).await;

        let result = answer.map_err(|fault| (fault.reason, fault.advice));
        let expected = problem.map_or(Ok(StatusCode::OK), |problem| {
            let reason = format!("TLS handshake with `{host}` failed: {problem}");
            Err((reason, problem.starts_with("certificate of an").then_some(crate::upstream::tls::ADVICE)))
        });
        assert_eq!(result, expected);
    }
}

#[tokio::test]
async fn a_second_handshake_is_a_resumed_one() {
    let (listener, port) = listening().await;
    let client = client(provider("localhost", port, Some(AUTHORITY)));
    let acceptor = acceptor(LOCALHOST);

    for kind in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
        let (answer, seen) = join!(peer::ask(&client), serve(&listener, &acceptor));

        assert!(answer.is_ok(), "{answer:?}");
        assert_eq!(seen, Some(kind));
    }
}

/// The sessions of one that is trusted let nobody else in, though they are of the same server.
#[tokio::test]
async fn trust_is_not_shared() {
    let (listener, port) = listening().await;
    let mut runtime: Runtime = peer::runtime(provider("localhost", port, Some(AUTHORITY)));
    runtime.providers.push(provider("localhost", port, None));
    let client = Client::new(Arc::new(runtime)).expect("usable providers");
    let acceptor = acceptor(LOCALHOST);

    let (first, _) = join!(peer::ask(&client), serve(&listener, &acceptor));
    let mut candidate = peer::candidate();
    candidate.provider = crate::route::ProviderId(1);
    let (second, seen) = join!(peer::send_to(&client, &candidate), serve(&listener, &acceptor));

    assert!(first.is_ok(), "{first:?}");
    let reason = second.expect_err("a fault").reason;
    assert_eq!(reason, "TLS handshake with `localhost` failed: certificate of an unknown issuer");
    assert_eq!(seen, None);
}

#[tokio::test]
async fn a_tunnel_leads_to_the_provider() {
    let (listener, port) = listening().await;
    let proxy = peer::Peer::bind().await;
    let mut provider = provider("localhost", port, Some(AUTHORITY));
    let url = format!("http://{}", proxy.address);
    provider.connections.proxy = Some(Proxy::parse(&url).expect("a proxy").proxy);
    let client = client(provider);
    let acceptor = acceptor(LOCALHOST);
    let tunnel = async {
        let mut socket = proxy.accept().await;
        let head = socket.request().await.head;
        let mut there = TcpStream::connect(("127.0.0.1", port)).await.expect("a provider");
        socket.say("HTTP/1.0 200 Connection established\r\nvia: proxy\r\n\r\n").await;
        tokio::io::copy_bidirectional(&mut socket.stream, &mut there).await.expect("two ends");
        head
    };

    let (answer, kind, head) = join!(
        async {
            let answer = peer::ask(&client).await;
            drop(client);
            answer
        },
        serve(&listener, &acceptor),
        tunnel
    );

    assert_eq!(answer, Ok((StatusCode::OK, Bytes::from("ok"))));
    assert_eq!(kind, Some(HandshakeKind::Full));
    assert!(head.starts_with(&format!("CONNECT localhost:{port} HTTP/1.1\r\n")), "{head}");
    assert!(!head.contains("proxy-authorization"), "{head}");
}
