//! How a stream ends for the client, however it ended at the provider.

use std::time::{Duration, Instant};

use backstop::sim::{Act, Encoding, Ended, Finish, Framing, Provider, Script, data};
use serde_json::Value;

use crate::support::events::{DONE, HELLO, ROLE, STOP, USAGE, error_after};
use crate::support::{Answer, Call, End, Log, Peer, Proxy, proxy, route, soon};

pub mod events;

/// Backstop before a provider that follows a script, and a second one that nobody should ask.
struct Stage {
    proxy: Proxy,
    provider: Provider,
    spare: Provider,
}

impl Stage {
    async fn new(script: impl Into<Script>, rest: &str) -> Self {
        let provider = Provider::start(script).unwrap();
        let spare = Provider::start(Script::exactly([])).unwrap();
        let proxy = proxy(&route([provider.base_url(), spare.base_url()], rest)).await;
        Self { proxy, provider, spare }
    }

    async fn ask(&self) -> Answer {
        let answer = Call::stream("r").send(self.proxy.address).await;
        assert_eq!(answer.header("x-backstop-attempts"), "1");
        answer
    }

    /// The whole body of an answer, which must end cleanly, for the one attempt that was made.
    async fn body(&self) -> String {
        let body = self.ask().await.text().await;
        self.check();
        body
    }

    /// Nothing follows an answer that has begun: no other attempt, at no other provider.
    fn check(&self) {
        assert_eq!((self.provider.count(), self.spare.count()), (1, 0));
    }
}

fn message(error: &Value) -> &str {
    error["message"].as_str().expect("a message")
}

#[tokio::test]
async fn the_body_ends_right_after_done_though_the_provider_lingers() {
    let events = [ROLE, HELLO, STOP, USAGE, DONE];
    let lingering = Act::events(events).then(Finish::Stall);
    let stage = Stage::new(Script::exactly([lingering, Act::events(events)]), "").await;

    let mut answer = stage.ask().await;
    let body = answer.text().await;
    let took = answer.at.elapsed();

    assert_eq!(body, events.concat());
    assert!(took < Duration::from_millis(1500), "it waits for silence: {took:?}");
    assert_eq!(soon("end", stage.provider.wait_ended(0)).await, Ended::ClientLeft);
    let mut connection = answer.into_connection();
    connection.write(&Call::stream("r").bytes()).await;
    let mut second = connection.head().await.expect("the client's connection is kept");
    assert_eq!(second.text().await, events.concat());
    assert_eq!((stage.provider.check(), stage.spare.count()), (Ok(()), 0));
}

#[tokio::test]
async fn what_follows_done_stays_behind() {
    let stage = Stage::new(Act::events([HELLO, STOP, DONE, USAGE, "data: [DONE]\n\n"]), "").await;

    assert_eq!(stage.body().await, [HELLO, STOP, DONE].concat());
}

#[tokio::test]
async fn a_provider_that_ends_well_keeps_its_connection() {
    let stage = Stage::new(Act::events([HELLO, STOP, DONE]), "").await;

    for _ in 0..3 {
        assert_eq!(stage.ask().await.text().await, [HELLO, STOP, DONE].concat());
    }

    assert_eq!((stage.provider.count(), stage.provider.connections()), (3, 1));
}

#[tokio::test]
async fn after_a_finish_reason_every_ending_is_clean() {
    let finished = || Act::events([ROLE, HELLO, STOP]);
    for act in [
        finished(),
        finished().then(Finish::Eof),
        finished().then(Finish::Reset),
        finished().then(Finish::BrokenChunking),
        finished().framing(Framing::LongLength(10)),
        finished().framing(Framing::UntilClose),
    ] {
        let stage = Stage::new(act.clone(), "").await;

        assert_eq!(stage.body().await, [ROLE, HELLO, STOP, DONE].concat(), "{act:?}");
    }
}

#[tokio::test]
async fn after_a_finish_reason_two_seconds_of_silence_are_the_end() {
    let stage = Stage::new(Act::events([HELLO, STOP]).then(Finish::Stall), "").await;

    let mut answer = stage.ask().await;
    let body = answer.text().await;
    let took = answer.at.elapsed();

    assert_eq!(body, [HELLO, STOP, DONE].concat());
    assert!(took >= Duration::from_millis(1900), "a usage chunk may still come: {took:?}");
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert_eq!(soon("end", stage.provider.wait_ended(0)).await, Ended::ClientLeft);
    stage.check();
}

