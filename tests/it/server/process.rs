//! The program itself: its exit codes, its messages, its signals.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use super::*;

/// A running program; killed when the test ends.
struct Program {
    child: Child,
    log: BufReader<ChildStderr>,
    _directory: TempDir,
}

impl Program {
    fn start(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("backstop.toml");
        std::fs::write(&path, config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_backstop"))
            .args(["serve", "--config"])
            .arg(path)
            .env_clear()
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log, _directory: directory }
    }

    /// Waits until it says where it listens.
    fn address(&mut self) -> SocketAddr {
        let mut line = String::new();
        while self.log.read_line(&mut line).unwrap() > 0 {
            if let Some((_, rest)) = line.split_once("listens on http://") {
                return rest.split_once('/').unwrap().0.parse().unwrap();
            }
            line.clear();
        }
        panic!("the program ended without listening");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Reads the log up to a line with `mark`.
    fn log_until(&mut self, mark: &str) {
        let mut line = String::new();
        while !line.contains(mark) {
            line.clear();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "the log ended without `{mark}`");
        }
    }

    /// Its exit status and the rest of its log.
    fn end(&mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap(), rest)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listening_on(address: &str) -> String {
    format!(
        "[server]\nlisten = \"{address}\"\n[providers.llama]\nbase_url = \"http://127.0.0.1:1/v1\"\n\
         [routes.fullfat]\nchain = [\"llama/x\"]\n"
    )
}

#[test]
fn either_signal_ends_it_well() {
    for signal in ["TERM", "INT"] {
        let mut program = Program::start(&listening_on("127.0.0.1:0"));
        program.address();
        let began = Instant::now();

        program.signal(signal);

        let (status, log) = program.end();
        assert_eq!(status.code(), Some(0), "{signal}: {log}");
        assert!(log.contains("stopped"), "{signal}: {log}");
        assert!(began.elapsed() < Duration::from_secs(5), "{signal}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut program = Program::start(&listening_on("127.0.0.1:0"));
    let mut client = Client(TcpStream::connect(program.address()).await.unwrap());
    client
        .send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n")
        .await;
    client.until("100 Continue\r\n\r\n").await;
    let began = Instant::now();

    program.signal("TERM");
    program.log_until("waiting for open requests");
    program.signal("TERM");

    let (status, log) = program.end();
    assert_eq!(status.code(), Some(130), "{log}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_taken_address_is_named_with_a_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let (status, log) = Program::start(&listening_on(&address)).end();

    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains(&format!("could not listen on `{address}`")), "{log}");
    assert!(log.contains("hint: "), "{log}");
}

#[test]
fn a_bad_configuration_is_64() {
    let (status, log) = Program::start("[routes.x]\nchian = []\n").end();

    assert_eq!(status.code(), Some(64), "{log}");
    assert!(log.contains("did you mean `chain`"), "{log}");
}
