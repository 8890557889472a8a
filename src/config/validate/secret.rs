//! Keys and headers: from wherever they stand into values that nothing prints.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::Validation;
use crate::config::file::SecretTable;
use crate::config::spanned::{At, Span, TextOr};

/// The largest file that is taken for a secret, in bytes.
const LARGEST_FILE: u64 = 64 << 10;

/// Headers that are the connection's or the proxy's own, so that no configuration sets them.
pub const RESERVED: [HeaderName; 10] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TRAILER,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    header::EXPECT,
    header::ACCEPT_ENCODING,
    header::PROXY_AUTHORIZATION,
];

/// Where a secret stands.
#[derive(Clone, Copy)]
pub(super) enum Place<'p> {
    /// Right here.
    Text(&'p str),
    /// In the environment variable of that name.
    Variable(&'p At<String>),
    /// In the file at that path.
    File(&'p At<String>),
}

impl Validation<'_> {
    /// The value of a secret; its text is masked from now on.
    pub(super) fn secret(&mut self, secret: &At<TextOr<SecretTable>>) -> Option<String> {
        let place = self.place(secret)?;
        self.secret_at(&secret.span(), place)
    }

    /// The place that a secret names.
    pub(super) fn place<'p>(&mut self, secret: &'p At<TextOr<SecretTable>>) -> Option<Place<'p>> {
        match secret.value() {
            TextOr::Text(text) => Some(Place::Text(text)),
            TextOr::Other(table) => self.place_in(&secret.span(), table),
        }
    }

    /// The place that a table at `span` names.
    pub(super) fn place_in<'p>(&mut self, span: &Span, table: &'p SecretTable) -> Option<Place<'p>> {
        match (&table.env, &table.file) {
            (Some(name), None) => Some(Place::Variable(name)),
            (None, Some(path)) => Some(Place::File(path)),
            _ => {
                self.findings
                    .fault(span.clone(), "this secret names no single place")
                    .hint("write `{ env = \"NAME\" }` or `{ file = \"/path\" }`");
                None
            }
        }
    }

    /// The secret that stands at `place` and is written at `span`; its text is masked from now on.
    pub(super) fn secret_at(&mut self, span: &Span, place: Place<'_>) -> Option<String> {
        let value = self.text_at(span, place)?;
        // Providers repeat a key without the `Bearer` before it, too.
        self.secrets.extend(value.rsplit_once(' ').map(|(_, key)| key.to_owned()));
        self.secrets.push(value.clone());
        Some(value)
    }

    /// The text that stands at `place` and is written at `span`, not empty.
    pub(super) fn text_at(&mut self, span: &Span, place: Place<'_>) -> Option<String> {
        let value = match place {
            Place::Text(text) => text.trim().to_owned(),
            Place::Variable(name) => self.read_variable(name)?,
            Place::File(path) => self.read_secret_file(path)?,
        };
        if value.is_empty() {
            self.findings
                .fault(span.clone(), "this secret is empty")
                .hint("leave the key out if there is none");
            return None;
        }
        Some(value)
    }

    /// The value of an environment variable, if there is anything in it.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let value = self.environment.get(name)?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn read_variable(&mut self, name: &At<String>) -> Option<String> {
        let value = self.variable(name.value());
        if value.is_none() {
            if !may_name_a_variable(name.value()) {
                self.findings.hide_text(&name.span());
                self.findings
                    .fault(name.span(), "this is not the name of a variable")
                    .hint("write the name of the variable that holds the secret, not the secret");
                return None;
            }
            let name_text = name.value().escape_debug();
            self.findings
                .fault(name.span(), format!("environment variable `{name_text}` is not set"))
                .hint(format!("set it for the process that runs Backstop: export {name_text}=…"));
            return None;
        }
        value
    }

    fn read_secret_file(&mut self, path: &At<String>) -> Option<String> {
        let mut text = String::new();
        let read =
            File::open(path.value()).and_then(|file| file.take(LARGEST_FILE + 1).read_to_string(&mut text));
        let shown = if path.value().contains(['/', '.']) {
            format!("`{}`", path.value().escape_debug())
        } else {
            self.findings.hide_text(&path.span());
            "this file".to_owned()
        };
        match read {
            Ok(length) if length as u64 > LARGEST_FILE => {
                self.findings
                    .fault(path.span(), format!("{shown} is larger than 64 KB"))
                    .hint("name a file that holds the secret and nothing else");
                None
            }
            Ok(_) => Some(text.trim().to_owned()),
            Err(error) => {
                self.findings
                    .fault(path.span(), format!("cannot read {shown}: {error}"))
                    .hint("check the path and who may read it");
                None
            }
        }
    }

    /// The headers of a table; those that may be secret are marked sensitive.
    pub(super) fn headers(
        &mut self,
        table: Option<&BTreeMap<At<String>, At<TextOr<SecretTable>>>>,
    ) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, written) in table.into_iter().flatten() {
            let parsed = self.header_name(name);
            let literal = match written.value() {
                TextOr::Text(text) if !parsed.as_ref().is_some_and(names_a_secret) => Some(text.clone()),
                _ => None,
            };
            let sensitive = literal.is_none();
            let text = literal.or_else(|| self.secret(written));
            let (Some(parsed), Some(text)) = (parsed, text) else { continue };
            if let Some(value) = self.header_value(written.span(), &text, sensitive) {
                headers.insert(parsed, value);
            }
        }
        headers
    }

    /// The value of a header.
    pub(super) fn header_value(&mut self, span: Span, text: &str, sensitive: bool) -> Option<HeaderValue> {
        let Ok(mut value) = HeaderValue::from_str(text) else {
            self.findings
                .fault(span, "this value holds characters that no header may hold")
                .hint("it must be a single line without control characters");
            return None;
        };
        value.set_sensitive(sensitive);
        Some(value)
    }

    fn header_name(&mut self, name: &At<String>) -> Option<HeaderName> {
        let Ok(parsed) = HeaderName::try_from(name.value().as_str()) else {
            self.findings.fault(name.span(), "this is not the name of a header").hint("such as `X-Team`");
            return None;
        };
        if RESERVED.contains(&parsed) {
            let hint = if parsed == header::PROXY_AUTHORIZATION {
                "the provider would read it: write `http://user:password@host:port` as its `proxy`"
            } else {
                "Backstop and the connection decide about it"
            };
            self.findings.fault(name.span(), format!("`{parsed}` cannot be set")).hint(hint);
            return None;
        }
        Some(parsed)
    }
}

/// Whether a variable may be called `name`; a key in its place may not.
pub(super) fn may_name_a_variable(name: &str) -> bool {
    let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let formed = name.chars().all(is_part) && name.starts_with(|char: char| !char.is_ascii_digit());
    let lower = name.contains(|char: char| char.is_ascii_lowercase());
    let digit = name.contains(|char: char| char.is_ascii_digit());
    formed && !(lower && name.len() >= 16 && (digit || !name.contains('_')))
}

fn names_a_secret(name: &HeaderName) -> bool {
    ["auth", "key", "token", "secret", "cookie", "password"].iter().any(|word| name.as_str().contains(word))
}
