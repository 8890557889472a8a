//! One attempt; and where the route hedges, another candidate's beside it when the first payload is late.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Waker, Poll};

use tokio::time::{Instant, Sleep};

use super::Dispatch;
use crate::relay::attempt::{self, Goal, Opened};
use crate::relay::health::{Ask, Pass};
use crate::relay::observer::{Observer, Try};
use crate::retry::Fault;
use crate::retry::schedule::Send;
use crate::route::Hedge;
use crate::upstream::Upstream;

/// An attempt whose answer has opened.
pub(super) struct Won<B> {
    pub(super) attempt: Try,
    pub(super) opened: Opened<B>,
    pub(super) pass: Pass,
}

/// An attempt that failed.
pub(super) struct Failed {
    pub(super) fault: Fault,
    /// Whether the provider has a key that may do better.
    pub(super) other_keys: bool,
}

/// An attempt under way, with what it leaves behind.
type Sent<B> = Pin<Box<dyn Future<Output = Arrival<B>> + std::marker::Send>>;

struct Arrival<B> {
    send: Send,
    attempt: Try,
    pass: Pass,
    result: Result<Opened<B>, Fault>,
}

#[expect(clippy::large_enum_variant, reason = "it lives for a moment")]
enum Event<B> {
    Arrived(Arrival<B>),
    Late,
}

impl<U: Upstream> Dispatch<U> {
    /// Sends the attempt. If another one starts beside it, whoever gives the first payload wins, and the
    /// other one is cancelled at once, which is no failure.
    pub(super) async fn race(
        &mut self,
        send: Send,
        pass: Pass,
        goal: &Goal,
        observer: &mut Observer,
    ) -> Result<Won<U::Body>, Failed> {
        let hedge = self.request().route.hedge.filter(|_| matches!(goal, Goal::Answer));
        let mut late = hedge.map(|hedge| Box::pin(tokio::time::sleep(hedge.after)));
        let mut under_way = vec![self.sent(send, pass, goal, observer)];
        let mut failed = None;
        loop {
            let arrival = match next(&mut under_way, &mut late).await {
                Event::Arrived(arrival) => arrival,
                Event::Late => {
                    under_way.extend(self.beside(hedge, goal, observer).await);
                    continue;
                }
            };
            let Arrival { send: Send { candidate, .. }, attempt, pass, result } = arrival;
            match result {
                Ok(opened) => {
                    if !under_way.is_empty() {
                        observer.cancelled(&attempt);
                    }
                    if candidate != send.candidate {
                        if let Some(Failed { fault, .. }) = failed {
                            self.beside_failed(send.candidate, fault);
                        }
                        self.schedule.lead(candidate);
                    }
                    return Ok(Won { attempt, opened, pass });
                }
                Err(fault) => {
                    let fault = observer.failed(&attempt, fault);
                    let other_keys = pass.other_keys();
                    self.waiting.extend(pass.failed(&fault).waiting);
                    if candidate == send.candidate {
                        failed = Some(Failed { fault, other_keys });
                    } else {
                        self.beside_failed(candidate, fault);
                    }
                    if under_way.is_empty() {
                        return Err(failed.expect("the first attempt has ended too"));
                    }
                }
            }
        }
    }

    fn sent(&self, send: Send, mut pass: Pass, goal: &Goal, observer: &mut Observer) -> Sent<U::Body> {
        let context = Arc::clone(&self.context);
        let candidate = &context.request.route.chain.candidates()[send.candidate];
        let attempt = Try::new(&send, candidate, pass.key_name().map(Into::into));
        observer.sending(&attempt, self.schedule.of());
        let stream = context.request.envelope.stream();
        let limits = self.growth[send.candidate].limits(&candidate.timeouts, stream, self.until(&send));
        let goal = goal.clone();
        Box::pin(async move {
            let result = attempt::run(&context, send.candidate, limits, &mut pass, &goal).await;
            Arrival { send, attempt, pass, result }
        })
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
        while let Some(send) = self.schedule.beside(self.now()) {
            let ask = Ask {
                candidate: &route.chain.candidates()[send.candidate],
                cooldown: route.cooldown,
                request: self.number,
                own: false,
                tried: &[],
                patience: Instant::now(),
                spends_quota: hedge.is_some_and(|hedge| hedge.spends_quota),
            };
            match context.relay.health.admit(ask).await {
                Ok(pass) => return Some(self.sent(send, pass, goal, observer)),
                Err(rest) => {
                    let wait = rest.until.saturating_duration_since(Instant::now());
                    self.schedule.beside_skipped(send.candidate, wait, self.now());
                }
            }
        }
        None
    }

    fn beside_failed(&mut self, candidate: usize, fault: Fault) {
        let verdict = self.judge(candidate, fault);
        let now = self.now();
        self.schedule.beside_failed(candidate, verdict, now);
    }
}

/// What happens first: an attempt ends, or the time for a second one has come.
async fn next<B>(under_way: &mut Vec<Sent<B>>, late: &mut Option<Pin<Box<Sleep>>>) -> Event<B> {
    std::future::poll_fn(|cx: &mut Waker<'_>| {
        for index in 0..under_way.len() {
            if let Poll::Ready(arrival) = under_way[index].as_mut().poll(cx) {
                drop(under_way.swap_remove(index));
                return Poll::Ready(Event::Arrived(arrival));
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
