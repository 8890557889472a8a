//! `backstop demo --once`, as a newcomer runs it, and what stops it.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::support::Call;

#[test]
fn shows_the_main_job_and_ends_well() {
    let output = Command::new(env!("CARGO_BIN_EXE_backstop")).args(["demo", "--once"]).output().unwrap();

    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    for expected in [
        "✗ first-choice   Attempt 1/9: ERROR: ",
        "✗ shaky-mini     Attempt 2/9: ERROR: 429 - Rate limit exceeded",
        "✗ shaky-mini     Attempt 3/9: ERROR: 503 - The model is overloaded",
        "✗ shaky-mini     Attempt 4/9: ERROR: ",
        "✓ steady-large   Attempt 5/9 (",
        "  │ Yes, here I am",
        "✓ answered by steady/steady-large on attempt 5",
    ] {
        assert!(shown.contains(expected), "no `{expected}` in:\n{shown}");
    }
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    assert!(!shown.contains('\x1b'), "colour where there is no terminal");
}

/// A demo that is killed when the test ends.
struct Demo {
    child: Child,
    shown: BufReader<ChildStdout>,
}

impl Demo {
    fn start() -> Self {
        let mut child =
            Command::new(env!("CARGO_BIN_EXE_backstop")).arg("demo").stdout(Stdio::piped()).spawn().unwrap();
        let shown = BufReader::new(child.stdout.take().unwrap());
        Self { child, shown }
    }

    /// Reads on to a line with `mark`.
    fn until(&mut self, mark: &str) -> String {
        let mut line = String::new();
        while !line.contains(mark) {
            line.clear();
            assert!(self.shown.read_line(&mut line).unwrap() > 0, "it ended without `{mark}`");
        }
        line
    }

    fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_signal_ends_it_before_its_answer() {
    let mut demo = Demo::start();
    demo.until("Attempt 1/9");

    demo.interrupt();

    assert_eq!(demo.child.wait().unwrap().code(), Some(130));
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_the_drain() {
    let mut demo = Demo::start();
    let line = demo.until("POST http://");
    let address: SocketAddr =
        line.split_once("http://").unwrap().1.split('/').next().unwrap().parse().unwrap();
    demo.until("✓ answered by");
    let mut answer = Call::stream("demo").send(address).await;
    answer.frame().await.unwrap();

    demo.interrupt();
    while tokio::net::TcpStream::connect(address).await.is_ok() {}
    demo.interrupt();

    assert_eq!(demo.child.wait().unwrap().code(), Some(130));
    let (rest, end) = answer.rest().await;
    let told = memchr::memmem::find(&rest, b"shutting_down").is_some();
    assert!(told || end == crate::support::End::Torn, "it was not waited for: {rest:?}");
}

#[test]
fn a_taken_address_is_named_with_a_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let output =
        Command::new(env!("CARGO_BIN_EXE_backstop")).args(["demo", "--listen", &address]).output().unwrap();

    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("could not listen on `{address}`: ")), "{said}");
    assert!(said.contains("another Backstop") && said.contains("`--listen`"), "{said}");
}
