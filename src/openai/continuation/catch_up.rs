//! How far a candidate's text has come against what was delivered.

use super::{Differs, Mode};
use crate::openai::literal::characters;

/// A candidate that was to go on and says this many bytes again has begun again. A shorter beginning may
/// follow on itself, so whether it has nobody can tell.
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
        let behind = match mode {
            // A few blanks are no beginning that somebody would say again.
            Mode::Continues => delivered.len() >= TELLING || !delivered.trim().is_empty(),
            Mode::Repeats => !delivered.is_empty(),
        };
        Self { delivered: delivered.into(), at: 0, behind, mode }
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

    /// Keeps nothing of what was delivered, once it is no longer compared with anything.
    pub fn forget(&mut self) {
        if !self.behind {
            self.delivered = String::new();
        }
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
                self.tell()?;
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
                if self.has_said_all() {
                    self.tell()?;
                    return Ok(false);
                }
                if self.at >= TELLING { Err(Differs::Short) } else { Ok(self.at > 0) }
            }
        }
    }

    /// What comes from `start` on is not what was delivered.
    fn diverge(&mut self, start: usize) -> Result<Taken, Differs> {
        match self.mode {
            Mode::Repeats => Err(Differs::Text),
            Mode::Continues => {
                self.behind = false;
                if self.has_said_all() {
                    self.tell()?;
                    return Ok(Taken::From(start));
                }
                if self.at >= TELLING { Err(Differs::Text) } else { Ok(Taken::Released) }
            }
        }
    }

    /// All of it was said again: fails where that may be chance.
    fn tell(&self) -> Result<(), Differs> {
        match self.mode {
            Mode::Continues if self.at < TELLING && !self.delivered.trim().is_empty() => Err(Differs::Unsure),
            Mode::Continues | Mode::Repeats => Ok(()),
        }
    }

    /// Whether all of it was said but for white space at the end, which many chat templates trim before
    /// the model sees it.
    fn has_said_all(&self) -> bool {
        self.delivered[self.at..].trim_start().is_empty()
    }
}
