//! One attempt; and where the route hedges, another candidate's beside it when the first payload is late.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Waker, Poll};

use tokio::time::{Instant, Sleep};

use super::Dispatch;
use crate::relay::attempt::{self, Goal, Opened};
use crate::relay::health::{Ask, Pass};
use crate::relay::observer::{Observer, Try};
use crate::retry::schedule::Send;
use crate::retry::{Class, Fault, Verdict};
use crate::route::Hedge;
use crate::upstream::Upstream;

/// An attempt whose answer has opened.
pub(super) struct Won<B> {
    pub(super) attempt: Try,
    pub(super) opened: Opened<B>,
    pub(super) pass: Box<Pass>,
}

/// An attempt that failed.
pub(super) struct Failed {
    pub(super) candidate: usize,
    pub(super) fault: Fault,
    /// Its key, if the provider has another one that may do better.
    pub(super) key: Option<usize>,
}

/// An attempt under way, and who makes it.
struct Sent<B> {
    attempt: Try,
    result: Ending<B>,
}

type Ending<B> = Pin<Box<dyn Future<Output = (Box<Pass>, Result<Opened<B>, Fault>)> + std::marker::Send>>;

enum Event<B> {
    Ended(Sent<B>, Box<Pass>, Result<Opened<B>, Fault>),
    Late,
}

impl<U: Upstream> Dispatch<U> {
    /// Sends the attempt. If another one starts beside it, whoever gives the first payload wins, and the
    /// other one is cancelled at once, which is no failure. If one fails, the other goes on, unless that
    /// was the request's fault; if both fail, it is the first one's failure that comes back.
    pub(super) async fn race(
        &mut self,
        send: Send,
        pass: Box<Pass>,
        goal: &Goal,
        observer: &mut Observer,
    ) -> Result<Won<U::Body>, Failed> {
        let hedge = self.request().route.hedge.filter(|_| matches!(goal, Goal::Answer));
        let mut late = hedge.map(|hedge| Box::pin(tokio::time::sleep(hedge.after)));
        let mut under_way = vec![self.sent(send, pass, goal, observer)];
        let mut failed = None;
        loop {
            let (attempt, pass, result) = match next(&mut under_way, &mut late).await {
                Event::Ended(sent, pass, result) => (sent.attempt, pass, result),
                Event::Late => {
                    under_way.extend(self.beside(hedge, goal, observer).await);
                    continue;
                }
            };
            let candidate = attempt.candidate;
            let fault = match result {
                Ok(opened) => {
                    cancel(under_way, &attempt, "answered first", observer);
                    if candidate != send.candidate {
                        if let Some(Failed { fault, .. }) = failed {
                            self.beside_failed(send.candidate, fault, None);
                        }
                        let now = self.now();
                        self.schedule.lead(candidate, now);
                    }
                    return Ok(Won { attempt, opened, pass });
                }
                Err(fault) => observer.failed(&attempt, self.of_impatience(fault)),
            };
            let key = pass.other_keys().then_some(pass.key());
            self.waiting.extend(pass.failed(&fault));
            if self.verdict(candidate, &fault) == Verdict::Reject {
                cancel(under_way, &attempt, "refused the request", observer);
                return Err(Failed { candidate, fault, key });
            }
            if candidate == send.candidate {
                failed = Some(Failed { candidate, fault, key });
            } else {
                self.beside_failed(candidate, fault, key);
            }
            if under_way.is_empty() {
                return Err(failed.expect("the first attempt has ended too"));
            }
        }
    }

    fn sent(&self, send: Send, mut pass: Box<Pass>, goal: &Goal, observer: &mut Observer) -> Sent<U::Body> {
        let context = Arc::clone(&self.context);
        let candidate = &context.request.route.chain.candidates()[send.candidate];
        let attempt = Try::new(&send, pass.key_name().map(Into::into));
        observer.sending(&attempt, self.schedule.of());
        let stream = context.request.envelope.stream();
        let mut limits =
            self.known[send.candidate].growth.limits(&candidate.timeouts, stream, self.until(&send));
        limits.fresh = candidate.policy.fresh_connections && self.known[send.candidate].met.is_some();
        let goal = goal.clone();
        let result = Box::pin(async move {
            let result = attempt::run(&context, send.candidate, limits, &mut pass, &goal).await;
            (pass, result)
        });
        Sent { attempt, result }
    }

    /// The limits of a task are short: what is too slow for them may be quick enough for a chat.
    fn of_impatience(&self, mut fault: Fault) -> Fault {
        fault.clipped |= self.is_task() && fault.class == Class::Timeout;
        fault
    }

    /// An attempt at the next candidate that may have one right now.
    async fn beside(
        &mut self,
        hedge: Option<Hedge>,
        goal: &Goal,
        observer: &mut Observer,
    ) -> Option<Sent<U::Body>> {
        let context = Arc::clone(&self.context);
        let route = &context.request.route;
        for candidate in self.schedule.others(self.now()) {
            let whom = context.whom(candidate);
            let ask = Ask {
                candidate: whom.candidate,
                key: whom.key,
                cooldown: route.cooldown,
                request: self.number,
                own: false,
                tried: &self.known[candidate].refused,
                patience: Instant::now(),
                quota_patience: Instant::now(),
                spends_quota: hedge.is_some_and(|hedge| hedge.spends_quota),
            };
            // Whoever may not be asked now keeps its turn for when the first one has failed.
            if let Ok(pass) = context.relay.health.admit(ask).await {
                let send = self.schedule.beside(candidate);
                return Some(self.sent(send, pass, goal, observer));
            }
        }
        None
    }

    /// The attempt beside the first failed.
    fn beside_failed(&mut self, candidate: usize, fault: Fault, key: Option<usize>) {
        let verdict = self.judge_key(candidate, fault, key);
        let now = self.now();
        self.schedule.beside_failed(candidate, verdict, now);
    }
}

/// Lets go of those that are still under way, because the attempt `ended` did `what`.
fn cancel<B>(under_way: Vec<Sent<B>>, ended: &Try, what: &str, observer: &mut Observer) {
    for Sent { attempt, .. } in under_way {
        observer.cancelled(&attempt, ended, what);
    }
}

/// What happens first: an attempt ends, or the time for a second one has come.
async fn next<B>(under_way: &mut Vec<Sent<B>>, late: &mut Option<Pin<Box<Sleep>>>) -> Event<B> {
    std::future::poll_fn(|cx: &mut Waker<'_>| {
        for index in 0..under_way.len() {
            if let Poll::Ready((pass, result)) = under_way[index].result.as_mut().poll(cx) {
                return Poll::Ready(Event::Ended(under_way.remove(index), pass, result));
            }
        }
        if let Some(timer) = late
            && timer.as_mut().poll(cx).is_ready()
        {
            *late = None;
            return Poll::Ready(Event::Late);
        }
        Poll::Pending
    })
    .await
}
