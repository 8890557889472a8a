//! Routes: names, chains, and what of them can never run.

use std::sync::Arc;

use super::provider::Known;
use super::{Validation, notifications};
use crate::config::estimate::Estimate;
use crate::config::file::{CandidateTable, RouteTable};
use crate::config::spanned::{At, Span, TextOr};
use crate::retry::{Policy, Quota};
use crate::route::{Candidate, Card, Chain, Delivery, Hedge, OnBreak, Order, Route};

impl<'a> Validation<'a> {
    /// Every route, in the order of the file.
    pub(super) fn routes(&mut self, providers: &[Known<'a>]) -> Vec<Arc<Route>> {
        let mut tables: Vec<_> = self.file.routes.iter().flatten().collect();
        tables.sort_by_key(|(name, _)| name.span().start);
        tables
            .into_iter()
            .filter_map(|(name, table)| self.route(name, table, providers))
            .map(Arc::new)
            .collect()
    }

    fn route(
        &mut self,
        name: &'a At<String>,
        table: &'a RouteTable,
        providers: &[Known<'a>],
    ) -> Option<Route> {
        if name.value().trim().is_empty() || name.value().chars().any(char::is_control) {
            self.findings
                .fault(name.span(), "this cannot be the name of a route")
                .hint("names are not empty and hold no control characters");
        }
        let policy = self.policy(&self.policy.clone(), table.retry.as_ref());
        let what = || format!("route `{}`", name.value().escape_debug());
        let chain = self.chain_of(what, table.chain.as_ref(), &name.span(), table, providers, &policy);
        let hedge = self.limit(table.hedge_after.as_ref()).map(|after| Hedge {
            after,
            spends_quota: table.hedge_quota.as_ref().is_some_and(|quota| *quota.value()),
        });
        let card = self.card(table);
        let cooldown = self.cooldown(self.cooldown, table.cooldown.as_ref());
        let Some((chain, complete)) = chain else {
            self.faulty_cases(name.value(), table, providers, &policy);
            return None;
        };
        let mut route = Route {
            card,
            order: table.order.as_ref().map(|order| (*order.value()).into()).unwrap_or_default(),
            on_break: table.on_break.as_ref().map(|on_break| (*on_break.value()).into()).unwrap_or_default(),
            delivery: table.delivery.as_ref().map(|delivery| (*delivery.value()).into()).unwrap_or_default(),
            hedge,
            cooldown,
            progress: table.progress.as_ref().map(|progress| (*progress.value()).into()),
            notifications: notifications::over(self.notifications, table.notifications.as_ref()),
            foreign_reasoning: table
                .foreign_reasoning
                .as_ref()
                .map(|what| (*what.value()).into())
                .unwrap_or_default(),
            credentials: table.credentials.as_ref().map(|whose| (*whose.value()).into()).unwrap_or_default(),
            ..Route::new(name.value().as_str().into(), chain, policy)
        };
        self.continues_nothing(&route, table);
        if complete {
            self.hedges_nothing(&route, table, providers);
        }
        self.odd_chain(&route, table.chain.as_ref(), complete);
        route.cases = self.cases(&route, table, providers);
        Some(route)
    }

    /// What a model list says about it.
    fn card(&mut self, table: &RouteTable) -> Card {
        for tag in table.tags.iter().flatten().filter(|tag| tag.value().trim().is_empty()) {
            self.findings.fault(tag.span(), "this tag has no letters").hint("write a word, or leave it out");
        }
        let text = |text: &Option<At<String>>| text.as_ref().map(|text| text.value().clone());
        let capabilities = table.capabilities.iter().flatten();
        Card {
            title: text(&table.name),
            description: text(&table.description),
            tags: table.tags.iter().flatten().map(|tag| tag.value().clone()).collect(),
            capabilities: capabilities.map(|(name, on)| (name.value().clone(), *on.value())).collect(),
            ..Card::default()
        }
    }

    /// The chain of `what`, which stands at `span`, but for candidates with faults; and whether there are none.
    pub(super) fn chain_of(
        &mut self,
        what: impl Fn() -> String,
        chain: Option<&'a At<Vec<At<TextOr<CandidateTable>>>>>,
        span: &Span,
        table: &'a RouteTable,
        providers: &[Known<'a>],
        policy: &Policy,
    ) -> Option<(Chain, bool)> {
        let entries = chain.map(|chain| chain.value().as_slice()).unwrap_or_default();
        if entries.is_empty() && !self.findings.is_damaged(span) {
            let span = chain.map_or_else(|| span.clone(), At::span);
            self.findings
                .fault(span, format!("{} has no candidates", what()))
                .hint("write whom to ask: `chain = [\"provider/model\"]`");
        }
        self.chain(entries, providers, policy, table.timeouts.as_ref())
    }

    /// What of a chain makes no difference.
    pub(super) fn odd_chain(
        &mut self,
        route: &Route,
        chain: Option<&'a At<Vec<At<TextOr<CandidateTable>>>>>,
        complete: bool,
    ) {
        let entries = chain.map(|chain| chain.value().as_slice()).unwrap_or_default();
        if complete {
            self.duplicates(route, entries);
            self.never_run(route, entries);
        }
        if route.order == Order::Breadth {
            self.ignored_pauses(entries);
        }
    }

    /// Keys about broken streams where no stream is resumed.
    fn continues_nothing(&mut self, route: &Route, table: &RouteTable) {
        let verified = route.delivery == Delivery::Verified;
        if route.on_break == OnBreak::Resume {
            if let Some(on_break) = table.on_break.as_ref().filter(|_| verified) {
                self.findings
                    .warning(on_break.span(), "`resume` has no effect: a verified answer does not break")
                    .hint("leave out `on_break` or `delivery`");
            }
            return;
        }
        let chains = table.when.iter().flatten().map(|case| &case.value().chain);
        let entries = std::iter::once(&table.chain).chain(chains).flatten().flat_map(At::value);
        for entry in entries {
            let TextOr::Other(candidate) = entry.value() else { continue };
            if let Some(prefill) = candidate.prefill.as_ref().filter(|prefill| *prefill.value()) {
                self.findings
                    .warning(prefill.span(), "`prefill` has no effect on a route that does not resume")
                    .hint("write `on_break = \"resume\"` into the route");
            }
        }
    }

    /// Keys about hedging where no second candidate can start.
    fn hedges_nothing(&mut self, route: &Route, table: &RouteTable, providers: &[Known<'a>]) {
        let Some(hedge_after) = &table.hedge_after else {
            if let Some(hedge_quota) = &table.hedge_quota {
                self.findings
                    .warning(hedge_quota.span(), "`hedge_quota` has no effect without `hedge_after`")
                    .hint("say when the next candidate starts too: `hedge_after = \"3s\"`");
            }
            return;
        };
        let others = &route.chain.candidates()[1..];
        let limited = |candidate: &Candidate| {
            let provider = providers[candidate.provider.0].provider.as_ref();
            provider.is_some_and(|provider| {
                let limited = |quota: Quota| quota != Quota::default();
                let keys = &provider.keys;
                limited(provider.quota) || (!keys.is_empty() && keys.iter().all(|key| limited(key.quota)))
            })
        };
        if route.chain.is_open() {
            return;
        }
        if others.is_empty() {
            self.findings
                .warning(hedge_after.span(), "`hedge_after` has no effect on a chain of one candidate")
                .hint("add a candidate that can start in the meantime");
        } else if route.hedge.is_some_and(|hedge| !hedge.spends_quota) && others.iter().all(limited) {
            self.findings
                .warning(
                    hedge_after.span(),
                    "`hedge_after` has no effect: every candidate after the first has `limits`",
                )
                .hint("write `hedge_quota = true` if it may spend them");
        }
    }

    fn duplicates(&mut self, route: &Route, entries: &[At<TextOr<CandidateTable>>]) {
        let candidates = route.chain.candidates();
        for (index, candidate) in candidates.iter().enumerate() {
            let same = |other: &&Candidate| {
                other.provider == candidate.provider
                    && other.model == candidate.model
                    && other.edits.is_empty()
            };
            let named = route.chain.live(index).is_none();
            let plain = named && candidate.edits.is_empty() && candidate.headers.is_empty();
            if let Some(first) = candidates[..index].iter().position(|other| plain && same(&other)) {
                self.findings
                    .warning(
                        entries[index].span(),
                        format!("candidate {} is candidate {} again", index + 1, first + 1),
                    )
                    .hint("give the first one more attempts instead");
            }
        }
    }

    /// Candidates that no request can reach, whatever the others do.
    fn never_run(&mut self, route: &Route, entries: &[At<TextOr<CandidateTable>>]) {
        if route.chain.is_open() {
            return;
        }
        for (index, target) in route.chain.candidates().iter().enumerate() {
            let Some(most) = route.policy.max_attempts.filter(|_| !Estimate::can_run(route, index)) else {
                continue;
            };
            let label = format!("candidate {} (`{}/{}`)", index + 1, target.provider_name, target.model);
            self.findings
                .warning(entries[index].span(), format!("{label} can never run"))
                .hint(format!("`max_attempts` of {most} ends before it: raise it, or shorten the chain"));
        }
    }

    fn ignored_pauses(&mut self, entries: &'a [At<TextOr<CandidateTable>>]) {
        for entry in entries {
            let TextOr::Other(table) = entry.value() else { continue };
            let Some(policy) = self.policy_table(table.retry.as_ref()) else { continue };
            if policy.attempt_delay.is_some() || policy.burst_pause.is_some() || policy.cycle_pause.is_some()
            {
                self.findings
                    .warning(
                        entry.span(),
                        "the pauses of this candidate's policy are ignored in breadth order",
                    )
                    .hint("the route's policy paces the rounds; write them there");
            }
        }
    }
}
