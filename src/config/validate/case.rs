//! Cases: other chains for some requests, and which of them can never be taken.

use std::sync::Arc;

use super::Validation;
use super::provider::Known;
use crate::config::file::{CaseTable, RouteTable};
use crate::config::spanned::At;
use crate::retry::Policy;
use crate::route::{Case, Chain, Criteria, Route};

impl<'a> Validation<'a> {
    /// The cases of `route`, in the order of the file.
    pub(super) fn cases(
        &mut self,
        route: &Route,
        table: &'a RouteTable,
        providers: &[Known<'a>],
    ) -> Vec<Case> {
        let mut cases: Vec<Case> = Vec::new();
        for (case, number) in table.when.iter().flatten().zip(1..) {
            let criteria = self.criteria(case);
            self.never_taken(case, &criteria, &cases);
            if criteria.fit_all() {
                self.takes_all(case, number == table.when.as_ref().map_or(0, Vec::len));
            }
            let what = named(number, &route.name);
            let chain = self.case_chain(case, &what, table, providers, &route.policy);
            if let Some((chain, complete)) = chain {
                let route = Route { chain, cases: Vec::new(), ..route.clone() };
                self.odd_chain(&route, case.value().chain.as_ref(), complete);
                cases.push(Case { criteria, route: Arc::new(route) });
            }
        }
        cases
    }

    /// Finds the faults of the cases of a route that has some already.
    pub(super) fn faulty_cases(
        &mut self,
        name: &str,
        table: &'a RouteTable,
        providers: &[Known<'a>],
        policy: &Policy,
    ) {
        for (case, number) in table.when.iter().flatten().zip(1..) {
            self.criteria(case);
            self.case_chain(case, &named(number, name), table, providers, policy);
        }
    }

    fn case_chain(
        &mut self,
        case: &'a At<CaseTable>,
        what: &str,
        table: &'a RouteTable,
        providers: &[Known<'a>],
        policy: &Policy,
    ) -> Option<(Chain, bool)> {
        self.chain_of(|| what.to_owned(), case.value().chain.as_ref(), &case.span(), table, providers, policy)
    }

    fn criteria(&mut self, case: &'a At<CaseTable>) -> Criteria {
        let CaseTable { min_tokens, max_tokens, has, kind, users, chain: _ } = case.value();
        let number = |written: &Option<At<u32>>| written.as_ref().map(|number| *number.value());
        let criteria = Criteria {
            min_tokens: number(min_tokens).filter(|least| *least > 0),
            max_tokens: number(max_tokens),
            has: has.iter().flatten().map(|name| (*name.value()).into()).collect(),
            kind: kind.as_ref().map(|kind| (*kind.value()).into()),
            users: users.as_ref().map(|users| users.iter().map(|user| user.value().clone()).collect()),
        };
        if let (Some(least), Some(most), Some(written)) =
            (criteria.min_tokens, criteria.max_tokens, max_tokens.as_ref())
            && least > most
        {
            self.findings
                .fault(written.span(), format!("no prompt has {least} tokens or more and {most} or fewer"))
                .hint("write a `max_tokens` that is not below `min_tokens`");
        }
        criteria
    }

    /// Warns of a case that no request can come to.
    fn never_taken(&mut self, case: &At<CaseTable>, criteria: &Criteria, before: &[Case]) {
        if let Some(cover) = before.iter().position(|other| other.criteria.covers(criteria)) {
            let cover = cover + 1;
            self.findings
                .warning(
                    case.span(),
                    format!("this case is never taken: case {cover} fits all that this one fits"),
                )
                .hint("the first case that fits counts: write the narrower one first");
            return;
        }
        let Some(users) = &case.value().users else { return };
        if users.is_empty() {
            self.findings
                .warning(case.span(), "this case is never taken: `users` names nobody")
                .hint("leave `users` out, or write whom it is for");
            return;
        }
        let server = self.file.server.as_ref();
        let trusted = server.and_then(|server| server.trust_user_headers.as_ref());
        if !trusted.is_some_and(|trusted| *trusted.value()) {
            self.findings
                .warning(case.span(), "this case is never taken: nobody is known by name")
                .hint("`server.trust_user_headers = true` lets the headers of Open WebUI say who asks");
        }
    }

    /// Warns of a case that leaves nothing to others.
    fn takes_all(&mut self, case: &At<CaseTable>, last: bool) {
        let rest = if last { "the route's own chain" } else { "what follows it and the route's own chain" };
        self.findings
            .warning(case.span(), format!("this case fits every request, so that {rest} is never taken"))
            .hint("write what it is for, such as `has = [\"images\"]`, or move its chain into the route");
    }
}

fn named(case: usize, route: &str) -> String {
    format!("case {case} of route `{}`", route.escape_debug())
}
