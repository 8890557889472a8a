//! A log that nobody reads holds up neither a request nor the end of the program.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use backstop::sim::{Act, Provider};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::support::program::{command, message};
use crate::support::{Call, soon};

/// The length of the name of the model that is asked for, which its lines hold.
const LONG: usize = 64 << 10;

/// The program, whose log is read only when a test does so. Dropping it ends it.
struct Unread {
    address: SocketAddr,
    log: Option<BufReader<ChildStderr>>,
    child: Child,
    _provider: Provider,
    _directory: TempDir,
}

impl Unread {
    fn start() -> Self {
        let provider = Provider::start(Act::answer("heard")).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let model = "m".repeat(LONG);
        let text = format!(
            "[providers.p]\nbase_url = \"{}\"\n[routes.r]\nchain = [\"p/{model}\"]\n",
            provider.base_url(),
        );
        std::fs::write(directory.path().join("backstop.toml"), text).unwrap();
        let mut command = command(directory.path(), &[], &["--listen", "127.0.0.1:0"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listens on http://") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended");
        }
        let (_, url) = line.split_once("http://").unwrap();
        let address = url.split('/').next().unwrap().parse().unwrap();
        Self { address, log: Some(log), child, _provider: provider, _directory: directory }
    }

    /// Makes requests whose lines are `bytes` long together.
    async fn fill(&self, bytes: usize) {
        for _ in 0..=bytes / LONG {
            let mut answer = Call::whole("r").send(self.address).await;
            assert!(answer.text().await.contains("heard"));
        }
    }

    /// Reads the rest of the log from now on, on a thread of its own.
    fn read(&mut self) -> UnboundedReceiver<String> {
        let log = self.log.take().unwrap();
        let (sender, lines) = mpsc::unbounded_channel();
        thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        lines
    }

    /// Tells it to stop; its exit code.
    async fn stop(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("sh").args(["-c", "kill -s TERM \"$0\"", &id]).status().unwrap().success());
        // Nothing tells when a child ends, so it is asked.
        let mut polls = tokio::time::interval(Duration::from_millis(10));
        let ended = async {
            loop {
                polls.tick().await;
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status.code();
                }
            }
        };
        soon("end of the program", ended).await
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_holds_up_neither_requests_nor_the_end() {
    let mut program = Unread::start();

    program.fill(256 << 10).await;

    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test]
async fn lines_that_are_lost_are_counted() {
    let mut program = Unread::start();
    // As much as the two buffers and the pipe hold, and some more.
    program.fill(9 << 20).await;
    let mut log = program.read();
    let lost: Value = loop {
        let line = soon("word of the loss", log.recv()).await.expect("a log");
        let line: Value = serde_json::from_str(&line).expect("a whole line");
        if !line["lost"].is_null() {
            break line;
        }
    };

    let number = lost["lost"].as_u64().unwrap();
    assert!((1..400).contains(&number), "{lost}");
    assert_eq!(lost["level"], "WARN");
    assert_eq!(lost["message"], format!("{number} log lines are lost: stderr did not take them"));
    assert_eq!(program.stop().await, Some(0));
    let mut last = String::new();
    while let Some(line) = soon("end of the log", log.recv()).await {
        last = line;
    }
    assert_eq!(message(&last), "stopped");
}

#[tokio::test]
async fn a_log_that_is_closed_holds_up_nothing() {
    let mut program = Unread::start();
    drop(program.log.take());

    program.fill(256 << 10).await;

    assert_eq!(program.stop().await, Some(0));
}
