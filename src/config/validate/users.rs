//! People who have keys of their own.

use super::Validation;
use super::provider::Known;
use crate::config::file::{ServerTable, UserTable};
use crate::config::presets::Preset;
use crate::config::spanned::At;
use crate::config::users::same_mail;
use crate::config::{Server, UserKey, UserKeys};
use crate::route::{ProviderId, nearest};

impl<'a> Validation<'a> {
    /// Every user, in the order of the file.
    pub(super) fn users(&mut self, providers: &[Known<'a>]) -> Vec<UserKeys> {
        let mut tables: Vec<_> = self.file.users.iter().flatten().collect();
        tables.sort_by_key(|(name, _)| name.span().start);
        self.never_known(&tables);
        let mut users: Vec<UserKeys> = Vec::new();
        for (name, table) in tables {
            let user = name.value().as_str();
            if user.trim() != user || user.is_empty() || user.chars().any(char::is_control) {
                self.findings
                    .fault(name.span(), "this cannot be a user")
                    .hint("write a mail address or an id, without spaces around it");
            }
            if let Some(first) = users.iter().find(|known| same_user(&known.user, user)) {
                let message = format!("`{}` is `{}` again", user.escape_debug(), first.user.escape_debug());
                self.findings.fault(name.span(), message).hint("write all keys into one table");
            }
            let keys = self.user_keys(table, providers);
            users.push(UserKeys { user: user.into(), keys });
        }
        users
    }

    fn user_keys(&mut self, table: &UserTable, providers: &[Known<'a>]) -> Vec<(ProviderId, UserKey)> {
        let mut keys = Vec::new();
        for (name, written) in table.keys.iter().flatten() {
            let place = self.place(written);
            let secret = place.and_then(|place| self.sendable(written, place));
            let id = providers.iter().position(|known| known.name == name.value());
            if id.is_none() {
                let message = format!("unknown provider `{}`", name.value().escape_debug());
                let fault = self.findings.fault(name.span(), message);
                match nearest(name.value(), providers.iter().map(|known| known.name)) {
                    _ if Preset::find(name.value()).is_some() => {
                        fault.hint(format!("add `[providers.{}]`", name.value()));
                    }
                    Some(word) => fault.hint(format!("did you mean `{word}`?")),
                    None => fault.hint("write the name of a provider, as in `[providers.NAME]`"),
                }
            }
            keys.extend(id.zip(secret).map(|(id, secret)| (ProviderId(id), UserKey::new(secret))));
        }
        keys
    }

    /// Users whom no request can name.
    fn never_known(&mut self, tables: &[(&'a At<String>, &'a UserTable)]) {
        let trust = self.file.server.as_ref().and_then(|server| server.trust_user_headers.as_ref());
        if let Some((first, _)) = tables.first()
            && trust.is_none_or(|trust| !trust.value())
        {
            self.findings
                .warning(first.span(), "no key of a user is ever used: who asks is not believed")
                .hint("write `trust_user_headers = true` into `[server]`, if only Open WebUI can reach Backstop");
        }
    }

    /// Names that anybody can claim.
    pub(super) fn anybody_may_be_anyone(&mut self, table: &ServerTable, server: &Server) {
        let Some(trust) = table.trust_user_headers.as_ref().filter(|trust| *trust.value()) else { return };
        if !server.listen.ip().is_loopback() {
            let listen = server.listen;
            let message =
                format!("whoever reaches `{listen}` can claim to be any user, and spend their keys");
            self.findings
                .warning(trust.span(), message)
                .hint("listen on 127.0.0.1, or where nothing but Open WebUI can reach it");
        }
    }
}

/// Whether these name the same person: mail addresses do not tell capitals.
fn same_user(one: &str, other: &str) -> bool {
    one == other || (one.contains('@') && same_mail(one, other))
}
