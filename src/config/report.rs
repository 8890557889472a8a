//! What `backstop check` prints about a configuration that is valid.

use std::fmt::{self, Write as _};

use super::estimate::Estimate;
use super::text::RangeWords;
use super::{Cors, Loaded};
use crate::retry::{Class, Cooldown, Policy, Ruling, Words};
use crate::route::{Credentials, Delivery, ForeignReasoning, Hedge, OnBreak, Order, Route, Timeouts};

mod cases;
mod providers;

/// The report on `loaded`: the routes in words, then the warnings. Shows no secret.
pub fn report(loaded: &Loaded) -> String {
    let mut report = String::new();
    // Writing to a String cannot fail.
    let _ = write(loaded, &mut report);
    report
}

fn write(loaded: &Loaded, out: &mut String) -> fmt::Result {
    let runtime = &loaded.runtime;
    let cors = match &runtime.server.cors {
        Cors::Loopback => "web pages of this machine may ask".to_owned(),
        Cors::Any => "any web page may ask".to_owned(),
        Cors::Origins(origins) if origins.is_empty() => "no web page may ask".to_owned(),
        Cors::Origins(origins) => format!("web pages of {} may ask", origins.join(", ")),
    };
    let path = loaded.path.as_ref().map_or_else(|| "no file".into(), |path| path.to_string_lossy());
    writeln!(out, "{path}: valid")?;
    writeln!(out, "listens on {}; {cors}", runtime.server.listen)?;
    if runtime.server.trust_user_headers {
        let own = match runtime.users.len() {
            0 => String::new(),
            1 => "; 1 has keys of their own".to_owned(),
            several => format!("; {several} have keys of their own"),
        };
        writeln!(out, "users are told by the `X-OpenWebUI-User-…` headers{own}")?;
    }
    for (id, provider) in runtime.providers.iter().enumerate() {
        providers::write_provider(provider, out)?;
        let mut sources = runtime.routes.sources().iter();
        if let Some(source) = sources.find(|source| source.provider.0 == id) {
            providers::write_source(source, &provider.name, out)?;
        }
    }
    if !runtime.routes.direct().is_empty() {
        writeln!(out, "any model of a provider can be asked for as `provider/model`")?;
    }
    cases::write_tasks(loaded, out)?;
    for route in runtime.routes.named() {
        writeln!(out)?;
        write_route(route, out)?;
        cases::write_cases(route, runtime.routes.tasks(), out)?;
    }
    for warning in &loaded.warnings {
        write!(out, "\n{warning}")?;
    }
    Ok(())
}

/// The most attempts of one request.
fn most(route: &Route) -> String {
    if route.chain.is_open() {
        return "so many attempts as the lists have models for".to_owned();
    }
    attempts(Estimate::most_attempts(route))
}

/// Who stands in the chain at `index`.
fn who(route: &Route, index: usize) -> String {
    let candidate = &route.chain.candidates()[index];
    match route.chain.live(index) {
        Some(live) => format!("{}, as listed", live.words(&candidate.provider_name)),
        None => candidate.name(),
    }
}

fn write_route(route: &Route, out: &mut String) -> fmt::Result {
    let order = match route.order {
        Order::Depth => "depth",
        Order::Breadth => "breadth",
    };
    let title = route.card.title.as_ref().map_or_else(String::new, |title| format!(" \"{title}\""));
    writeln!(out, "route {}{title}: {order} order, {}", route.name, most(route))?;
    let mut said = None;
    let quickest = Estimate::shortest(route);
    for (index, candidate) in route.chain.candidates().iter().enumerate() {
        writeln!(out, "  {}. {}", index + 1, who(route, index))?;
        let planned = Estimate::planned(route, candidate);
        let mut words = match route.order {
            Order::Depth => schedule(&candidate.policy),
            Order::Breadth => format!("joins {}", counted(planned, "round")),
        };
        words += afresh(&candidate.policy);
        if let Some(limits) = limits(&candidate.timeouts) {
            let _ = write!(words, "\n     limits: {limits}");
        }
        if said.as_ref() == Some(&words) {
            writeln!(out, "     the same")?;
        } else {
            writeln!(out, "     {words}")?;
        }
        said = Some(words);
        if let Some(turn) = turn(route, &quickest, index, planned).filter(|_| !route.chain.is_open()) {
            writeln!(out, "     {turn}")?;
        }
        if candidate.policy.on != route.policy.on {
            write_rulings(&candidate.policy, "     ", out)?;
        }
    }
    if route.order == Order::Breadth {
        writeln!(out, "  {}", schedule(&route.policy).replace("attempt", "round"))?;
    }
    write_rulings(&route.policy, "  ", out)?;
    let deadline = Words(route.policy.deadline);
    if !route.chain.is_open() {
        let [shortest, likely, longest] = Estimate::times(route).map(Words::about);
        writeln!(out, "  waits before giving up: shortest {shortest}, likely {likely}, longest {longest}")?;
    }
    writeln!(out, "  deadline: {deadline}")?;
    write_guards(route, out)
}

