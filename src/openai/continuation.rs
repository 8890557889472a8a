//! The rest of an answer that broke off, made of what the next candidate says.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use self::catch_up::{CatchUp, Taken};
use self::rewrite::{Rewrite, Usages};
use super::layout::{Layout, Why};
use super::literal::Broken;
use super::sse::fold_lines;
use super::transcript::Transcript;
use super::usage::{self, Usage};

mod catch_up;
mod rewrite;
#[cfg(test)]
mod tests;

/// How the next candidate was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// To go on: it was given the beginning, and its text follows.
    ///
    /// Should it say the whole beginning again, but for white space at the end, that is skipped; of less
    /// than 64 bytes nobody can tell what it means, so it is no rest. Neither is a text that says 64 bytes
    /// or more of the beginning again and then ends or turns into something else.
    Continues,
    /// Afresh, or in a way that has it say the beginning again: its text must begin with exactly what
    /// was delivered.
    Repeats,
}

/// Why what a candidate says is no rest of the answer. Nothing more of it must go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Differs {
    /// Its text does not begin with what was delivered.
    #[error("its answer begins in another way")]
    Text,
    /// It ended within what was delivered.
    #[error("its answer is shorter than what was delivered")]
    Short,
    /// It was to go on, and says the short beginning again: as the rest, or because it has begun again.
    #[error("its answer may have begun again")]
    Unsure,
    /// It holds what text cannot be continued with.
    #[error("its answer holds {0}")]
    Holds(Why),
}

impl From<Why> for Differs {
    fn from(why: Why) -> Self {
        Self::Holds(why)
    }
}

impl From<Broken> for Differs {
    fn from(_: Broken) -> Self {
        Self::Holds(Why::Unclear)
    }
}

/// A candidate that took part in an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The provider's name.
    pub provider: Arc<str>,
    /// The model as the provider knows it.
    pub model: Arc<str>,
    /// What it said that its part took; many say that at the end only, which a broken stream lacks.
    pub usage: Option<Usage>,
}

/// Turns the events of a candidate's stream into the rest of an answer that another one began.
///
/// They belong to the same answer as those before: the first `id`, one role, no other model's
/// thinking, and the text from where it broke off. Everything else is byte for byte the same.
pub struct Continuation {
    text: CatchUp,
    /// The first id, as JSON text.
    id: Option<String>,
    role: bool,
    /// The parts before this one.
    before: Vec<Part>,
    /// This one; its usage is in `usage`.
    own: Option<(Arc<str>, Arc<str>)>,
    /// The JSON text of the candidate's own last `usage`.
    usage: Vec<u8>,
    /// The last event whose text is held back, and how much was held back before it.
    held: Option<(Bytes, usize)>,
    /// Whether it has said any text, new or not.
    spoke: bool,
    out: Out,
}

/// What of a candidate has gone out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Out {
    Nothing,
    /// A role, a usage, something that we do not know.
    Trifles,
    /// New text, or the finish reason.
    Rest,
}

impl Continuation {
    /// What follows on `transcript`, from a candidate that was asked in this way.
    pub fn new(transcript: &Transcript, mode: Mode) -> Self {
        Self {
            text: CatchUp::new(transcript.text(), mode),
            id: transcript.id().map(|id| serde_json::to_string(id).expect("a string is JSON")),
            role: transcript.role(),
            before: Vec::new(),
            own: None,
            usage: Vec::new(),
            held: None,
            spoke: false,
            out: Out::Nothing,
        }
    }

    /// Has the usage of the parts `before` added to this candidate's, and all of them told in the
    /// `metadata` of the event with the usage.
    #[must_use]
    pub fn after(mut self, before: Vec<Part>, provider: Arc<str>, model: Arc<str>) -> Self {
        self.before = before;
        self.own = Some((provider, model));
        self
    }

