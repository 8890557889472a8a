//! Which brackets are open.

use super::Unbalanced;

/// The brackets that are open, a bit for each; allocates below the 64th level only.
#[derive(Debug, Default)]
pub(super) struct Brackets {
    depth: usize,
    innermost: u64,
    outer: Vec<u64>,
}

impl Brackets {
    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.depth == 0
    }

    /// Whether the innermost one is a brace.
    pub fn in_braces(&self) -> bool {
        self.innermost & 1 == 1
    }

    /// One opens: a brace or a square bracket.
    pub fn push(&mut self, brace: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.innermost);
        }
        self.innermost = self.innermost << 1 | u64::from(brace);
        self.depth += 1;
    }

    /// The innermost one closes, if it is of that kind. One has to be open.
    pub fn pop(&mut self, brace: bool) -> Result<(), Unbalanced> {
        if self.in_braces() != brace {
            return Err(Unbalanced);
        }
        self.innermost >>= 1;
        self.depth -= 1;
        if self.depth.is_multiple_of(64)
            && let Some(outer) = self.outer.pop()
        {
            self.innermost = outer;
        }
        Ok(())
    }
}
