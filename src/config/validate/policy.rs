//! Policies, limits and rests, inherited key by key.

use std::num::NonZeroU32;

use super::Validation;
use crate::config::file::{CooldownTable, DurationText, PolicyTable, RangeText, TimeoutTable};
use crate::config::presets::LOCAL_PATIENCE;
use crate::config::spanned::{At, TextOr};
use crate::config::text;
use crate::retry::{Cooldown, DelayRange, Policy, Words};
use crate::route::Timeouts;

/// The most attempts a schedule may hold; more is a slip of the keyboard.
const MOST_ATTEMPTS: u32 = 100_000;

/// So many attempts without a wait between are a hot loop.
const HOT: u32 = 10;

impl<'a> Validation<'a> {
    /// Reads `[retry]`, and every named policy once, so that the unused ones are checked too.
    pub(super) fn default_policy(&mut self) {
        let mut policy = Policy::default();
        if let Some(table) = &self.file.retry {
            self.overlay(table, &mut policy);
        }
        self.policy = policy;
        for table in self.file.policies.iter().flatten().map(|(_, table)| table) {
            self.overlay(table, &mut self.policy.clone());
        }
    }

    /// What `retry` makes of an inherited policy: a named one or single keys over it.
    pub(super) fn policy(
        &mut self,
        inherited: &Policy,
        retry: Option<&'a At<TextOr<PolicyTable>>>,
    ) -> Policy {
        let mut policy = inherited.clone();
        let Some(retry) = retry else { return policy };
        match retry.value() {
            TextOr::Other(table) => self.overlay(table, &mut policy),
            TextOr::Text(name) => {
                let table = self.lookup("policy", name, self.file.policies.as_ref(), retry.span());
                if let Some((name, table)) = table {
                    self.used_policies.insert(name);
                    self.overlay(table, &mut policy);
                }
            }
        }
        policy
    }

