//! An upstream that does what its script says, in no time or in paused time.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use crate::retry::{Class, Fault, Phase};
use crate::upstream::{Call, Credential, Upstream};

/// What one attempt does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Refuses the connection.
    Refuse,
    /// Takes this long to connect, then never answers.
    Connecting(Duration),
    /// Never answers.
    Hang,
    /// Answers with this status and body.
    Status(u16, &'static str),
    /// Takes this long, and then does that.
    Late(Duration, Box<Act>),
    /// 200, and then the body's parts in turn.
    Answer(Vec<Part>),
    /// What this makes of the request.
    By(fn(&serde_json::Value) -> Act),
}

/// What a body does next.
#[derive(Debug, Clone)]
pub enum Part {
    Bytes(Bytes),
    Wait(Duration),
    Hang,
    Fail,
}

/// 200 with one frame.
pub fn answer(text: impl Into<String>) -> Act {
    Act::Answer(vec![text_part(text)])
}

pub fn text_part(text: impl Into<String>) -> Part {
    Part::Bytes(text.into().into())
}

/// What the provider's side saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// (model, when) of every attempt.
    pub sent: Vec<(String, Duration)>,
    /// Which key each was sent with.
    pub keys: Vec<usize>,
    /// The user's key that took its place, if one did.
    pub own: Vec<Option<String>>,
    /// The bodies, as sent.
    pub bodies: Vec<Bytes>,
    /// The `connect` limits.
    pub connect: Vec<Duration>,
    /// Attempts and bodies under way.
    pub open: usize,
}

/// What meets an attempt at a model, so long after the beginning.
type Choose = Box<dyn Fn(&str, Duration) -> Act + Send + Sync>;

enum Source {
    Acts(Mutex<VecDeque<Act>>),
    By(Choose),
}

pub struct Script {
    source: Source,
    headers: HeaderMap,
    pub seen: Arc<Mutex<Seen>>,
    started: Instant,
}

impl Script {
    /// Plays `acts` in turn; one attempt more is a failure of the test.
    pub fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        Self::from(Source::Acts(Mutex::new(acts.into_iter().collect())))
    }

    /// Whatever `choose` makes of the model and the time since now.
    pub fn by(choose: impl Fn(&str, Duration) -> Act + Send + Sync + 'static) -> Self {
        Self::from(Source::By(Box::new(choose)))
    }

    fn from(source: Source) -> Self {
        Self { source, headers: HeaderMap::new(), seen: Arc::default(), started: Instant::now() }
    }

    pub fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(name, http::HeaderValue::from_static(value));
        self
    }

    /// When its time began.
    pub fn began(&self) -> Instant {
        self.started
    }

    /// The acts that nobody asked for.
    pub fn left(&self) -> usize {
        match &self.source {
            Source::Acts(acts) => acts.lock().unwrap().len(),
            Source::By(_) => 0,
        }
    }
}

/// Counts itself among what is open until it is dropped.
struct Open(Arc<Mutex<Seen>>);

impl Open {
    fn new(seen: &Arc<Mutex<Seen>>) -> Self {
        seen.lock().unwrap().open += 1;
        Self(Arc::clone(seen))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.lock().unwrap().open -= 1;
    }
}

impl Upstream for Script {
    type Body = Parts;

    async fn send(&self, call: Call<'_>) -> Result<Response<Parts>, Fault> {
        let open = Open::new(&self.seen);
        {
            let mut seen = self.seen.lock().unwrap();
            seen.sent.push((call.candidate.model.to_string(), self.started.elapsed()));
            let (key, own) = match call.credential {
                Credential::Shared(key) => (key, None),
                Credential::Own(key) => (0, Some(key.expose().to_owned())),
            };
            seen.keys.push(key);
            seen.own.push(own);
            seen.bodies.push(call.body.concat().into());
            seen.connect.push(call.connect);
        }
        let mut act = match &self.source {
            Source::Acts(acts) => acts.lock().unwrap().pop_front(),
            Source::By(choose) => Some(choose(&call.candidate.model, self.started.elapsed())),
        }
        .expect("an attempt that the script did not foresee");
        if let Act::Late(time, then) = act {
            tokio::time::sleep(time).await;
            act = *then;
        }
        if let Act::By(choose) = act {
            act = choose(&serde_json::from_slice(&call.body.concat()).unwrap());
        }
        if let Act::Connecting(time) = act {
            tokio::time::sleep(time).await;
        }
        if let Act::Refuse = act {
            return Err(Fault::new(Class::Connect, Phase::Connect, "connection refused"));
        }
        call.connected.mark(Instant::now());
        let (status, parts) = match act {
            Act::Late(..) => unreachable!("late twice"),
            Act::Refuse => unreachable!("it has returned"),
            Act::Hang | Act::Connecting(_) => std::future::pending().await,
            Act::Status(status, body) => (status, vec![text_part(body)]),
            Act::Answer(parts) => (200, parts),
            Act::By(_) => panic!("a choice leads to an act"),
        };
        let mut response = Response::new(Parts { left: parts.into(), sleep: None, _open: open });
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        *response.headers_mut() = self.headers.clone();
        Ok(response)
    }
}

pub struct Parts {
    left: VecDeque<Part>,
    sleep: Option<Pin<Box<Sleep>>>,
    _open: Open,
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                std::task::ready!(sleep.as_mut().poll(cx));
                self.sleep = None;
            }
            match self.left.pop_front() {
                None => return Poll::Ready(None),
                Some(Part::Bytes(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Part::Wait(time)) => self.sleep = Some(Box::pin(tokio::time::sleep(time))),
                Some(Part::Hang) => {
                    self.left.push_front(Part::Hang);
                    return Poll::Pending;
                }
                Some(Part::Fail) => {
                    let fault = Fault::new(Class::Broken, Phase::FirstToken, "the body was cut");
                    return Poll::Ready(Some(Err(fault)));
                }
            }
        }
    }
}
