//! Everything that is wrong with a configuration, and everything that is only odd.

use std::collections::BTreeSet;
use std::fmt;

use super::document::Document;
use super::lookalike::mask;
use super::spanned::Span;

/// Why a configuration cannot be used: every fault of it, ready to be printed. Shows no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<String>);

impl Faults {
    /// A single fault that stands nowhere in the text.
    pub fn single(message: &str) -> Self {
        Self(vec![format!("error: {message}\n")])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Faults {}

/// Something odd that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What is odd.
    pub message: String,
    /// File, line and column, or the name of a variable.
    pub place: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "warning: {}\n --> {}\n", self.message, self.place)?;
        self.hint.as_ref().map_or(Ok(()), |hint| writeln!(f, "  hint: {hint}"))
    }
}

/// A fault or a warning, and where it belongs.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    span: Span,
    message: String,
    hint: Option<String>,
}

impl Finding {
    /// Says what to do.
    pub fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }

    fn render(&self, document: &Document, hidden: &[Span]) -> String {
        let excerpt = document.excerpt(&self.span, hidden);
        let hint = self.hint.as_ref().map_or_else(String::new, |hint| format!("  hint: {}\n", mask(hint)));
        format!("error: {}\n{excerpt}{hint}", mask(&self.message))
    }
}

/// Collects what is found on the way through a configuration.
#[derive(Default)]
pub struct Findings {
    faults: Vec<Finding>,
    warnings: Vec<Finding>,
    hidden: Vec<Span>,
    damaged: BTreeSet<usize>,
}

impl Findings {
    /// Something that makes the configuration unusable.
    pub fn fault(&mut self, span: Span, message: impl Into<String>) -> &mut Finding {
        push(&mut self.faults, span, message.into())
    }

    /// Says what to do about the last fault at `span`, if there is one.
    pub fn hint_at(&mut self, span: &Span, hint: &str) {
        if let Some(fault) = self.faults.iter_mut().rfind(|fault| fault.span == *span) {
            fault.hint(hint);
        }
    }

    /// Never shows the text of the value at `span`.
    pub fn hide_text(&mut self, span: &Span) {
        self.hide(span.start + 1..span.end.saturating_sub(1));
    }

    /// Something odd.
    pub fn warning(&mut self, span: Span, message: impl Into<String>) -> &mut Finding {
        push(&mut self.warnings, span, message.into())
    }

    /// Never shows what stands at `span`.
    pub fn hide(&mut self, span: Span) {
        self.hidden.push(span);
    }

    /// Remembers that something was taken out under the keys that begin at these places.
    pub fn damage(&mut self, keys: &[usize]) {
        self.damaged.extend(keys);
    }

    /// Whether something was taken out under this key, so that what is missing there may be no fault.
    pub fn is_damaged(&self, key: &Span) -> bool {
        self.damaged.contains(&key.start)
    }

    /// Whether something in this inline value is wrong already.
    pub fn has_fault_within(&self, span: &Span) -> bool {
        self.faults.iter().any(|fault| span.contains(&fault.span.start))
    }

    /// Whether there is any fault so far.
    pub fn any(&self) -> bool {
        !self.faults.is_empty()
    }

    /// The faults if there are any, else the warnings; each once and in the order of the text.
    pub fn finish(mut self, document: &Document) -> Result<Vec<Warning>, Faults> {
        if self.any() {
            tidy(&mut self.faults);
            let render = |fault: &Finding| fault.render(document, &self.hidden);
            return Err(Faults(self.faults.iter().map(render).collect()));
        }
        tidy(&mut self.warnings);
        let warning = |finding: Finding| Warning {
            place: document.place(&finding.span),
            message: mask(&finding.message),
            hint: finding.hint.as_deref().map(mask),
        };
        Ok(self.warnings.into_iter().map(warning).collect())
    }
}

fn push(findings: &mut Vec<Finding>, span: Span, message: String) -> &mut Finding {
    findings.push_mut(Finding { span, message, hint: None })
}

/// A policy is read wherever it is used, so its faults are found more than once.
fn tidy(findings: &mut Vec<Finding>) {
    findings.sort_by_key(|finding| finding.span.start);
    let mut seen = BTreeSet::new();
    findings.retain(|finding| seen.insert((finding.span.start, finding.message.clone())));
}

/// `` `a`, `b` or `c` ``
pub fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match (words.pop(), words.is_empty()) {
        (Some(last), false) => format!("{} or {last}", words.join(", ")),
        (last, _) => last.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_in_words() {
        assert_eq!(list(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(list(["a"]), "`a`");
        assert_eq!(list([]), "");
    }
}
