//! Tasks: who answers them, and how briefly.

use std::sync::Arc;

use super::Validation;
use crate::config::fault::list;
use crate::config::file::{TaskTable, TimeoutTable};
use crate::config::spanned::At;
use crate::route::{Kind, Route, TaskLimits, Tasks, nearest};

impl Validation<'_> {
    /// How tasks are answered, along one of `routes` if it says so.
    pub(super) fn tasks(&mut self, routes: &[Arc<Route>]) -> Tasks {
        let nothing = TaskTable::default();
        let file = self.file;
        let table = file.tasks.as_ref().unwrap_or(&nothing);
        let route = table.route.as_ref().and_then(|name| self.task_route(name, routes));
        if let Some(route) = &route {
            self.cases_for_tasks_elsewhere(route);
        }
        let retry = file.tasks.as_ref().and_then(|table| table.retry.as_ref());
        Tasks {
            route,
            policy: self.policy(&Tasks::built_in(), retry),
            limits: self.task_limits(table.timeouts.as_ref()),
        }
    }

    fn task_route(&mut self, name: &At<String>, routes: &[Arc<Route>]) -> Option<Arc<Route>> {
        if let Some(route) = routes.iter().find(|route| *route.name == **name.value()) {
            return Some(Arc::clone(route));
        }
        let names = || self.file.routes.iter().flatten().map(|(name, _)| name.value().as_str());
        // One with faults of its own is no unknown one.
        if names().any(|known| known == name.value()) {
            return None;
        }
        let hint = match nearest(name.value(), names()) {
            Some(word) => format!("did you mean `{word}`?"),
            None if names().next().is_some() => format!("write {}", list(names())),
            None => format!("add `[routes.{}]` with its `chain`", name.value().escape_debug()),
        };
        let message = format!("unknown route `{}`", name.value().escape_debug());
        self.findings.fault(name.span(), message).hint(hint);
        None
    }

    /// Warns of cases for tasks on a route that sees none.
    fn cases_for_tasks_elsewhere(&mut self, tasks: &Route) {
        let tables = self.file.routes.iter().flatten();
        for (name, table) in tables.filter(|(name, _)| **name.value() != *tasks.name) {
            for case in table.when.iter().flatten() {
                let Some(kind) = &case.value().kind else { continue };
                if Kind::from(*kind.value()) == Kind::Task {
                    let name = name.value().escape_debug();
                    self.findings
                        .warning(
                            kind.span(),
                            format!("this case is never taken: no task comes to route `{name}`"),
                        )
                        .hint(format!("`tasks.route` sends all of them to `{}`", tasks.name.escape_debug()));
                }
            }
        }
    }

    fn task_limits(&mut self, table: Option<&TimeoutTable>) -> TaskLimits {
        let Some(table) = table else { return TaskLimits::default() };
        TaskLimits {
            connect: self.limit(table.connect.as_ref()),
            first_byte: self.limit(table.first_byte.as_ref()),
            first_token: self.limit(table.first_token.as_ref()),
            idle: self.limit(table.idle.as_ref()),
        }
    }
}
