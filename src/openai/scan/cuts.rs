//! Cutting members out of an object.

use std::ops::Range;

/// Finds what to cut from an object so that members vanish together with one comma each.
///
/// Every member is shown to it in order, by where it begins and ends.
#[derive(Debug, Default)]
pub(in crate::openai) struct Cuts {
    previous_end: Option<usize>,
    leading: Option<Range<usize>>,
}

impl Cuts {
    /// A member stays; gives what must go before it.
    pub fn keep(&mut self, member: Range<usize>) -> Option<Range<usize>> {
        self.previous_end = Some(member.end);
        self.leading.take().map(|leading| leading.start..member.start)
    }

    /// A member goes; gives what can be cut already.
    pub fn cut(&mut self, member: Range<usize>) -> Option<Range<usize>> {
        if let Some(end) = self.previous_end.replace(member.end).filter(|_| self.leading.is_none()) {
            return Some(end..member.end);
        }
        let start = self.leading.as_ref().map_or(member.start, |leading| leading.start);
        self.leading = Some(start..member.end);
        None
    }

    /// The object is over; gives what is left to cut.
    pub fn finish(self) -> Option<Range<usize>> {
        self.leading
    }
}
