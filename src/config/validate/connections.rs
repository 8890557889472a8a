//! How connections to a provider are made: how many, past which proxy, trusting whom.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::num::NonZeroU32;

use http::Uri;

use super::Validation;
use super::secret::Place;
use crate::config::file::{ProviderTable, SecretTable};
use crate::config::no_proxy::NoProxy;
use crate::config::proxy::Parsed;
use crate::config::spanned::{At, SwitchOr, TextOr};
use crate::config::{Authorities, Connections, Proxy};

/// The largest file of certificates, in bytes; those of a whole machine have a quarter of a million.
const LARGEST_FILE: u64 = 4 << 20;

/// In place of the URL of a proxy: none.
const OFF: &str = "off";

/// The variables that name a proxy, those written small first, as with curl.
const FOR_HTTPS: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const FOR_HTTP: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
const FOR_NONE: [&str; 2] = ["no_proxy", "NO_PROXY"];

impl Validation<'_> {
    /// How connections to the provider called `name`, at `url`, are made.
    pub(super) fn connections(
        &mut self,
        name: &At<String>,
        table: &ProviderTable,
        url: Option<&Uri>,
    ) -> Connections {
        let proxy = match &table.proxy {
            Some(written) => self.proxy(written),
            None => url.and_then(|url| self.proxy_of_environment(name, url)),
        };
        let authorities = table.ca.as_ref().and_then(|path| self.authorities(path));
        if let (Some(path), Some("http")) = (&table.ca, url.and_then(Uri::scheme_str)) {
            self.findings
                .warning(path.span(), "`ca` has no effect: the provider is not asked over TLS")
                .hint("write a `base_url` that begins with `https://`");
        }
        let most = table.max_connections.as_ref().and_then(|most| NonZeroU32::new(*most.value()));
        Connections { most, proxy, authorities }
    }

    fn proxy(&mut self, written: &At<TextOr<SwitchOr<SecretTable>>>) -> Option<Proxy> {
        let span = written.span();
        let place = match written.value() {
            TextOr::Text(text) => Place::Text(text),
            TextOr::Other(SwitchOr::Other(table)) => self.place_in(&span, table)?,
            TextOr::Other(SwitchOr::Switch(false)) => return None,
            TextOr::Other(SwitchOr::Switch(true)) => {
                self.findings
                    .fault(span, "this does not say which proxy")
                    .hint("write its URL, such as `\"http://proxy.example:3128\"`, or `false` for none");
                return None;
            }
        };
        let text = self.text_at(&span, place)?;
        if text == OFF {
            return None;
        }
        match Proxy::parse(&text) {
            Ok(parsed) => Some(self.kept(parsed)),
            Err(problem) => {
                self.findings.fault(span, problem.message).hint(problem.hint);
                None
            }
        }
    }

    /// The proxy that the environment names for `url`, unless that is on this machine.
    fn proxy_of_environment(&mut self, name: &At<String>, url: &Uri) -> Option<Proxy> {
        let host = url.host()?.trim_matches(['[', ']']);
        let (variables, usual) = match url.scheme_str() {
            Some("https") => (FOR_HTTPS, 443),
            _ => (FOR_HTTP, 80),
        };
        let (variable, text) =
            variables.into_iter().find_map(|name| self.variable(name).map(|text| (name, text)))?;
        let without = FOR_NONE.into_iter().find_map(|name| self.variable(name)).unwrap_or_default();
        if is_here(host) || NoProxy::parse(&without).covers(host, url.port_u16().unwrap_or(usual)) {
            return None;
        }
        match Proxy::parse(&text) {
            Ok(parsed) => Some(self.kept(parsed).named_by(variable)),
            // What was taken out may have been another proxy, or that there is none.
            Err(_) if self.findings.is_damaged(&name.span()) => None,
            Err(problem) => {
                let message = format!("environment variable `{variable}`: {}", problem.message);
                let hint = format!(
                    "set another one, add `{host}` to `NO_PROXY`, or write `proxy = false` for `{}`",
                    name.value()
                );
                self.findings.fault(name.span(), message).hint(hint);
                None
            }
        }
    }

    fn kept(&mut self, Parsed { proxy, secrets }: Parsed) -> Proxy {
        self.secrets.extend(secrets);
        proxy
    }

    fn authorities(&mut self, path: &At<String>) -> Option<Authorities> {
        let span = path.span();
        if path.value().contains("-----BEGIN") {
            self.findings.hide_text(&span);
            self.findings
                .fault(span, "this is a certificate, not the path of its file")
                .hint("write it into a file, and the path of that here");
            return None;
        }
        let shown = path.value().escape_debug();
        let mut text = Vec::new();
        let read =
            File::open(path.value()).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut text));
        let (message, hint) = match read {
            Err(error) => (format!("cannot read `{shown}`: {error}"), "check the path and who may read it"),
            Ok(length) if length as u64 > LARGEST_FILE => {
                (format!("`{shown}` is larger than 4 MB"), "name a file with the certificates alone")
            }
            Ok(_) => match Authorities::try_new(path.value(), &text) {
                Ok(authorities) => return Some(authorities),
                Err(problem) => (
                    format!("`{shown}` {problem}"),
                    "it must be PEM, with `-----BEGIN CERTIFICATE-----` before each certificate",
                ),
            },
        };
        self.findings.fault(span, message).hint(hint);
        None
    }
}

/// Whether a host is this machine, as far as its name tells.
fn is_here(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    match name.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(address) => address.is_loopback() || address.is_unspecified(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}
