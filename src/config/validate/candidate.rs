//! Candidates: a provider and a model, with what is particular to the pair.

use serde_json::value::RawValue;

use super::Validation;
use super::discover::Wanted;
use super::provider::Known;
use crate::config::file::{CandidateTable, TimeoutTable};
use crate::config::presets::{self, Preset};
use crate::config::spanned::{At, Span, TextOr};
use crate::retry::Policy;
use crate::route::{Candidate, Chain, Edits, Link, Live, ProviderId, nearest};

/// Members of the request that no configuration may touch.
const FIXED: [&str; 3] = ["model", "messages", "stream"];

/// The candidate that every model of a provider begins with.
pub(super) fn template(id: usize, known: &Known<'_>, policy: &Policy) -> Candidate {
    Candidate {
        provider: ProviderId(id),
        provider_name: known.shared_name.clone(),
        model: "".into(),
        policy: policy.clone(),
        timeouts: known.timeouts,
        headers: http::HeaderMap::new(),
        edits: Edits::default(),
        prefill: known.prefill,
    }
}

impl<'a> Validation<'a> {
    /// A chain as it is written, and whether every entry of it is one. `policy` and `timeouts` are what the
    /// entries inherit.
    pub(super) fn chain(
        &mut self,
        entries: &'a [At<TextOr<CandidateTable>>],
        providers: &[Known<'a>],
        policy: &Policy,
        timeouts: Option<&'a TimeoutTable>,
    ) -> Option<(Chain, bool)> {
        let links: Vec<_> =
            entries.iter().filter_map(|entry| self.link(entry, providers, policy, timeouts)).collect();
        let complete = links.len() == entries.len();
        Some((Chain::try_linked(links)?, complete))
    }

    /// One entry of a chain. The `timeouts` of the route are laid over those of a provider.
    fn link(
        &mut self,
        entry: &'a At<TextOr<CandidateTable>>,
        providers: &[Known<'a>],
        policy: &Policy,
        route_timeouts: Option<&'a TimeoutTable>,
    ) -> Option<Link> {
        let table = match entry.value() {
            TextOr::Text(_) => None,
            TextOr::Other(table) => Some(table),
        };
        let found = match (entry.value(), table.and_then(|table| table.discover.as_ref())) {
            (TextOr::Text(target), _) => self.target(target, entry.span(), providers),
            (TextOr::Other(table), None) => self.written_target(table, entry.span(), providers),
            (TextOr::Other(table), Some(discover)) => self.discovered(table, discover, providers),
        };
        let policy = self.policy(policy, table.and_then(|table| table.retry.as_ref()));
        let mut timeouts = found.map(|(id, _)| providers[id].timeouts).unwrap_or_default();
        self.timeouts(route_timeouts, &mut timeouts);
        let mut headers = http::HeaderMap::new();
        let mut edits = Edits::default();
        let mut live = None;
        if let Some(table) = table {
            self.timeouts(table.timeouts.as_ref(), &mut timeouts);
            headers = self.headers(table.headers.as_ref());
            edits = self.edits(table);
            self.route_keys(table);
            live = table.discover.is_some().then(|| Live {
                filter: self.filter(&Wanted::of_candidate(table)),
                limit: table.limit.as_ref().map(|limit| *limit.value()),
            });
        }
        let (id, model) = found?;
        let known = &providers[id];
        let template = template(id, known, &policy);
        let prefill = match table.and_then(|table| table.prefill.as_ref()) {
            Some(prefill) => prefill.value().then_some(known.prefill_style),
            None => template.prefill,
        };
        let candidate = Candidate { model: model.into(), timeouts, headers, edits, prefill, ..template };
        Some(match live {
            Some(live) => Link::Live(candidate, live),
            None => Link::Fixed(candidate),
        })
    }

    /// Whom `use` names.
    fn written_target(
        &mut self,
        table: &'a CandidateTable,
        entry: Span,
        providers: &[Known<'a>],
    ) -> Option<(usize, &'a str)> {
        if let Some((key, span)) = Wanted::of_candidate(table).first(table.limit.as_ref()) {
            self.findings.warning(span, format!("`{key}` has no effect without `discover`")).hint(
                "it says which models of a provider's list stand here: `{ discover = \"provider\", … }`",
            );
        }
        let Some(target) = &table.target else {
            if !self.findings.has_fault_within(&entry) {
                let fault = self.findings.fault(entry, "this candidate has no `use`");
                fault.hint(
                    "say whom to ask, `{ use = \"provider/model\" }`, or whose list says so: `{ discover = \"provider\" }`",
                );
            }
            return None;
        };
        self.target(target.value(), target.span(), providers)
    }

    /// The provider and the model of `provider/model`.
    fn target<'t>(
        &mut self,
        target: &'t str,
        span: Span,
        providers: &[Known<'a>],
    ) -> Option<(usize, &'t str)> {
        let Some((name, model)) =
            target.split_once('/').filter(|(name, model)| !name.is_empty() && !model.is_empty())
        else {
            self.findings
                .fault(
                    span,
                    format!("`{}` does not say which provider and which model", target.escape_debug()),
                )
                .hint("write `provider/model`; the model may hold more slashes");
            return None;
        };
        if model.chars().any(char::is_control) {
            self.findings.fault(span.clone(), "this model name holds control characters");
        }
        Some((self.provider_called(name, span, providers)?, model))
    }

    /// The provider of that name, which is used from now on.
    pub(super) fn provider_called(
        &mut self,
        name: &str,
        span: Span,
        providers: &[Known<'a>],
    ) -> Option<usize> {
        let Some(id) = providers.iter().position(|known| known.name == name) else {
            let fault = self.findings.fault(span, format!("unknown provider `{}`", name.escape_debug()));
            match nearest(name, providers.iter().map(|known| known.name)) {
                _ if Preset::find(name).is_some() => fault.hint(format!("add `[providers.{name}]`")),
                Some(word) => fault.hint(format!("did you mean `{word}`?")),
                None => match nearest(name, presets::PRESETS.iter().map(|preset| preset.name)) {
                    Some(word) => fault.hint(format!("did you mean `{word}`? add `[providers.{word}]`")),
                    None => fault.hint(format!("add `[providers.{name}]` with its `base_url`")),
                },
            }
            return None;
        };
        self.used_providers.insert(providers[id].name);
        Some(id)
    }

    fn edits(&mut self, table: &CandidateTable) -> Edits {
        let mut edits = Edits::default();
        let mut set: Vec<_> = table.set.iter().flatten().collect();
        set.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in set {
            self.editable(name);
            match json(value.value()) {
                Some(value) => edits.set.push((name.value().clone(), value)),
                None => {
                    self.findings.fault(value.span(), "JSON has no such value").hint("write a finite number");
                }
            }
        }
        for name in table.unset.iter().flatten() {
            self.editable(name);
            if table.set.iter().flatten().any(|(set, _)| set == name) {
                self.findings
                    .fault(name.span(), format!("`{}` is both set and unset", name.value().escape_debug()))
                    .hint("a member that is set replaces the client's: `unset` is not needed");
            }
            edits.unset.push(name.value().clone());
        }
        edits
    }

    fn editable(&mut self, name: &At<String>) {
        if FIXED.contains(&name.value().as_str()) {
            self.findings
                .fault(name.span(), format!("`{}` cannot be edited", name.value()))
                .hint("`use` names the model; messages and stream are the client's");
        }
    }

    /// Warns of policy keys that count on a route only.
    fn route_keys(&mut self, table: &'a CandidateTable) {
        let Some(policy) = self.policy_table(table.retry.as_ref()) else { return };
        let named = table.retry.as_ref().and_then(|retry| match retry.value() {
            TextOr::Text(name) => Some((name, retry.span())),
            TextOr::Other(_) => None,
        });
        let deadline = policy.deadline.as_ref().map(|deadline| ("deadline", deadline.span()));
        let most = policy.max_attempts.as_ref().map(|most| ("max_attempts", most.span()));
        for (key, span) in deadline.into_iter().chain(most) {
            let (span, key) = match &named {
                Some((name, span)) => (span.clone(), format!("`{key}` of policy `{name}`")),
                None => (span, format!("`{key}`")),
            };
            self.findings
                .warning(span, format!("{key} has no effect on a candidate"))
                .hint("write it into the route's `retry`");
        }
    }
}

fn json(value: &toml::Value) -> Option<Box<RawValue>> {
    let value = convert(value)?;
    serde_json::value::to_raw_value(&value).ok()
}

fn convert(value: &toml::Value) -> Option<serde_json::Value> {
    Some(match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => serde_json::Number::from_f64(*number)?.into(),
        toml::Value::Boolean(truth) => (*truth).into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(items) => items.iter().map(convert).collect::<Option<Vec<_>>>()?.into(),
        toml::Value::Table(table) => {
            let members = table.iter().map(|(key, value)| Some((key.clone(), convert(value)?)));
            serde_json::Value::Object(members.collect::<Option<_>>()?)
        }
    })
}
