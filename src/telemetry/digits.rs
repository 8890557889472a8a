//! Whole numbers as text, without the machinery of a format: a line has half a dozen.

#[cfg(test)]
mod tests;

/// How many digits the largest number has.
const MOST: usize = 20;

/// A number in decimal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digits {
    text: [u8; MOST],
    first: usize,
}

impl Digits {
    /// The digits of `value`, at least one.
    pub(crate) fn of(mut value: u64) -> Self {
        let mut digits = Self { text: [b'0'; MOST], first: MOST };
        loop {
            digits.first -= 1;
            digits.text[digits.first] += u8::try_from(value % 10).unwrap_or_default();
            value /= 10;
            if value == 0 {
                return digits;
            }
        }
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The text, where nobody asks whether it is one.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.get(self.first..).unwrap_or_default()
    }
}
