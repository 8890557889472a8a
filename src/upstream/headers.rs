//! Which headers go out with an attempt and which come back, both by allowlist.

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;

use super::{Call, Credential};
use crate::config::users::credentials_in;
use crate::config::{Key, Provider, RESERVED_HEADERS, UserKey};

/// The name under which a client sees the provider's own request id.
pub const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-backstop-upstream-request-id");

/// Who is asking.
pub(super) const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("backstop/", env!("CARGO_PKG_VERSION")));

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const STREAM: HeaderValue = HeaderValue::from_static("text/event-stream, application/json;q=0.9");

/// What passes from the client to the provider.
static FROM_CLIENT: [HeaderName; 3] = [
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("anthropic-beta"),
];

/// What passes from the provider to the client, beside the rate limits.
static FROM_PROVIDER: [HeaderName; 3] = [
    CONTENT_TYPE,
    HeaderName::from_static("x-generation-id"),
    HeaderName::from_static("openai-processing-ms"),
];

const RATE_LIMITS: &str = "x-ratelimit-";

/// Where providers put their request id, the first one found counts.
static REQUEST_IDS: [HeaderName; 3] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("x-amzn-requestid"),
];

/// Of a client's headers those that attempts may carry.
pub fn from_client(headers: &HeaderMap) -> HeaderMap {
    let carried = headers.iter().filter(|(name, _)| FROM_CLIENT.contains(name));
    carried.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A key that cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key has characters that no header can carry")]
pub struct BadKey;

/// The headers of an attempt, but for `host` and `content-length`.
///
/// A header that is configured replaces ours and the client's; the candidate's replaces the
/// provider's. A user's own key stands where the configured ones would, so that none of those goes out
/// beside it.
pub fn outbound(call: &Call<'_>, provider: &Provider) -> Result<HeaderMap, BadKey> {
    let shared = match call.credential {
        Credential::Shared(key) => provider.keys.get(key),
        Credential::Own(_) => None,
    };
    let mut headers = ours(shared, call.stream)?;
    for name in &FROM_CLIENT {
        for value in call.client_headers.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    configure(&mut headers, &provider.headers);
    configure(&mut headers, &call.candidate.headers);
    if let Credential::Own(key) = call.credential {
        replace(&mut headers, key, !provider.keys.is_empty())?;
    }
    Ok(headers)
}

/// The key under whose [`usual`] headers an attempt goes out, if it does: one with nothing of the client's or of
/// the candidate's.
pub(super) fn usual_key(call: &Call<'_>) -> Option<usize> {
    let is_usual = call.client_headers.is_empty() && call.candidate.headers.is_empty();
    match call.credential {
        Credential::Shared(key) if is_usual => Some(key),
        _ => None,
    }
}

/// What [`outbound`] gives for every such attempt with this one of the provider's keys.
pub(super) fn usual(key: Option<&Key>, stream: bool, provider: &Provider) -> Result<HeaderMap, BadKey> {
    let mut headers = ours(key, stream)?;
    configure(&mut headers, &provider.headers);
    Ok(headers)
}

/// What we send of our own accord.
fn ours(key: Option<&Key>, stream: bool) -> Result<HeaderMap, BadKey> {
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(ACCEPT, if stream { STREAM } else { JSON });
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(USER_AGENT, AGENT);
    if let Some(key) = key {
        headers.insert(AUTHORIZATION, authorization(key.secret.expose_secret())?);
    }
    Ok(headers)
}

/// The headers of a request for the list of models, but for `host`, with one of the provider's keys.
pub(super) fn listing(provider: &Provider, key: Option<&Key>) -> Result<HeaderMap, BadKey> {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(ACCEPT, JSON);
    headers.insert(USER_AGENT, AGENT);
    if let Some(key) = key {
        headers.insert(AUTHORIZATION, authorization(key.secret.expose_secret())?);
    }
    configure(&mut headers, &provider.headers);
    Ok(headers)
}

/// A key as a bearer token, marked as a secret.
pub(super) fn authorization(key: &str) -> Result<HeaderValue, BadKey> {
    secret(format!("Bearer {key}"))
}

fn secret(text: String) -> Result<HeaderValue, BadKey> {
    let mut value = HeaderValue::try_from(text).map_err(|_| BadKey)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Puts a user's own `key` into each configured header in which a key stands; `as_token` says that one is
/// sent as a bearer token too, which is also what those do that have none configured.
fn replace(headers: &mut HeaderMap, key: &UserKey, as_token: bool) -> Result<(), BadKey> {
    let configured: Vec<_> = credentials_in(headers).collect();
    for name in &configured {
        headers.insert(name, secret(key.expose().to_owned())?);
    }
    if as_token || configured.is_empty() || configured.contains(&AUTHORIZATION) {
        headers.insert(AUTHORIZATION, authorization(key.expose())?);
    }
    Ok(())
}

fn configure(headers: &mut HeaderMap, configured: &HeaderMap) {
    for name in configured.keys().filter(|name| !RESERVED_HEADERS.contains(name)) {
        headers.remove(name);
        for value in configured.get_all(name) {
            headers.append(name, value.clone());
        }
    }
}

/// What a client sees of a provider's response headers.
pub fn inbound(provider: HeaderMap) -> HeaderMap {
    // With room for what the relay and the server add.
    let mut headers = HeaderMap::with_capacity(16);
    let id = REQUEST_IDS.iter().find_map(|name| provider.get(name)).cloned();
    let mut latest = None;
    for (name, value) in provider {
        // Of several values only the first one has the name with it.
        latest = name.or(latest);
        if let Some(name) = &latest
            && (FROM_PROVIDER.contains(name) || name.as_str().starts_with(RATE_LIMITS))
        {
            headers.append(name, value);
        }
    }
    if let Some(id) = id {
        headers.insert(UPSTREAM_REQUEST_ID, id);
    }
    headers
}

#[cfg(test)]
mod tests;
