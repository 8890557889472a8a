//! A body with some of its ranges replaced.

use std::ops::Range;

use bytes::Bytes;

/// Replaces ranges of a body, from the first to the last; what stays is not copied.
pub(super) struct Patch<'a> {
    body: &'a Bytes,
    copied: usize,
    slices: Vec<Bytes>,
}

impl<'a> Patch<'a> {
    /// Nothing of `body` is replaced yet.
    pub fn new(body: &'a Bytes) -> Self {
        Self { body, copied: 0, slices: Vec::with_capacity(3) }
    }

    /// Leaves `range` out, if there is one.
    pub fn cut(&mut self, range: Option<Range<usize>>) {
        if let Some(range) = range {
            self.replace(range, String::new());
        }
    }

    /// Puts `text` in the place of `range`, which must not begin before the end of the last one.
    pub fn replace(&mut self, range: Range<usize>, text: String) {
        self.push(self.body.slice(self.copied..range.start));
        self.push(text.into());
        self.copied = range.end;
    }

    /// The new body, in slices.
    pub fn finish(mut self) -> Vec<Bytes> {
        self.push(self.body.slice(self.copied..));
        self.slices
    }

    fn push(&mut self, slice: Bytes) {
        if !slice.is_empty() {
            self.slices.push(slice);
        }
    }
}
