//! The keys of a provider: one, several, or the one that its name implies.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use http::Uri;
use http::header::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use super::Validation;
use super::provider::CREDENTIALS;
use super::secret::{Place, may_name_a_variable};
use crate::config::Key;
use crate::config::file::{KeyTable, ProviderTable, QuotaTable};
use crate::config::lookalike::lookalikes;
use crate::config::presets::{Preset, origin};
use crate::config::spanned::{At, TextOr};
use crate::retry::Quota;

/// So many characters of a key tell something about it.
const TELLING: usize = 8;

/// What decides about a key that is not written down.
#[derive(Clone, Copy)]
pub(super) struct Implied<'p> {
    pub preset: Option<&'p Preset>,
    pub url: Option<&'p Uri>,
    pub headers: &'p HeaderMap,
}

impl Validation<'_> {
    /// The keys of the provider called `name`, in the order of the file.
    pub(super) fn keys(
        &mut self,
        name: &At<String>,
        table: &ProviderTable,
        implied: Implied<'_>,
    ) -> Vec<Key> {
        let written = table.api_keys.as_ref().map_or(0, |list| list.value().len());
        if let Some(order) = table.key_order.as_ref().filter(|_| written < 2) {
            self.findings
                .warning(order.span(), "`key_order` has no effect without several keys")
                .hint("write them as `api_keys = [ … ]`");
        }
        match (&table.api_key, &table.api_keys) {
            (Some(key), Some(_)) => {
                self.findings
                    .fault(key.span(), "`api_key` and `api_keys` cannot both be written")
                    .hint("move this key into the list");
                Vec::new()
            }
            (Some(key), None) => {
                let Some(place) = self.place(key) else { return Vec::new() };
                let secret = self.sendable(key, place);
                secret.map(|secret| pooled(&called(place, 1), secret, None)).into_iter().collect()
            }
            (None, Some(list)) => self.pool(name, list),
            (None, None) => self.implied_key(name, implied).into_iter().collect(),
        }
    }

    /// Every key of a list that can be used.
    fn pool(&mut self, provider: &At<String>, list: &At<Vec<At<TextOr<KeyTable>>>>) -> Vec<Key> {
        if list.value().is_empty() && !self.findings.is_damaged(&provider.span()) {
            self.findings.fault(list.span(), "this list holds no key").hint("leave it out if there is none");
        }
        let places: Vec<_> = list.value().iter().map(|entry| self.place_of_key(entry)).collect();
        // Who rotates keys takes one away for a while. If none is left, each of them is a fault.
        let some_left = places.iter().any(|place| place.is_some_and(|place| self.is_unset(place).is_none()));
        let mut keys: Vec<Key> = Vec::new();
        for (index, (entry, place)) in list.value().iter().zip(places).enumerate() {
            let table = match entry.value() {
                TextOr::Text(_) => None,
                TextOr::Other(table) => Some(table),
            };
            let Some(place) = place else { continue };
            if let Some(variable) = self.is_unset(place).filter(|_| some_left) {
                let message =
                    format!("this key is left out: environment variable `{}` is not set", variable.value());
                self.findings
                    .warning(variable.span(), message)
                    .hint(format!("export {}=…, or take it out of the list", variable.value()));
                continue;
            }
            let Some(secret) = self.sendable(entry, place) else { continue };
            let written = table.and_then(|table| table.name.as_ref());
            let name = match written {
                Some(name) if !self.names_a_key(name, &secret) => continue,
                Some(name) => name.value().clone(),
                None => called(place, index + 1),
            };
            let span = written.map_or_else(|| entry.span(), At::span);
            if let Some(first) = keys.iter().find(|key| key.secret.expose_secret() == secret) {
                let message = format!("this key is left out: it is `{}` again", first.name.escape_debug());
                self.findings.warning(entry.span(), message).hint("take it out of the list");
            } else if keys.iter().any(|key| *key.name == *name) {
                self.findings.fault(span, format!("two keys are called `{}`", name.escape_debug())).hint(
                    "write a `name` of its own for each, such as `{ env = \"NAME\", name = \"work\" }`",
                );
            } else {
                keys.push(pooled(&name, secret, table.and_then(|table| table.limits.as_ref())));
            }
        }
        keys
    }

    fn place_of_key<'k>(&mut self, entry: &'k At<TextOr<KeyTable>>) -> Option<Place<'k>> {
        let table = match entry.value() {
            TextOr::Text(text) => return Some(Place::Text(text)),
            TextOr::Other(table) => table,
        };
        match (&table.env, &table.file, &table.value) {
            (Some(name), None, None) => Some(Place::Variable(name)),
            (None, Some(path), None) => Some(Place::File(path)),
            (None, None, Some(value)) => Some(Place::Text(value.value())),
            _ => {
                if !self.findings.has_fault_within(&entry.span()) {
                    self.findings
                        .fault(entry.span(), "this key stands in no single place")
                        .hint("write one of `env = \"NAME\"`, `file = \"/path\"` and `value = \"…\"`");
                }
                None
            }
        }
    }

    /// The variable of a key that is not set, if its name can be one at all.
    fn is_unset<'k>(&self, place: Place<'k>) -> Option<&'k At<String>> {
        let Place::Variable(name) = place else { return None };
        (may_name_a_variable(name.value()) && self.variable(name.value()).is_none()).then_some(name)
    }

    /// Whether logs can call the key `secret` so.
    fn names_a_key(&mut self, name: &At<String>, secret: &str) -> bool {
        if name.value().trim().is_empty() || name.value().chars().any(char::is_control) {
            self.findings
                .fault(name.span(), "this cannot be the name of a key")
                .hint("names are not empty and hold no control characters");
            return false;
        }
        let word = name.value().as_str();
        let part = word.contains(secret) || (word.len() >= TELLING && secret.contains(word));
        if part || !lookalikes(word).is_empty() {
            self.findings.hide_text(&name.span());
            self.findings
                .fault(name.span(), "this name looks like a key, and logs would show it")
                .hint("write a word for the key, such as `name = \"work\"`");
            return false;
        }
        true
    }

    /// The secret of a written key, if a header can carry it.
    pub(super) fn sendable<T>(&mut self, written: &At<T>, place: Place<'_>) -> Option<String> {
        let secret = self.secret_at(&written.span(), place)?;
        self.header_value(written.span(), &secret, true)?;
        Some(secret)
    }

    /// The key of a known provider, which goes nowhere but to that provider.
    fn implied_key(&mut self, name: &At<String>, implied: Implied<'_>) -> Option<Key> {
        let Implied { preset, url, headers } = implied;
        let (preset, url) = (preset?, url?);
        let variable = preset.key_variable?;
        let (span, name) = (name.span(), name.value());
        let authorized = CREDENTIALS.iter().any(|header| headers.contains_key(header));
        if origin(url) != origin(&Uri::from_static(preset.base_url)) {
            if !authorized {
                let message = format!("provider `{name}` has no key: `{variable}` is not sent to `{url}`");
                let hint =
                    format!("write `api_key = {{ env = \"{variable}\" }}` if it is meant for that server");
                self.findings.warning(span, message).hint(hint);
            }
            return None;
        }
        let Some(key) = self.variable(variable) else {
            if !authorized {
                self.findings
                    .warning(
                        span,
                        format!("provider `{name}` has no key: environment variable `{variable}` is not set"),
                    )
                    .hint(format!("export {variable}=…, or write `api_key`"));
            }
            return None;
        };
        self.secrets.push(key.clone());
        if HeaderValue::from_str(&key).is_err() {
            self.findings
                .fault(span, format!("environment variable `{variable}` holds characters that no key has"))
                .hint("it must be a single line without control characters");
        }
        Some(pooled(variable, key, None))
    }
}

/// What logs call a key without a name of its own; `position` counts from 1.
fn called(place: Place<'_>, position: usize) -> String {
    let file = |path: &At<String>| Path::new(path.value()).file_name()?.to_str().map(str::to_owned);
    let name = match place {
        Place::Text(_) => None,
        Place::Variable(name) => Some(name.value().clone()),
        Place::File(path) => file(path),
    };
    name.unwrap_or_else(|| format!("key {position}"))
}

fn pooled(name: &str, secret: String, limits: Option<&QuotaTable>) -> Key {
    Key { name: Arc::from(name), secret: SecretString::from(secret), quota: quota(limits) }
}

/// The requests that are allowed; zeros do not come so far.
pub(super) fn quota(limits: Option<&QuotaTable>) -> Quota {
    let number = |written: &Option<At<u32>>| NonZeroU32::new(*written.as_ref()?.value());
    limits.map_or_else(Quota::default, |limits| Quota {
        requests_per_minute: number(&limits.requests_per_minute),
        requests_per_day: number(&limits.requests_per_day),
    })
}
