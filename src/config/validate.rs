//! References and ranges: from the mirror of the file to a [`Runtime`] that cannot be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::fault::{Findings, list};
use super::file::{DurationText, File, ServerTable};
use super::spanned::{At, Span, TextOr};
use super::text::{self, Problem};
use super::{Cors, Environment, Overrides, Runtime, Secrets, Server};
use crate::retry::{Cooldown, Policy};
use crate::route::{Direct, Notifications, Routes, nearest};

mod candidate;
mod case;
mod connections;
mod discover;
mod keys;
mod notifications;
mod policy;
mod provider;
mod route;
mod secret;
mod tasks;
mod users;

pub(super) use provider::CREDENTIALS;
pub use secret::RESERVED;

/// Where Backstop listens unless told otherwise.
pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8420);

/// Checks `file` and builds what runs; `None` if there are faults, all of which are in `findings`.
pub fn runtime(
    file: &File,
    environment: &Environment,
    overrides: &Overrides,
    findings: &mut Findings,
) -> Option<Runtime> {
    let mut validation = Validation {
        file,
        environment,
        findings,
        secrets: Vec::new(),
        used_policies: BTreeSet::new(),
        used_providers: BTreeSet::new(),
        looked_in: BTreeSet::new(),
        policy: Policy::default(),
        cooldown: Cooldown::default(),
        notifications: notifications::over(Notifications::default(), file.notifications.as_ref()),
    };
    validation.run(overrides)
}

/// The address to listen on, whatever else is wrong.
pub fn listen(file: &File) -> SocketAddr {
    let written = file.server.as_ref().and_then(|server| server.listen.as_ref());
    written.and_then(|listen| listen.value().parse().ok()).unwrap_or(LISTEN)
}

struct Validation<'a> {
    file: &'a File,
    environment: &'a Environment,
    findings: &'a mut Findings,
    secrets: Vec<String>,
    used_policies: BTreeSet<&'a str>,
    used_providers: BTreeSet<&'a str>,
    /// The providers in whose lists chains look.
    looked_in: BTreeSet<usize>,
    /// The default policy.
    policy: Policy,
    /// The default cooldown.
    cooldown: Cooldown,
    /// The default toasts.
    notifications: Notifications,
}

impl<'a> Validation<'a> {
    fn run(&mut self, overrides: &Overrides) -> Option<Runtime> {
        let nothing = ServerTable::default();
        let table = self.file.server.as_ref().unwrap_or(&nothing);
        let server = self.server(table, overrides);
        self.default_policy();
        self.global_timeouts();
        self.cooldown = self.cooldown(Cooldown::default(), self.file.cooldown.as_ref());
        let providers = self.providers();
        let named = self.routes(&providers);
        let tasks = self.tasks(&named);
        let sources = self.sources(&providers);
        let direct = if table.direct.as_ref().is_none_or(|direct| *direct.value()) {
            self.direct(&providers)
        } else {
            self.unused_providers();
            Vec::new()
        };
        let users = self.users(&providers);
        self.unused_policies();
        if self.findings.any() {
            return None;
        }
        let providers = providers.into_iter().map(|known| known.provider).collect::<Option<_>>()?;
        let secrets = Secrets::new(std::mem::take(&mut self.secrets));
        let routes = Routes::new(named, direct).with_tasks(tasks).with_sources(sources);
        Some(Runtime { server, providers, routes, users, secrets })
    }

    fn server(&mut self, table: &ServerTable, overrides: &Overrides) -> Server {
        let listen = table.listen.as_ref().map(|written| (written.span(), written.value().parse()));
        let (listen_at, listen) = match listen {
            Some((span, Ok(address))) => (Some(span), address),
            Some((span, Err(_))) => {
                self.findings
                    .fault(span, "this is not an address to listen on")
                    .hint("write an IP address and a port, such as `127.0.0.1:8420` or `[::]:8420`");
                (None, LISTEN)
            }
            None => (None, LISTEN),
        };
        let server = Server {
            listen: overrides.listen.unwrap_or(listen),
            max_body: self.size(table.max_body.as_ref(), 100_000_000),
            max_answer: self.size(table.max_answer.as_ref(), 64_000_000),
            cors: self.cors(table),
            grace: self.duration(table.grace.as_ref(), Duration::from_secs(30)),
            head_after: self.duration(table.head_after.as_ref(), Duration::from_secs(15)),
            workers: table.workers.as_ref().and_then(policy::number),
            trust_user_headers: table.trust_user_headers.as_ref().is_some_and(|trust| *trust.value()),
        };
        if let (Cors::Any, Some(cors), false) = (&server.cors, &table.cors, server.listen.ip().is_loopback())
        {
            let span = listen_at.unwrap_or_else(|| cors.span());
            self.findings
                .warning(span, "any web page and any machine that reaches this address can spend your keys")
                .hint("listen on 127.0.0.1, or list the origins in `cors`");
        }
        self.anybody_may_be_anyone(table, &server);
        server
    }

