//! A request as logs call it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::User;

/// What logs call a request. Everybody who writes of it holds the same one.
#[derive(Debug)]
pub struct Asked {
    id: Box<str>,
    client: Arc<str>,
    path: Box<str>,
    user: OnceLock<Arc<str>>,
    relayed: AtomicBool,
}

impl Asked {
    /// A request of `client`, which is an IP address, for `path`.
    pub fn new(id: Box<str>, client: Arc<str>, path: Box<str>) -> Arc<Self> {
        Arc::new(Self { id, client, path, user: OnceLock::new(), relayed: AtomicBool::new(false) })
    }

    /// The value of `x-request-id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The IP address that it came from.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// The path, without its query, clipped.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// It is known now who asks.
    pub fn learn_who(&self, user: &User) {
        if let Some(name) = user.name() {
            self.user.get_or_init(|| Arc::clone(name));
        }
    }

    /// Who asks, if that is known.
    pub fn user(&self) -> Option<&str> {
        self.user.get().map(|user| &**user)
    }

    /// Whom a line begins with: the user, else the client's address.
    pub fn who(&self) -> &str {
        self.user().unwrap_or(&self.client)
    }

    /// From here on the relay answers, and it writes the access line when the answer has ended.
    pub fn hand_over(&self) {
        self.relayed.store(true, Ordering::Relaxed);
    }

    /// Whether the relay writes the access line.
    pub fn is_relayed(&self) -> bool {
        self.relayed.load(Ordering::Relaxed)
    }
}
