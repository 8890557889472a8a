//! The loop: attempt, fault, verdict, step.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;
use tokio::time::Instant;

use super::answer::Answer;
use super::attempt::{Goal, Opened};
use super::bell::Bell;
use super::health::{News, Pass, Rest, Waiting, Whom};
use super::limits::Until;
use super::observer::Observer;
use super::user::Whose;
use super::{Failure, Relay, Request};
use crate::config::Secrets;
use crate::retry::schedule::{Gap, Schedule, Send, Step, Stop, StopReason};
use crate::retry::{Class, Deciding, DelayRange, Fault, Phase, Verdict};
use crate::route::Kind;
use crate::upstream::Upstream;

mod end;
mod known;
mod race;
mod turn;

pub(super) use end::End;

use end::Unasked;
use known::Known;
use turn::Turn;

/// Tries `request` until a candidate answers or none is left.
///
/// What it takes is put in place before anything is awaited: a future keeps room for all that it has moved.
pub(super) fn run<U: Upstream>(
    relay: Arc<Relay<U>>,
    request: Request,
    secrets: Secrets,
    mut observer: Observer,
) -> impl Future<Output = Result<Answer<U>, Failure>> + std::marker::Send + use<U> {
    let mut dispatch = Dispatch::new(relay, request, secrets, observer.started());
    async move {
        match dispatch.first(&mut observer).await {
            Ok(opened) => Ok(Answer::new(opened, dispatch, observer)),
            Err(end) => {
                let failure = end.failure(dispatch.request(), &mut observer);
                observer.failed_for_good(&failure);
                Err(failure)
            }
        }
    }
}

/// What every attempt of a request needs.
pub(super) struct Context<U> {
    pub(super) relay: Arc<Relay<U>>,
    pub(super) request: Request,
    /// Masks what nobody may read, the user's own keys included.
    pub(super) secrets: Secrets,
    /// With whose key each candidate is asked.
    keys: Vec<Whose>,
}

impl<U> Context<U> {
    /// The candidate at `index`, and the user's key that it is asked with.
    fn whom(&self, index: usize) -> Whom<'_> {
        Whom { candidate: &self.request.route.chain.candidates()[index], key: self.keys[index].own() }
    }
}

/// The way of one request along its chain.
pub(super) struct Dispatch<U> {
    context: Arc<Context<U>>,
    schedule: Schedule,
    /// Made for the first wait that is drawn.
    generator: Option<SmallRng>,
    deciding: Deciding,
    /// What each candidate has been to this request.
    known: Vec<Known>,
    /// What tells its attempts from those of others.
    number: u64,
    /// The candidates that have told it 429, for as long as it has no answer.
    waiting: Vec<Waiting>,
    insisted: bool,
    began: Instant,
    /// When the latest answer opened.
    opened: Instant,
    /// How long the deadline's clock has stood still: while an answer was going by.
    paused: Duration,
}

impl<U: Upstream> Dispatch<U> {
    fn new(relay: Arc<Relay<U>>, request: Request, secrets: Secrets, began: Instant) -> Self {
        let whose = |candidate| Whose::of(&request, candidate, &relay.health);
        let keys: Vec<Whose> = request.route.chain.candidates().iter().map(whose).collect();
        let number = relay.health.request();
        Self {
            schedule: Schedule::of_some(&request.route, |index| !matches!(keys[index], Whose::Missing)),
            known: keys.iter().map(|_| Known::default()).collect(),
            context: Arc::new(Context { relay, request, secrets, keys }),
            generator: None,
            deciding: Deciding::default(),
            number,
            waiting: Vec::new(),
            insisted: false,
            began,
            opened: began,
            paused: Duration::ZERO,
        }
    }

    pub(super) fn relay(&self) -> &Relay<U> {
        &self.context.relay
    }

    pub(super) fn request(&self) -> &Request {
        &self.context.request
    }

