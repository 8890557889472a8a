//! The program itself: its signals.

use std::time::Instant;

use backstop::sim::{Act, Provider};

use super::*;
use crate::support::{Program, settings};

/// The program before a provider that nobody asks.
async fn serve() -> Program {
    Program::serve(Some(&settings::route(["http://127.0.0.1:1/v1"], "")), &[]).await
}

#[tokio::test]
async fn either_signal_ends_it_well() {
    for signal in ["TERM", "INT"] {
        let program = serve().await;
        let began = Instant::now();

        program.signal(signal);

        let (code, log) = program.ended().await;
        assert_eq!(code, Some(0), "{signal}: {log:?}");
        assert!(log.iter().any(|line| line.contains("stopped")), "{signal}: {log:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{signal}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let provider = Provider::start(Act::hang()).unwrap();
    let text = settings::route([provider.base_url()], "");
    let mut program = Program::serve(Some(&text), &[("BACKSTOP_SERVER__WORKERS", "2")]).await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Client(TcpStream::connect(program.address).await.unwrap());
        client.send(&post(r#"{"model":"r","messages":[]}"#)).await;
        clients.push(client);
    }
    provider.wait_for(2).await;
    let began = Instant::now();

    program.signal("TERM");
    program.line("waiting for open requests").await;
    program.signal("TERM");

    let (code, log) = program.ended().await;
    assert_eq!(code, Some(130), "{log:?}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_is_no_http_has_a_line_too() {
    let mut program = serve().await;
    let address = program.address;

    for (request, status, why) in [
        ("NONSENSE\r\n\r\n".to_owned(), 400, "invalid"),
        (post("{}").replace("host: x", "host: x\r\ncontent-length: 3"), 400, "content-length"),
        (format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(200_000)), 431, "large"),
        (format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(200_000)), 431, "large"),
    ] {
        let mut client = Client(TcpStream::connect(address).await.unwrap());
        client.send(&request).await;

        let answer = client.answer().await;
        assert_eq!(answer.status(), status, "{why}");
        let line = program.line("refused what is no HTTP request").await;
        assert!(line.contains(r#""client":"127.0.0.1""#) && line.contains(why), "{line}");
        assert!(line.contains(answer.header("x-request-id").unwrap()), "{line}");
        assert!(line.len() < 500, "{line}");
    }
    let mut client = Client(TcpStream::connect(address).await.unwrap());
    client.get(&format!("/{}", "x".repeat(30_000))).await;
    let line = program.line("path_not_found").await;
    assert!(line.contains("xxx…") && line.len() < 1000, "{line}");
}
