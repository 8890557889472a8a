//! What passes of a stream, event by event: everything, but for a handful of exceptions.
//!
//! The sieve knows no time and no socket, and what it lets pass depends on the bytes alone, not on
//! how they were cut into frames.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::record::Record;
use crate::openai::chunk::alike::Alike;
use crate::openai::chunk::{self, Choices, Finish};
use crate::openai::continuation::{Continuation, Differs, Mode};
use crate::openai::sse::{self, Event, EventSplitter};
use crate::openai::transcript::Why;
use crate::route::Candidate;

/// A longer event is a break.
const MAX_EVENT: usize = 8 * 1024 * 1024;

/// How that is told.
pub(super) const TOO_LONG: &str = "an event of more than 8 MiB";

/// Sorts the events of one stream.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact about what went by, and they combine freely"
)]
pub(super) struct Sieve {
    splitter: EventSplitter,
    alike: Alike,
    payload: bool,
    /// How many choices the client asked for, and which have a finish reason.
    choices: u32,
    finished: Choices,
    /// A choice went on after its finish reason: they say nothing in this stream.
    untrusted: bool,
    finish: Option<Finish>,
    tokens: bool,
    done: bool,
    dropped: bool,
    passed: usize,
    /// What the client has been given, where that may be needed.
    record: Option<Box<Record>>,
    /// Turns the events into the rest of an answer that another candidate began.
    continuation: Option<Box<Continuation>>,
}

/// Why nothing more of a stream passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// `[DONE]` went by, or may be said.
    Done,
    /// An error event; its data.
    Error(Bytes),
    /// An event grew too long.
    TooLong,
    /// It does not go on from where the answer before it broke.
    Differs(Differs),
}

impl Sieve {
    /// The sieve of a stream with this many choices.
    pub(super) fn new(choices: u32) -> Self {
        Self { choices, ..Self::default() }
    }

    /// The sieve of `candidate`'s stream, which keeps what passes.
    pub(super) fn recording(choices: u32, candidate: &Candidate) -> Self {
        Self { record: Some(Box::new(Record::begin(candidate))), ..Self::new(choices) }
    }

    /// The sieve of a stream in which `candidate` goes on from `record`.
    pub(super) fn continuing(record: &Record, mode: Mode, candidate: &Candidate) -> Self {
        Self {
            choices: 1,
            continuation: Some(Box::new(record.continuation(mode, candidate))),
            record: Some(Box::new(record.clone())),
            ..Self::default()
        }
    }

    /// Whether somebody else can go on from what the client has been given, or else why not; where that is
    /// not kept nobody asks.
    pub(super) fn resumable(&self) -> Result<(), Why> {
        self.record.as_ref().map_or(Ok(()), |record| record.resumable())
    }

    /// Keeps nothing more of what passes, and nothing of what has passed.
    pub(super) fn forget(&mut self) {
        self.record = None;
    }

    /// What the client has been given, from the first candidate to this one.
    pub(super) fn take_record(&mut self) -> Option<Record> {
        let record = self.record.take().map(|record| *record)?;
        Some(match self.continuation.take() {
            Some(continuation) => record.with(*continuation),
            None => record,
        })
    }

    /// The sieve of a stream whose `[DONE]` has gone by.
    pub(super) fn done() -> Self {
        Self { done: true, ..Self::default() }
    }

    /// Takes the next bytes, puts what passes into `out`, and says whether the stream is over.
    pub(super) fn push(&mut self, frame: Bytes, out: &mut VecDeque<Bytes>) -> Option<End> {
        if let Some(block) = self.splitter.push(frame)
            && let Some(end) = self.sort(&block, out)
        {
            return Some(end);
        }
        (self.splitter.held() > MAX_EVENT).then_some(End::TooLong)
    }

    /// The upstream ended cleanly: an event that lacks only its blank line still counts.
    pub(super) fn finish(&mut self, out: &mut VecDeque<Bytes>) -> Option<End> {
        if self.splitter.held() == 0 {
            return None;
        }
        let mut rest = BytesMut::from(&self.splitter.finish()[..]);
        // A line end that has come is half of the blank line.
        rest.extend_from_slice(if rest.ends_with(b"\n") { b"\n" } else { b"\n\n" });
        let rest = rest.freeze();
        // What was cut before its data says nothing to anybody.
        if sse::events(&rest).all(|event| event.data().is_none()) {
            return None;
        }
        self.sort(&rest, out)
    }

    /// Whether the answer has opened: a payload, or a finish reason other than a lone `stop`.
    pub(super) fn opened(&self) -> bool {
        let other = matches!(self.finish, Some(Finish::Other));
        match &self.continuation {
            None => self.payload || other,
            // One that was to go on and only says `stop` may have taken the beginning for the whole, whatever
            // it thought before.
            Some(continuation) => (continuation.spoke() || other) && continuation.caught_up(),
        }
    }

    /// Whether a candidate that is to go on is still saying what the client has.
    pub(super) fn repeats(&self) -> bool {
        self.payload && !self.opened()
    }

    /// Whether it makes the rest of an answer out of what goes by.
    pub(super) fn continues(&self) -> bool {
        self.continuation.is_some()
    }

    /// Whether every choice has a finish reason, after which every ending is clean.
    pub(super) fn finished(&self) -> bool {
        !self.untrusted && self.finish.is_some() && self.finished.count() >= self.choices
    }

    /// Whether a usage counted completion tokens.
    pub(super) fn counted_tokens(&self) -> bool {
        self.tokens
    }

    /// Whether an event was dropped because it is not JSON.
    pub(super) fn dropped(&self) -> bool {
        self.dropped
    }