/// What a route does about answers that are late or cut, whose keys it sends, and what it does about
/// candidates that keep failing.
fn write_guards(route: &Route, out: &mut String) -> fmt::Result {
    if route.delivery == Delivery::Verified {
        writeln!(out, "  delivery: verified, an answer goes out when it is complete")?;
    } else if route.on_break == OnBreak::Resume {
        writeln!(out, "  on break: resume ({})", continuing(route))?;
    }
    if let Some(Hedge { after, spends_quota }) = route.hedge {
        let limits = if spends_quota { "" } else { " if it has no request limits" };
        writeln!(out, "  hedge: after {} the next candidate starts too{limits}", Words(after))?;
    }
    match route.credentials {
        Credentials::UserThenShared => {}
        Credentials::User => writeln!(out, "  keys: each user's own")?,
        Credentials::Shared => writeln!(out, "  keys: the configured ones, whoever asks")?,
    }
    if route.foreign_reasoning == ForeignReasoning::Keep {
        writeln!(out, "  foreign reasoning: kept, sealed reasoning goes to other vendors, too")?;
    }
    let Cooldown { enabled, failures, rest, rest_max } = route.cooldown;
    if !enabled {
        writeln!(out, "  cooldown: off")?;
    } else if route.cooldown != Cooldown::default() {
        let failures = counted(failures.get(), "failure");
        writeln!(out, "  cooldown: after {failures}, for {} up to {}", Words(rest), Words(rest_max))?;
    }
    Ok(())
}

/// How the candidates continue what another one began, by their numbers.
fn continuing(route: &Route) -> String {
    let numbers = |prefill: bool| {
        let candidates = route.chain.candidates().iter().zip(1..);
        let like = candidates.filter(|(candidate, _)| candidate.prefill.is_some() == prefill);
        like.map(|(_, number)| number.to_string()).collect::<Vec<_>>().join(", ")
    };
    let ways = [("by prefill", numbers(true)), ("afresh", numbers(false))];
    let used = ways.iter().filter(|(_, numbers)| !numbers.is_empty());
    used.map(|(way, numbers)| format!("{way}: {numbers}")).collect::<Vec<_>>().join("; ")
}

/// What is left of a candidate's plan when every attempt before and at it fails at once, if not all.
fn turn(route: &Route, quickest: &Estimate, index: usize, planned: u32) -> Option<String> {
    let made = quickest.made[index];
    let ends = match route.policy.max_attempts {
        Some(most) if quickest.capped => format!("`max_attempts` of {most}"),
        _ => format!("the deadline of {}", Words(route.policy.deadline)),
    };
    match made {
        _ if made >= planned => None,
        0 if !Estimate::can_run(route, index) => Some(format!("{ends} ends before it")),
        0 => Some(format!("{ends} lets it run only if one before it is given up early")),
        _ => Some(format!("{ends} has room for {made} of them, if all fail")),
    }
}

/// The limits that are not those of every attempt, by their keys.
fn limits(timeouts: &Timeouts) -> Option<String> {
    let usual = Timeouts::default();
    let mut first_byte = format!("first_byte {}", Words(timeouts.first_byte_stream));
    if timeouts.first_byte_whole != timeouts.first_byte_stream {
        let _ = write!(first_byte, " (whole answers {})", Words(timeouts.first_byte_whole));
    }
    let usual_byte = (usual.first_byte_stream, usual.first_byte_whole);
    let words = [
        (timeouts.connect != usual.connect, format!("connect {}", Words(timeouts.connect))),
        ((timeouts.first_byte_stream, timeouts.first_byte_whole) != usual_byte, first_byte),
        (timeouts.first_token != usual.first_token, format!("first_token {}", Words(timeouts.first_token))),
        (timeouts.idle != usual.idle, format!("idle {}", Words(timeouts.idle))),
    ];
    let unusual: Vec<_> = words.into_iter().filter(|(differs, _)| *differs).map(|(_, words)| words).collect();
    (!unusual.is_empty()).then(|| unusual.join(", "))
}

/// A schedule in words.
fn schedule(policy: &Policy) -> String {
    let mut words = attempts(policy.attempts());
    let (burst, bursts, cycles) = (policy.attempts_per_burst, policy.bursts_per_cycle, policy.cycles);
    if policy.attempts() > 1 {
        words.push(':');
    }
    if burst.get() > 1 {
        let _ = write!(words, " {burst} in a burst, {} apart;", RangeWords(policy.attempt_delay));
    }
    if bursts.get() > 1 {
        let _ = write!(words, " {bursts} bursts in a cycle, {} apart;", RangeWords(policy.burst_pause));
    }
    if cycles.get() > 1 {
        let _ = write!(words, " {cycles} cycles, {} apart;", RangeWords(policy.cycle_pause));
    }
    words.trim_end_matches(';').to_owned()
}

/// What an attempt after a failed one does without, if anything.
fn afresh(policy: &Policy) -> &'static str {
    if policy.fresh_connections { "; each retry over a new connection" } else { "" }
}

fn write_rulings(policy: &Policy, indent: &str, out: &mut String) -> fmt::Result {
    if policy.on.is_empty() {
        return Ok(());
    }
    let ruling = |(class, ruling): (&Class, &Ruling)| {
        let word = match ruling {
            Ruling::Retry => "retry",
            Ruling::Next => "next",
            Ruling::Drop => "drop",
            Ruling::Reject => "reject",
        };
        format!("{class} = {word}")
    };
    writeln!(out, "{indent}on: {}", policy.on.iter().map(ruling).collect::<Vec<_>>().join(", "))
}

fn attempts(count: u32) -> String {
    counted(count, "attempt")
}

fn counted(count: u32, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
