//! One turn of a candidate: leave from what all requests know, the attempt, the same with its next key.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::known::another_key_may_do;
use super::race::{Failed, Won};
use super::{Context, Dispatch, End};
use crate::relay::attempt::{Content, Goal, Opened};
use crate::relay::flow;
use crate::relay::health::{Ask, News, Pass, Rest, Whom};
use crate::relay::observer::Observer;
use crate::retry::Verdict;
use crate::retry::pooled::Pooled;
use crate::retry::schedule::Send;
use crate::route::{Delivery, Order};
use crate::upstream::Upstream;

/// What became of one turn of a candidate.
pub(super) enum Turn<B> {
    Opened(Opened<B>),
    Failed(Verdict),
    /// Nothing was sent; with what becomes known since.
    Rests(Rest, News),
    Ended(End),
}

/// Why a candidate has no turn.
enum Refused {
    Rests(Rest, News),
    End(End),
}

impl<U: Upstream> Dispatch<U> {
    /// One turn of a candidate: an attempt, and one more for each further key that may do better.
    pub(super) async fn turn(
        &mut self,
        send: &Send,
        mut pass: Option<Box<Pass>>,
        goal: &Goal,
        observer: &mut Observer,
    ) -> Turn<U::Body> {
        let mut send = *send;
        let mut tried = self.known[send.candidate].refused.clone();
        let mut pool: Option<Pooled> = None;
        loop {
            let pass = match pass.take() {
                Some(pass) => pass,
                None => match self.admit(&mut send, &tried, pool.is_none(), observer).await {
                    Ok(pass) => pass,
                    Err(Refused::Rests(rest, news)) => {
                        let Some(pool) = pool else { return Turn::Rests(rest, news) };
                        let wait = rest.until.saturating_duration_since(Instant::now());
                        self.known[send.candidate].rest = Some((rest, news));
                        return Turn::Failed(pool.spared(wait).verdict());
                    }
                    Err(Refused::End(end)) => return Turn::Ended(end),
                },
            };
            // An attempt that can only be cut would hide what has gone wrong before it.
            if !self.deciding.is_open()
                && let Some(stop) = self.schedule.too_late(self.now())
            {
                return Turn::Ended(self.end(stop));
            }
            self.known[send.candidate].rest = None;
            let key = pass.key();
            let failed = match self.race(send, pass, goal, observer).await {
                Ok(won) => match self.verified(won, observer).await {
                    Ok(won) => return Turn::Opened(self.take(won, observer)),
                    Err(failed) => failed,
                },
                Err(failed) => failed,
            };
            if self.schedule.alone() {
                self.known[failed.candidate].growth.after(&failed.fault);
            }
            if failed.candidate != send.candidate {
                return Turn::Failed(self.judge_key(failed.candidate, failed.fault, failed.key));
            }
            let of_key = another_key_may_do(failed.fault.class);
            let verdict = self.judge(failed.candidate, failed.fault);
            if !of_key || verdict == Verdict::Reject {
                return Turn::Failed(verdict);
            }
            if verdict == Verdict::Drop {
                self.known[send.candidate].refused.push(key);
            }
            let failures = pool.take().map_or(Pooled::new(verdict), |pool| pool.failed(verdict));
            if failed.key.is_none() {
                return Turn::Failed(failures.verdict());
            }
            pool = Some(failures);
            tried.push(key);
            // The next key follows at once.
            send.wait = Duration::ZERO;
        }
    }

    /// An answer that has opened; where it is to be verified, once it is complete.
    async fn verified(
        &mut self,
        mut won: Won<U::Body>,
        observer: &mut Observer,
    ) -> Result<Won<U::Body>, Failed> {
        let Content::Stream(opening) = &mut won.opened.content else { return Ok(won) };
        self.opened = Instant::now();
        if self.request().route.delivery != Delivery::Verified {
            return Ok(won);
        }
        let held = flow::hold(opening, self.relay().max_answer, &self.relay().drain.streams);
        let held = Box::pin(held).await;
        self.paused += self.opened.elapsed();
        let Err(fault) = held else { return Ok(won) };
        let Won { attempt, pass, .. } = won;
        let fault = observer.failed(&attempt, fault);
        let candidate = self.schedule.current();
        let key = pass.other_keys().then_some(pass.key());
        self.waiting.extend(pass.failed(&fault));
        Err(Failed { candidate, fault, key })
    }

    fn take(&mut self, won: Won<U::Body>, observer: &mut Observer) -> Opened<U::Body> {
        let Won { attempt, opened, pass } = won;
        self.waiting.clear();
        observer.answered(attempt, pass);
        opened
    }

    /// Leave from all that the other requests know. Only for its `first` key an attempt waits; the wait in
    /// line becomes part of the one before it.
    async fn admit(
        &self,
        send: &mut Send,
        tried: &[usize],
        first: bool,
        observer: &Observer,
    ) -> Result<Box<Pass>, Refused> {
        let Context { relay, request, .. } = &*self.context;
        let whom = self.context.whom(send.candidate);
        let candidate = whom.candidate;
        let (now, until) = (Instant::now(), self.until(send).time);
        let alone = self.schedule.alone();
        let quota_patience = match request.route.order {
            _ if !first || self.is_task() => now,
            _ if alone || self.queues_for(send) => until,
            // What is worth waiting for is the same, whether the provider asks for it or a quota.
            Order::Depth => until.min(now + candidate.policy.retry_after_cap),
            Order::Breadth => now,
        };
        let ask = Ask {
            candidate,
            key: whom.key,
            cooldown: request.route.cooldown,
            request: self.number,
            own: first && self.known[send.candidate].met.is_some(),
            tried,
            patience: if alone && first && !self.is_task() { until } else { now },
            quota_patience,
            spends_quota: true,
        };
        if let Some(pass) = relay.health.admit_at_once(&ask) {
            if self.queues_for(send) {
                send.wait = Duration::ZERO;
            }
            return Ok(pass);
        }
        Box::pin(self.admit_later(send, ask, observer)).await
    }

    /// The same where it may have to be waited for.
    async fn admit_later(
        &self,
        send: &mut Send,
        ask: Ask<'_>,
        observer: &Observer,
    ) -> Result<Box<Pass>, Refused> {
        let relay = &self.context.relay;
        let (began, candidate, of) = (Instant::now(), ask.candidate, self.schedule.of());
        let news = relay.health.news(Whom { candidate, key: ask.key });
        let queued = *send;
        let waited = AtomicBool::new(false);
        let waits = |rest: &Rest| {
            waited.store(true, Ordering::Relaxed);
            observer.queued(&queued, of, candidate, rest);
        };
        let result = tokio::select! {
            biased;
            result = relay.health.admit_telling(ask, &waits) => {
                result.map_err(|rest| Refused::Rests(rest, news))
            }
            // Whoever waits for leave is in a pause.
            () = relay.drain.pauses.given() => Err(Refused::End(End::ShuttingDown)),
        };
        if self.queues_for(send) {
            send.wait = Duration::ZERO;
        }
        if waited.into_inner() {
            send.wait += began.elapsed();
        }
        result
    }
}