    /// How many bytes passed so far.
    pub(super) fn passed(&self) -> usize {
        self.passed
    }

    /// Adds the `[DONE]` that a finished stream may lack.
    pub(super) fn close(&mut self, out: &mut VecDeque<Bytes>) {
        if !std::mem::replace(&mut self.done, true) {
            out.push_back(Bytes::from_static(sse::DONE));
        }
    }

    fn sort(&mut self, block: &Bytes, out: &mut VecDeque<Bytes>) -> Option<End> {
        // Events that pass as they are leave as one slice of the block.
        let mut run = 0..0;
        let mut end = None;
        for event in sse::events(block) {
            let range = event.range();
            if event.raw.len() > MAX_EVENT {
                end = Some(End::TooLong);
                break;
            }
            let judgement = self.judge(&event);
            match judgement {
                Judgement::Pass => run.end = range.end,
                Judgement::Done => {
                    self.done = true;
                    run.end = range.end;
                    end = Some(End::Done);
                    break;
                }
                Judgement::DoneAfter(bytes) => {
                    self.done = true;
                    self.pass(block, run, out);
                    run = range;
                    out.push_back(bytes);
                    end = Some(End::Done);
                    break;
                }
                Judgement::Drop | Judgement::Swallow => {
                    self.dropped |= matches!(judgement, Judgement::Drop);
                    self.pass(block, run, out);
                    run = range.end..range.end;
                }
                Judgement::Replace(bytes) => {
                    self.pass(block, run, out);
                    self.passed += bytes.len();
                    out.push_back(bytes);
                    run = range.end..range.end;
                }
                Judgement::Error(data) => {
                    end = Some(End::Error(data));
                    break;
                }
                Judgement::Differs(differs) => {
                    end = Some(End::Differs(differs));
                    break;
                }
            }
        }
        self.pass(block, run, out);
        end
    }

    fn pass(&mut self, block: &Bytes, run: Range<usize>, out: &mut VecDeque<Bytes>) {
        if !run.is_empty() {
            self.passed += run.len();
            out.push_back(block.slice(run));
        }
    }

    fn judge(&mut self, event: &Event<'_>) -> Judgement {
        let Some(data) = event.data() else { return Judgement::Pass };
        if chunk::is_done(&data) {
            return self.last();
        }
        if event.name() == Some(b"error") {
            return Judgement::Error(Bytes::copy_from_slice(&data));
        }
        let Ok(facts) = self.alike.inspect(&data) else { return Judgement::Drop };
        if facts.error || facts.finish == Some(Finish::Error) {
            return Judgement::Error(Bytes::copy_from_slice(&data));
        }
        self.payload |= facts.payload;
        self.tokens |= facts.completion_tokens > 0;
        self.untrusted |= facts.spoke.meet(self.finished);
        self.finished = self.finished.and(facts.finished);
        self.finish = self.finish.max(facts.finish);
        let clean = facts.foreign.then(|| chunk::without_foreign(&data));
        self.follow(event, &data, clean)
    }

    /// `[DONE]`: nothing more of a continuation can follow.
    fn last(&mut self) -> Judgement {
        let Some(continuation) = &mut self.continuation else { return Judgement::Done };
        match continuation.end() {
            Ok(None) => Judgement::Done,
            Ok(Some(data)) => {
                if let Some(record) = &mut self.record {
                    record.observe(&data);
                }
                Judgement::DoneAfter(sse::data_event(&String::from_utf8_lossy(&data)))
            }
            Err(differs) => Judgement::Differs(differs),
        }
    }

    /// Makes an event a part of the one answer that the client sees.
    fn follow(&mut self, event: &Event<'_>, data: &[u8], clean: Option<Vec<u8>>) -> Judgement {
        let is_clean = clean.is_none();
        let mut clean = Bytes::from(clean.unwrap_or_default());
        let new = match &mut self.continuation {
            Some(continuation) => match continuation.push(if is_clean { data } else { &clean }) {
                Ok(Some(rewritten)) => {
                    clean = rewritten;
                    &clean
                }
                Ok(None) => return Judgement::Swallow,
                Err(differs) => return Judgement::Differs(differs),
            },
            None if is_clean => data,
            None => &clean[..],
        };
        if let Some(record) = &mut self.record {
            record.observe(new);
        }
        if is_clean && self.continuation.is_none() {
            Judgement::Pass
        } else {
            Judgement::Replace(with_data(event, data, new))
        }
    }
}

enum Judgement {
    Pass,
    Done,
    /// The same, but this has to go out first.
    DoneAfter(Bytes),
    /// It is no event that a client could read.
    Drop,
    /// It has nothing that the client does not have yet.
    Swallow,
    Differs(Differs),
    Replace(Bytes),
    Error(Bytes),
}

/// The event with other data: spliced where the data is one line, else written anew with its other
/// fields kept.
fn with_data(event: &Event<'_>, data: &[u8], new: &[u8]) -> Bytes {
    if event.raw.as_ptr_range().contains(&data.as_ptr()) {
        let start = data.as_ptr().addr() - event.raw.as_ptr().addr();
        return [&event.raw[..start], new, &event.raw[start + data.len()..]].concat().into();
    }
    let lines = event.raw.split(|byte| matches!(byte, b'\n' | b'\r'));
    let mut bytes = BytesMut::new();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with(b"data")) {
        bytes.extend_from_slice(line);
        bytes.extend_from_slice(b"\n");
    }
    bytes.extend_from_slice(b"data: ");
    bytes.extend_from_slice(new);
    bytes.extend_from_slice(b"\n\n");
    bytes.freeze()
}
