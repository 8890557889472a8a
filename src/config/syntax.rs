//! From text to toml's tree, in which every value knows its place.

use toml::Spanned;
use toml::de::DeTable;

use super::document::Document;
use super::fault::Findings;
use super::lookalike;

/// The tree of the document's file, or every fault of its syntax.
pub fn parse<'d>(document: &'d Document, findings: &mut Findings) -> Option<Spanned<DeTable<'d>>> {
    let (tree, errors) = DeTable::parse_recoverable(document.file());
    if errors.is_empty() {
        return Some(tree);
    }
    for error in errors {
        let span = error.span().unwrap_or_default();
        hide_values(document, span.start, findings);
        findings.fault(span, error.message().trim_end_matches('.'));
    }
    None
}

/// Without a tree it is not known what on the line is a secret, so whatever may be a value is not shown.
pub fn hide_values(document: &Document, at: usize, findings: &mut Findings) {
    let line = document.line(at);
    for value in lookalike::values(document.text(line.clone())) {
        findings.hide(line.start + value.start..line.start + value.end);
    }
}