    fn cors(&mut self, table: &ServerTable) -> Cors {
        let Some(cors) = &table.cors else { return Cors::Loopback };
        match cors.value() {
            TextOr::Text(word) if word == "loopback" => Cors::Loopback,
            TextOr::Text(word) if word == "any" => Cors::Any,
            // A variable holds no list, but origins with commas between.
            TextOr::Text(text) if text.contains("://") => {
                let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
                Cors::Origins(origins.map(|origin| self.origin(&cors.span(), origin)).collect())
            }
            TextOr::Text(word) => {
                let hint = match word.trim() {
                    "*" => "write `\"any\"`",
                    _ => "write `\"loopback\"`, `\"any\"` or a list such as `[\"https://chat.example.org\"]`",
                };
                self.findings.fault(cors.span(), "unknown value of `cors`").hint(hint);
                Cors::Loopback
            }
            TextOr::Other(origins) => Cors::Origins(
                origins.iter().map(|origin| self.origin(&origin.span(), origin.value())).collect(),
            ),
        }
    }

    /// An origin as browsers write it: lower case, no port where it is the usual one.
    fn origin(&mut self, span: &Span, origin: &str) -> String {
        let lower = origin.to_ascii_lowercase();
        let plain = lower.split_once("://").is_some_and(|(scheme, host)| {
            !scheme.is_empty()
                && !host.is_empty()
                && !host.contains(['/', '?', '#', '@', '*'])
                && lower.is_ascii()
        });
        if !plain {
            let hint = match origin {
                "*" => "write `cors = \"any\"` for every web page there is",
                _ => "write scheme, host and port only, such as `https://chat.example.org`",
            };
            self.findings.fault(span.clone(), "this is not the origin of a web page").hint(hint);
        }
        let usual = [("https://", ":443"), ("http://", ":80")].into_iter();
        let without = usual
            .filter(|(scheme, _)| lower.starts_with(scheme))
            .find_map(|(_, port)| lower.strip_suffix(port));
        without.unwrap_or(&lower).to_owned()
    }

    /// Every model of every provider, as a route of one candidate.
    fn direct(&self, providers: &[provider::Known<'a>]) -> Vec<Direct> {
        providers.iter().enumerate().map(|(id, known)| self.direct_to(id, known)).collect()
    }

    fn unused_policies(&mut self) {
        for name in self.file.policies.iter().flatten().map(|(name, _)| name) {
            if !self.used_policies.contains(name.value().as_str()) {
                self.findings
                    .warning(name.span(), format!("policy `{}` is never used", name.value()))
                    .hint(format!("name it in a route: retry = \"{}\"", name.value()));
            }
        }
    }

    fn unused_providers(&mut self) {
        for name in self.file.providers.iter().flatten().map(|(name, _)| name) {
            if !self.used_providers.contains(name.value().as_str()) {
                self.findings
                    .warning(name.span(), format!("provider `{}` is never used", name.value()))
                    .hint("name it in a chain, or let `direct` be true");
            }
        }
    }

    fn size(&mut self, size: Option<&At<TextOr<u64>>>, default: usize) -> usize {
        let Some(size) = size else { return default };
        let read = match size.value() {
            TextOr::Text(text) => text::size(text),
            TextOr::Other(bytes) => text::bytes(*bytes),
        };
        self.read(size.span(), read).unwrap_or(default)
    }

    fn duration(&mut self, duration: Option<&At<DurationText>>, default: Duration) -> Duration {
        let Some(duration) = duration else { return default };
        self.read(duration.span(), text::duration(&duration.value().0)).unwrap_or(default)
    }

    fn read<T>(&mut self, span: Span, read: Result<T, Problem>) -> Option<T> {
        read.map_err(|problem| self.findings.fault(span, problem.message).hint(problem.hint)).ok()
    }

    /// Looks `name` up in `table`; an unknown one is a fault at `span`.
    fn lookup<T>(
        &mut self,
        what: &str,
        name: &str,
        table: Option<&'a BTreeMap<At<String>, T>>,
        span: Span,
    ) -> Option<(&'a str, &'a T)> {
        let names = || table.into_iter().flatten().map(|(name, _)| name.value().as_str());
        let found = table.into_iter().flatten().find(|(known, _)| known.value() == name);
        if found.is_none() {
            let fault = self.findings.fault(span, format!("unknown {what} `{}`", name.escape_debug()));
            match nearest(name, names()) {
                Some(word) => fault.hint(format!("did you mean `{word}`?")),
                None if names().next().is_some() => fault.hint(format!("write {}", list(names()))),
                None => fault.hint("write its keys here, or into a table of that name: `[policies.NAME]`"),
            }
        }
        found.map(|(known, value)| (known.value().as_str(), value))
    }
}
