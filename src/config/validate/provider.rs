//! Providers: base URLs, keys, headers.

use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, REFERER};
use http::uri::{Parts, PathAndQuery, Uri};
use secrecy::SecretString;

use super::Validation;
use crate::config::fault::list;
use crate::config::file::ProviderTable;
use crate::config::presets::{PRESETS, Preset, origin};
use crate::config::spanned::At;
use crate::config::{Key, KeyOrder, Provider};
use crate::retry::Quota;
use crate::route::{Timeouts, nearest};

/// What `OpenRouter` is told without a word from the user: an app on this machine.
const APP_URL: &str = "http://localhost:8420";
const APP_TITLE: &str = "Backstop";
const X_TITLE: HeaderName = HeaderName::from_static("x-title");
/// The header in which `OpenRouter` wants the app's URL.
const HTTP_REFERER: HeaderName = HeaderName::from_static("http-referer");
/// Where a key can stand instead of in `api_key`.
pub(in crate::config) const CREDENTIALS: [HeaderName; 3] =
    [AUTHORIZATION, HeaderName::from_static("x-api-key"), HeaderName::from_static("api-key")];
/// What people copy from a curl line.
const ENDPOINT: &str = "/chat/completions";

/// A provider as the rest of the file sees it.
pub(super) struct Known<'a> {
    pub name: &'a str,
    pub shared_name: Arc<str>,
    pub timeouts: Timeouts,
    /// `None` if it has a fault.
    pub provider: Option<Provider>,
}

/// What decides about a key that is not written down.
#[derive(Clone, Copy)]
struct Implied<'p> {
    preset: Option<&'p Preset>,
    url: Option<&'p Uri>,
    headers: &'p HeaderMap,
}

