//! What the log tells of the attempts of each request.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::Log;

/// What became of the attempts of a request.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The numbers of the attempts; the keys of a pool share one.
    pub numbers: BTreeSet<u64>,
    /// Calls that failed before an answer of theirs went out.
    pub failed: u64,
    /// Those of them that were given up before any response: where everybody is short of time, nobody may have
    /// read them.
    pub late: u64,
    /// Calls whose answer went out.
    pub answered: u64,
    /// Calls that lost to another one.
    pub cancelled: u64,
    /// Calls with another key under the number of the one before.
    pub moves: u64,
}

impl Told {
    /// All the calls.
    pub fn calls(&self) -> u64 {
        self.failed + self.answered + self.cancelled
    }

    /// How often an answer that broke was gone on with.
    pub fn resumed(&self) -> u64 {
        self.answered.saturating_sub(1)
    }

    fn note(&mut self, line: &Value) {
        let message = line["message"].as_str().expect("a message");
        let (_, attempt) = message.split_once(" - Attempt ").expect("an attempt");
        let (number, end) = attempt.split_once('/').expect("a number");
        let (_, end) = end.split_once(": ").expect("an end");
        // An answer that breaks was told before, when it went out.
        if end.starts_with("ERROR: stream_") {
            return;
        }
        if !self.numbers.insert(number.parse().expect("a number")) {
            assert!(line["key"].is_string(), "a second call under one number: {message}");
            self.moves += 1;
        }
        let late = ["ERROR: timeout - no connection", "ERROR: timeout - no response head"];
        self.late += u64::from(late.iter().any(|late| end.starts_with(late)));
        let count = match end {
            "SUCCESS" => &mut self.answered,
            _ if end.starts_with("cancelled") => &mut self.cancelled,
            _ => &mut self.failed,
        };
        *count += 1;
    }
}

/// What is told of each request, by its id.
pub fn read(log: &Log) -> BTreeMap<String, Told> {
    let mut told = BTreeMap::<String, Told>::new();
    for line in log.saying(" - Attempt ") {
        let id = line["request_id"].as_str().expect("an id").to_owned();
        told.entry(id).or_default().note(&line);
    }
    told
}
