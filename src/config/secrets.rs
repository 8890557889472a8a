//! Masks configured secrets wherever text leaves the process.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Every configured secret, longest first.
#[derive(Clone, Default)]
pub struct Secrets(Arc<[String]>);

/// Shorter values would mask ordinary words; no provider's key is that short.
const SHORTEST: usize = 6;

impl Secrets {
    /// The masker of `values`; those of fewer than six bytes are not masked.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut values: Vec<String> = values.into_iter().filter(|value| value.len() >= SHORTEST).collect();
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Self(values.into())
    }

    /// `text` with each secret replaced by `***`.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in self.0.iter() {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), "***"));
            }
        }
        text
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_the_longest_secret_first() {
        let secrets = Secrets::new(["sk-abcdef".to_owned(), "sk-abcdefgh".to_owned(), "no".to_owned()]);

        assert_eq!(secrets.mask("key sk-abcdefgh, no, sk-abcdef"), "key ***, no, ***");
        assert_eq!(format!("{secrets:?}"), "Secrets(2)");
    }
}
