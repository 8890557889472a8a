//! Masks configured secrets wherever text leaves the process.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Every configured secret, longest first.
#[derive(Clone, Default)]
pub struct Secrets(Arc<[String]>);

/// Shorter values would mask ordinary words; no provider's key is that short.
const SHORTEST: usize = 6;

/// A shorter beginning tells nothing: it is the mark of the provider, or the `Bearer` before a key.
const TELLING: usize = 8;

const MASK: &str = "***";

impl Secrets {
    /// The masker of `values`; those of fewer than six bytes are not masked.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut values: Vec<String> = values.into_iter().filter(|value| value.len() >= SHORTEST).collect();
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Self(values.into())
    }

    /// The same masker with `more` values.
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = String>) -> Self {
        // Keys of users are configured as a rule, and then nothing has to be copied.
        let mut more = more.into_iter().filter(|secret| !self.0.contains(secret)).peekable();
        match more.peek() {
            Some(_) => Self::new(self.0.iter().cloned().chain(more)),
            None => self.clone(),
        }
    }

    /// `text` with each secret replaced by `***`, also one that the end of the text or an ellipsis cut
    /// short: what providers say is shortened before it is shown.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in self.0.iter() {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), MASK));
            }
        }
        let ends = text.match_indices('…').map(|(at, _)| at).chain([text.len()]);
        let beginnings: Vec<_> = ends.filter_map(|end| self.beginning_before(&text[..end])).collect();
        for range in beginnings.into_iter().rev() {
            text.to_mut().replace_range(range, MASK);
        }
        text
    }

    /// Where the longest beginning of a secret stands that `text` ends with.
    fn beginning_before(&self, text: &str) -> Option<Range<usize>> {
        let ends_with = |beginning: &[u8]| text.as_bytes().ends_with(beginning);
        let lengths = self.0.iter().filter_map(|secret| {
            (TELLING..secret.len()).rev().find(|length| ends_with(&secret.as_bytes()[..*length]))
        });
        lengths.max().map(|length| text.len() - length..text.len())
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

    #[test]
    fn masks_more_for_one_request() {
        let secrets = Secrets::new(["sk-shared".to_owned()]);
        let more = secrets.with(["sk-shared-and-longer".to_owned()]);

        assert_eq!(more.mask("sk-shared-and-longer sk-shared"), "*** ***");
        assert_eq!(secrets.with([]).mask("sk-shared sk-mine"), "*** sk-mine");
        assert!(Arc::ptr_eq(&secrets.0, &secrets.with(["sk-shared".to_owned()]).0), "nothing is new");
    }

    #[test]
    fn masks_what_is_left_of_a_secret_that_was_cut() {
        let secrets = Secrets::new(["sk-äbcdefgh".to_owned(), "sk-äbcd-12".to_owned()]);

        for (text, masked) in [
            ("key sk-äbcdefg", "key ***"),
            ("key sk-äbcd…", "key ***…"),
            ("sk-äbcd-1…: no key sk-äbcde… sk-äbcd", "***…: no key ***… ***"),
            ("sk-äbcd, sk-äbc…", "sk-äbcd, sk-äbc…"),
            ("…", "…"),
        ] {
            assert_eq!(secrets.mask(text), masked, "{text}");
        }
    }
}
