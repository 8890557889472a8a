//! How far a candidate's text has come against what was delivered.

use super::{Differs, Mode};
use crate::openai::literal::characters;

/// A candidate that was to go on is held to have begun again from this many bytes on: a shorter
/// beginning may well follow on itself.
const TELLING: usize = 64;

/// Compares a candidate's text with the text that was delivered, from its start.
pub(super) struct CatchUp {
    delivered: String,
    /// How much of it the candidate has said, in bytes.
    at: usize,
    /// Whether the candidate has yet to say the rest of it.
    behind: bool,
    mode: Mode,
}

/// What becomes of a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is new from this byte of it on.
    From(usize),
    /// All of it is new, and so is what was held back before it.
    Released,
}

impl CatchUp {
    pub fn new(delivered: &str, mode: Mode) -> Self {
        let least = match mode {
            Mode::Continues => TELLING,
            Mode::Repeats => 1,
        };
        Self { delivered: delivered.into(), at: 0, behind: delivered.len() >= least, mode }
    }

    /// Whether nothing can go out yet.
    pub fn is_behind(&self) -> bool {
        self.behind
    }

    /// How much text is held back, in bytes.
    pub fn held(&self) -> usize {
        if self.behind { self.at } else { 0 }
    }

    /// The first `length` bytes of what was delivered, which is what the candidate has said too.
    pub fn delivered(&self, length: usize) -> &str {
        &self.delivered[..length]
    }

    /// The candidate says more: the inside of a JSON string.
    pub fn take(&mut self, inside: &[u8]) -> Result<Taken, Differs> {
        let mut start = 0;
        if !self.behind {
            return Ok(Taken::From(start));
        }
        for item in characters(inside)? {
            let (character, length) = item?;
            if !self.delivered[self.at..].starts_with(character) {
                return self.diverge(start);
            }
            self.at += character.len_utf8();
            start += length;
            if self.at == self.delivered.len() {
                self.behind = false;
                break;
            }
        }
        Ok(Taken::From(start))
    }

    /// The candidate says no more; whether what was held back has to go out.
    pub fn end(&mut self) -> Result<bool, Differs> {
        if !self.behind {
            return Ok(false);
        }
        match self.mode {
            Mode::Repeats => Err(Differs::Short),
            Mode::Continues => {
                self.behind = false;
                Ok(self.at > 0 && !self.has_said_all())
            }
        }
    }

    /// What comes from `start` on is not what was delivered.
    fn diverge(&mut self, start: usize) -> Result<Taken, Differs> {
        match self.mode {
            Mode::Repeats => Err(Differs::Text),
            Mode::Continues => {
                self.behind = false;
                Ok(if self.has_said_all() { Taken::From(start) } else { Taken::Released })
            }
        }
    }

    /// Whether all of it was said but for white space at the end, which many chat templates trim before
    /// the model sees it.
    fn has_said_all(&self) -> bool {
        self.delivered[self.at..].trim_start().is_empty()
    }
}
