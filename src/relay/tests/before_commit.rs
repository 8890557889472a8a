//! Everything up to the first payload: schedule, limits, peek.

use super::*;

#[tokio::test(start_paused = true)]
async fn falls_through_the_chain_without_waiting() {
    let relay = relay(Script::new([Act::Refuse, good_stream()]));
    let start = Instant::now();

    let response = respond(&relay, route(&["a", "b"], 3), STREAM).await.unwrap();

    assert_eq!(response.headers()["x-backstop-model"], "b");
    assert_eq!(response.headers()["x-backstop-attempts"], "2");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(text(response).await, [ROLE, HELLO, STOP, DONE].concat());
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!((relay.upstream.left(), open(&relay)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn waits_between_attempts_and_not_after_the_last() {
    let busy = Act::Status(429, r#"{"error":{"message":"slow down"}}"#);
    let relay = relay(Script::new([busy.clone(), busy.clone(), busy]));
    let start = Instant::now();

    let failure = respond(&relay, route(&["a"], 3), STREAM).await.unwrap_err();

    assert_eq!(start.elapsed(), secs(2));
    assert_eq!(sent(&relay), [("a".into(), 0), ("a".into(), 1), ("a".into(), 2)]);
    assert_eq!(failure.outcome, Outcome::Failed(Class::RateLimited));
    assert_eq!(failure.trail.len(), 3);
    assert!(failure.message.contains("slow down"), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_streamed_is_checked_first() {
    let error = answer(r#"{"error":{"message":"upstream busy","code":503}}"#);
    let relay = relay(Script::new([error, answer(COMPLETION)]));

    let response = respond(&relay, route(&["a"], 3), WHOLE).await.unwrap();

    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(text(response).await, COMPLETION);
}

#[tokio::test(start_paused = true)]
async fn an_error_event_before_payload_is_a_failed_attempt() {
    let error = "data: {\"error\":{\"message\":\"no room\",\"code\":429}}\n\n";
    let relay = relay(Script::new([answer([ROLE, error].concat()), good_stream()]));

    let response = respond(&relay, route(&["a"], 3), STREAM).await.unwrap();

    assert_eq!(response.headers()["x-backstop-attempts"], "2");
    assert_eq!(text(response).await, [ROLE, HELLO, STOP, DONE].concat());
}

#[tokio::test(start_paused = true)]
async fn each_limit_is_named_and_moves_on() {
    let hang_after_head = Act::Answer(vec![text_part(ROLE), Part::Hang]);
    let relay = relay(Script::new([Act::Hang, hang_after_head, good_stream()]));

    let mut route = route(&["a", "b", "c"], 1);
    route.progress = Some(ProgressMode::Off);
    let response = respond(&relay, route, STREAM).await.unwrap();

    assert_eq!(sent(&relay), [("a".into(), 0), ("b".into(), 60), ("c".into(), 120)]);
    assert_eq!(response.headers()["x-backstop-model"], "c");

    let relay = self::relay(Script::new([Act::Hang, Act::Answer(vec![text_part(ROLE), Part::Hang])]));
    let failure = respond(&relay, super::route(&["a", "b"], 1), STREAM).await.unwrap_err();
    let reasons: Vec<_> = failure.trail.iter().map(|attempt| attempt.reason.as_str()).collect();
    assert_eq!(reasons, ["no response head within 1m (first_byte)", "no payload within 1m (first_token)"]);
    assert_eq!(failure.outcome, Outcome::Failed(Class::Timeout));
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_the_head_begins_with_the_connection() {
    let relay = relay(Script::new([Act::Connecting(secs(9))]));
    let start = Instant::now();

    let failure = respond(&relay, route(&["a"], 1), STREAM).await.unwrap_err();

    assert_eq!(start.elapsed(), secs(69));
    assert_eq!(failure.trail[0].reason, "no response head within 1m (first_byte)");
}

#[tokio::test(start_paused = true)]
async fn a_late_comment_gives_no_second_patience() {
    let parts = vec![Part::Wait(secs(59)), text_part(": PROCESSING\n\n"), Part::Hang];
    let relay = relay(Script::new([Act::Answer(parts)]));
    let start = Instant::now();

    respond(&relay, route(&["a"], 1), STREAM).await.unwrap_err();

    assert_eq!(start.elapsed(), secs(60));
}

#[tokio::test(start_paused = true)]
async fn an_error_in_a_shape_of_its_own_keeps_its_words_and_its_meaning() {
    for body in [
        r#"{"object":"error","message":"too many of you","code":429}"#,
        r#"[{"error":{"code":429,"message":"too many of you"}}]"#,
        r#"{"choices":[{"error":{"code":429,"message":"too many of you"},"finish_reason":"error"}]}"#,
    ] {
        for request in [STREAM, WHOLE] {
            let relay = relay(Script::new([answer(body)]));

            let failure = respond(&relay, route(&["a"], 1), request).await.unwrap_err();

            assert_eq!(failure.outcome, Outcome::Failed(Class::RateLimited), "{body}");
            assert!(failure.message.contains("too many of you"), "{}", failure.message);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn comments_are_life_but_no_payload() {
    let mut parts = Vec::new();
    for _ in 0..30 {
        parts.push(text_part(": PROCESSING\n\n"));
        parts.push(Part::Wait(secs(5)));
    }
    let relay = relay(Script::new([Act::Answer(parts), good_stream()]));

    let response = respond(&relay, route(&["a", "b"], 1), STREAM).await.unwrap();

    assert_eq!(sent(&relay)[1], ("b".into(), 60));
    assert_eq!(text(response).await, [ROLE, HELLO, STOP, DONE].concat());
}

#[tokio::test(start_paused = true)]
async fn a_lone_candidate_gets_twice_the_time_after_a_timeout() {
    let relay = relay(Script::new([Act::Hang, Act::Hang, good_stream()]));

    respond(&relay, route(&["a"], 3), STREAM).await.unwrap();

    assert_eq!(sent(&relay), [("a".into(), 0), ("a".into(), 61), ("a".into(), 182)]);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_cut_at_the_deadline_and_its_name_is_in_the_error() {
    let relay = relay(Script::new([Act::Hang, Act::Hang]));
    let mut route = route(&["a", "b"], 9);
    route.policy.deadline = secs(40);
    let start = Instant::now();

    let failure = respond(&relay, route, STREAM).await.unwrap_err();

    assert_eq!(start.elapsed(), secs(40));
    assert_eq!(sent(&relay), [("a".into(), 0), ("b".into(), 20)]);
    let reasons: Vec<_> = failure.trail.iter().map(|attempt| attempt.reason.as_str()).collect();
    let expected = [
        "no response head within 20s, all that its share of the deadline left (deadline)",
        "no response head within 20s, all that the deadline left (deadline)",
    ];
    assert_eq!(reasons, expected);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_without_any_time_is_not_sent() {
    // Timers count whole milliseconds, so this wait ends with the deadline.
    let delay = Duration::from_micros(9_999_900);
    let policy = Policy { attempt_delay: DelayRange::try_new(delay, delay).unwrap(), ..brisk(3) };
    let relay = relay(Script::new([Act::Status(429, "")]));
    let mut route = route(&["a"], 3);
    route.policy.deadline = secs(10);
    route.chain = Chain::try_new(vec![candidate("a", &policy)]).unwrap();

    let failure = respond(&relay, route, STREAM).await.map(|_| ()).unwrap_err();

    assert_eq!((failure.outcome, failure.attempts), (Outcome::Failed(Class::RateLimited), 1));
    assert!(failure.message.contains("the next attempt would pass the deadline"), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_header_is_waited_for() {
    let script = Script::new([Act::Status(503, ""), good_stream()]).with_header("retry-after", "7");
    let relay = relay(script);

    respond(&relay, route(&["a"], 3), STREAM).await.unwrap();

    assert_eq!(sent(&relay), [("a".into(), 0), ("a".into(), 7)]);
}

#[tokio::test(start_paused = true)]
async fn secrets_are_masked_in_reasons() {
    let leak = Act::Status(400, r#"{"error":{"message":"bad key sk-very-secret"}}"#);
    let relay = relay(Script::new([leak]));

    let failure = respond(&relay, route(&["a"], 1), STREAM).await.unwrap_err();

    let all = format!("{failure:?} {}", failure.error_object().to_json());
    assert!(!all.contains("sk-very-secret"), "{all}");
    assert!(all.contains("bad key ***"), "{all}");
}

#[tokio::test(start_paused = true)]
async fn empty_answers_are_failures_unless_tokens_were_counted() {
    let empty = answer([ROLE, STOP, DONE].concat());
    let counted = "data: {\"choices\":[],\"usage\":{\"completion_tokens\":7}}\n\n";
    let hidden = answer([ROLE, STOP, counted, DONE].concat());
    let relay = relay(Script::new([empty, answer(""), answer(": hi\n\n"), hidden]));

    let response = respond(&relay, route(&["a"], 4), STREAM).await.unwrap();

    assert_eq!(response.headers()["x-backstop-attempts"], "4");
    assert_eq!(text(response).await, [ROLE, STOP, counted, DONE].concat());
}

#[tokio::test(start_paused = true)]
async fn a_lone_stop_that_lingers_is_empty_after_two_seconds() {
    let lingering = Act::Answer(vec![text_part([ROLE, STOP].concat()), Part::Hang]);
    let relay = relay(Script::new([lingering, good_stream()]));

    respond(&relay, route(&["a", "b"], 1), STREAM).await.unwrap();

    assert_eq!(sent(&relay), [("a".into(), 0), ("b".into(), 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_under_stream_is_reframed() {
    let relay = relay(Script::new([answer(COMPLETION)]));

    let response = respond(&relay, route(&["a"], 1), STREAM).await.unwrap();

    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = text(response).await;
    assert!(text.contains("chat.completion.chunk") && text.contains("\"Hi\""), "{text}");
    assert!(text.ends_with(DONE), "{text}");
    assert_eq!(text.matches("[DONE]").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn labels_lie_and_bodies_tell() {
    let html = answer("<html><title>Sign in</title></html>");
    let events_for_whole = good_stream();
    let relay = relay(Script::new([html.clone(), html, events_for_whole]));

    let failure = respond(&relay, route(&["a"], 2), STREAM).await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::Failed(Class::Broken));

    let failure = respond(&relay, route(&["a"], 1), WHOLE).await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::Failed(Class::Broken));
}

#[tokio::test(start_paused = true)]
async fn the_last_retryable_fault_names_the_outcome() {
    let busy = Act::Status(429, "");
    let relay = relay(Script::new([busy, Act::Status(401, "")]));

    let failure = respond(&relay, route(&["a", "b"], 1), STREAM).await.unwrap_err();

    assert_eq!(failure.outcome, Outcome::Failed(Class::RateLimited));
    assert_eq!(failure.trail.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_bad_key_stops_a_lone_candidate_at_once() {
    let relay = relay(Script::new([Act::Status(401, "")]));

    let failure = respond(&relay, route(&["a"], 60), STREAM).await.unwrap_err();

    assert_eq!(failure.outcome, Outcome::Failed(Class::Unauthorized));
}

#[tokio::test(start_paused = true)]
async fn too_large_an_answer_is_not_kept() {
    let relay = relay(Script::new([answer(format!("{{\"choices\":\"{}\"}}", "x".repeat(1_000_000)))]));

    let failure = respond(&relay, route(&["a"], 9), WHOLE).await.unwrap_err();

    assert_eq!(failure.outcome, Outcome::Failed(Class::Unexpected));
    assert!(failure.message.contains("`server.max_answer`: 1.0 MB"), "{}", failure.message);
}
