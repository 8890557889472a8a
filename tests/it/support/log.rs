//! What is logged while a test runs.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Once;

use serde_json::Value;

use super::soon;

type Lines = Rc<RefCell<Vec<u8>>>;

thread_local! {
    static LOG: RefCell<Option<Lines>> = const { RefCell::new(None) };
}

/// The log of this thread, which is the one that a test and its proxy run on.
#[derive(Debug)]
pub struct Log(Lines);

struct Writer;

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow(|log| {
            if let Some(lines) = log {
                lines.borrow_mut().extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Keeps what is logged from now on.
    pub fn begin() -> Self {
        // One subscriber for all threads: with one for each, tracing may ask only that of the thread
        // that comes by first whether a line is wanted, and remember a no for every other.
        static INIT: Once = Once::new();
        INIT.call_once(|| {
            let subscriber = tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_max_level(tracing::Level::INFO)
                .with_writer(|| Writer)
                .finish();
            tracing::subscriber::set_global_default(subscriber).expect("no other subscriber");
            tracing::callsite::rebuild_interest_cache();
        });
        let lines = Lines::default();
        LOG.set(Some(Rc::clone(&lines)));
        Self(lines)
    }

    fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.borrow().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The lines so far whose message says `words`.
    pub fn saying(&self, words: &str) -> Vec<Value> {
        let mut lines = self.lines();
        lines.retain(|line| line["message"].as_str().is_some_and(|message| message.contains(words)));
        lines
    }

    /// The access lines: one for each request that has ended.
    pub fn access(&self) -> Vec<Value> {
        let mut lines = self.lines();
        lines.retain(|line| line["target"] == "backstop::access");
        lines
    }

    /// Waits until `count` requests have ended.
    pub async fn ended(&self, count: usize) {
        // The proxy runs on this thread, so giving way to it is all there is to wait for.
        let ended = async {
            while self.access().len() < count {
                tokio::task::yield_now().await;
            }
        };
        soon("access line", ended).await;
    }

    /// The outcomes of the requests that have ended.
    pub fn outcomes(&self) -> Vec<String> {
        self.access().iter().map(|line| line["outcome"].as_str().unwrap().to_owned()).collect()
    }

    /// The outcome of the request with this id, once it has ended.
    pub fn outcome(&self, request_id: &str) -> Option<String> {
        let access = self.access();
        let line = access.iter().find(|line| line["request_id"] == request_id)?;
        line["outcome"].as_str().map(str::to_owned)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        LOG.set(None);
    }
}