    /// The first answer that opens.
    async fn first(&mut self, observer: &mut Observer) -> Result<Opened<U::Body>, End> {
        let step = self.schedule.first();
        self.open(step, &Goal::Answer, observer).await
    }

    /// An answer that goes on from where one broke with `fault`: of the next candidate if there is one, else
    /// of the same. `key` is the one that the broken one was asked with, if there are others.
    pub(super) async fn next(
        &mut self,
        fault: Fault,
        key: Option<usize>,
        goal: &Goal,
        observer: &mut Observer,
    ) -> Result<Opened<U::Body>, End> {
        self.paused += self.opened.elapsed();
        let index = self.schedule.current();
        if self.schedule.alone() {
            self.known[index].growth.after(&fault);
        }
        let verdict = match self.judge_key(index, fault, key) {
            Verdict::Retry { after } => Verdict::Next { after },
            other => other,
        };
        let step = self.after(verdict);
        self.open(step, goal, observer).await
    }

    async fn open(
        &mut self,
        step: Step,
        goal: &Goal,
        observer: &mut Observer,
    ) -> Result<Opened<U::Body>, End> {
        let context = Arc::clone(&self.context);
        let streams = &context.relay.drain.streams;
        let cut = pin!(streams.given());
        let mut cut = Bell::new(cut);
        let mut driving = pin!(self.drive(step, goal, observer));
        poll_fn(|cx| match driving.as_mut().poll(cx) {
            Poll::Pending => cut.poll(cx, streams.is_given()).map(|()| Err(End::ShuttingDown)),
            ready @ Poll::Ready(_) => ready,
        })
        .await
    }

    async fn drive(
        &mut self,
        mut step: Step,
        goal: &Goal,
        observer: &mut Observer,
    ) -> Result<Opened<U::Body>, End> {
        loop {
            let (send, pass) = match step {
                Step::Send(send) if self.is_task() && send.gap == Gap::Rest && !send.wait.is_zero() => {
                    let stop = Stop { reason: StopReason::Resting, retry_after: Some(send.wait) };
                    return Err(self.end(stop));
                }
                Step::Send(send) => (send, None),
                Step::Stop(stop) => self.insist(stop)?,
            };
            self.wait(&send, observer).await?;
            // Whoever waits for its next turn holds nothing of the one before: 6 KB for each of them.
            step = match Box::pin(self.turn(&send, pass, goal, observer)).await {
                Turn::Opened(opened) => return Ok(opened),
                Turn::Failed(verdict) => self.after(verdict),
                Turn::Rests(rest, news) => self.skip(&send, rest, news, observer),
                Turn::Ended(end) => return Err(end),
            };
        }
    }

    /// Whether nobody waits for the answer: then nothing is waited for that others need, too.
    fn is_task(&self) -> bool {
        self.request().route.kind == Kind::Task
    }

    /// Time on the deadline's clock.
    fn now(&self) -> Duration {
        self.began.elapsed().saturating_sub(self.paused)
    }

    fn after(&mut self, verdict: Verdict) -> Step {
        let now = self.now();
        let Self { schedule, generator, .. } = self;
        schedule.after(verdict, now, &mut |range| draw(generator, range))
    }

    fn skip(&mut self, send: &Send, rest: Rest, news: News, observer: &Observer) -> Step {
        let now = self.now();
        let wait = rest.until.saturating_duration_since(Instant::now());
        observer.skipped(&self.context.request.route.chain.candidates()[send.candidate], &rest.why);
        self.known[send.candidate].rest = Some((rest, news));
        let Self { schedule, generator, .. } = self;
        schedule.skip(wait, now, &mut |range| draw(generator, range))
    }

