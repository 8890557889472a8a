//! Which web pages may ask.
//!
//! A browser sends `Origin` with every request that could cost something, preflighted or not, so
//! refusing foreign origins keeps any web page from spending the user's keys.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::config::Cors;

const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// Browsers know no wildcard within a name, so those of providers are the usual ones.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "x-request-id, retry-after, x-backstop-route, x-backstop-provider, x-backstop-model, \
     x-backstop-attempts, x-backstop-quota-remaining, x-backstop-upstream-request-id, \
     x-generation-id, openai-processing-ms, \
     x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, x-ratelimit-limit-requests, \
     x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, \
     x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens",
);

/// How long a browser may remember the answer to a preflight, in seconds.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// The page that a request comes from, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    /// Not a page of another origin: no `Origin` header.
    None,
    /// A page that may ask; the value for `access-control-allow-origin`.
    Allowed(HeaderValue),
    /// A page that may not, as it calls itself.
    Forbidden(String),
}

impl Page {
    /// The page behind a request with `headers`.
    pub fn of(cors: &Cors, headers: &HeaderMap) -> Self {
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return Self::None;
        };
        let text = String::from_utf8_lossy(origin.as_bytes());
        if origins.next().is_none() && allows(cors, &text) {
            let any = *cors == Cors::Any;
            Self::Allowed(if any { HeaderValue::from_static("*") } else { origin.clone() })
        } else {
            Self::Forbidden(text.into_owned())
        }
    }

    /// Lets the page read a response with `headers`.
    pub fn admit(&self, headers: &mut HeaderMap) {
        if let Self::Allowed(origin) = self {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        if *self != Self::None {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
    }
}

/// Whether a request asks on behalf of a page if it may ask.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight with the headers `asked`, but for those of [`Page::admit`].
pub(super) fn preflight(asked: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST, OPTIONS"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    if let Some(wanted) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    if asked.contains_key(REQUEST_PRIVATE_NETWORK) {
        headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
    }
    headers
}

fn allows(cors: &Cors, origin: &str) -> bool {
    match cors {
        Cors::Any => true,
        Cors::Loopback => is_loopback(origin),
        Cors::Origins(origins) => origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)),
    }
}

fn is_loopback(origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return false;
    }
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(host, port)| {
            is_port(port) && host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
        });
    }
    let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
    let name = host.to_ascii_lowercase();
    is_port(port)
        && (name == "localhost"
            || name.ends_with(".localhost")
            || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()))
}

/// Nothing, or a colon and a number.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests;
