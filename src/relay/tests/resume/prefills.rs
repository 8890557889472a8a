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

/// A long beginning, said in the same words up to its end.
const LONG: &str = "So it was said, and so it was written, and so it shall be read aloud to everybody: ";

#[tokio::test(start_paused = true)]
async fn one_that_does_not_see_the_beginning_is_not_glued_to_it() {
    let other = |text: &str| answer(says("second", &[text]));
    for count in 1..=WORDS.len() {
        let relay = relay(Script::new([cut("first", &WORDS[..count]), afresh(), other("Good evening")]));

        let seen = play(&relay, prefilling(&["a", "b"], 1)).await;

        assert_eq!(seen.broken("stream_broken"), WORDS[..count].concat());
        assert!(seen.message().contains("its answer begins in another way"), "{}", seen.message());
    }
    let relay = relay(Script::new([cut("first", &[LONG]), answer(says("second", &[LONG, "the end"]))]));
    assert_eq!(play(&relay, prefilling(&["a", "b"], 1)).await.whole(), LONG.to_owned() + "the end");
}

#[tokio::test(start_paused = true)]
async fn one_that_may_have_begun_again_is_asked_afresh_at_once_and_forgiven() {
    let rest = "and the rest";
    let turns_away = LONG[..64].to_owned() + "nobody knows what";
    for (first, said, whole) in [
        (WORDS[0], WORDS.concat(), WORDS.concat()),
        (LONG, turns_away, LONG.to_owned() + rest),
        (LONG, LONG[..64].to_owned(), LONG.to_owned() + rest),
    ] {
        let [said, all] = [&said, &whole].map(|text| answer(says("second", &[text])));
        let goes_on = answer(says("second", &[&whole[first.len()..]]));
        let relay = relay(Script::new([cut("first", &[first]), said, all, cut("first", &[first]), goes_on]));
        for _ in 0..2 {
            assert_eq!(play(&relay, prefilling(&["a", "b"], 1)).await.whole(), whole);
        }

        let begun: Vec<bool> = bodies(&relay).iter().map(|body| begun(body).is_some()).collect();
        assert_eq!(begun, [false, true, false, false, true], "that is no refusal");
        assert!(sent(&relay).iter().all(|(_, at)| *at == 0), "nothing is waited for");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fresh_request_that_fails_for_itself_shows_no_refusal() {
    for fails in [Act::Status(503, ""), Act::Status(429, ""), Act::Refuse, Act::Hang] {
        let acts = [cut("first", &WORDS[..3]), REFUSES, fails, cut("first", &WORDS[..3]), Act::By(completes)];
        let relay = relay(Script::new(acts));
        play(&relay, prefilling(&["a", "b"], 1)).await.error();

        let mut route = prefilling(&["a", "b"], 1);
        route.cooldown.enabled = false;
        assert_eq!(play(&relay, route).await.whole(), WORDS.concat());
        assert!(begun(&bodies(&relay)[4]).is_some(), "it is asked to go on all the same");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_without_a_place_for_another_request_waits_for_one() {
    let quota = crate::retry::quota::Quota {
        requests_per_minute: std::num::NonZeroU32::new(2),
        ..Default::default()
    };
    let script = Script::new([cut("first", &WORDS[..3]), REFUSES, afresh()]);
    let relay = relay_to(&[Provider { quota, ..provider() }], script);
    let mut route = resuming(&["a"], 3);
    let mut chain = route.chain.candidates().to_vec();
    chain[0].prefill = Some(Prefill::Message);
    route.chain = Chain::try_new(chain).unwrap();

    assert_eq!(play(&relay, route).await.whole(), WORDS.concat());

    let begun: Vec<bool> = bodies(&relay).iter().map(|body| begun(body).is_some()).collect();
    assert_eq!(begun, [false, true, false]);
    assert!(sent(&relay)[2].1 >= 60, "the quota is kept: {:?}", sent(&relay));
}