    /// The table behind `retry`, wherever it stands.
    pub(super) fn policy_table(&self, retry: Option<&'a At<TextOr<PolicyTable>>>) -> Option<&'a PolicyTable> {
        match retry?.value() {
            TextOr::Other(table) => Some(table),
            TextOr::Text(name) => {
                let mut policies = self.file.policies.iter().flatten();
                policies.find(|(known, _)| known.value() == name).map(|(_, table)| table)
            }
        }
    }

    fn overlay(&mut self, table: &PolicyTable, policy: &mut Policy) {
        let counts = [
            (&table.attempts_per_burst, &mut policy.attempts_per_burst),
            (&table.bursts_per_cycle, &mut policy.bursts_per_cycle),
            (&table.cycles, &mut policy.cycles),
        ];
        for (written, count) in counts {
            *count = written.as_ref().and_then(number).unwrap_or(*count);
        }
        let count_at =
            [&table.cycles, &table.bursts_per_cycle, &table.attempts_per_burst].into_iter().flatten().next();
        if let Some(count) = count_at.filter(|_| policy.attempts() > MOST_ATTEMPTS) {
            self.findings
                .fault(count.span(), format!("these are {} attempts in all", policy.attempts()))
                .hint(format!("attempts a burst × bursts a cycle × cycles may be {MOST_ATTEMPTS} at most"));
        }
        self.delay(table.attempt_delay.as_ref(), &mut policy.attempt_delay);
        self.delay(table.burst_pause.as_ref(), &mut policy.burst_pause);
        self.delay(table.cycle_pause.as_ref(), &mut policy.cycle_pause);
        self.hot_loop(table, policy);
        policy.deadline = self.limit(table.deadline.as_ref()).unwrap_or(policy.deadline);
        policy.max_attempts = table.max_attempts.as_ref().and_then(number).or(policy.max_attempts);
        policy.retry_after_cap = self.duration(table.retry_after_cap.as_ref(), policy.retry_after_cap);
        policy.fresh_connections =
            table.fresh_connections.as_ref().map_or(policy.fresh_connections, |fresh| *fresh.value());
        let rulings =
            table.on.iter().flatten().map(|(class, ruling)| (class.value().0, (*ruling.value()).into()));
        policy.on.extend(rulings);
    }

    /// Reads `[timeouts]`, so that its faults are found even where no provider uses it.
    pub(super) fn global_timeouts(&mut self) {
        self.timeouts(self.file.timeouts.as_ref(), &mut Timeouts::default());
    }

    /// The limits at a provider, before route and candidate have their say: what is built in for its kind,
    /// then `[timeouts]`, then its own.
    pub(super) fn provider_timeouts(&mut self, local: bool, table: Option<&TimeoutTable>) -> Timeouts {
        let mut timeouts = Timeouts::default();
        if local {
            timeouts.first_byte_stream = LOCAL_PATIENCE;
            timeouts.first_byte_whole = LOCAL_PATIENCE;
            timeouts.first_token = LOCAL_PATIENCE;
        }
        self.timeouts(self.file.timeouts.as_ref(), &mut timeouts);
        self.timeouts(table, &mut timeouts);
        timeouts
    }

    /// Lays the written limits over inherited ones.
    pub(super) fn timeouts(&mut self, table: Option<&TimeoutTable>, timeouts: &mut Timeouts) {
        let Some(table) = table else { return };
        timeouts.connect = self.limit(table.connect.as_ref()).unwrap_or(timeouts.connect);
        if let Some(first_byte) = self.limit(table.first_byte.as_ref()) {
            timeouts.first_byte_stream = first_byte;
            timeouts.first_byte_whole = first_byte;
        }
        timeouts.first_token = self.limit(table.first_token.as_ref()).unwrap_or(timeouts.first_token);
        timeouts.idle = self.limit(table.idle.as_ref()).unwrap_or(timeouts.idle);
    }

    /// What a table makes of an inherited cooldown.
    pub(super) fn cooldown(&mut self, inherited: Cooldown, table: Option<&CooldownTable>) -> Cooldown {
        let Some(table) = table else { return inherited };
        let cooldown = Cooldown {
            enabled: table.enabled.as_ref().map_or(inherited.enabled, |enabled| *enabled.value()),
            failures: table.failures.as_ref().and_then(number).unwrap_or(inherited.failures),
            rest: self.limit(table.rest.as_ref()).unwrap_or(inherited.rest),
            rest_max: self.limit(table.rest_max.as_ref()).unwrap_or(inherited.rest_max),
        };
        let written = table.rest_max.as_ref().or(table.rest.as_ref());
        if let Some(written) = written.filter(|_| cooldown.rest_max < cooldown.rest) {
            let (rest, rest_max) = (Words(cooldown.rest), Words(cooldown.rest_max));
            self.findings
                .fault(
                    written.span(),
                    format!("the longest rest, {rest_max}, is shorter than the first, {rest}"),
                )
                .hint("write a `rest_max` that is at least as long as `rest`");
        }
        cooldown
    }

    /// Warns of attempts that follow each other without a wait.
    fn hot_loop(&mut self, table: &PolicyTable, policy: &Policy) {
        let waits = [
            (policy.attempts_per_burst, policy.attempt_delay),
            (policy.bursts_per_cycle, policy.burst_pause),
            (policy.cycles, policy.cycle_pause),
        ];
        let unpaused = waits.iter().take_while(|(count, wait)| count.get() == 1 || wait.max().is_zero());
        let row: u32 = unpaused.map(|(count, _)| count.get()).fold(1, u32::saturating_mul);
        let delays = [&table.attempt_delay, &table.burst_pause, &table.cycle_pause];
        let counts = [&table.attempts_per_burst, &table.bursts_per_cycle, &table.cycles];
        let delay = delays.into_iter().flatten().map(At::span).next();
        let count = counts.into_iter().flatten().map(At::span).next();
        if let Some(span) = delay.or(count).filter(|_| row >= HOT) {
            self.findings
                .warning(span, format!("{HOT} or more attempts follow each other without a wait"))
                .hint("providers count failed requests, too: write a delay or a pause such as `\"2s..4s\"`");
        }
    }

    fn delay(&mut self, written: Option<&At<RangeText>>, delay: &mut DelayRange) {
        if let Some(written) = written {
            *delay = self.read(written.span(), text::range(&written.value().0)).unwrap_or(*delay);
        }
    }

    /// A duration that is not zero.
    pub(super) fn limit(&mut self, written: Option<&At<DurationText>>) -> Option<std::time::Duration> {
        let written = written?;
        self.read(written.span(), text::positive_duration(&written.value().0))
    }
}

pub(super) fn number(written: &At<u32>) -> Option<NonZeroU32> {
    NonZeroU32::new(*written.value())
}
