//! Those who wait, in the order in which they came.

use std::collections::VecDeque;

/// A queue that anyone can leave from anywhere.
#[derive(Debug, Clone, Default)]
pub struct Line {
    next: u64,
    /// Grows from front to back.
    tickets: VecDeque<u64>,
}

impl Line {
    /// Joins at the end; gives the ticket.
    pub fn join(&mut self) -> u64 {
        let ticket = self.next;
        self.next += 1;
        self.tickets.push_back(ticket);
        ticket
    }

    /// How many stand before the holder of `ticket`, if they are in the line.
    pub fn position(&self, ticket: u64) -> Option<usize> {
        self.tickets.binary_search(&ticket).ok()
    }

    /// Takes the holder of `ticket` out; says whether they were in the line.
    pub fn leave(&mut self, ticket: u64) -> bool {
        self.position(ticket).and_then(|position| self.tickets.remove(position)).is_some()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.tickets.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn keeps_the_order_of_arrival(acts in proptest::collection::vec(proptest::option::of(any::<usize>()), 0..60)) {
            let mut line = Line::default();
            let mut expected: Vec<u64> = Vec::new();
            for act in acts {
                match act {
                    Some(which) if !expected.is_empty() => {
                        let ticket = expected.remove(which % expected.len());
                        prop_assert!(line.leave(ticket));
                        prop_assert!(!line.leave(ticket));
                    }
                    _ => expected.push(line.join()),
                }
                prop_assert_eq!(line.len(), expected.len());
                for (position, ticket) in expected.iter().enumerate() {
                    prop_assert_eq!(line.position(*ticket), Some(position));
                }
            }
        }
    }
}
