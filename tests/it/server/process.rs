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
    let mut program = Program::serve(Some(&settings::route([provider.base_url()], "")), &[]).await;
    let mut client = Client(TcpStream::connect(program.address).await.unwrap());
    client.send(&post(r#"{"model":"all","messages":[]}"#)).await;
    provider.wait_for(1).await;
    let began = Instant::now();

    program.signal("TERM");
    program.line("waiting for open requests").await;
    program.signal("TERM");

    let (code, log) = program.ended().await;
    assert_eq!(code, Some(130), "{log:?}");
    assert!(began.elapsed() < Duration::from_secs(5));
}
