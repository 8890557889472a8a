//! What passes of a stream, event by event: everything, but for a handful of exceptions.
//!
//! The sieve knows no time and no socket, and what it lets pass depends on the bytes alone, not on
//! how they were cut into frames.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::openai::chunk::{self, Choices, Finish};
use crate::openai::sse::{self, Event, EventSplitter};

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
}

impl Sieve {
    /// The sieve of a stream with this many choices.
    pub(super) fn new(choices: u32) -> Self {
        Self { choices, ..Self::default() }
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
        rest.extend_from_slice(b"\n\n");
        self.sort(&rest.freeze(), out)
    }

    /// Whether the answer has opened: a payload, or a finish reason other than a lone `stop`.
    pub(super) fn opened(&self) -> bool {
        self.payload || matches!(self.finish, Some(Finish::Other))
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
            match self.judge(&event) {
                Judgement::Pass => run.end = range.end,
                Judgement::Done => {
                    self.done = true;
                    run.end = range.end;
                    end = Some(End::Done);
                    break;
                }
                Judgement::Drop => {
                    self.dropped = true;
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
            return Judgement::Done;
        }
        if event.name() == Some(b"error") {
            return Judgement::Error(Bytes::copy_from_slice(&data));
        }
        let Ok(facts) = chunk::inspect(&data) else { return Judgement::Drop };
        if facts.error || facts.finish == Some(Finish::Error) {
            return Judgement::Error(Bytes::copy_from_slice(&data));
        }
        self.payload |= facts.payload;
        self.tokens |= facts.completion_tokens > 0;
        self.untrusted |= facts.spoke.meet(self.finished);
        self.finished = self.finished.and(facts.finished);
        self.finish = self.finish.max(facts.finish);
        if facts.foreign { Judgement::Replace(without_foreign(event, &data)) } else { Judgement::Pass }
    }
}

enum Judgement {
    Pass,
    Done,
    Drop,
    Replace(Bytes),
    Error(Bytes),
}

/// The event with its data cleaned: spliced where the data is one line, else written anew with its
/// other fields kept.
fn without_foreign(event: &Event<'_>, data: &[u8]) -> Bytes {
    let clean = chunk::without_foreign(data);
    if event.raw.as_ptr_range().contains(&data.as_ptr()) {
        let start = data.as_ptr().addr() - event.raw.as_ptr().addr();
        return [&event.raw[..start], &clean, &event.raw[start + data.len()..]].concat().into();
    }
    let lines = event.raw.split(|byte| matches!(byte, b'\n' | b'\r'));
    let mut bytes = BytesMut::new();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with(b"data")) {
        bytes.extend_from_slice(line);
        bytes.extend_from_slice(b"\n");
    }
    bytes.extend_from_slice(b"data: ");
    bytes.extend_from_slice(&clean);
    bytes.extend_from_slice(b"\n\n");
    bytes.freeze()
}
