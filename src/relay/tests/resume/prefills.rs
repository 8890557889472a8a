//! Candidates that go on from the beginning of an answer, and those that refuse to.

use super::*;

const REFUSES: Act = Act::Status(400, "{\"error\":{\"message\":\"assistant prefill is not supported\"}}");

#[tokio::test(start_paused = true)]
async fn a_refused_prefill_is_asked_afresh_at_once_and_remembered() {
    let relay = relay(Script::new([
        cut("first", &WORDS[..3]),
        REFUSES,
        afresh(),
        cut("first", &WORDS[..2]),
        afresh(),
    ]));

    for _ in 0..2 {
        let seen = play(&relay, prefilling(&["a", "b"], 1)).await;
        assert_eq!(seen.whole(), WORDS.concat());
    }

    let begun: Vec<bool> = bodies(&relay).iter().map(|body| begun(body).is_some()).collect();
    assert_eq!(begun, [false, true, false, false, false]);
    assert!(sent(&relay).iter().all(|(_, at)| *at == 0), "nothing is waited for");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_known_by_what_it_says_too() {
    for refusal in [
        Act::Status(
            500,
            "{\"error\":{\"message\":\"Assistant response prefill is incompatible with enable_thinking.\"}}",
        ),
        Act::Status(422, "{\"detail\":\"the last message must be the user's\"}"),
        answer("{\"error\":{\"message\":\"prefill is not supported\",\"code\":400}}"),
        answer("data: {\"error\":{\"message\":\"prefill is not supported\",\"code\":400}}\n\n"),
    ] {
        let relay = relay(Script::new([cut("first", &WORDS[..3]), refusal, afresh()]));
        assert_eq!(play(&relay, prefilling(&["a", "b"], 1)).await.whole(), WORDS.concat());
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_prefill_is_remembered_whatever_the_fresh_answer_says() {
    let relay = relay(Script::new([
        cut("first", &WORDS[..3]),
        REFUSES,
        answer(says("second", &["Good evening"])),
        cut("first", &WORDS[..3]),
        afresh(),
    ]));
    let seen = play(&relay, prefilling(&["a", "b"], 1)).await;
    assert_eq!(seen.broken("stream_broken"), WORDS[..3].concat());
    assert!(!seen.message().contains("prefill"), "a refused prefill is no final error: {}", seen.message());

    let seen = play(&relay, prefilling(&["a", "b"], 1)).await;

    assert_eq!(seen.whole(), WORDS.concat());
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_both_ways_says_nothing_of_prefills() {
    let relay = relay(Script::new([
        cut("first", &WORDS[..3]),
        REFUSES,
        Act::Status(400, "{\"error\":{\"message\":\"no such temperature\"}}"),
        cut("first", &WORDS[..3]),
        Act::By(completes),
    ]));
    let seen = play(&relay, prefilling(&["a", "b"], 1)).await;
    assert_eq!(seen.broken("stream_broken"), WORDS[..3].concat());
    assert!(seen.message().contains("no such temperature"), "{}", seen.message());

    let seen = play(&relay, prefilling(&["a", "b"], 1)).await;

    assert_eq!(seen.whole(), WORDS.concat());
    assert!(begun(&bodies(&relay)[4]).is_some(), "it is asked to go on all the same");
}

#[tokio::test(start_paused = true)]
async fn another_answer_is_no_refusal() {
    let call = json!({ "tool_calls": [{ "index": 0, "function": { "name": "f" } }] });
    let calls = answer([event("second", &call, None), stop("second")].concat());
    let relay =
        relay(Script::new([cut("first", &WORDS[..3]), calls, cut("first", &WORDS[..3]), Act::By(completes)]));
    let seen = play(&relay, prefilling(&["a", "b"], 1)).await;
    assert!(seen.message().contains("its answer holds a tool call"), "{}", seen.message());

    assert_eq!(play(&relay, prefilling(&["a", "b"], 1)).await.whole(), WORDS.concat());
}

#[tokio::test(start_paused = true)]
async fn one_that_repeats_the_beginning_is_caught_up_with() {
    let mut route = prefilling(&["a", "b"], 1);
    let mut chain = route.chain.candidates().to_vec();
    chain[1].prefill = Some(Prefill::Prefix { echoes: true });
    route.chain = Chain::try_new(chain).unwrap();
    let relay = relay(Script::new([cut("first", &WORDS[..3]), afresh()]));

    assert_eq!(play(&relay, route).await.whole(), WORDS.concat());
    let last = bodies(&relay)[1]["messages"][1].clone();
    assert_eq!(last, json!({ "role": "assistant", "content": WORDS[..3].concat(), "prefix": true }));
}

#[tokio::test(start_paused = true)]
async fn the_way_of_a_provider_adds_its_own_members() {
    let mut route = prefilling(&["a", "b"], 1);
    let mut chain = route.chain.candidates().to_vec();
    chain[1].prefill = Some(Prefill::ContinueFinal);
    route.chain = Chain::try_new(chain).unwrap();
    let relay = relay(Script::new([cut("first", &WORDS[..3]), Act::By(completes)]));

    assert_eq!(play(&relay, route).await.whole(), WORDS.concat());
    let body = bodies(&relay)[1].clone();
    assert_eq!(
        (&body["continue_final_message"], &body["add_generation_prompt"]),
        (&json!(true), &json!(false))
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_see_the_beginning_is_not_glued_to_it() {
    for count in 1..=WORDS.len() {
        let relay = relay(Script::new([cut("first", &WORDS[..count]), afresh()]));

        let seen = play(&relay, prefilling(&["a", "b"], 1)).await;

        assert_eq!(seen.broken("stream_broken"), WORDS[..count].concat());
        assert!(seen.message().contains("its answer may have begun again"), "{}", seen.message());
    }
    let long = ["So it was said, and so it was written, and so it shall be read aloud: ", "the end"];
    let relay = relay(Script::new([cut("first", &long[..1]), answer(says("second", &long))]));
    assert_eq!(play(&relay, prefilling(&["a", "b"], 1)).await.whole(), long.concat());
}
