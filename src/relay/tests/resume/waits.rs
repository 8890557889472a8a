//! Breaks and time: waits, heartbeats, limits, attempts that run out.

use super::*;

/// Reads a body frame by frame, with the second at which each came.
async fn frames(response: Response<Body<Script>>) -> Vec<(String, u64)> {
    let start = Instant::now();
    let mut body = response.into_body();
    let mut frames = Vec::new();
    while let Some(frame) = body.frame().await {
        let bytes = frame.unwrap().into_data().unwrap();
        frames.push((String::from_utf8(bytes.to_vec()).unwrap(), start.elapsed().as_secs()));
    }
    frames
}

/// A policy of `attempts` with `wait` between them.
fn slow(mut route: Route, wait: u64) -> Route {
    let delay = DelayRange::try_new(secs(wait), secs(wait)).unwrap();
    route.policy.attempt_delay = delay;
    let mut chain = route.chain.candidates().to_vec();
    for candidate in &mut chain {
        candidate.policy.attempt_delay = delay;
    }
    route.chain = Chain::try_new(chain).unwrap();
    route
}

#[tokio::test(start_paused = true)]
async fn a_lone_candidate_is_asked_again_after_its_wait_and_the_stream_stays_alive() {
    for order in [Order::Depth, Order::Breadth] {
        let partial = &word("first", WORDS[2])[..30];
        let begun = [&role("first"), &*word("first", WORDS[0]), &word("first", WORDS[1]), partial].concat();
        let first = Act::Answer(vec![text_part(begun), Part::Fail]);
        let relay = relay(Script::new([first, Act::Status(503, ""), afresh()]));

        let response = respond(&relay, Route { order, ..slow(resuming(&["a"], 5), 22) }, ASK).await.unwrap();
        let frames = frames(response).await;

        let all: String = frames.iter().map(|(text, _)| text.as_str()).collect();
        assert!(!all.contains(partial.trim_end()) || !all.contains(&format!("{partial}:")), "{all}");
        let seen = Seen::read(&all);
        assert_eq!(seen.whole(), WORDS.concat());
        assert_eq!(seen.comments.len(), 8, "{:?}", seen.comments);
        assert!(seen.comments[0].contains("Attempt 1/5 failed. Waiting 22s"), "{:?}", seen.comments);
        let longest = frames.windows(2).map(|pair| pair[1].1 - pair[0].1).max();
        assert!(longest <= Some(10), "{frames:?}");
        assert!(frames.iter().all(|(text, _)| text.ends_with("\n\n")), "only between events: {frames:?}");
        let times: Vec<u64> = sent(&relay).into_iter().map(|(_, at)| at).collect();
        assert_eq!(times, [0, 22, 44]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_stands_still_while_an_answer_goes_by() {
    let mut flow = vec![text_part(word("first", WORDS[0]))];
    for _ in 0..50 {
        flow.extend([Part::Wait(secs(50)), text_part(": alive\n\n")]);
    }
    flow.push(Part::Fail);
    // Longer than the deadline, and the whole of it is left after the break.
    let mut route = slow(resuming(&["a"], 60), 60);
    route.policy.deadline = secs(300);
    let mut acts = vec![Act::Answer(flow)];
    acts.extend(vec![Act::Status(503, ""); 4]);
    let relay = relay(Script::new(acts));

    let seen = play(&relay, route).await;

    assert_eq!(seen.broken("stream_broken"), WORDS[0]);
    assert!(
        seen.message().contains("(the next attempt would pass the deadline), after 4 more"),
        "{}",
        seen.message()
    );
    let times: Vec<u64> = sent(&relay).into_iter().map(|(_, at)| at).collect();
    assert_eq!(times, [0, 2560, 2620, 2680, 2740]);
}

#[tokio::test(start_paused = true)]
async fn the_time_before_the_first_answer_counts_against_the_second() {
    let mut route = slow(resuming(&["a"], 60), 60);
    route.policy.deadline = secs(150);
    let relay = relay(Script::new([
        Act::Status(503, ""),
        Act::Answer(vec![text_part(word("first", WORDS[0])), Part::Hang]),
        Act::Status(503, ""),
    ]));

    let seen = play(&relay, route).await;

    // A minute before the first word, a minute of silence that does not count, a minute to the next attempt.
    assert_eq!(seen.broken("stream_idle"), WORDS[0]);
    let times: Vec<u64> = sent(&relay).into_iter().map(|(_, at)| at).collect();
    assert_eq!(times, [0, 60, 180]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_silent_is_cut_at_the_deadline() {
    let mut route = resuming(&["a", "b"], 1);
    route.policy.deadline = secs(20);
    let relay = relay(Script::new([cut("first", &WORDS[..1]), Act::Hang]));
    let start = Instant::now();

    let seen = play(&relay, route).await;

    assert_eq!(start.elapsed(), secs(20));
    assert_eq!(seen.broken("stream_broken"), WORDS[0]);
    assert!(seen.message().contains("(deadline)"), "{}", seen.message());
}

#[tokio::test(start_paused = true)]
async fn attempts_run_out() {
    for (most, attempts) in [(None, 3), (std::num::NonZeroU32::new(2), 2)] {
        let mut route = resuming(&["a"], 3);
        route.policy.max_attempts = most;
        let acts = (1..=attempts).map(|count| cut("first", &WORDS[..count]));
        let relay = relay(Script::new(acts));

        let seen = play(&relay, route).await;

        assert_eq!(seen.broken("stream_broken"), WORDS[..attempts].concat());
        assert!(
            seen.message().contains("nobody else was left to go on (the schedule is used up)"),
            "{}",
            seen.message()
        );
        assert_eq!(relay.upstream.left(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_says_it_all_again_may_take_its_time() {
    let again: Vec<Part> =
        WORDS.iter().flat_map(|text| [Part::Wait(secs(50)), text_part(word("second", text))]).collect();
    let second = [again, vec![text_part(stop("second"))]].concat();
    let relay = relay(Script::new([cut("first", &WORDS[..5]), Act::Answer(second)]));
    let start = Instant::now();

    let response = respond(&relay, resuming(&["a", "b"], 1), ASK).await.unwrap();
    let frames = frames(response).await;

    let seen = Seen::read(&frames.iter().map(|(text, _)| text.as_str()).collect::<String>());
    assert_eq!(seen.whole(), WORDS.concat());
    assert_eq!(start.elapsed(), secs(300));
    let longest = frames.windows(2).map(|pair| pair[1].1 - pair[0].1).max();
    assert!(longest <= Some(50) && seen.comments.len() > 40, "{frames:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_falls_silent_while_it_says_it_again_has_failed() {
    let silent = Act::Answer(vec![text_part(word("second", WORDS[0])), Part::Hang]);
    let relay = relay(Script::new([cut("first", &WORDS[..5]), silent, afresh()]));
    let start = Instant::now();

    let seen = play(&relay, resuming(&["a", "b", "c"], 1)).await;

    assert_eq!(seen.whole(), WORDS.concat());
    assert_eq!(start.elapsed(), secs(60));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_process_ends_the_search() {
    for (second, grace) in [(Act::Hang, true), (Act::Status(503, ""), false)] {
        let relay = relay(Script::new([cut("first", &WORDS[..2]), second]));
        let drain = relay.drain.clone();
        let response = respond(&relay, slow(resuming(&["a"], 5), 30), ASK).await.unwrap();
        let end = async {
            tokio::time::sleep(secs(40)).await;
            if grace { drain.streams.give() } else { drain.pauses.give() }
        };
        let (text, ()) = tokio::join!(text(response), end);

        let seen = Seen::read(&text);
        assert_eq!(seen.broken("shutting_down"), WORDS[..2].concat());
        assert_eq!(open(&relay), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_takes_the_search_along() {
    for second in [Act::Hang, Act::Status(503, "")] {
        let relay = relay(Script::new([cut("first", &WORDS[..2]), second]));
        let response = respond(&relay, slow(resuming(&["a"], 5), 30), ASK).await.unwrap();
        let left = tokio::time::timeout(secs(40), text(response)).await;

        assert!(left.is_err());
        assert_eq!(open(&relay), 0);
        tokio::time::sleep(secs(1000)).await;
        assert_eq!(sent(&relay).len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn thinking_that_is_kept_back_is_no_answer_yet() {
    let thinks = |id| text_part(event(id, &json!({ "reasoning_content": "Hm" }), None));
    let first = Act::Answer(vec![thinks("first"), Part::Fail]);
    let mut second = vec![text_part(role("second"))];
    for _ in 0..3 {
        second.extend([thinks("second"), Part::Wait(secs(50))]);
    }
    second.push(text_part(word("second", "Hi") + &stop("second")));
    let relay = relay(Script::new([first, Act::Answer(second)]));

    let response = respond(&relay, resuming(&["a", "b"], 1), ASK).await.unwrap();
    let frames = frames(response).await;

    let comments = frames.iter().filter(|(text, _)| text.starts_with(':')).count();
    assert!(comments >= 25, "the stream stays alive: {frames:?}");
    let all: String = frames.iter().map(|(text, _)| text.as_str()).collect();
    let seen = Seen::read(&all);
    assert_eq!((&*seen.whole(), &*seen.reasoning), ("Hi", "Hm"));
}
