use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::join;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::upstream::client::Client;
use crate::upstream::peer;

const AUTHORITY: &[u8] = include_bytes!("../../../tests/fixtures/tls/authority.pem");
const LOCALHOST: &[u8] = include_bytes!("../../../tests/fixtures/tls/localhost.pem");
const EXPIRED: &[u8] = include_bytes!("../../../tests/fixtures/tls/expired.pem");
const KEY: &[u8] = include_bytes!("../../../tests/fixtures/tls/key.pem");

fn certificate_of(pem: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem).expect("a certificate")
}

/// A client that trusts nobody but `authority`.
fn trusting(authority: &[u8]) -> Tls {
    let mut roots = RootCertStore::empty();
    roots.add(certificate_of(authority)).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Tls::trusting(config)
}

fn acceptor(certificate: &[u8]) -> TlsAcceptor {
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate_of(certificate)], key)
        .expect("a pair");
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn an_attempt_over_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let runtime = Arc::new(peer::runtime(peer::provider(&format!("https://localhost:{port}/v1"))));
    let client = Client::with_tls(runtime, trusting(AUTHORITY)).expect("a usable provider");

    let (answers, head) = join!(async { (peer::ask(&client).await, peer::ask(&client).await) }, async {
        let (socket, _) = listener.accept().await.expect("a connection");
        let mut stream = acceptor(LOCALHOST).accept(socket).await.expect("a handshake");
        let mut bytes = Vec::new();
        for _ in 0..2 {
            bytes.clear();
            while !bytes.ends_with(b"{}") {
                stream.read_buf(&mut bytes).await.expect("a request");
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.expect("a reader");
        }
        String::from_utf8(bytes).expect("text")
    });

    assert_eq!(answers.0, Ok((http::StatusCode::OK, bytes::Bytes::from("ok"))));
    assert_eq!(answers.1, answers.0);
    assert!(head.contains(&format!("host: localhost:{port}\r\n")), "{head}");
}

#[tokio::test]
async fn a_handshake_that_fails_says_why() {
    for (certificate, authority, host, why) in [
        (LOCALHOST, EXPIRED, "localhost", "certificate of an unknown issuer"),
        (EXPIRED, AUTHORITY, "localhost", "certificate has expired"),
        (LOCALHOST, AUTHORITY, "other.example", "certificate is for another name"),
        (LOCALHOST, AUTHORITY, "no name", "the name can stand in no certificate"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let socket =
            TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
        let tls = trusting(authority);

        let (shaken, _) = join!(tls.handshake(host, socket), async {
            let (socket, _) = listener.accept().await.expect("a connection");
            acceptor(certificate).accept(socket).await
        });

        let fault = shaken.expect_err("a fault");
        assert_eq!((fault.class, fault.phase), (Class::Connect, Phase::Connect));
        assert_eq!(fault.reason, format!("TLS handshake with `{host}` failed: {why}"));
    }
}

#[tokio::test]
async fn a_peer_without_tls_is_called_so() {
    for (bytes, why) in
        [("HTTP/1.1 400 Bad Request\r\n\r\n", "the other side does not speak TLS"), ("", "connection closed")]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let socket =
            TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
        let tls = trusting(AUTHORITY);

        let (shaken, ()) = join!(tls.handshake("localhost", socket), async {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let greeting = socket.read(&mut [0; 1024]).await.expect("no error");
            assert_ne!(greeting, 0);
            socket.write_all(bytes.as_bytes()).await.expect("a reader");
            socket.shutdown().await.expect("a socket");
        });

        let reason = shaken.expect_err("a fault").reason;
        assert_eq!(reason, format!("TLS handshake with `localhost` failed: {why}"));
    }
}
