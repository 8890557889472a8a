//! From text to toml's tree, in which every value knows its place.

use toml::Spanned;
use toml::de::DeTable;

use super::document::Document;
use super::fault::Findings;

/// Words after which a broken line may go on with a secret.
const TELLTALES: [&str; 7] = ["key", "token", "secret", "auth", "password", "bearer", "sk-"];

/// The tree of the document's file, or every fault of its syntax.
pub fn parse<'d>(document: &'d Document, findings: &mut Findings) -> Option<Spanned<DeTable<'d>>> {
    let (tree, errors) = DeTable::parse_recoverable(document.file());
    if errors.is_empty() {
        return Some(tree);
    }
    for error in errors {
        let span = error.span().unwrap_or_default();
        hide_secrets(document, span.start, findings);
        findings.fault(span, error.message().trim_end_matches('.'));
    }
    None
}

/// Without a tree it is not known what on the line is a secret, so whatever looks like one is not shown.
fn hide_secrets(document: &Document, at: usize, findings: &mut Findings) {
    let line = document.line(at);
    let text = document.text(line.clone());
    let lower = text.to_ascii_lowercase();
    if let Some(word) = TELLTALES.iter().filter_map(|word| lower.find(word)).min() {
        let value = text[word..].find('=').map_or(word, |equals| word + equals + 1);
        findings.hide(line.start + value..line.end);
    }
}
