//! What `backstop check` prints about cases and tasks.

use std::fmt::{self, Write as _};

use super::{Loaded, afresh, attempts, limits, most, schedule, who, write_rulings};
use crate::config::estimate::Estimate;
use crate::retry::Words;
use crate::route::{Kind, Route, TaskLimits, Tasks, Timeouts};

/// Who answers the requests that a route has cases for; in short, for the rest is as it is for the route.
pub(super) fn write_cases(route: &Route, tasks: &Tasks, out: &mut String) -> fmt::Result {
    for (case, number) in route.cases.iter().zip(1..) {
        let brief = (case.criteria.kind == Some(Kind::Task)).then(|| tasks.brief(&case.route));
        let taken = brief.as_ref().unwrap_or(&case.route);
        writeln!(out, "  case {number}, {}: {}", case.criteria, most(taken))?;
        for (index, candidate) in taken.chain.candidates().iter().enumerate() {
            let planned = attempts(Estimate::planned(taken, candidate));
            let limits = limits(&candidate.timeouts).map(|limits| format!("; limits: {limits}"));
            let limits = limits.unwrap_or_default();
            writeln!(out, "    {}. {}: {planned}{limits}", index + 1, who(taken, index))?;
        }
        let [shortest, likely, longest] = Estimate::times(taken).map(Words::about);
        writeln!(out, "    waits before giving up: shortest {shortest}, likely {likely}, longest {longest}")?;
    }
    Ok(())
}

/// What is configured about tasks, if anything is.
pub(super) fn write_tasks(loaded: &Loaded, out: &mut String) -> fmt::Result {
    let tasks = loaded.runtime.routes.tasks();
    let Tasks { route, policy, limits } = tasks;
    if route.is_none() && *policy == Tasks::built_in() && *limits == TaskLimits::default() {
        return Ok(());
    }
    let who = match route {
        Some(route) => format!("route {} answers them", route.name),
        None => "whoever is asked answers them".to_owned(),
    };
    writeln!(out, "tasks (titles, tags, follow-ups): {who}")?;
    writeln!(out, "  on each candidate {}{}", schedule(policy), afresh(policy))?;
    if let Some(limits) = super::limits(&limits.of(Timeouts::default())) {
        writeln!(out, "  limits: {limits}")?;
    }
    writeln!(out, "  deadline: {}", Words(policy.deadline))?;
    write_rulings(policy, "  ", out)
}