/// Every way in which a stream of [`ROLE`] and [`HELLO`] breaks off, with the code and the reason in the
/// error event, under a limit of 300 ms for silence.
pub fn breaks() -> Vec<(Act, &'static str, &'static str)> {
    let begun = || Act::events([ROLE, HELLO]);
    let unfinished = "the stream ended without a finish reason";
    vec![
        (begun(), "stream_broken", unfinished),
        (begun().framing(Framing::UntilClose), "stream_broken", unfinished),
        (begun().then(Finish::Eof), "stream_broken", "the answer was cut before its end"),
        (begun().then(Finish::Reset), "stream_broken", "connection reset in the middle of the answer"),
        (begun().then(Finish::BrokenChunking), "stream_broken", "the answer's chunks are broken"),
        (begun().framing(Framing::LongLength(10)), "stream_broken", "the answer was cut after"),
        (begun().encode(Encoding::Gzip).then(Finish::Eof), "stream_broken", "the answer was cut"),
        (begun().then(Finish::Stall), "stream_idle", "no byte within 300ms (idle)"),
    ]
}

#[tokio::test]
async fn a_break_is_an_error_event_and_a_clean_end() {
    for (act, code, reason) in breaks() {
        let log = Log::begin();
        let stage = Stage::new(act.clone(), "timeouts = { idle = \"300ms\" }").await;

        let mut answer = stage.ask().await;
        let body = answer.text().await;

        let error = error_after(&body, &[ROLE, HELLO].concat());
        assert_eq!((&error["code"], &error["type"]), (&code.into(), &"server_error".into()), "{act:?}");
        assert!(message(&error).contains("`p/m` broke off"), "{error}");
        assert!(message(&error).contains(reason), "{error} does not say: {reason}");
        assert_eq!(log.outcomes(), [code]);
        let told = log.saying(&format!(": ERROR: {code} - {reason}"));
        assert_eq!((told.len(), &told[0]["level"]), (1, &"INFO".into()), "{told:?}");
        let broken = &error["metadata"]["attempts"][0];
        assert_eq!((&broken["number"], &broken["phase"]), (&1.into(), &"stream".into()), "{error}");
        let mut connection = answer.into_connection();
        connection.write(&Call::get("/health/live").bytes()).await;
        assert_eq!(connection.head().await.expect("the client's connection is kept").status, 200);
        stage.check();
    }
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_closed_at_the_provider() {
    let act = Act::events([HELLO]).then(Finish::Stall);
    let stage = Stage::new(act, "timeouts = { idle = \"300ms\" }").await;

    let mut answer = stage.ask().await;
    answer.data().await.unwrap();
    let began = Instant::now();
    let (_, end) = answer.rest().await;

    assert_eq!(end, End::Clean);
    assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
    assert_eq!(soon("end", stage.provider.wait_ended(0)).await, Ended::ClientLeft);
}

#[tokio::test]
async fn comments_of_the_provider_are_life_and_pass() {
    let act = Act::events([HELLO, STOP, DONE]).pace(Duration::from_millis(700));
    let act = act.comments_every(Duration::from_millis(100));
    let stage = Stage::new(act, "timeouts = { idle = \"400ms\" }").await;

    let body = stage.body().await;

    let comments = body.matches(": PROCESSING\n\n").count();
    assert!(comments >= 4, "{body}");
    assert_eq!(body.replace(": PROCESSING\n\n", ""), [HELLO, STOP, DONE].concat());
}

#[tokio::test]
async fn the_trail_of_a_break_names_every_attempt() {
    let acts = [Act::status(503), Act::events([HELLO]).then(Finish::Eof)];
    let provider = Provider::start(Script::exactly(acts)).unwrap();
    let proxy = proxy(&route([provider.base_url()], "retry = { attempt_delay = \"1ms\" }")).await;

    let body = Call::stream("r").send(proxy.address).await.text().await;

    let error = error_after(&body, HELLO);
    let trail = error["metadata"]["attempts"].as_array().expect("a trail");
    let told: Vec<_> = trail.iter().map(|one| (&one["phase"], &one["code"], &one["status"])).collect();
    let first = (&"first_byte".into(), &"overloaded".into(), &503.into());
    assert_eq!(told, [first, (&"stream".into(), &"broken".into(), &Value::Null)], "{error}");
    assert_eq!(provider.check(), Ok(()));
}
