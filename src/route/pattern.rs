//! Patterns of model ids.

use std::fmt;

/// A pattern of ids: `*` stands for any characters, none among them, `?` for exactly one, all else for itself.
/// Capitals and small letters are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    written: String,
    folded: Vec<char>,
}

impl Pattern {
    /// The pattern that `text` spells, or nothing if it is empty, which fits no id.
    pub fn try_new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self { written: text.to_owned(), folded: fold(text) })
    }

    /// Whether `id` is one of those that it stands for; takes time for the product of both lengths at most.
    pub fn fits(&self, id: &str) -> bool {
        self.fits_folded(&fold(id))
    }

    /// Whether it fits every id.
    pub fn is_all(&self) -> bool {
        self.folded.iter().all(|char| *char == '*')
    }

    /// Whether whatever `other` fits is known to fit this one, too.
    pub fn covers(&self, other: &Self) -> bool {
        // A star is one character to a question mark, but not what it stands for.
        let all_stars = !other.folded.contains(&'*') || !self.folded.contains(&'?');
        all_stars && self.fits_folded(&other.folded)
    }

    fn fits_folded(&self, id: &[char]) -> bool {
        let pattern = &self.folded;
        let (mut at, mut next) = (0, 0);
        // Only the last star has to be tried with more characters: what stood before it has its place already.
        let mut star = None;
        while at < id.len() {
            match pattern.get(next) {
                Some('*') => {
                    star = Some((next, at));
                    next += 1;
                }
                Some(char) if *char == '?' || *char == id[at] => {
                    at += 1;
                    next += 1;
                }
                _ => {
                    let Some((place, taken)) = star else { return false };
                    star = Some((place, taken + 1));
                    (at, next) = (taken + 1, place + 1);
                }
            }
        }
        pattern[next..].iter().all(|char| *char == '*')
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

fn fold(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::try_new(text).expect("a pattern")
    }

    #[test]
    fn stars_and_question_marks() {
        for (text, id, expected) in [
            ("*", "", true),
            ("*", "anything/at-all:free", true),
            ("deepseek/*", "deepseek/deepseek-chat:free", true),
            ("deepseek/*", "qwen/deepseek/x", false),
            ("*:free", "a/b:free", true),
            ("*:free", "a/b:free:x", false),
            ("*-guard-*", "meta/llama-guard-4", true),
            ("*-guard-*", "meta/llama-guard", false),
            ("gpt-?", "gpt-4", true),
            ("gpt-?", "gpt-4o", false),
            ("gpt-?", "gpt-", false),
            ("?", "ä", true),
            ("GPT-4", "gpt-4", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1b2b3", false),
            ("[a]", "a", false),
            ("a", "ab", false),
            ("ab", "a", false),
        ] {
            assert_eq!(pattern(text).fits(id), expected, "{text} {id}");
        }
        assert_eq!(Pattern::try_new(""), None);
    }

    #[test]
    fn covers_what_it_must_fit() {
        for (text, other, expected) in [
            ("*", "a/*", true),
            ("a/*", "a/b*", true),
            ("a/*", "a/*", true),
            ("a/b*", "a/*", false),
            ("a?", "a*", false),
            ("a?", "ab", true),
        ] {
            assert_eq!(pattern(text).covers(&pattern(other)), expected, "{text} {other}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = pattern(&"*a".repeat(200));
        assert!(!pattern.fits(&("a".repeat(500) + "b")));
    }

    /// What the words say, tried in every way.
    fn fits(pattern: &[char], id: &[char]) -> bool {
        match pattern.split_first() {
            None => id.is_empty(),
            Some(('*', rest)) => (0..=id.len()).any(|taken| fits(rest, &id[taken..])),
            Some((char, rest)) => {
                id.split_first().is_some_and(|(first, id)| (*char == '?' || char == first) && fits(rest, id))
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn fits_what_it_says(text in "[ab*?]{1,8}", id in "[ab]{0,8}") {
            prop_assert_eq!(pattern(&text).fits(&id), fits(&fold(&text), &fold(&id)));
        }

        #[test]
        fn covering_is_no_promise_too_much(text in "[ab*?]{1,6}", other in "[ab*?]{1,6}", id in "[ab]{0,6}") {
            if pattern(&text).covers(&pattern(&other)) && pattern(&other).fits(&id) {
                prop_assert!(pattern(&text).fits(&id));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{1,12}", id in "\\PC{0,12}") {
            let _ = pattern(&text).fits(&id);
        }
    }
}
