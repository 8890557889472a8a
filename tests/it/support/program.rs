//! The program itself, as a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::{PATIENCE, soon};

/// The program with these arguments, in `directory`, with an environment of `variables` alone.
pub fn command(directory: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
    command.current_dir(directory).env_clear().envs(variables.iter().copied()).args(arguments);
    command
}

/// A directory with the configuration `text`, if there is one.
fn directory(text: Option<&str>) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    if let Some(text) = text {
        std::fs::write(directory.path().join("backstop.toml"), text).expect("a file");
    }
    directory
}

/// What the program says with these arguments, and its exit code.
pub fn run(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command(directory, &[], arguments).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

/// The program while it serves; dropping it ends it.
#[derive(Debug)]
pub struct Program {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    lines: UnboundedReceiver<String>,
    seen: Vec<String>,
    directory: TempDir,
}

impl Program {
    /// Serves the configuration `text` on a free port, or what it finds if there is no text.
    pub async fn serve(text: Option<&str>, variables: &[(&str, &str)]) -> Self {
        let directory = directory(text);
        let command = command(directory.path(), variables, &["--listen", "127.0.0.1:0"]);
        Self::start(command, directory).await
    }

    /// The same in the place of a shell, after its `commands`.
    pub async fn serve_after(commands: &str, text: Option<&str>, variables: &[(&str, &str)]) -> Self {
        let directory = directory(text);
        let script = format!("{commands}; exec \"$0\" --listen 127.0.0.1:0");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_backstop")]);
        shell.current_dir(directory.path()).env_clear().envs(variables.iter().copied());
        Self::start(shell, directory).await
    }

    async fn start(mut command: Command, directory: TempDir) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, lines) = mpsc::unbounded_channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut program = Self { address, child, lines, seen: Vec::new(), directory };
        let listening = program.line("listens on http://").await;
        let (_, url) = listening.split_once("http://").expect("a URL");
        program.address = url.split('/').next().and_then(|text| text.parse().ok()).expect("an address");
        program
    }

    /// The directory it runs in.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The next line of its log that holds `part`.
    pub async fn line(&mut self, part: &str) -> String {
        loop {
            let Some(line) = soon(part, self.lines.recv()).await else {
                panic!("it ended before it said `{part}`: {:#?}", self.seen);
            };
            self.seen.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Sends it the signal of this name.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let told = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &id]).status();
        assert!(told.expect("a shell").success(), "no process {id}");
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// The memory that it has in use, in KiB; its own file, which the system may drop, not counted.
    pub fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a size");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// How many files it may have open, and how many it may allow itself.
    pub fn open_files(&self) -> [u64; 2] {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id())).expect("a process");
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("a limit");
        let mut numbers = line.split_whitespace().map(|number| number.parse().expect("a number"));
        std::array::from_fn(|_| numbers.next().expect("two limits"))
    }

    /// Waits until it has no more than `limit` KiB of memory in use; what it has then.
    pub async fn memory_below(&self, limit: usize) -> usize {
        // Nothing tells when a process gives memory back, so it is asked.
        let mut polls = tokio::time::interval(Duration::from_millis(50));
        let below = async {
            loop {
                polls.tick().await;
                let memory = self.memory();
                if memory <= limit {
                    return memory;
                }
            }
        };
        let timely = tokio::time::timeout(PATIENCE, below).await;
        timely.unwrap_or_else(|_| panic!("{} KiB in use after {PATIENCE:?}, not {limit}", self.memory()))
    }

    /// Stops it as a container does; its exit code and every line of its log.
    pub async fn stop(self) -> (Option<i32>, Vec<String>) {
        self.signal("TERM");
        self.ended().await
    }

    /// Waits for its end; its exit code and every line of its log.
    pub async fn ended(mut self) -> (Option<i32>, Vec<String>) {
        while let Some(line) = soon("end of the log", self.lines.recv()).await {
            self.seen.push(line);
        }
        let code = self.child.wait().expect("it ran").code();
        (code, std::mem::take(&mut self.seen))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The message of a line of the log, which must be JSON.
pub fn message(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    line["message"].as_str().expect("a message").to_owned()
}