    /// The parts of the answer, for the next one to come [`after`](Self::after); with this one only if
    /// something of it went out.
    pub fn into_parts(self) -> Vec<Part> {
        let own = self.own_part().filter(|_| self.out > Out::Nothing);
        let mut parts = self.before;
        parts.extend(own);
        parts
    }

    /// The last usage that this candidate sent, without the parts before, unless it was longer than
    /// [`usage::MAX`].
    pub fn usage(&self) -> Option<Usage> {
        Usage::parse(&self.usage)
    }

    /// Whether it has gone past what was delivered: new text of it has gone out, or its finish reason. A
    /// role alone is not enough, for a long silence may follow.
    pub fn caught_up(&self) -> bool {
        self.out == Out::Rest
    }

    /// Whether it has said any text, be it new or what was delivered; its thinking is none.
    pub fn spoke(&self) -> bool {
        self.spoke
    }

    /// Takes the data of the stream's next event, which is no `[DONE]`, and gives the data that is to go
    /// out in its place, on one line; nothing if nothing of it remains.
    pub fn push(&mut self, data: &[u8]) -> Result<Option<Bytes>, Differs> {
        let mut data = data.to_vec();
        fold_lines(&mut data);
        let data = Bytes::from(data);
        let layout = Layout::read(&data)?;
        if let Some(usage) = &layout.usage {
            usage::keep(&mut self.usage, &data[usage.clone()]);
        }
        let held = self.text.held();
        let mut starts = Vec::new();
        let mut released = None;
        for range in layout.texts() {
            self.spoke |= range.len() > 2;
            match self.text.take(&data[range.start + 1..range.end - 1])? {
                Taken::From(start) => starts.push(start),
                Taken::Released => {
                    starts.fill(0);
                    starts.push(0);
                    released = Some(held);
                }
            }
        }
        if layout.finish() && self.text.end()? {
            starts.fill(0);
            released = Some(held);
        }
        if self.text.is_behind() {
            if !starts.is_empty() {
                self.held = Some((data, held));
            }
            return Ok(None);
        }
        self.held = None;
        Ok(self.rewrite(&data, &layout, released, &starts))
    }

    /// The stream has ended with `[DONE]`, maybe without a finish reason; gives the data of one more
    /// event that has to go out before it, if any.
    pub fn end(&mut self) -> Result<Option<Bytes>, Differs> {
        if !self.text.end()? {
            return Ok(None);
        }
        let Some((data, held)) = self.held.take() else { return Ok(None) };
        let layout = Layout::read(&data)?;
        let starts: Vec<_> = layout.texts().map(|_| 0).collect();
        Ok(self.rewrite(&data, &layout, Some(held), &starts))
    }

    /// The event without what the client has already; `released` of the text before it has to go out too.
    fn rewrite(
        &mut self,
        data: &Bytes,
        layout: &Layout,
        released: Option<usize>,
        starts: &[usize],
    ) -> Option<Bytes> {
        let rewrite = Rewrite {
            data,
            layout,
            id: self.id.as_deref(),
            role: self.role,
            before: self.text.delivered(released.unwrap_or_default()),
            starts,
        };
        if !rewrite.anything_left() {
            return None;
        }
        let own = self.own_part().filter(|_| layout.usage.is_some());
        let usages = own.map(|own| Usages::of(&self.before, &own));
        self.role |= rewrite.has_role();
        self.out = self.out.max(if rewrite.has_text() || layout.finish() { Out::Rest } else { Out::Trifles });
        let event = rewrite.apply(usages);
        self.text.forget();
        Some(event)
    }

    fn own_part(&self) -> Option<Part> {
        let (provider, model) = self.own.clone()?;
        Some(Part { provider, model, usage: self.usage() })
    }
}

/// Says nothing of what a model wrote.
impl fmt::Debug for Continuation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Continuation")
            .field("own", &self.own)
            .field("behind", &self.text.is_behind())
            .field("out", &self.out)
            .finish_non_exhaustive()
    }
}
