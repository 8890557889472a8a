//! What becomes of a route where nobody waits for the answer.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::{Catalogues, Delivery, Kind, OnBreak, ProgressMode, Route, Timeouts};
use crate::retry::{DelayRange, Policy};

/// How tasks are answered: titles, tags, follow-ups and the like, which may just as well fail.
#[derive(Debug, Clone)]
pub struct Tasks {
    /// The route that answers them all, in place of the one that they ask for.
    pub route: Option<Arc<Route>>,
    /// The policy of their routes and candidates; what it rules of failures is laid over what those rule.
    pub policy: Policy,
    /// The limits of their attempts.
    pub limits: TaskLimits,
}

/// Limits of an attempt that are those of its candidate unless they are written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskLimits {
    /// See [`Timeouts::connect`].
    pub connect: Option<Duration>,
    /// Both of [`Timeouts::first_byte`].
    pub first_byte: Option<Duration>,
    /// See [`Timeouts::first_token`].
    pub first_token: Option<Duration>,
    /// See [`Timeouts::idle`].
    pub idle: Option<Duration>,
}

/// How long the head of an answer may take where nothing is written: a title is one line.
const FIRST_BYTE: Duration = Duration::from_secs(15);
/// How long the first word may take after it.
const FIRST_TOKEN: Duration = Duration::from_secs(10);

impl Default for Tasks {
    fn default() -> Self {
        Self { route: None, policy: Self::built_in(), limits: TaskLimits::default() }
    }
}

impl Tasks {
    /// Their policy where nothing is written: two attempts on each candidate, all of it within 20 s.
    pub fn built_in() -> Policy {
        let (shortest, longest) = (Duration::from_millis(500), Duration::from_secs(1));
        Policy {
            attempts_per_burst: NonZeroU32::MIN.saturating_add(1),
            attempt_delay: DelayRange::try_new(shortest, longest).expect("the right way round"),
            bursts_per_cycle: NonZeroU32::MIN,
            cycles: NonZeroU32::MIN,
            deadline: Duration::from_secs(20),
            ..Policy::default()
        }
    }

    /// The same with whoever is in the chain of their route now.
    pub(super) fn looked_up(&self, catalogues: &Catalogues) -> Self {
        let route = self.route.as_ref().map(|route| route.looked_up(catalogues));
        Self { route, ..self.clone() }
    }

    /// What `route` is for a task: its chain, tried briefly.
    pub fn brief(&self, route: &Route) -> Route {
        let policy = |own: &Policy| {
            let mut policy = self.policy.clone();
            let written = std::mem::replace(&mut policy.on, own.on.clone());
            policy.on.extend(written);
            policy.fresh_connections |= own.fresh_connections;
            policy
        };
        let chain = route.chain.with_each(|candidate| {
            candidate.policy = policy(&candidate.policy);
            candidate.timeouts = self.limits.of(candidate.timeouts);
        });
        Route {
            chain,
            policy: policy(&route.policy),
            kind: Kind::Task,
            on_break: OnBreak::Error,
            delivery: Delivery::Direct,
            hedge: None,
            progress: Some(ProgressMode::Off),
            cases: Vec::new(),
            ..route.clone()
        }
    }
}

impl TaskLimits {
    /// The limits of a candidate whose own are `own`.
    pub fn of(&self, own: Timeouts) -> Timeouts {
        let first_byte = |own: Duration| self.first_byte.unwrap_or(own.min(FIRST_BYTE));
        Timeouts {
            connect: self.connect.unwrap_or(own.connect),
            first_byte_stream: first_byte(own.first_byte_stream),
            first_byte_whole: first_byte(own.first_byte_whole),
            first_token: self.first_token.unwrap_or(own.first_token.min(FIRST_TOKEN)),
            idle: self.idle.unwrap_or(own.idle),
        }
    }
}
