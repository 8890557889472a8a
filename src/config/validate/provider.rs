//! Providers: base URLs, headers, what they can do.

use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, REFERER};
use http::uri::{Parts, PathAndQuery, Uri};

use super::Validation;
use super::keys::{Implied, quota};
use crate::config::Provider;
use crate::config::fault::list;
use crate::config::file::{DiscoverTable, ProviderTable};
use crate::config::presets::{PRESETS, Preset};
use crate::config::spanned::At;
use crate::retry::Policy;
use crate::route::{Prefill, Timeouts, nearest};

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
    /// That of its models where no route says otherwise.
    pub policy: Policy,
    /// Which of its models become routes.
    pub discover: Option<&'a DiscoverTable>,
    /// How its candidates continue an answer unless they say otherwise.
    pub prefill: Option<Prefill>,
    /// How a candidate does so that says it can.
    pub prefill_style: Prefill,
    /// `None` if it has a fault.
    pub provider: Option<Provider>,
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
        let connections = self.connections(name, table, base_url.as_ref());
        let keys = self.keys(name, table, Implied { preset, url: base_url.as_ref(), headers: &headers });
        // A hosted API is known by its host, too; what listens on a port of this machine may be anything.
        let hosted = || base_url.as_ref().and_then(Preset::at).filter(|preset| !preset.is_local());
        let prefill_style = preset.or_else(hosted).map_or(Prefill::Message, |preset| preset.prefill_style);
        let local = preset.is_some_and(Preset::is_local);
        Known {
            name: name.value(),
            timeouts: self.provider_timeouts(local, table.timeouts.as_ref()),
            policy: self.policy(&self.policy.clone(), table.retry.as_ref()),
            discover: table.discover.as_ref(),
            prefill: match &table.prefill {
                Some(prefill) => prefill.value().then_some(prefill_style),
                None => preset.and_then(|preset| preset.prefill),
            },
            prefill_style,
            provider: base_url.map(|base_url| Provider {
                name: Arc::clone(&shared_name),
                base_url,
                keys,
                key_order: table.key_order.as_ref().map(|order| (*order.value()).into()).unwrap_or_default(),
                quota: quota(table.limits.as_ref()),
                headers,
                connections,
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
