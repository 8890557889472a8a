//! What a client has been given of a streamed answer, should another model have to go on from there.

use std::fmt;
use std::ops::Range;

use super::layout::{Content, Layout, MemberKind};
use super::literal;
use super::usage::{self, Usage};

pub use super::layout::Why;

#[cfg(test)]
mod tests;

/// The longest text that is kept, in bytes.
pub const MAX_TEXT: usize = 256 * 1024;

/// The longest `id` of an answer that can be resumed, in bytes as written.
const MAX_ID: usize = 64 * 1024;

/// The answer so far: one choice of plain text, or the reason why it is none.
#[derive(Clone, Default)]
pub struct Transcript {
    id: Option<String>,
    role: bool,
    text: String,
    /// The JSON text of the last `usage`.
    usage: Vec<u8>,
    beyond: Option<Why>,
}

impl Transcript {
    /// Nothing has been given yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An event with this data, a `chat.completion.chunk`, goes to the client.
    pub fn observe(&mut self, data: &[u8]) {
        if self.beyond.is_none()
            && let Err(why) = self.read(data)
        {
            self.beyond = Some(why);
        }
    }

    /// Whether another model can go on from here, or else why not.
    pub fn resumable(&self) -> Result<(), Why> {
        self.beyond.map_or(Ok(()), Err)
    }

    /// The text so far; of an answer that is not resumable only a beginning.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The `id` that the client knows the answer by: the first one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether a role was sent.
    pub fn role(&self) -> bool {
        self.role
    }

    /// The last usage, unless it was longer than [`usage::MAX`].
    pub fn usage(&self) -> Option<Usage> {
        Usage::parse(&self.usage)
    }

    /// Takes what an event gives the client, up to what cannot be resumed.
    fn read(&mut self, data: &[u8]) -> Result<(), Why> {
        let layout = Layout::read(data)?;
        let text = |range: Range<usize>| {
            literal::text(&data[range.start + 1..range.end - 1]).map_err(|literal::Broken| Why::Unclear)
        };
        if let Some(id) = layout.id.clone().filter(|_| self.id.is_none()) {
            if id.len() > MAX_ID {
                return Err(Why::Unclear);
            }
            self.id = Some(text(id)?).filter(|id| !id.is_empty());
        }
        if let Some(usage) = layout.usage.clone() {
            usage::keep(&mut self.usage, &data[usage]);
        }
        if let Some(delta) = layout.delta() {
            if delta.signed {
                return Err(Why::Signature);
            }
            if delta.content.as_ref().is_some_and(Content::has_thought) {
                return Err(Why::Parts);
            }
            self.role |= delta.has(MemberKind::Role);
        }
        if layout.choice.as_ref().is_some_and(|choice| choice.logprobs.is_some()) {
            return Err(Why::Logprobs);
        }
        for range in layout.texts() {
            let more = text(range)?;
            if self.text.len() + more.len() > MAX_TEXT {
                return Err(Why::TooLong);
            }
            self.text.push_str(&more);
        }
        if layout.finish() { Err(Why::Finished) } else { Ok(()) }
    }
}

/// Says nothing of what a model wrote.
impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcript")
            .field("id", &self.id)
            .field("bytes", &self.text.len())
            .field("resumable", &self.resumable())
            .finish_non_exhaustive()
    }
}