    /// The end; unless all candidates rest for longer than the request may wait: then one attempt goes out
    /// anyway, if no other request had that privilege within the second.
    fn insist(&mut self, stop: Stop) -> Result<(Send, Option<Box<Pass>>), End> {
        let now = self.now();
        if stop.reason == StopReason::Deadline
            && !self.is_task()
            && now < self.request().route.policy.deadline
            && !self.insisted
            && let Some(send) = self.schedule.insist(now)
        {
            self.insisted = true;
            let route = &self.request().route;
            let chain: Vec<_> = (0..self.known.len()).map(|index| self.context.whom(index)).collect();
            let health = &self.relay().health;
            let refused = &self.known[send.candidate].refused;
            let whom = chain[send.candidate];
            if let Some(pass) = health.insist(whom, &chain, route.cooldown, self.number, refused) {
                self.known[send.candidate].rest = None;
                return Ok((send, Some(pass)));
            }
        }
        Err(self.end(stop))
    }

    fn end(&mut self, stop: Stop) -> End {
        let rests = self.known.iter_mut().enumerate();
        let rests: Vec<_> = rests.filter_map(|(index, known)| Some((index, known.rest.take()?.0))).collect();
        let mut deciding = std::mem::take(&mut self.deciding);
        let may_rest = [StopReason::Deadline, StopReason::AttemptsExhausted, StopReason::Resting];
        if may_rest.contains(&stop.reason)
            && let Some((candidate, rest)) = rests.iter().min_by_key(|(_, rest)| rest.until)
        {
            deciding.note_rest(*candidate, Fault::new(rest.class, Phase::Connect, rest.why.clone()));
        }
        // Without the one and the other, there was nobody who could be asked at all.
        let Some(fault) = deciding.fault() else { return End::Keyless };
        let keyless =
            self.context.keys.iter().enumerate().filter(|(_, whose)| matches!(whose, Whose::Missing));
        let keyless = keyless.map(|(index, _)| (index, Unasked::Keyless));
        let rests = rests.into_iter().map(|(index, rest)| (index, Unasked::Rests(rest)));
        let mut unasked: Vec<_> = rests.chain(keyless).collect();
        unasked.sort_by_key(|(index, _)| *index);
        End::Stopped { stop, fault, unasked }
    }

    /// Sleeps before an attempt; the signal to stop ends the wait and the request.
    async fn wait(&mut self, send: &Send, observer: &mut Observer) -> Result<(), End> {
        if send.wait.is_zero() || self.queues_for(send) {
            return Ok(());
        }
        let relay = self.relay();
        let whom = self.context.whom(send.candidate);
        let candidate = whom.candidate;
        let rest = self.known[send.candidate].rest.as_ref().filter(|_| send.gap == Gap::Rest);
        // Whoever waits for a candidate that refused too many, or rests, is told when others get through.
        let news = match send.gap {
            Gap::RetryAfter => None,
            Gap::Rest => rest.map(|(_, news)| news.clone()),
            _ if self.known[send.candidate].met == Some(Class::RateLimited) => Some(relay.health.news(whom)),
            _ => None,
        };
        let rest = rest.map(|(rest, _)| (candidate, rest.why.as_str()));
        observer.waiting(send, self.schedule.of(), rest, news.is_some());
        let back = async {
            match news {
                Some(news) => news.recovered().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = relay.drain.pauses.given() => Err(End::ShuttingDown),
            () = tokio::time::sleep(send.wait) => Ok(()),
            () = back => Ok(()),
        }
    }

    /// Whether a wait is one in a line, where nobody overtakes.
    fn queues_for(&self, send: &Send) -> bool {
        send.gap == Gap::Rest && self.known[send.candidate].rest.as_ref().is_some_and(|(rest, _)| rest.queue)
    }

    /// When an attempt must have opened.
    fn until(&self, send: &Send) -> Until {
        let deadline = self.request().route.policy.deadline;
        Until { time: self.began + self.paused + send.until, is_share: send.until < deadline }
    }
}

fn draw(generator: &mut Option<SmallRng>, range: DelayRange) -> Duration {
    generator.get_or_insert_with(rand::make_rng).random_range(range.min()..=range.max())
}
