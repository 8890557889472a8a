//! Early heads, clients that leave, and the end of the process.

use std::pin::pin;
use std::task::Poll;

use super::*;

fn early(mut route: Route) -> Route {
    route.progress = Some(ProgressMode::Comments);
    route
}

/// Lets `future` run for `time`, then drops it.
async fn leave_after(time: Duration, future: impl Future) {
    let mut future = pin!(future);
    let left = tokio::time::timeout(time, &mut future).await;
    assert!(left.is_err(), "it was over before the client left");
}

#[tokio::test(start_paused = true)]
async fn the_head_goes_out_early_and_comments_follow() {
    let busy = Act::Status(503, "");
    let mut acts = vec![busy; 40];
    acts.push(good_stream());
    let relay = relay(Script::new(acts));
    let start = Instant::now();

    let response = respond(&relay, early(route(&["a"], 60)), STREAM).await.unwrap();
    assert_eq!(start.elapsed(), secs(15));
    let names: Vec<_> = response.headers().keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["content-type", "x-backstop-route"]);

    let mut body = response.into_body();
    let (mut text, mut last, mut longest) = (String::new(), start.elapsed(), Duration::ZERO);
    while let Some(frame) = body.frame().await {
        let bytes = frame.unwrap().into_data().unwrap();
        longest = longest.max(start.elapsed().saturating_sub(last));
        last = start.elapsed();
        text.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    assert!(longest <= secs(10), "{longest:?}");
    assert!(text.starts_with(": "), "{text}");
    assert!(text.contains("/60 in progress") || text.contains("/60 failed"), "{text}");
    assert!(text.ends_with(&[ROLE, HELLO, STOP, DONE].concat()), "{text}");
    assert_eq!(start.elapsed(), secs(40));
}

#[tokio::test(start_paused = true)]
async fn heartbeats_end_where_the_answer_begins() {
    let (first, second) = HELLO.split_at(20);
    let parts = vec![
        text_part(ROLE),
        Part::Wait(secs(30)),
        text_part([HELLO, first].concat()),
        Part::Wait(secs(50)),
        text_part(second),
        Part::Wait(secs(50)),
        text_part([STOP, DONE].concat()),
    ];
    let answer = [ROLE, HELLO, HELLO, STOP, DONE].concat();
    let relay = relay(Script::new([Act::Answer(parts)]));

    let response = respond(&relay, early(route(&["a"], 1)), STREAM).await.unwrap();
    let text = text(response).await;

    let ours = text.strip_suffix(&answer).unwrap_or_else(|| panic!("{text}"));
    assert_eq!(ours, ": Attempt 1/1 in progress…\n\n".repeat(3));
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_an_early_head_is_in_band() {
    let relay = relay(Script::new(vec![Act::Status(503, "busy"); 20]));

    let response = respond(&relay, early(route(&["a"], 20)), STREAM).await.unwrap();
    let text = text(response).await;

    let events: Vec<_> = text.split_terminator("\n\n").filter(|event| event.starts_with("data")).collect();
    assert_eq!(events.len(), 2, "{text}");
    let error: serde_json::Value = serde_json::from_str(&events[0]["data: ".len()..]).unwrap();
    assert_eq!(error["error"]["code"], "overloaded");
    assert_eq!(error["error"]["metadata"]["attempts"].as_array().unwrap().len(), 20);
    assert_eq!(events[1], "data: [DONE]");
}

#[tokio::test(start_paused = true)]
async fn without_progress_nothing_goes_out_before_an_answer() {
    let relay = relay(Script::new(vec![Act::Status(503, "busy"); 20]));

    let failure = respond(&relay, route(&["a"], 20), STREAM).await.unwrap_err();

    assert_eq!(failure.outcome, Outcome::Failed(Class::Overloaded));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_ends_everything_in_every_state() {
    let pause = || Script::new([Act::Status(503, "")]).with_header("retry-after", "100");
    let head = || Script::new([Act::Hang]);
    let token = || Script::new([Act::Answer(vec![text_part(ROLE), Part::Hang])]);
    for make in [&pause as &dyn Fn() -> Script, &head, &token] {
        for progress in [ProgressMode::Off, ProgressMode::Comments] {
            let relay = relay(make());
            let mut route = route(&["a"], 60);
            route.progress = Some(progress);
            leave_after(secs(30), async {
                let response = respond(&relay, route, STREAM).await.unwrap();
                text(response).await
            })
            .await;

            assert_eq!(open(&relay), 0);
            tokio::time::sleep(secs(1000)).await;
            assert_eq!(sent(&relay).len(), 1, "no later attempt");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_in_mid_stream_closes_the_upstream() {
    let relay = relay(Script::new([Act::Answer(vec![text_part(HELLO), Part::Hang])]));

    let response = respond(&relay, route(&["a"], 1), STREAM).await.unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(open(&relay), 1);
    drop(body);

    assert_eq!(open(&relay), 0);
}

#[tokio::test(start_paused = true)]
async fn the_signal_to_stop_ends_a_pause_at_once() {
    let relay = relay(Script::new([Act::Status(503, "")]).with_header("retry-after", "100"));
    let drain = relay.drain.clone();
    let mut waiting = pin!(respond(&relay, route(&["a"], 60), STREAM));
    assert!(matches!(futures_poll(&mut waiting), Poll::Pending));

    drain.pauses.give();
    let failure = waiting.await.unwrap_err();

    assert_eq!(failure.outcome, Outcome::ShuttingDown);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_grace_ends_streams_and_attempts() {
    let relay = relay(Script::new([Act::Answer(vec![text_part(HELLO), Part::Hang]), Act::Hang]));
    let response = respond(&relay, route(&["a"], 1), STREAM).await.unwrap();
    let hanging = respond(&relay, route(&["a"], 1), STREAM);

    let drain = relay.drain.clone();
    let end = async {
        tokio::time::sleep(secs(3)).await;
        drain.streams.give();
    };
    let (text, failure, ()) = tokio::join!(text(response), hanging, end);

    assert!(text.starts_with(HELLO) && text.ends_with(DONE), "{text}");
    assert!(text.contains("shutting_down"), "{text}");
    assert_eq!(failure.unwrap_err().outcome, Outcome::ShuttingDown);
}

fn futures_poll<F: Future>(future: &mut std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn a_trail_does_not_grow_without_end() {
    let relay = relay(Script::new(vec![Act::Refuse; 700]));
    let mut route = route(&["a"], 700);
    route.policy.deadline = secs(1000);

    let failure = respond(&relay, route, STREAM).await.unwrap_err();

    assert_eq!((failure.attempts, failure.trail.len()), (700, 500));
}
