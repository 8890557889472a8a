//! The HTTP proxy on the way to a provider.

use std::fmt;

use http::HeaderValue;
use http::uri::Authority;

use super::text::Problem;

/// Where a proxy listens whose URL names no port, as for any `http` URL.
const USUAL_PORT: u16 = 80;

const URL: &str = "write the URL of an HTTP proxy, such as `http://proxy.example:3128`";

const MARKS: &str = "in a password, `/` is written as `%2F`, `?` as `%3F` and `#` as `%23`";

/// An HTTP proxy. Neither its `Debug` nor its `Display` shows its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    host: String,
    port: u16,
    authorization: Option<HeaderValue>,
    variable: Option<&'static str>,
}

/// A proxy, and what must not be shown of it.
#[derive(PartialEq, Eq)]
pub struct Parsed {
    /// The proxy.
    pub proxy: Proxy,
    /// Its password in every form that it has.
    pub secrets: Vec<String>,
}

impl Proxy {
    /// Reads `http://host:port`, also with `user:password@` before the host or without the scheme.
    pub fn parse(text: &str) -> Result<Parsed, Problem> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => return Err(Problem { message: "a proxy cannot be reached over TLS", hint: URL }),
            socks if socks.starts_with("socks") => {
                return Err(Problem { message: "SOCKS proxies are not supported", hint: URL });
            }
            _ => return Err(Problem { message: "this is not the URL of a proxy", hint: URL }),
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if !matches!(path, "" | "/") {
            let hint = if path.contains('@') { MARKS } else { URL };
            return Err(Problem { message: "the URL of a proxy has no path", hint });
        }
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, authority),
        };
        let not_url = Problem { message: "this is not the URL of a proxy", hint: URL };
        let address: Authority = address.parse().map_err(|_| not_url.clone())?;
        let host = address.host().trim_matches(['[', ']']).to_owned();
        // An empty or impossible port is left out of the parsed one, but not of the text.
        let has_port = address.as_str().len() > address.host().len();
        let port = match address.port_u16() {
            Some(port) if port > 0 => port,
            None if !has_port => USUAL_PORT,
            _ => return Err(not_url),
        };
        if host.is_empty() {
            return Err(not_url);
        }
        let (authorization, secrets) = user.map(credentials).transpose()?.unzip();
        let proxy = Self { host, port, authorization, variable: None };
        Ok(Parsed { proxy, secrets: secrets.unwrap_or_default() })
    }

    /// The same, as an environment variable of this name says.
    #[must_use]
    pub fn named_by(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    /// Its name or address, an IPv6 one without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it is told about who asks.
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// The environment variable that names it, if none of the configuration does.
    pub fn variable(&self) -> Option<&'static str> {
        self.variable
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            write!(f, "http://[{host}]:{port}")
        } else {
            write!(f, "http://{host}:{port}")
        }
    }
}

/// The header for `user:password`, percent-encoded as in a URL, and its secret forms.
fn credentials(text: &str) -> Result<(HeaderValue, Vec<String>), Problem> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let (plain_user, plain) = (decoded(user), decoded(password));
    let pair = [&plain_user[..], b":", &plain[..]].concat();
    if pair.iter().any(u8::is_ascii_control) || plain_user.contains(&b':') {
        let message = "no proxy takes such a user or password";
        return Err(Problem { message, hint: "control characters, and `:` in the user, cannot be sent" });
    }
    let token = base64(&pair);
    let mut value = HeaderValue::try_from(format!("Basic {token}"))
        .map_err(|_| Problem { message: "no proxy takes such a user or password", hint: URL })?;
    value.set_sensitive(true);
    // A user without a password is a token.
    let (written, plain) = if password.is_empty() { (user, plain_user) } else { (password, plain) };
    let secrets = [Some(written.to_owned()), String::from_utf8(plain).ok(), Some(token)];
    Ok((value, secrets.into_iter().flatten().collect()))
}

/// The bytes of percent-encoded `text`; a `%` without two digits stands for itself.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let digit = |at: usize| tail.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        if byte == b'%'
            && let (Some(high), Some(low)) = (digit(0), digit(1))
            && let Ok(byte) = u8::try_from(high * 16 + low)
        {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    bytes
}

/// `bytes` in Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = usize::try_from(group >> (18 - 6 * place) & 63).unwrap_or_default();
            text.push(if place > chunk.len() { '=' } else { char::from(DIGITS[digit]) });
        }
    }
    text
}

#[cfg(test)]
mod tests;
