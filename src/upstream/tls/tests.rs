use http_body_util::BodyExt as _;
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

mod trusted;

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

/// Reads one request off `stream` and answers it; gives the request.
async fn answer(stream: &mut tokio_rustls::server::TlsStream<TcpStream>) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"{}") {
        stream.read_buf(&mut bytes).await.expect("a request");
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.expect("a reader");
    stream.flush().await.expect("a reader");
    String::from_utf8(bytes).expect("text")
}

/// Answers two requests over one connection; gives the second.
async fn answer_two(listener: &TcpListener) -> String {
    let (socket, _) = listener.accept().await.expect("a connection");
    let mut stream = acceptor(LOCALHOST).accept(socket).await.expect("a handshake");
    answer(&mut stream).await;
    answer(&mut stream).await
}

#[tokio::test]
async fn an_attempt_over_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let runtime = Arc::new(peer::runtime(peer::provider(&format!("https://localhost:{port}/v1"))));
    let client = Client::with_tls(runtime, trusting(AUTHORITY)).expect("a usable provider");

    let asking = async { (peer::ask(&client).await, peer::ask(&client).await) };
    let (answers, head) = join!(asking, answer_two(&listener));

    assert_eq!(answers.0, Ok((http::StatusCode::OK, bytes::Bytes::from("ok"))));
    assert_eq!(answers.1, answers.0);
    assert!(head.contains(&format!("host: localhost:{port}\r\n")), "{head}");
}

#[tokio::test]
async fn a_session_goes_on_on_another_thread() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let runtime = Arc::new(peer::runtime(peer::provider(&format!("https://localhost:{port}/v1"))));
    let client = Arc::new(Client::with_tls(runtime, trusting(AUTHORITY)).expect("a usable provider"));

    let asking = async { (peer::ask_on_a_thread(&client).await, peer::ask(&client).await) };
    let both = async { join!(asking, answer_two(&listener)) };
    let (answers, _) = tokio::time::timeout(peer::SOON, both).await.expect("answers in time");

    assert_eq!(answers.1, Ok((http::StatusCode::OK, bytes::Bytes::from("ok"))));
    assert_eq!(answers.0.expect("an answer"), answers.1);
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

#[tokio::test]
async fn a_connection_with_something_on_it_is_replaced() {
    for (words, close) in [("", true), ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong", false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let runtime = Arc::new(peer::runtime(peer::provider(&format!("https://localhost:{port}/v1"))));
        let client = Client::with_tls(runtime, trusting(AUTHORITY)).expect("a usable provider");
        let accept = async || {
            let (socket, _) = listener.accept().await.expect("a connection");
            acceptor(LOCALHOST).accept(socket).await.expect("a handshake")
        };

        let (first, mut old) = join!(peer::ask(&client), async {
            let mut stream = accept().await;
            answer(&mut stream).await;
            stream
        });
        old.write_all(words.as_bytes()).await.expect("a reader");
        old.flush().await.expect("a reader");
        if close {
            old.shutdown().await.expect("a reader");
        }
        let (second, _) = join!(peer::ask(&client), async { answer(&mut accept().await).await });

        assert_eq!(first, Ok((http::StatusCode::OK, bytes::Bytes::from("ok"))));
        assert_eq!(second, first);
    }
}

#[tokio::test]
async fn records_of_a_stream_come_as_they_are_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let runtime = Arc::new(peer::runtime(peer::provider(&format!("https://localhost:{port}/v1"))));
    let client = Client::with_tls(runtime, trusting(AUTHORITY)).expect("a usable provider");
    let (has_read, mut read) = tokio::sync::mpsc::unbounded_channel();

    let (body, ()) = join!(
        async {
            let response =
                peer::send(&client, vec![bytes::Bytes::from_static(b"{}")]).await.expect("an answer");
            let (mut body, mut bytes) = (response.into_body(), Vec::new());
            while let Some(frame) = body.frame().await {
                bytes.extend_from_slice(&frame.expect("no fault").into_data().expect("data"));
                has_read.send(()).expect("a provider");
            }
            bytes
        },
        async {
            let (socket, _) = listener.accept().await.expect("a connection");
            let mut stream = acceptor(LOCALHOST).accept(socket).await.expect("a handshake");
            let mut bytes = Vec::new();
            while !bytes.ends_with(b"{}") {
                stream.read_buf(&mut bytes).await.expect("a request");
            }
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await.expect("a reader");
            for chunk in ["1\r\na\r\n", "1\r\nb\r\n", "4000\r\n"] {
                stream.write_all(chunk.as_bytes()).await.expect("a reader");
                stream.flush().await.expect("a reader");
                if chunk.len() == 6 && !chunk.starts_with('4') {
                    read.recv().await.expect("a reader");
                }
            }
            // Longer than the record that carries it.
            stream.write_all(&[b'c'; 0x4000]).await.expect("a reader");
            stream.write_all(b"\r\n0\r\n\r\n").await.expect("a reader");
            stream.flush().await.expect("a reader");
        }
    );

    assert_eq!(body, [&b"ab"[..], &[b'c'; 0x4000]].concat());
}
