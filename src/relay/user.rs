//! Who asks, as far as that is known, and with whose key a candidate is asked.

use std::sync::Arc;

use super::{Health, Request};
use crate::config::UserKey;
use crate::config::users::{carries_key, same_mail};
use crate::route::{Candidate, Credentials, ProviderId};

/// Who asks, as far as that is known and believed. Its `Debug` shows no key.
#[derive(Debug, Clone, Default)]
pub struct User {
    name: Option<Arc<str>>,
    mail: Option<Arc<str>>,
    id: Option<Arc<str>>,
    keys: Vec<(ProviderId, UserKey)>,
}

impl User {
    /// Somebody whom logs call `name`; each part is `None` where it is not known, and must be believed.
    pub fn new(name: Option<Arc<str>>, mail: Option<Arc<str>>, id: Option<Arc<str>>) -> Self {
        Self { name, mail, id, keys: Vec::new() }
    }

    /// What logs call them: their name, else their mail address, else their id.
    pub fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref().or(self.mail.as_ref()).or(self.id.as_ref())
    }

    /// Whether `mail_or_id` is their mail address, in capitals or not, or exactly their id. Nobody is
    /// anybody as long as it is not known who asks.
    pub fn is(&self, mail_or_id: &str) -> bool {
        let of_mail = |mail: &Arc<str>| same_mail(mail, mail_or_id);
        self.mail.as_ref().is_some_and(of_mail) || self.id.as_deref() == Some(mail_or_id)
    }

    /// Gives them a key of their own, unless they have one for that provider already.
    pub fn give(&mut self, provider: ProviderId, key: UserKey) {
        if self.key(provider).is_none() {
            self.keys.push((provider, key));
        }
    }

    /// Their own key for a provider.
    pub fn key(&self, provider: ProviderId) -> Option<&UserKey> {
        self.keys.iter().find(|(id, _)| *id == provider).map(|(_, key)| key)
    }

    /// All their keys, to be masked.
    pub(super) fn secrets(&self) -> impl Iterator<Item = String> {
        self.keys.iter().map(|(_, key)| key.expose().to_owned())
    }
}

/// With whose key a candidate is asked.
#[derive(Debug, Clone)]
pub(super) enum Whose {
    /// One of the provider's configured ones, or none if it needs none.
    Shared,
    /// The user's own.
    Own(UserKey),
    /// The user's own, and there is none: it is not asked.
    Missing,
}

impl Whose {
    /// With whose key `candidate` is asked for `request`.
    pub(super) fn of(request: &Request, candidate: &Candidate, health: &Health) -> Self {
        if let Some(key) = request.own_key(candidate) {
            return Self::Own(key.clone());
        }
        let wanted = || health.wants_key(candidate.provider) || carries_key(&candidate.headers);
        match request.route.credentials {
            Credentials::User if wanted() => Self::Missing,
            Credentials::User | Credentials::Shared | Credentials::UserThenShared => Self::Shared,
        }
    }

    /// The user's own key.
    pub(super) fn own(&self) -> Option<&UserKey> {
        match self {
            Self::Own(key) => Some(key),
            Self::Shared | Self::Missing => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_knows_no_capitals_and_an_id_does() {
        let anna = User::new(None, Some("Anna@Example.org".into()), Some("7f-A".into()));
        for (who, same) in [
            ("anna@example.org", true),
            ("ANNA@EXAMPLE.ORG", true),
            ("7f-A", true),
            ("7f-a", false),
            ("anna", false),
            ("", false),
        ] {
            assert_eq!(anna.is(who), same, "{who}");
            assert!(!User::default().is(who), "nobody is {who}");
        }
    }

    #[test]
    fn logs_call_them_by_the_best_that_is_known() {
        let user = |name: Option<&str>, mail: Option<&str>, id: Option<&str>| {
            let user = User::new(name.map(Into::into), mail.map(Into::into), id.map(Into::into));
            user.name().map(ToString::to_string)
        };
        assert_eq!(user(Some("Anna"), Some("a@b"), Some("7")).as_deref(), Some("Anna"));
        assert_eq!(user(None, Some("a@b"), Some("7")).as_deref(), Some("a@b"));
        assert_eq!(user(None, None, Some("7")).as_deref(), Some("7"));
        assert_eq!(user(None, None, None), None);
    }

    #[test]
    fn the_first_key_for_a_provider_counts() {
        let mut user = User::default();
        for (provider, key) in [(1, "sk-first"), (1, "sk-second"), (2, "sk-other")] {
            user.give(ProviderId(provider), UserKey::new(key.to_owned()));
        }
        let key = |provider| user.key(ProviderId(provider)).map(UserKey::expose);
        assert_eq!([key(0), key(1), key(2)], [None, Some("sk-first"), Some("sk-other")]);
        assert!(!format!("{user:?}").contains("sk-"), "{user:?}");
    }
}
