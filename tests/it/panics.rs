//! A panic of our own, wherever it happens, ends one request and no other.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use backstop::retry::{Class, Fault, Phase};
use backstop::upstream::{self, Upstream};
use bytes::Bytes;
use http::Response;
use http_body::Frame;
use serde_json::Value;
use tokio::time::{Sleep, sleep};

use crate::support::events::{DONE, HELLO, STOP, error_after};
use crate::support::{Call, Log, proxy_over, route};

/// Panics where the name of the model says.
#[derive(Default)]
struct Mines(AtomicBool);

impl Upstream for Mines {
    type Body = Body;

    async fn send(&self, call: upstream::Call<'_>) -> Result<Response<Body>, Fault> {
        let pause = || Step::Wait(Box::pin(sleep(Duration::from_millis(300))));
        let steps = match &*call.candidate.model {
            "at-once" => panic!("a mine before the head"),
            "later" => {
                sleep(Duration::from_millis(300)).await;
                panic!("a mine after an early head")
            }
            "busy" => {
                assert!(!self.0.swap(true, Ordering::Relaxed), "a mine after a wait");
                return Err(Fault::new(Class::Overloaded, Phase::FirstByte, "busy"));
            }
            "before-payload" => vec![Step::Say(": hi\n\n"), Step::Panic],
            "mid-stream" => vec![Step::Say(HELLO), pause(), Step::Panic],
            _ => vec![Step::Say(HELLO), pause(), pause(), Step::Say(HELLO), Step::Say(STOP), Step::Say(DONE)],
        };
        Ok(Response::new(Body(steps.into())))
    }
}

struct Body(VecDeque<Step>);

enum Step {
    Say(&'static str),
    Wait(Pin<Box<Sleep>>),
    Panic,
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if let Some(Step::Wait(wait)) = self.0.front_mut() {
            ready!(wait.as_mut().poll(cx));
        }
        Poll::Ready(match self.0.pop_front() {
            None => None,
            Some(Step::Say(text)) => Some(Ok(Frame::data(text.into()))),
            Some(Step::Wait(_)) => return self.poll_frame(cx),
            Some(Step::Panic) => panic!("a mine in the body"),
        })
    }
}

/// Asks for `model` while another stream is under way, which must come to its end; the body.
async fn step_on(model: &str, status: u16) -> String {
    step_on_with("comments", model, status).await
}

/// The same of a client that is shown this `progress`.
async fn step_on_with(progress: &str, model: &str, status: u16) -> String {
    let log = Log::begin();
    let settings = "[retry]\nattempt_delay = \"100ms\"\n[server]\nhead_after = \"100ms\"";
    let proxy = proxy_over(&route(["http://127.0.0.1:1/v1"], settings), Mines::default()).await;
    let address = proxy.address;
    let mut other = Call::stream("r").send(address).await;
    assert_eq!(other.data().await.unwrap(), HELLO["data: ".len()..].trim_end());

    let call = Call::stream(&format!("p/{model}")).header("x-request-id", "mine");
    let mut answer = call.header("x-backstop-progress", progress).send(address).await;
    assert_eq!((answer.status, answer.header("x-request-id")), (status, "mine"), "{model}");
    let body = answer.text().await;

    let mut connection = answer.into_connection();
    connection.write(&Call::stream("r").bytes()).await;
    let mut next = connection.head().await.expect("the same connection goes on");
    assert_eq!(next.content().await, "HelloHello");
    assert_eq!(other.content().await, "Hello", "the rest of the other stream");
    assert_eq!(log.outcome("mine").as_deref(), Some("internal"), "{model}");
    body
}

/// Before its own event the guard ends whatever a panic may have cut.
const GUARDED: &str = "\n\n";

/// The end of an event before that.
const GUARDED_AFTER: &str = "\n\n\n\n";

/// The error object must say no more than that it was our fault.
#[track_caller]
fn assert_internal(error: &Value) {
    assert_eq!((&error["code"], &error["message"]), (&"internal".into(), &"unexpected error".into()));
}

#[tokio::test]
async fn before_the_head_it_is_a_500() {
    for model in ["at-once", "before-payload"] {
        let body: Value = serde_json::from_str(&step_on(model, 500).await).unwrap();
        assert_internal(&body["error"]);
    }
}

#[tokio::test]
async fn after_an_early_head_it_is_in_band() {
    let body = step_on("later", 200).await;

    assert_internal(&error_after(&body, &[": Attempt 1/60 in progress…\n\n", GUARDED].concat()));
}

#[tokio::test]
async fn a_line_that_is_shown_is_closed() {
    let body = step_on_with("open-webui", "busy", 200).await;

    let (shown, last) = body.split_once(GUARDED_AFTER).unwrap();
    assert!(
        shown.contains("Attempt 1/60 failed. Waiting 100ms") && shown.ends_with("\"done\":false}}}"),
        "{body}"
    );
    let (line, _) = last.split_once("\n\n").unwrap();
    let line: Value = serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
    let expected = serde_json::json!({ "description": "Stopped by an unexpected error", "done": true });
    assert_eq!(line["event"]["data"], expected);
    let (before, _) = body.split_at(body.find("data: {\"error\"").unwrap());
    let error = error_after(&body, before);
    assert_eq!(error["message"], "Backstop has made a mistake of its own. Try again in a moment.");
    assert_eq!(
        (&error["code"], &error["metadata"]["detail"]),
        (&"internal".into(), &"unexpected error".into())
    );
}

#[tokio::test]
async fn in_a_stream_it_ends_the_stream_cleanly() {
    let body = step_on("mid-stream", 200).await;

    assert_internal(&error_after(&body, &[HELLO, GUARDED].concat()));
}
