//! Everything after the first payload: what passes, and how streams end.

use proptest::prelude::*;

use super::*;

async fn stream_of(parts: Vec<Part>) -> (String, Duration) {
    let relay = relay(Script::new([Act::Answer(parts)]));
    let start = Instant::now();
    let response = respond(&relay, route(&["a"], 1), STREAM).await.unwrap();
    let text = text(response).await;
    assert_eq!(open(&relay), 0, "the upstream is closed when the body has ended");
    (text, start.elapsed())
}

fn error_of(text: &str, before: &str) -> serde_json::Value {
    let rest = text.strip_prefix(before).unwrap_or_else(|| panic!("{text}"));
    let event = rest.strip_suffix(DONE).unwrap_or_else(|| panic!("no [DONE] at the end of {text}"));
    let json = event.strip_prefix("data: ").unwrap().trim_end();
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    assert!(value.get("choices").is_none());
    value["error"].clone()
}

#[tokio::test(start_paused = true)]
async fn the_body_ends_right_after_done() {
    let after = "data: {\"choices\":[]}\n\n";
    let text_of = [HELLO, STOP, DONE, after].concat();
    let (text, took) = stream_of(vec![text_part(text_of), Part::Hang]).await;

    assert_eq!(text, [HELLO, STOP, DONE].concat());
    assert_eq!(took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn after_a_finish_reason_every_ending_is_clean() {
    for (last, wait) in [(vec![], 0), (vec![Part::Fail], 0), (vec![Part::Hang], 2)] {
        let mut parts = vec![text_part(HELLO), text_part(STOP)];
        parts.extend(last);
        let (text, took) = stream_of(parts).await;

        assert_eq!(text, [HELLO, STOP, DONE].concat());
        assert_eq!(took, secs(wait));
    }
}

#[tokio::test(start_paused = true)]
async fn every_choice_needs_its_own_finish_reason() {
    let body = r#"{"model":"r","stream":true,"n":2,"messages":[]}"#;
    let other = STOP.replace("\"index\":0", "\"index\":1");
    for (ends, clean) in [([STOP, STOP], false), ([STOP, &other], true)] {
        let parts = vec![text_part([HELLO, &ends.concat()].concat())];
        let relay = relay(Script::new([Act::Answer(parts)]));
        let response = respond(&relay, route(&["a"], 1), body).await.unwrap();

        assert_eq!(text(response).await.contains("stream_broken"), !clean);
    }
}

#[tokio::test(start_paused = true)]
async fn a_finish_reason_on_every_chunk_ends_nothing() {
    let chatty = HELLO.replace("null", "\"stop\"");
    let parts = vec![text_part([&*chatty, &*chatty].concat()), Part::Wait(secs(10)), text_part(&*chatty)];
    let (text, _) = stream_of(parts).await;

    assert_eq!(error_of(&text, &chatty.repeat(3))["code"], "stream_broken");
}

#[tokio::test(start_paused = true)]
async fn a_first_payload_without_its_blank_line_is_cut_all_the_same() {
    let (text, _) = stream_of(vec![text_part(HELLO.trim_end())]).await;

    assert_eq!(error_of(&text, HELLO)["code"], "stream_broken");
}

#[tokio::test(start_paused = true)]
async fn a_cut_stream_ends_with_an_error_event() {
    for last in [vec![], vec![Part::Fail]] {
        let mut parts = vec![text_part(HELLO)];
        parts.extend(last);
        let (text, _) = stream_of(parts).await;

        let error = error_of(&text, HELLO);
        assert_eq!(error["code"], "stream_broken");
        let attempts = error["metadata"]["attempts"].as_array().unwrap();
        assert_eq!((attempts.len(), &attempts[0]["phase"]), (1, &"stream".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn done_without_a_finish_reason_is_relayed_as_it_is() {
    let (text, _) = stream_of(vec![text_part([HELLO, DONE].concat())]).await;

    assert_eq!(text, [HELLO, DONE].concat());
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_ends_after_the_idle_limit() {
    let (text, took) =
        stream_of(vec![text_part(HELLO), Part::Wait(secs(50)), text_part(HELLO), Part::Hang]).await;

    let error = error_of(&text, &[HELLO, HELLO].concat());
    assert_eq!(error["code"], "stream_idle");
    assert!(error["message"].as_str().unwrap().contains("1m (idle)"), "{error}");
    assert_eq!(took, secs(110));
}

#[tokio::test(start_paused = true)]
async fn an_error_event_is_a_break_also_beside_choices_and_after_a_finish_reason() {
    let beside = "data: {\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}],\"error\":{\"code\":502,\"message\":\"gone sk-very-secret\"}}\n\n";
    for before in [HELLO.to_owned(), [HELLO, STOP].concat()] {
        let (text, _) = stream_of(vec![text_part([&before, beside].concat()), Part::Hang]).await;

        let error = error_of(&text, &before);
        assert_eq!(error["code"], "stream_broken");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("gone ***"), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_json_is_dropped() {
    let parts = [HELLO, "data: oops\n\n", "data: {\"a\":[}\n\n", ": kept\n\n", STOP, DONE];
    let (text, _) = stream_of(vec![text_part(parts.concat())]).await;

    assert_eq!(text, [HELLO, ": kept\n\n", STOP, DONE].concat());
}

#[tokio::test(start_paused = true)]
async fn events_for_open_webui_are_cut_out() {
    let evil = "event: x\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"a\"}}] , \"event\" : {\"type\":\"execute\"}}\r\n\r\n";
    let (text, _) = stream_of(vec![text_part([HELLO, evil, STOP, DONE].concat())]).await;

    assert!(!text.contains("execute"), "{text}");
    assert!(text.contains("event: x\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"a\"}}]"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_event_for_open_webui_over_two_lines_is_written_anew() {
    let evil = "id: 7\ndata: {\"choices\":[],\ndata: \"event\":{\"type\":\"execute\"}}\n\n";
    let (text, _) = stream_of(vec![text_part([HELLO, evil, STOP, DONE].concat())]).await;

    assert_eq!(text, [HELLO, "id: 7\ndata: {\"choices\":[]}\n\n", STOP, DONE].concat());
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_too_long_is_a_break() {
    let long =
        Bytes::from("data: {\"choices\":[{\"delta\":{\"content\":\"".to_owned() + &"x".repeat(1_000_000));
    let mut parts = vec![text_part(HELLO), Part::Bytes(long)];
    parts.extend(std::iter::repeat_n(Part::Bytes(Bytes::from("y".repeat(1_000_000))), 9));
    let (text, _) = stream_of(parts).await;

    assert_eq!(error_of(&text, HELLO)["code"], "stream_broken");
}

#[tokio::test(start_paused = true)]
async fn a_last_event_without_its_blank_line_still_counts() {
    let (text, _) = stream_of(vec![text_part([HELLO, STOP].concat()), text_part("data: [DONE]")]).await;

    assert_eq!(text, [HELLO, STOP, DONE].concat());
}

/// Plays `stream` cut at `cuts`, and gives back everything the client saw.
fn play_cut(stream: &[u8], cuts: &[usize]) -> Result<String, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let mut parts = Vec::new();
    let mut rest = Bytes::copy_from_slice(stream);
    for cut in cuts {
        let at = cut % (rest.len() + 1);
        parts.push(Part::Bytes(rest.split_to(at)));
    }
    parts.push(Part::Bytes(rest));
    runtime.block_on(async {
        let relay = relay(Script::new([Act::Answer(parts)]));
        match respond(&relay, route(&["a"], 1), STREAM).await {
            Ok(response) => Ok(text(response).await),
            Err(failure) => Err(failure.outcome.to_string()),
        }
    })
}

fn any_event() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(HELLO.to_owned()),
        1 => Just(ROLE.to_owned()),
        1 => Just(STOP.to_owned()),
        1 => Just(DONE.to_owned()),
        1 => Just(HELLO.trim_end().to_owned()),
        1 => Just(": comment\n\n".to_owned()),
        1 => Just("data: nonsense\n\n".to_owned()),
        1 => Just("data: {\"error\":{\"message\":\"no\",\"code\":429}}\n\n".to_owned()),
        1 => Just("data: {\"event\":{\"type\":\"execute\"},\"choices\":[]}\r\n\r\n".to_owned()),
        1 => "[a-z\\[\\]{}\":, \r\n]{0,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_client_sees_does_not_depend_on_how_bytes_were_cut(
        events in proptest::collection::vec(any_event(), 0..8),
        cuts in proptest::collection::vec(0usize..1000, 0..12),
    ) {
        let stream = events.concat();
        prop_assert_eq!(play_cut(stream.as_bytes(), &cuts), play_cut(stream.as_bytes(), &[]));
    }

    #[test]
    fn a_good_stream_arrives_byte_for_byte(
        words in proptest::collection::vec("\\PC{1,12}", 1..6),
        cuts in proptest::collection::vec(0usize..1000, 0..12),
    ) {
        let event = |word: &String| {
            let content = serde_json::to_string(word).unwrap();
            format!("data: {{\"choices\":[{{\"delta\":{{\"content\":{content}}}}}]}}\n\n")
        };
        let stream: String = words.iter().map(event).chain([STOP.to_owned(), DONE.to_owned()]).collect();
        prop_assert_eq!(play_cut(stream.as_bytes(), &cuts), Ok(stream));
    }
}