impl<'a> Validation<'a> {
    /// Every provider, in the order of the file.
    pub(super) fn providers(&mut self) -> Vec<Known<'a>> {
        let mut tables: Vec<_> = self.file.providers.iter().flatten().collect();
        tables.sort_by_key(|(name, _)| name.span().start);
        tables.into_iter().map(|(name, table)| self.provider(name, table)).collect()
    }

    fn provider(&mut self, name: &'a At<String>, table: &'a ProviderTable) -> Known<'a> {
        if name.value().is_empty() || name.value().contains(|char: char| char == '/' || char.is_control()) {
            self.findings
                .fault(name.span(), "this cannot be the name of a provider")
                .hint("names are not empty and hold no `/`, which stands between provider and model");
        }
        let preset = self.preset(name, table);
        let shared_name: Arc<str> = name.value().as_str().into();
        let base_url = self.base_url(name, table, preset);
        let headers = self.provider_headers(table, preset, base_url.as_ref());
        let key = self.key(name, table, Implied { preset, url: base_url.as_ref(), headers: &headers });
        let local = preset.is_some_and(Preset::is_local);
        Known {
            name: name.value(),
            timeouts: self.provider_timeouts(local, table.timeouts.as_ref()),
            provider: base_url.map(|base_url| Provider {
                name: Arc::clone(&shared_name),
                base_url,
                keys: key
                    .into_iter()
                    .map(|secret| Key { name: "1".into(), secret, quota: Quota::default() })
                    .collect(),
                key_order: KeyOrder::default(),
                quota: Quota::default(),
                headers,
            }),
            shared_name,
        }
    }

    fn preset(&mut self, name: &At<String>, table: &ProviderTable) -> Option<&'static Preset> {
        let Some(written) = &table.preset else { return Preset::find(name.value()) };
        let preset = Preset::find(written.value());
        if preset.is_none() {
            let names = || PRESETS.iter().map(|preset| preset.name);
            let fault = self.findings.fault(written.span(), "unknown preset");
            if let Some(word) = nearest(written.value(), names()) {
                fault.hint(format!("did you mean `{word}`?"));
            } else {
                fault.hint(format!("the known ones are {}", list(names()).replace(" or ", " and ")));
                self.findings.hide_text(&written.span());
            }
        }
        preset
    }

    fn base_url(&mut self, name: &At<String>, table: &ProviderTable, preset: Option<&Preset>) -> Option<Uri> {
        if let Some(written) = &table.base_url {
            return self.parse_url(written);
        }
        if let Some(preset) = preset {
            return Some(Uri::from_static(preset.base_url));
        }
        if table.preset.is_none() && !self.findings.is_damaged(&name.span()) {
            let fault =
                self.findings.fault(name.span(), format!("provider `{}` has no `base_url`", name.value()));
            match nearest(name.value(), PRESETS.iter().map(|preset| preset.name)) {
                Some(word) => fault.hint(format!("did you mean `{word}`, which is known?")),
                None => fault.hint("add a `preset`, or a URL such as `\"http://127.0.0.1:8080/v1\"`"),
            }
        }
        None
    }

    fn parse_url(&mut self, written: &At<String>) -> Option<Uri> {
        let span = written.span();
        let text = written.value().trim().trim_end_matches('/');
        // Whatever a URL holds beside scheme, host and path may be a secret, and so may what is no URL.
        if text.contains(['@', '?', '#']) || !text.contains("://") {
            self.findings.hide_text(&span);
        }
        let mut fault = |message: &str, hint: String| self.findings.fault(span.clone(), message).hint(hint);
        let Ok(url) = text.parse::<Uri>() else {
            fault("this is not a URL", "such as `https://api.example.org/v1`".to_owned());
            return None;
        };
        let is_http = matches!(url.scheme_str(), Some("http" | "https"));
        if !is_http || url.authority().is_none() || url.host().is_none_or(str::is_empty) {
            fault("this is not an `http` or `https` URL", "such as `https://api.example.org/v1`".to_owned());
        } else if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            fault("this URL holds credentials", "write the key into `api_key`".to_owned());
        } else if url.query().is_some() || written.value().contains('#') {
            fault("this URL has a query or a fragment", "leave out what follows `?` or `#`".to_owned());
        } else if let Some(base) = text.strip_suffix(ENDPOINT) {
            fault("this URL is an endpoint, not the base of an API", format!("write `{base}`"));
        } else {
            return Some(without_slash(url));
        }
        None
    }

    fn key(
        &mut self,
        name: &At<String>,
        table: &ProviderTable,
        implied: Implied<'_>,
    ) -> Option<SecretString> {
        let Some(written) = &table.api_key else { return self.implied_key(name, implied) };
        let key = self.secret(written)?;
        self.header_value(written.span(), &key, true)?;
        Some(key.into())
    }

    /// The key of a known provider, which goes nowhere but to that provider.
    fn implied_key(&mut self, name: &At<String>, implied: Implied<'_>) -> Option<SecretString> {
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
        let key = self.environment.get(variable).map(|key| key.trim()).filter(|key| !key.is_empty());
        let Some(key) = key else {
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
        self.secrets.push(key.to_owned());
        if HeaderValue::from_str(key).is_err() {
            self.findings
                .fault(span, format!("environment variable `{variable}` holds characters that no key has"))
                .hint("it must be a single line without control characters");
        }
        Some(key.into())
    }

    fn provider_headers(
        &mut self,
        table: &ProviderTable,
        preset: Option<&Preset>,
        url: Option<&Uri>,
    ) -> HeaderMap {
        let there = url.and_then(Preset::at);
        let wanted = [preset, there].into_iter().flatten().any(|preset| preset.attribution);
        let mut headers = self.attribution(table, wanted);
        let written = self.headers(table.headers.as_ref());
        // The usual spelling stands for the one that OpenRouter reads.
        if written.contains_key(REFERER) {
            headers.remove(HTTP_REFERER);
        }
        headers.extend(written);
        headers
    }

    fn attribution(&mut self, table: &ProviderTable, wanted: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if table.attribution.as_ref().is_some_and(|attribution| !attribution.value()) {
            return headers;
        }
        for (name, written, default) in
            [(HTTP_REFERER, &table.app_url, APP_URL), (X_TITLE, &table.app_title, APP_TITLE)]
        {
            let value = match written {
                Some(written) => self.header_value(written.span(), written.value(), false),
                None => wanted.then(|| HeaderValue::from_static(default)),
            };
            headers.extend(value.map(|value| (name, value)));
        }
        headers
    }
}

fn without_slash(url: Uri) -> Uri {
    let Parts { scheme, authority, path_and_query, .. } = url.clone().into_parts();
    let mut parts = Parts::default();
    let path = path_and_query.as_ref().map_or("", PathAndQuery::path).trim_end_matches('/');
    (parts.scheme, parts.authority, parts.path_and_query) = (scheme, authority, path.parse().ok());
    Uri::from_parts(parts).unwrap_or(url)
}
