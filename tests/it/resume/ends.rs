//! Clients that leave, a process that ends and our own mistakes, while somebody is sought to go on.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use backstop::retry::{Class, Fault, Phase};
use backstop::sim::Ended;
use backstop::upstream::{self, Upstream};
use bytes::Bytes;
use http::Response;
use http_body::Frame;

use super::*;
use crate::support::events::{DONE, HELLO, error_after};
use crate::support::{Answer, proxy_over, route};

/// A candidate that breaks has its next turn after this time, long after a test is over.
const LATER: &str = "retry = { attempts_per_burst = 9, attempt_delay = \"60s\" }\n";

/// Asks, and reads what comes before the break.
async fn begin(stage: &Stage) -> Answer {
    let mut answer = Call::stream("r").send(stage.proxy.address).await;
    for _ in 0..3 {
        answer.data().await.unwrap();
    }
    answer
}

#[tokio::test]
async fn a_client_that_leaves_closes_the_provider_that_was_to_go_on() {
    for good in
        [Act::hang(), Act::hang_after_head(), Act::answer("Hello").then(Finish::Stall).without_finish()]
    {
        let stage = Stage::new(cut(2), good, Afresh, "").await;
        let answer = begin(&stage).await;
        stage.good.wait_for(1).await;

        let left = Instant::now();
        drop(answer);

        assert_eq!(soon("end", stage.good.wait_ended(0)).await, Ended::ClientLeft);
        soon("close", stage.good.wait_closed(0)).await;
        assert!(left.elapsed() < Duration::from_secs(1), "{:?}", left.elapsed());
        stage.log.ended(1).await;
        assert_eq!(stage.log.outcomes(), ["client_gone"]);
        stage.close().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_a_wait_is_gone_too() {
    let stage = Stage::new(cut(2), Act::status(503), Afresh, LATER).await;
    let answer = begin(&stage).await;
    stage.good.wait_for(1).await;

    drop(answer);

    stage.log.ended(1).await;
    assert_eq!(stage.log.outcomes(), ["client_gone"]);
    assert_eq!((stage.bad.count(), stage.good.count()), (1, 1));
    stage.close().await;
}

#[tokio::test]
async fn a_drain_ends_a_wait_at_once_and_an_attempt_after_its_grace() {
    for (good, grace) in [(Act::status(503), "60s"), (Act::hang(), "100ms")] {
        let keys = format!("{LATER}[server]\ngrace = \"{grace}\"\n");
        let stage = Stage::new(cut(2), good, Afresh, &keys).await;
        let answer = begin(&stage).await;
        stage.good.wait_for(1).await;
        // The answer of the second provider has been read once its failure is in the log.
        if grace == "60s" {
            soon("failure", async {
                while stage.log.saying("ERROR: 503").is_empty() {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }

        stage.proxy.begin_stop();
        let body = soon("end of the stream", async {
            let mut answer = answer;
            answer.text().await
        })
        .await;

        assert!(body.contains("\"code\":\"shutting_down\"") && body.ends_with(DONE), "{body}");
        assert!(
            body.contains("`bad/m` broke off: the answer was cut before its end; Backstop was stopped"),
            "{body}"
        );
        stage.log.ended(1).await;
        assert_eq!(stage.log.outcomes(), ["shutting_down"]);
        stage.close().await;
    }
}

/// Breaks its answer, and panics when the second provider is asked for the rest.
struct Mine;

impl Upstream for Mine {
    type Body = Broken;

    async fn send(&self, call: upstream::Call<'_>) -> Result<Response<Broken>, Fault> {
        assert_eq!(&*call.candidate.provider_name, "p", "a mine");
        Ok(Response::new(Broken { begun: false }))
    }
}

/// One word, and then a fault.
struct Broken {
    begun: bool,
}

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let fault = || Fault::new(Class::Broken, Phase::Stream, "cut");
        let begun = std::mem::replace(&mut self.begun, true);
        Poll::Ready(Some(if begun { Err(fault()) } else { Ok(Frame::data(HELLO.into())) }))
    }
}

#[tokio::test]
async fn a_panic_while_somebody_is_sought_is_told_as_ours() {
    let log = Log::begin();
    let urls = ["http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1"];
    let proxy = proxy_over(&route(urls, "on_break = \"resume\""), Mine).await;

    let mut answer = Call::stream("r").send(proxy.address).await;
    let body = answer.text().await;

    // Before its own event the guard ends whatever a panic may have cut.
    assert_eq!(error_after(&body, &[HELLO, "\n\n"].concat())["code"], "internal");
    log.ended(1).await;
    assert_eq!(log.outcomes(), ["internal"]);
}

#[tokio::test]
async fn a_stream_whose_head_went_out_early_is_continued_too() {
    let keys = "[server]\nhead_after = \"50ms\"\n";
    let bad = cut(2).after(Duration::from_millis(200));
    let stage = Stage::new(bad, Act::completes(WHOLE), Prefill, keys).await;

    let answer = Call::stream("r").send(stage.proxy.address).await;

    assert_eq!(answer.header("x-backstop-provider"), "");
    assert_eq!(Got::read(answer).await, Got::Whole(WHOLE.to_owned()));
    stage.close().await;
}
