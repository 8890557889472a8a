//! One turn of a candidate: leave from what all requests know, the attempt, the same with its next key.

use tokio::time::Instant;

use super::race::{Failed, Won};
use super::{Context, Dispatch, End};
use crate::relay::attempt::{Content, Goal, Opened};
use crate::relay::flow;
use crate::relay::health::{Ask, News, Pass, Rest};
use crate::relay::observer::Observer;
use crate::retry::schedule::Send;
use crate::retry::{Class, Verdict};
use crate::route::Delivery;
use crate::upstream::Upstream;

/// What became of one turn of a candidate.
#[expect(clippy::large_enum_variant, reason = "it lives for a moment")]
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
        mut pass: Option<Pass>,
        goal: &Goal,
        observer: &mut Observer,
    ) -> Turn<U::Body> {
        let mut tried = Vec::new();
        let mut last = None;
        loop {
            let pass = match pass.take() {
                Some(pass) => pass,
                None => match self.admit(send, &tried, observer).await {
                    Ok(pass) => pass,
                    Err(Refused::Rests(rest, news)) => {
                        return last.map_or(Turn::Rests(rest, news), Turn::Failed);
                    }
                    Err(Refused::End(end)) => return Turn::Ended(end),
                },
            };
            self.rests[send.candidate] = None;
            let key = pass.key();
            let failed = match self.race(*send, pass, goal, observer).await {
                Ok(won) => match self.take(won, send.candidate, observer).await {
                    Ok(opened) => return Turn::Opened(opened),
                    Err(failed) => failed,
                },
                Err(failed) => failed,
            };
            if self.schedule.alone() {
                self.growth[failed.candidate].after(&failed.fault);
            }
            let next_key = failed.other_keys && another_key_may_do(failed.fault.class);
            let verdict = self.judge(failed.candidate, failed.fault);
            if !next_key || verdict == Verdict::Reject {
                return Turn::Failed(verdict);
            }
            last = Some(verdict);
            tried.push(key);
        }
    }

    /// Takes an answer that has opened; where it is to be verified, once it is complete. The turn is that of
    /// the candidate `first`, though another one beside it may have answered.
    async fn take(
        &mut self,
        won: Won<U::Body>,
        first: usize,
        observer: &mut Observer,
    ) -> Result<Opened<U::Body>, Failed> {
        let Won { attempt, mut opened, pass } = won;
        if let Content::Stream(opening) = opened.content {
            self.opened = Instant::now();
            if self.request().route.delivery == Delivery::Verified {
                let held = flow::hold(opening, self.relay().max_answer, &self.relay().drain.streams).await;
                self.paused += self.opened.elapsed();
                match held {
                    Ok(opening) => opened.content = Content::Stream(opening),
                    Err(fault) => {
                        let fault = observer.failed(&attempt, fault);
                        let candidate = self.schedule.current();
                        let other_keys = candidate == first && pass.other_keys();
                        self.waiting.extend(pass.failed(&fault).waiting);
                        return Err(Failed { candidate, fault, other_keys });
                    }
                }
            } else {
                opened.content = Content::Stream(opening);
            }
        }
        self.waiting.clear();
        observer.answered(attempt, pass);
        Ok(opened)
    }

    /// Leave from all that the other requests know.
    async fn admit(&self, send: &Send, tried: &[usize], observer: &Observer) -> Result<Pass, Refused> {
        let Context { relay, request } = &*self.context;
        let alone = self.schedule.alone();
        let patience = if alone { self.until(send).time } else { Instant::now() };
        let ask = Ask {
            candidate: &request.route.chain.candidates()[send.candidate],
            cooldown: request.route.cooldown,
            request: self.number,
            own: self.met[send.candidate].is_some(),
            tried,
            patience,
            spends_quota: true,
        };
        let news = relay.health.news(ask.candidate);
        let waits = |rest: &Rest| observer.queued(send, self.schedule.of(), ask.candidate, &rest.why);
        tokio::select! {
            biased;
            result = relay.health.admit_telling(ask, &waits) => {
                result.map_err(|rest| Refused::Rests(rest, news))
            }
            // Whoever waits for leave is in a pause.
            () = relay.drain.pauses.cancelled() => Err(Refused::End(End::ShuttingDown)),
        }
    }
}

/// Whether a fault may be that of the key.
fn another_key_may_do(class: Class) -> bool {
    matches!(class, Class::Unauthorized | Class::Payment | Class::RateLimited)
}
