//! Who asks, and the keys that they bring.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::access::clip;
use crate::config::{KEY_HEADER, Runtime, UserKey};
use crate::relay::User;
use crate::route::ProviderId;

const NAME: HeaderName = HeaderName::from_static("x-openwebui-user-name");
const MAIL: HeaderName = HeaderName::from_static("x-openwebui-user-email");
const ID: HeaderName = HeaderName::from_static("x-openwebui-user-id");

/// No provider's key is longer, in bytes.
const LONGEST_KEY: usize = 4096;

/// More characters of a name are in no line of the log.
const LONGEST_NAME: usize = 64;

/// No mail address is longer (RFC 5321), in characters.
const LONGEST_MAIL: usize = 254;

/// What is wrong with a header, by its name and without its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct BadHeader(String);

/// Reads who asks, if the headers are believed, and takes the keys out of them, which are not.
///
/// # Errors
///
/// A header that cannot be meant so.
pub(super) fn take(headers: &mut HeaderMap, runtime: &Runtime) -> Result<User, BadHeader> {
    let mut user = if runtime.server.trust_user_headers {
        User::new(name(headers)?, word(headers, &MAIL)?, word(headers, &ID)?)
    } else {
        User::default()
    };
    for (provider, key) in keys(headers, runtime)? {
        user.give(provider, key);
    }
    for known in &runtime.users {
        if user.is(&known.user) {
            known.keys.iter().for_each(|(provider, key)| user.give(*provider, key.clone()));
        }
    }
    Ok(user)
}

/// The keys in the headers of a request, which are no longer among them then.
fn keys(headers: &mut HeaderMap, runtime: &Runtime) -> Result<Vec<(ProviderId, UserKey)>, BadHeader> {
    let names: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(KEY_HEADER)).cloned().collect();
    let mut keys = Vec::new();
    for name in names {
        let provider = provider(&name, runtime)?;
        let key = key(&name, lone(headers, &name)?)?;
        headers.remove(&name);
        keys.push((provider, key));
    }
    Ok(keys)
}

/// The one provider whose key a header of this name carries.
fn provider(name: &HeaderName, runtime: &Runtime) -> Result<ProviderId, BadHeader> {
    let known = runtime.providers.iter().enumerate();
    let mut named = known.filter(|(_, provider)| provider.key_header() == name.as_str());
    match (named.next(), named.next()) {
        (Some((id, _)), None) => Ok(ProviderId(id)),
        (Some((_, one)), Some((_, other))) => Err(BadHeader(format!(
            "the header `{name}` may be meant for `{}` or for `{}`",
            one.name, other.name
        ))),
        (None, _) => {
            let known: Vec<_> =
                runtime.providers.iter().map(|provider| format!("`{}`", provider.key_header())).collect();
            let hint = if known.is_empty() {
                "there is no provider".to_owned()
            } else {
                format!("a key can be sent in {}", known.join(", "))
            };
            let name = clip(name.as_str());
            Err(BadHeader(format!("no provider has its key in the header `{name}`\nhint: {hint}")))
        }
    }
}

fn key(name: &HeaderName, value: Option<&HeaderValue>) -> Result<UserKey, BadHeader> {
    let value = value.map_or("", |value| value.to_str().unwrap_or("\t")).trim_matches(' ');
    let problem = if value.is_empty() {
        "holds no key\nhint: leave it out if there is none"
    } else if value.len() > LONGEST_KEY {
        "is longer than any key\nhint: at most 4096 bytes are taken for one"
    } else if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        "holds characters that no key has\nhint: write the key alone, without `Bearer` or quotes"
    } else {
        return Ok(UserKey::new(value.to_owned()));
    };
    Err(BadHeader(format!("the header `{name}` {problem}")))
}

/// What logs call the user. Open `WebUI` writes it percent-encoded.
fn name(headers: &HeaderMap) -> Result<Option<Arc<str>>, BadHeader> {
    let Some(value) = lone(headers, &NAME)? else { return Ok(None) };
    let name = String::from_utf8_lossy(&decoded(value.as_bytes())).into_owned();
    Ok(shown(&name, LONGEST_NAME))
}

/// A mail address or an id. One that no log could show names nobody.
fn word(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Arc<str>>, BadHeader> {
    let value = lone(headers, name)?.and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
    let word =
        value.map(str::trim).filter(|word| shown(word, LONGEST_MAIL).is_some_and(|shown| &*shown == *word));
    Ok(word.map(Into::into))
}

/// The value of a header that is there once, if it is there.
fn lone<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, BadHeader> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(BadHeader(format!("the header `{name}` is there more than once"))),
    }
}

/// A name as a line of the log can hold it, if anything is left of it: clipped, on one line, and without
/// what turns the line round.
fn shown(name: &str, longest: usize) -> Option<Arc<str>> {
    let odd = |char: char| {
        char.is_control()
            || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let plain: String = name.chars().filter(|char| !odd(*char)).take(longest).collect();
    let plain = plain.trim();
    (!plain.is_empty()).then(|| plain.into())
}

/// `text` with each `%XX` as the byte that it stands for; what is none stays as it is.
fn decoded(text: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let value = match (byte, digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => u8::try_from(high * 16 + low).ok(),
            _ => None,
        };
        at += if value.is_some() { 3 } else { 1 };
        bytes.push(value.unwrap_or(*byte));
    }
    bytes
}

#[cfg(test)]
mod tests;
