//! The text of a configuration: the file, and behind it the values of the environment.
//!
//! A byte range of that text is enough to say where a value came from.

use std::fmt::Write as _;
use std::ops::Range;

use super::Environment;
use super::lookalike::lookalikes;
use super::spanned::Span;

/// What an environment variable has to begin with to be a configuration key.
const PREFIX: &str = "BACKSTOP_";
/// What stands between the keys in the name of a variable. Names without it are not ours: Kubernetes injects
/// `BACKSTOP_PORT=tcp://…` for a service of that name.
const SEPARATOR: &str = "__";

/// A configuration as it was written.
pub struct Document {
    /// What the file is called in messages.
    name: String,
    /// The file, then the values of the variables.
    text: String,
    file_end: usize,
    variables: Vec<Variable>,
}

/// An environment variable that is a configuration key.
pub struct Variable {
    /// Its whole name.
    pub name: String,
    /// The keys it names, in lower case.
    pub keys: Vec<String>,
    /// Where its value stands.
    pub span: Span,
}

impl Document {
    /// The `file` called `name` and the configuration keys of the environment.
    pub fn new(name: &str, file: &str, environment: &Environment) -> Self {
        let mut document = Self {
            name: name.to_owned(),
            text: format!("{file}\n"),
            file_end: file.len(),
            variables: Vec::new(),
        };
        for (name, value) in environment {
            let Some(keys) = name.strip_prefix(PREFIX).filter(|keys| keys.contains(SEPARATOR)) else {
                continue;
            };
            let start = document.text.len();
            document.text.push_str(value);
            document.text.push('\n');
            document.variables.push(Variable {
                name: name.clone(),
                keys: keys.to_ascii_lowercase().split(SEPARATOR).map(str::to_owned).collect(),
                span: start..start + value.len(),
            });
        }
        document
    }

    /// The file's own text.
    pub fn file(&self) -> &str {
        &self.text[..self.file_end]
    }

    /// The text of a span.
    pub fn text(&self, span: Span) -> &str {
        &self.text[span]
    }

    /// The configuration keys of the environment, by name.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Where `span` begins, in words: `backstop.toml:3:1`, or the name of a variable.
    pub fn place(&self, span: &Span) -> String {
        if let Some(variable) = self.variable(span) {
            return format!("environment variable `{}`", variable.name);
        }
        let line = self.line(span.start);
        let column = self.text[line.start..self.floor(span.start)].chars().count() + 1;
        format!("{}:{}:{column}", self.name, self.line_number(line.start))
    }

    /// Where `span` begins and, if that is in the file, its line with carets under it.
    ///
    /// What `hidden` covers is shown as asterisks, and so is what looks like a secret.
    pub fn excerpt(&self, span: &Span, hidden: &[Span]) -> String {
        let line = self.line(span.start);
        let number = self.line_number(line.start).to_string();
        let margin = " ".repeat(number.len());
        let mut excerpt = format!("{margin}--> {}\n", self.place(span));
        if self.variable(span).is_some() || self.text[line.clone()].trim().is_empty() {
            return excerpt;
        }
        let (mut shown, mut marks) = (String::new(), String::new());
        let alike = lookalikes(&self.text[line.clone()]);
        for (index, char) in self.text[line.clone()].char_indices() {
            let at = line.start + index;
            let is_hidden = hidden.iter().any(|range| range.contains(&at));
            shown.push(match char {
                _ if is_hidden || alike.iter().any(|range| range.contains(&index)) => '*',
                '\t' => '\t',
                char if char.is_control() => char::REPLACEMENT_CHARACTER,
                char => char,
            });
            marks.push(match char {
                _ if span.contains(&at) => '^',
                '\t' => '\t',
                _ => ' ',
            });
        }
        if !marks.contains('^') {
            marks.push('^');
        }
        let _ = writeln!(excerpt, "{margin} |");
        let _ = writeln!(excerpt, "{number} | {}", shown.trim_end());
        let _ = writeln!(excerpt, "{margin} | {}", marks.trim_end());
        excerpt
    }

    /// The line around the byte at `at`, without its end.
    pub fn line(&self, at: usize) -> Range<usize> {
        let at = self.floor(at);
        let start = self.file()[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.file()[at..].find('\n').map_or(self.file_end, |newline| at + newline);
        start..end - usize::from(self.text[start..end].ends_with('\r'))
    }

    fn line_number(&self, at: usize) -> usize {
        self.text[..at].bytes().filter(|byte| *byte == b'\n').count() + 1
    }

    /// The next character boundary of the file at or before `at`.
    fn floor(&self, at: usize) -> usize {
        self.file().floor_char_boundary(at)
    }

    fn variable(&self, span: &Span) -> Option<&Variable> {
        (span.start > self.file_end)
            .then(|| self.variables.iter().find(|variable| variable.span.end >= span.start))
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_two_underscores_are_keys() {
        let environment = Environment::from([
            ("BACKSTOP_PORT".to_owned(), "tcp://10.0.0.1:80".to_owned()),
            ("BACKSTOP_CONFIG".to_owned(), "/etc/x.toml".to_owned()),
            ("BACKSTOP_SERVER__LISTEN".to_owned(), "0.0.0.0:1".to_owned()),
            ("HOME".to_owned(), "/root".to_owned()),
        ]);
        let document = Document::new("backstop.toml", "[server]\n", &environment);

        let [variable] = document.variables() else { panic!("one variable") };
        assert_eq!(variable.keys, ["server", "listen"]);
        assert_eq!(document.text(variable.span.clone()), "0.0.0.0:1");
        assert_eq!(document.place(&variable.span), "environment variable `BACKSTOP_SERVER__LISTEN`");
        let place = " --> environment variable `BACKSTOP_SERVER__LISTEN`\n";
        assert_eq!(document.excerpt(&variable.span, &[]), place);
    }

    #[test]
    fn carets_count_characters_and_keep_tabs() {
        let document = Document::new("a.toml", "x = 1\n\tä = \"sécret\" # b\r\n", &Environment::new());
        let line = document.file().find('ä').expect("there") - 1;
        let value = document.file().find("\"s").expect("there");
        let hidden = line + 7..line + 14;

        assert_eq!(document.place(&(value..value + 9)), "a.toml:2:6");
        assert_eq!(
            document.excerpt(&(value..value + 9), std::slice::from_ref(&hidden)),
            " --> a.toml:2:6\n  |\n2 | \tä = \"******\" # b\n  | \t    ^^^^^^^^\n",
        );
    }
}
