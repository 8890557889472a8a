//! Answers that nobody goes on with: what cannot be continued, and what would not fit.

use super::*;

/// Plays an answer of these events that is cut; nobody else may be asked.
async fn alone(body: &'static str, events: &[String]) -> Seen {
    let relay = relay(Script::new([Act::Answer(vec![text_part(events.concat()), Part::Fail])]));
    let response = respond(&relay, prefilling(&["a", "b"], 2), body).await.unwrap();
    let seen = Seen::read(&text(response).await);
    assert_eq!((open(&relay), sent(&relay).len()), (0, 1));
    seen
}

#[tokio::test(start_paused = true)]
async fn what_is_more_than_text_is_not_continued_and_the_error_says_why() {
    let call = json!({ "tool_calls": [{ "index": 0, "id": "1", "type": "function",
        "function": { "name": "f", "arguments": "" } }] });
    let signed =
        json!({ "reasoning_details": [{ "type": "reasoning.text", "text": "Hm", "signature": "x" }] });
    let logprobs =
        word("first", "Hi").replace(r#""index":0"#, r#""index":0,"logprobs":{"content":[{"token":"Hi"}]}"#);
    let second_choice = word("first", "Hi").replace(r#""index":0"#, r#""index":1"#);
    let long = "x".repeat(200 * 1024);
    for (events, why) in [
        (vec![word("first", "Hi"), event("first", &call, None)], "a tool call"),
        (vec![event("first", &call, None)], "a tool call"),
        (vec![word("first", "Hi"), event("first", &signed, None)], "signed reasoning"),
        (vec![event("first", &signed, None), word("first", "Hi")], "signed reasoning"),
        (vec![logprobs], "log probabilities"),
        (vec![word("first", "Hi"), second_choice], "more than one choice"),
        (vec![word("first", &long), word("first", &long)], "more than 256 KiB of text"),
        (vec![event("first", &json!({ "refusal": "No" }), None)], "a refusal"),
    ] {
        let seen = alone(ASK, &events).await;

        seen.broken("stream_broken");
        let says = format!(
            "`sim/a` broke off: the body was cut; the answer so far holds {why}, so nobody else can go on; ask again"
        );
        assert!(seen.message().contains(&says), "{}", seen.message());
    }
}

#[tokio::test(start_paused = true)]
async fn several_choices_are_not_continued() {
    let body = r#"{"model":"r","stream":true,"n":2,"messages":[{"role":"user","content":"Hello"}]}"#;

    let seen = alone(body, &[word("first", "Hi")]).await;

    assert_eq!(seen.broken("stream_broken"), "Hi");
    assert!(seen.message().contains("holds more than one choice, so nobody else"), "{}", seen.message());
}

#[tokio::test(start_paused = true)]
async fn the_default_says_nothing_of_others() {
    let relay = relay(Script::new([cut("first", &WORDS)]));
    let response = respond(&relay, route(&["a", "b"], 2), ASK).await.unwrap();

    let seen = Seen::read(&text(response).await);

    assert_eq!(
        seen.message(),
        "The answer of `sim/a` broke off: the body was cut; ask again to get a whole one"
    );
}

#[tokio::test(start_paused = true)]
async fn another_answer_never_reaches_the_client() {
    let other = |words: &[&str]| answer(says("second", words));
    let begin = WORDS[..3].concat();
    let holds = answer(
        [
            word("second", &begin),
            event("second", &json!({ "tool_calls": [{ "index": 0, "function": { "name": "f" } }] }), None),
        ]
        .concat(),
    );
    for (second, why) in [
        (other(&["Good evening"]), "its answer begins in another way"),
        (other(&["Hello there"]), "its answer begins in another way"),
        (other(&WORDS[..2]), "its answer is shorter than what was delivered"),
        (answer([&*word("second", "Hello"), DONE].concat()), "its answer is shorter than what was delivered"),
        (holds, "its answer holds a tool call"),
        (Act::Status(503, "busy"), "overloaded - "),
    ] {
        let relay = relay(Script::new([cut("first", &WORDS[..3]), second]));

        let seen = play(&relay, resuming(&["a", "b"], 1)).await;

        assert_eq!(seen.broken("stream_broken"), begin);
        let message = seen.message();
        assert!(
            message.starts_with("The answer of `sim/a` broke off: the body was cut; nobody could go on"),
            "{message}"
        );
        assert!(message.contains("after 1 more attempt, the last of `sim/b`: "), "{message}");
        assert!(message.contains(why), "{message}");
        let trail = seen.error()["metadata"]["attempts"].as_array().unwrap();
        let phases: Vec<_> = trail.iter().map(|tried| tried["phase"].as_str().unwrap()).collect();
        assert_eq!((phases.len(), phases[0]), (2, "stream"), "{trail:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn others_are_tried_after_one_that_says_something_else() {
    let relay = relay(Script::new([
        cut("first", &WORDS[..3]),
        answer(says("second", &["Good evening"])),
        Act::Status(503, ""),
        afresh(),
    ]));

    let seen = play(&relay, resuming(&["a", "b", "c", "d"], 2)).await;

    assert_eq!(seen.whole(), WORDS.concat());
    let asked: Vec<_> = sent(&relay).into_iter().map(|(model, at)| format!("{model}{at}")).collect();
    // The third has its second attempt a second later, so the fourth would come after that.
    assert_eq!(asked, ["a0", "b0", "c0", "c1"]);
}

#[tokio::test(start_paused = true)]
async fn the_first_break_names_the_code() {
    let relay = relay(Script::new([
        Act::Answer(vec![text_part(word("first", WORDS[0])), Part::Hang]),
        Act::Status(429, "{\"error\":{\"message\":\"slow down\",\"code\":429}}"),
        Act::Refuse,
    ]));

    let seen = play(&relay, resuming(&["a", "b", "c"], 1)).await;

    assert_eq!(seen.broken("stream_idle"), WORDS[0]);
    assert!(seen.message().contains("no byte within 1m (idle); nobody could go on"), "{}", seen.message());
    assert!(
        seen.message().contains("after 2 more attempts, the last of `sim/c`: connect - "),
        "{}",
        seen.message()
    );
    assert_eq!(seen.error()["metadata"]["candidate"], "sim/a");
}

#[tokio::test(start_paused = true)]
async fn a_ruling_that_rejects_ends_it_at_once() {
    let error = "data: {\"error\":{\"message\":\"flagged\",\"code\":\"content_policy_violation\"}}\n\n";
    let relay = relay(Script::new([answer([&word("first", "Hi"), error].concat())]));
    let mut route = resuming(&["a", "b"], 2);
    let mut chain = route.chain.candidates().to_vec();
    chain[0].policy.on.insert(Class::ContentPolicy, crate::retry::Ruling::Reject);
    route.chain = Chain::try_new(chain).unwrap();

    let seen = play(&relay, route).await;

    assert_eq!(seen.broken("stream_broken"), "Hi");
    assert!(
        seen.message().contains("flagged; nobody else was left to go on (the request was refused)"),
        "{}",
        seen.message()
    );
    assert_eq!(sent(&relay).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_continuation_that_turns_into_something_else_breaks_like_any_other() {
    let call = event("second", &json!({ "tool_calls": [{ "index": 0, "function": { "name": "f" } }] }), None);
    let second = answer([&word("second", &WORDS[..3].concat()), &*word("second", WORDS[3]), &call].concat());
    let relay = relay(Script::new([cut("first", &WORDS[..3]), second, afresh()]));

    let seen = play(&relay, resuming(&["a", "b", "c"], 1)).await;

    assert_eq!(seen.whole(), WORDS.concat());
}

#[tokio::test(start_paused = true)]
async fn an_empty_continuation_is_not_taken_for_the_end() {
    let empty = answer([role("second"), stop("second")].concat());
    let relay = relay(Script::new([cut("first", &WORDS[..3]), empty, Act::By(completes)]));

    let seen = play(&relay, prefilling(&["a", "b", "c"], 1)).await;

    assert_eq!(seen.whole(), WORDS.concat());
    let counted = "data: {\"choices\":[],\"usage\":{\"completion_tokens\":1}}\n\n";
    let ended = [&role("second"), &*event("second", &json!({}), Some("stop")), counted, DONE].concat();
    let relay = super::relay(Script::new([cut("first", &WORDS), answer(ended)]));
    let seen = play(&relay, prefilling(&["a", "b"], 1)).await;
    assert_eq!(seen.broken("stream_broken"), WORDS.concat(), "whether that was all nobody can tell");
    let thinks = event("second", &json!({ "reasoning_content": "Hm" }), None);
    let relay = super::relay(Script::new([cut("first", &WORDS), answer(thinks + &stop("second"))]));
    assert_eq!(play(&relay, prefilling(&["a", "b"], 1)).await.broken("stream_broken"), WORDS.concat());
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_within_the_beginning_is_no_end() {
    for prefill in [false, true] {
        for end in ["", DONE] {
            let short =
                word("second", WORDS[0]).replace("\"id\"", "\"usage\":{\"completion_tokens\":1},\"id\"");
            let third = if prefill { Act::By(completes) } else { afresh() };
            let relay = relay(Script::new([cut("first", &WORDS[..3]), answer(short + end), third.clone()]));
            let route = if prefill { prefilling } else { resuming };

            let seen = play(&relay, route(&["a", "b", "c"], 1)).await;

            if prefill && end == DONE {
                // It said so much more and then that it was done.
                assert_eq!(seen.text, WORDS[..3].concat() + WORDS[0]);
            } else {
                assert_eq!(seen.whole(), WORDS.concat());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_request_is_kept_for_as_long_as_somebody_may_need_it() {
    let call = event("first", &json!({ "tool_calls": [{ "index": 0, "function": { "name": "f" } }] }), None);
    let hi = || word("first", "Hi");
    for (route, event, kept) in [
        (resuming(&["a", "b"], 1), hi(), true),
        (resuming(&["a", "b"], 1), call, false),
        (route(&["a", "b"], 1), hi(), false),
    ] {
        let relay = relay(Script::new([Act::Answer(vec![text_part(event), Part::Hang])]));
        let body = Bytes::from(ASK.to_owned());
        let envelope = Envelope::parse(body.clone()).unwrap();

        let response = relay.respond(Request { envelope, ..request(route, ASK) }).await.unwrap();
        let mut answer = response.into_body();
        answer.frame().await.unwrap().unwrap();

        assert_eq!(!body.is_unique(), kept);
    }
}
