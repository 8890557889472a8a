//! What may be a secret by its looks alone.
//!
//! Where a secret has its place, it is hidden by that place. This is the net below: a key that was pasted
//! where none belongs is not shown either.

use std::ops::Range;

/// What the keys of providers begin with, in lower case.
const MARKS: [&str; 14] = [
    "sk-",
    "sk_",
    "gsk_",
    "csk-",
    "nvapi-",
    "xai-",
    "hf_",
    "ghp_",
    "gho_",
    "github_pat_",
    "aiza",
    "fw_",
    "tgp_",
    "pplx-",
];

/// A shorter word with such a mark is no whole key.
const SHORTEST_MARKED: usize = 12;

/// Names seldom have so many letters and digits in a row; keys have.
const SHORTEST_RUN: usize = 16;

/// What stays visible on a line that cannot be read, so that one sees where it is broken.
const PUNCTUATION: [char; 8] = ['=', '[', ']', '{', '}', ',', '"', '\''];

/// A line that is shorter holds no key.
const SHORTEST_LINE: usize = 12;

/// No key of the configuration is longer.
const LONGEST_KEY: usize = 32;

/// Where words stand in `text` that look like a secret.
pub fn lookalikes(text: &str) -> Vec<Range<usize>> {
    runs(text, |char| char.is_ascii_alphanumeric() || "_-.+~=".contains(char))
        .filter(|word| is_secret(&text[word.clone()]))
        .collect()
}

/// `text` with asterisks for what looks like a secret.
pub fn mask(text: &str) -> String {
    let mut masked = text.to_owned();
    for word in lookalikes(text) {
        // A word is ASCII, so the places of the others stay.
        let stars = "*".repeat(word.len());
        masked.replace_range(word, &stars);
    }
    masked
}

/// Where something may be a value on a line of broken syntax: right of `=`, and all of a line that has
/// neither a key nor the name of a table.
pub fn values(line: &str) -> Vec<Range<usize>> {
    let visible = match line.find('=') {
        Some(equals) if is_key(&line[..equals]) => equals,
        None if is_header(line) => line.len(),
        None if line.trim().len() < SHORTEST_LINE && !line.contains(['"', '\'']) => line.len(),
        Some(_) | None => 0,
    };
    runs(&line[visible..], |char| !char.is_whitespace() && !PUNCTUATION.contains(&char))
        .map(|run| run.start + visible..run.end + visible)
        .collect()
}

fn is_secret(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let marked = word.len() >= SHORTEST_MARKED && MARKS.iter().any(|mark| lower.starts_with(mark));
    marked || word.split(['-', '_', '.', '+', '~', '=']).any(is_random)
}

fn is_random(run: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| run.as_bytes().iter().any(kind);
    run.len() >= SHORTEST_RUN && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

fn is_key(text: &str) -> bool {
    is_name(text.trim().trim_start_matches(['{', ' ']))
}

fn is_header(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('[') && is_name(line.trim_matches(['[', ']']))
}

fn is_name(text: &str) -> bool {
    let plain = |char: char| char.is_ascii_alphanumeric() || "_-. ".contains(char);
    text.len() <= LONGEST_KEY && text.chars().all(plain) && lookalikes(text).is_empty()
}

/// The longest runs of characters that are `part` of one.
fn runs(text: &str, part: impl Fn(char) -> bool) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(&part)?;
        let end = text[start..].find(|char| !part(char)).map_or(text.len(), |length| start + length);
        at = end;
        Some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_names() {
        for (text, masked) in [
            ("unknown provider `gsk_Zq1Zq1Zq1`", "unknown provider `*************`"),
            ("sk-or-v1-0a1b2c3d: no", "*****************: no"),
            ("a/0123456789abcdef/b", "a/****************/b"),
            ("openrouter/openrouter/auto nvidia/moonshotai/kimi-k2.5", ""),
            ("llama/gemma-4-E4B-it-UD-Q4_K_X", ""),
            ("environment variable `OPENROUTER_API_KEY` is not set", ""),
            ("https://generativelanguage.googleapis.com/v1beta/openai", ""),
            ("attempts_per_burst sk-x", ""),
        ] {
            assert_eq!(mask(text), if masked.is_empty() { text } else { masked });
        }
    }

    #[test]
    fn broken_lines_keep_their_keys() {
        for (line, shown) in [
            ("api_key = abc\"def # g", "api_key = ***\"*** * *"),
            ("  X-My = \"a.b\", }}", "  X-My = \"***\", }}"),
            ("cGFzc3dvcmRwYXNzd29yZHBhc3N3b3Jk==", "********************************=="),
            ("passwordpassword", "****************"),
            ("\"short", "\"*****"),
            ("cycles", "cycles"),
            ("[routes.r", "[routes.r"),
            ("[routes.\"r", "[*******\"*"),
        ] {
            let mut text = line.to_owned();
            for range in values(line) {
                let stars = "*".repeat(range.len());
                text.replace_range(range, &stars);
            }
            assert_eq!(text, shown);
        }
    }
}
