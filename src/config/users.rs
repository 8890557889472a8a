//! The keys that belong to one person each, and under which header a provider's may be sent.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use super::Provider;
use super::presets::Preset;
use super::validate::CREDENTIALS;
use crate::route::ProviderId;

/// A key that belongs to one user. Its `Debug` shows nothing of it.
#[derive(Debug, Clone)]
pub struct UserKey(Arc<SecretString>);

impl UserKey {
    /// The key `secret`.
    pub fn new(secret: String) -> Self {
        Self(Arc::new(SecretString::from(secret)))
    }

    /// The key itself.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A person who has keys of their own.
#[derive(Debug, Clone)]
pub struct UserKeys {
    /// Their mail address or id.
    pub user: Arc<str>,
    /// At most one key for each provider.
    pub keys: Vec<(ProviderId, UserKey)>,
}

/// What stands before a provider's name in the name of the header that carries a user's key for it.
pub const KEY_HEADER: &str = "x-backstop-key-";

impl Provider {
    /// The name of the header that carries a user's key for this provider: lower case, and `-` for each
    /// character that no header name can hold.
    pub fn key_header(&self) -> String {
        let plain = |char: char| char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char);
        let name = self.name.chars().map(|char| if plain(char) { char.to_ascii_lowercase() } else { '-' });
        KEY_HEADER.chars().chain(name).collect()
    }

    /// Whether nobody is to ask it without a key: it has one, as a key or in a header, or it is known to
    /// refuse those who bring none.
    pub fn wants_key(&self) -> bool {
        let known = || Preset::at(&self.base_url).is_some_and(|preset| !preset.is_local());
        !self.keys.is_empty() || carries_key(&self.headers) || known()
    }
}

/// Whether these are one mail address: capitals and small letters are one.
pub fn same_mail(one: &str, other: &str) -> bool {
    // Most differ in their first letter, so that thousands are compared in no time.
    one.chars().flat_map(char::to_lowercase).eq(other.chars().flat_map(char::to_lowercase))
}

/// Whether a key may stand in one of these configured headers: in one where keys stand as a rule, or in any
/// other whose value is a secret.
pub fn carries_key(headers: &HeaderMap) -> bool {
    credentials_in(headers).next().is_some() || headers.values().any(HeaderValue::is_sensitive)
}

/// The names of the configured headers in which a key stands for certain.
pub fn credentials_in(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    CREDENTIALS.into_iter().filter(|name| headers.contains_key(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{Connections, KeyOrder};
    use crate::retry::Quota;

    fn provider(name: &str) -> Provider {
        Provider {
            name: name.into(),
            base_url: "http://127.0.0.1:1/v1".parse().unwrap(),
            keys: Vec::new(),
            key_order: KeyOrder::default(),
            quota: Quota::default(),
            headers: HeaderMap::new(),
            connections: Connections::default(),
        }
    }

    #[test]
    fn a_header_is_named_after_its_provider() {
        for (name, header) in [
            ("openrouter", "x-backstop-key-openrouter"),
            ("My_Own.API", "x-backstop-key-my_own.api"),
            ("at home", "x-backstop-key-at-home"),
            ("größer: ja", "x-backstop-key-gr--er--ja"),
        ] {
            assert_eq!(provider(name).key_header(), header);
        }
    }

    #[test]
    fn who_has_a_key_wants_one_and_who_is_known_to() {
        let local = provider("local");
        assert!(!local.wants_key());
        let base_url = "https://openrouter.ai/api/v1".parse().unwrap();
        assert!(Provider { base_url, ..provider("mine") }.wants_key());
        for name in CREDENTIALS {
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static("secret"))]);
            assert!(Provider { headers, ..provider("local") }.wants_key());
        }
        for secret in [false, true] {
            let mut value = HeaderValue::from_static("anything");
            value.set_sensitive(secret);
            let headers = HeaderMap::from_iter([(HeaderName::from_static("x-auth-token"), value)]);
            assert_eq!(Provider { headers, ..provider("local") }.wants_key(), secret);
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let key = UserKey::new("sk-very-secret".to_owned());
        let keys = UserKeys { user: "anna@example.org".into(), keys: vec![(ProviderId(0), key)] };
        assert!(!format!("{keys:?}").contains("sk-"), "{keys:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn every_provider_has_a_header(name in "\\PC{1,40}") {
            let header = provider(&name).key_header();
            let name = HeaderName::from_bytes(header.as_bytes()).unwrap();
            prop_assert_eq!(name.as_str(), header);
        }
    }
}
