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

/// Headers that are the connection's or the proxy's own.
const RESERVED: [HeaderName; 8] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    header::EXPECT,
    header::ACCEPT_ENCODING,
];

impl Validation<'_> {
    /// The value of a secret; its text is masked from now on.
    pub(super) fn secret(&mut self, secret: &At<TextOr<SecretTable>>) -> Option<String> {
        let value = self.look_up(secret)?;
        if value.is_empty() {
            self.findings
                .fault(secret.span(), "this secret is empty")
                .hint("leave the key out if there is none");
            return None;
        }
        // Providers repeat a key without the `Bearer` before it, too.
        self.secrets.extend(value.rsplit_once(' ').map(|(_, key)| key.to_owned()));
        self.secrets.push(value.clone());
        Some(value)
    }

    fn look_up(&mut self, secret: &At<TextOr<SecretTable>>) -> Option<String> {
        let table = match secret.value() {
            TextOr::Text(text) => return Some(text.trim().to_owned()),
            TextOr::Other(table) => table,
        };
        match (&table.env, &table.file) {
            (Some(name), None) => self.read_variable(name),
            (None, Some(path)) => self.read_secret_file(path),
            _ => {
                self.findings
                    .fault(secret.span(), "this secret names no single place")
                    .hint("write `{ env = \"NAME\" }` or `{ file = \"/path\" }`");
                None
            }
        }
    }

    fn read_variable(&mut self, name: &At<String>) -> Option<String> {
        let value = self.environment.get(name.value()).map(|value| value.trim().to_owned());
        if value.as_ref().is_none_or(String::is_empty) {
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
            File::open(path.value()).and_then(|file| file.take(LARGEST_FILE).read_to_string(&mut text));
        match read {
            Ok(_) => Some(text.trim().to_owned()),
            Err(error) => {
                let message = format!("cannot read `{}`: {}", path.value().escape_debug(), error.kind());
                self.findings.fault(path.span(), message).hint("check the path and who may read it");
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
            self.findings
                .fault(name.span(), format!("`{parsed}` cannot be set"))
                .hint("Backstop and the connection decide about it");
            return None;
        }
        Some(parsed)
    }
}

fn names_a_secret(name: &HeaderName) -> bool {
    ["auth", "key", "token", "secret", "cookie", "password"].iter().any(|word| name.as_str().contains(word))
}
