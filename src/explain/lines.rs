//! The timeline as a person reads it.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::fail::Failures;
use super::play::{ANSWER, Attempt, Timeline};
use crate::relay::{Outcome, PACE};
use crate::retry::Words;
use crate::retry::schedule::Gap;
use crate::route::{Order, ProgressMode, Route};
use crate::server::error;

/// More attempts than this are not told one by one.
const MOST_LINES: usize = 180;
/// How many of them are told before and after those that are left out.
const SHOWN_LINES: usize = 80;

/// What became of a request for `route`: its candidates, its attempts, what the client gets. A waiting stream
/// gets its head after `head_after`.
pub fn timeline(route: &Route, failures: &Failures, timeline: &Timeline, head_after: Duration) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = head(route, failures, timeline, &mut out);
    let _ = attempts(route, timeline, &mut out);
    let _ = end(route, timeline, head_after, &mut out);
    out
}

fn head(route: &Route, failures: &Failures, timeline: &Timeline, out: &mut String) -> fmt::Result {
    let order = match route.order {
        Order::Depth => "depth",
        Order::Breadth => "breadth",
    };
    let most = count(timeline.of as usize, "attempt");
    let deadline = Words(route.policy.deadline);
    writeln!(out, "route {}: {order} order, at most {most} within {deadline}", route.name)?;
    for (index, candidate) in route.chain.candidates().iter().enumerate() {
        let does = failures.plan(index).map_or_else(|| "answers".to_owned(), ToString::to_string);
        writeln!(out, "  {}. {}: {does}", index + 1, candidate.name())?;
    }
    if failures.assumed {
        writeln!(out, "without --fail every provider is down, which shows the whole plan")?;
    }
    writeln!(
        out,
        "seed {}; errors come at once, an answer begins after {}, silence lasts as long as its limit\n",
        timeline.seed,
        Words(ANSWER)
    )
}

fn attempts(route: &Route, timeline: &Timeline, out: &mut String) -> fmt::Result {
    let all = &timeline.attempts;
    let of = timeline.of.to_string();
    let columns = Columns {
        number: of.len() * 2 + 1,
        of,
        why: all.iter().map(|attempt| why(attempt.send.gap).chars().count()).max().unwrap_or_default(),
        candidate: all.iter().map(|attempt| name(route, attempt).chars().count()).max().unwrap_or_default(),
    };
    if all.len() <= MOST_LINES {
        return all.iter().try_for_each(|attempt| columns.line(route, attempt, out));
    }
    let (first, last) = (&all[..SHOWN_LINES], &all[all.len() - SHOWN_LINES..]);
    first.iter().try_for_each(|attempt| columns.line(route, attempt, out))?;
    writeln!(out, "   … {} attempts more …", all.len() - first.len() - last.len())?;
    last.iter().try_for_each(|attempt| columns.line(route, attempt, out))
}

/// How wide the columns are, in characters.
struct Columns {
    of: String,
    number: usize,
    why: usize,
    candidate: usize,
}

impl Columns {
    fn line(&self, route: &Route, attempt: &Attempt, out: &mut String) -> fmt::Result {
        let wait = match attempt.send.wait {
            Duration::ZERO => String::new(),
            wait => format!("+{}", Words::about(wait)),
        };
        let number = format!("{}/{}", attempt.send.number, self.of);
        let became = match &attempt.fault {
            Some(fault) => format!("✗ {fault}"),
            None => "✓ answers".to_owned(),
        };
        writeln!(
            out,
            "{:>8}  {wait:>6}  {:<why$}  {number:>number_width$}  {:<candidate$}  {became}",
            clock(attempt.at),
            self::why(attempt.send.gap),
            name(route, attempt),
            why = self.why,
            number_width = self.number,
            candidate = self.candidate,
        )
    }
}

/// Why there is a wait before an attempt.
fn why(gap: Gap) -> String {
    match gap {
        Gap::None => String::new(),
        Gap::Attempt => "attempt_delay".to_owned(),
        Gap::Burst { completed, of } => format!("burst_pause, {completed}/{of} over"),
        Gap::Cycle { completed, of } => format!("cycle_pause, {completed}/{of} over"),
        Gap::Lap => "everyone had a turn".to_owned(),
        Gap::RetryAfter => "Retry-After".to_owned(),
        Gap::Rest => "all rest".to_owned(),
    }
}

fn end(route: &Route, timeline: &Timeline, head_after: Duration, out: &mut String) -> fmt::Result {
    let made = count(timeline.attempts.len(), "attempt");
    let total = Words::about(timeline.total);
    let early = early(route, timeline, head_after);
    let Some((stop, fault, candidate)) = &timeline.failure else {
        let who = timeline.attempts.last().map(|attempt| name(route, attempt)).unwrap_or_default();
        return writeln!(out, "\nthe client gets 200 and the answer of {who}, after {made} in {total}");
    };
    let outcome = Outcome::Failed(fault.class);
    let status = error::status(outcome, fault.status);
    let who = route.chain.candidates()[*candidate].name();
    writeln!(
        out,
        "\nthe client gets {} `{outcome}` after {made} in {total}: {}",
        status.as_u16(),
        stop.reason
    )?;
    writeln!(out, "  what decides it: {who}, {fault}")?;
    if let Some(after) = stop.wish(fault) {
        writeln!(out, "  Retry-After: {}", Words::about(after))?;
    }
    if let Some(head) = early {
        let head = Words::about(head);
        writeln!(out, "  a stream has had its 200 after {head}, and gets this as an error event")?;
    }
    Ok(())
}

/// When a stream has its head, if that is before the end. What its client can show is known where the route says it.
fn early(route: &Route, timeline: &Timeline, head_after: Duration) -> Option<Duration> {
    let silence = (timeline.total > head_after).then_some(head_after);
    match route.progress {
        Some(ProgressMode::Off) => None,
        Some(ProgressMode::Comments) | None => silence,
        Some(ProgressMode::OpenWebui | ProgressMode::Reasoning) => {
            let shown = timeline.attempts.iter().skip(1).map(|attempt| match attempt.send.wait {
                // What follows at once is shown if it lasts.
                Duration::ZERO => attempt.at + PACE,
                wait => attempt.at.saturating_sub(wait),
            });
            shown.filter(|head| *head < timeline.total).chain(silence).min()
        }
    }
}

fn name(route: &Route, attempt: &Attempt) -> String {
    route.chain.candidates()[attempt.send.candidate].name()
}

/// Minutes, seconds and tenths: `3:07.4`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}.{}", seconds / 60, seconds % 60, time.subsec_millis() / 100)
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
