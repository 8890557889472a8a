//! The words and wordings by which providers tell one failure from another.
//!
//! Words are codes, types and statuses; they are compared without case, `_`, `-` and spaces.
//! Wordings are parts of messages in lower case, where `*` stands for at most 80 bytes
//! of one message.

use self::tables::{
    FEATURE_WORDS, FEATURES, PLAIN_MEMBERS, PRECISE_WORDINGS, PRECISE_WORDS, RATE_LIMIT_WORDINGS, REFUSALS,
    VAGUE_WORDS,
};
use crate::openai::error::ProviderError;
use crate::retry::Class;

mod tables;

/// How far apart the two sides of a `*` may lie.
const GAP: usize = 80;

/// The class that the error's own words leave no doubt about.
pub(super) fn precise(error: &ProviderError) -> Option<Class> {
    by_word(PRECISE_WORDS, error).or_else(|| by_wording(PRECISE_WORDINGS, error))
}

/// The class that the error's type hints at.
pub(super) fn vague(error: &ProviderError) -> Option<Class> {
    by_word(VAGUE_WORDS, error)
}

/// Whether a 429 stands for an empty purse. Google and OpenAI say "exceeded your current quota, check
/// your plan and billing" for a passing limit too, so that wording does not count.
pub(super) fn is_payment(error: &ProviderError) -> bool {
    says(Class::Payment, error)
}

/// Whether a refusal is about the content.
pub(super) fn is_content_policy(error: &ProviderError) -> bool {
    says(Class::ContentPolicy, error)
}

/// Whether a message speaks of a rate.
pub(super) fn is_rate_limited(error: &ProviderError) -> bool {
    RATE_LIMIT_WORDINGS.iter().any(|wording| occurs(wording, &error.text))
}

/// Whether the error refuses a feature in so many words.
pub(super) fn refuses_feature(error: &ProviderError) -> bool {
    error.words.iter().any(|word| FEATURE_WORDS.contains(&bare(word).as_str()))
        || REFUSALS.iter().any(|wording| occurs(wording, &error.text))
}

/// Whether the error refuses a feature that it names, which a 404 for a wrong path does not.
pub(super) fn refuses_named_feature(error: &ProviderError) -> bool {
    refuses_feature(error) && mentions_feature(error)
}

/// Whether the error names tools, images or a parameter, in whatever way.
pub(super) fn names_feature(error: &ProviderError) -> bool {
    let missing = error.text.contains("missing required");
    refuses_feature(error) || !missing && (blames_parameter(error) || mentions_feature(error))
}

fn blames_parameter(error: &ProviderError) -> bool {
    error.param.as_deref().is_some_and(|param| {
        let first = param.split(['.', '[']).next().unwrap_or_default();
        first.starts_with(|char: char| char.is_ascii_alphabetic()) && !PLAIN_MEMBERS.contains(&first)
    })
}

fn mentions_feature(error: &ProviderError) -> bool {
    let mut tokens = error.text.split(|char: char| !(char.is_alphanumeric() || "_-".contains(char)));
    tokens.any(|token| FEATURES.contains(&token))
}

fn says(class: Class, error: &ProviderError) -> bool {
    let words = PRECISE_WORDS.iter().filter(|row| row.0 == class);
    let wordings = PRECISE_WORDINGS.iter().filter(|row| row.0 == class);
    words.flat_map(|row| row.1).any(|known| error.words.iter().any(|word| bare(word) == *known))
        || wordings.flat_map(|row| row.1).any(|wording| occurs(wording, &error.text))
}

fn by_word(table: &[(Class, &[&str])], error: &ProviderError) -> Option<Class> {
    error.words.iter().find_map(|word| {
        let word = bare(word);
        table.iter().find(|(_, words)| words.contains(&word.as_str())).map(|row| row.0)
    })
}

fn by_wording(table: &[(Class, &[&str])], error: &ProviderError) -> Option<Class> {
    let row = table.iter().find(|(_, wordings)| wordings.iter().any(|wording| occurs(wording, &error.text)));
    row.map(|row| row.0)
}

/// `Rate-Limit_exceeded` and `rateLimitExceeded` are the same word.
pub(super) fn bare(word: &str) -> String {
    word.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether `text` has `wording` in it.
pub(super) fn occurs(wording: &str, text: &str) -> bool {
    let Some((start, end)) = wording.split_once('*') else {
        return text.contains(wording);
    };
    text.match_indices(start).any(|(at, _)| {
        let rest = text[at + start.len()..].lines().next().unwrap_or_default().as_bytes();
        let window = &rest[..rest.len().min(GAP + end.len())];
        memchr::memmem::find(window, end.as_bytes()).is_some()
    })
}
