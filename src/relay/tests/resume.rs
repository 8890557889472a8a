//! Streams that break where the route says `on_break = "resume"`.

use serde_json::{Value, json};

use super::*;
use crate::route::Prefill;

mod cuts;
mod never;
mod prefills;
mod seen;
mod usage;
mod waits;

use seen::Seen;

/// A request of one message, so that an answer can be put under it.
const ASK: &str = r#"{"model":"r","stream":true,"messages":[{"role":"user","content":"Hello"}]}"#;

/// The whole answer, in the words that make its events.
const WORDS: [&str; 6] = ["Hello", " \"there\",", " whoever\n", " you", " 🦀 are", "."];

/// A route over `models` that resumes.
fn resuming(models: &[&str], attempts: u32) -> Route {
    let route = route(models, attempts);
    Route { on_break: OnBreak::Resume, ..route }
}

/// The same where all but the first candidate go on from the beginning of an answer.
fn prefilling(models: &[&str], attempts: u32) -> Route {
    let mut route = resuming(models, attempts);
    let mut chain = route.chain.candidates().to_vec();
    chain.iter_mut().skip(1).for_each(|candidate| candidate.prefill = Some(Prefill::Message));
    route.chain = Chain::try_new(chain).unwrap();
    route
}

/// An event of the answer `id`.
fn event(id: &str, delta: &Value, finish: Option<&str>) -> String {
    let choices = json!([{ "index": 0, "delta": delta, "finish_reason": finish }]);
    format!("data: {}\n\n", json!({ "id": id, "model": id, "choices": choices }))
}

/// An event with a word in it.
fn word(id: &str, text: &str) -> String {
    event(id, &json!({ "content": text }), None)
}

/// The first event.
fn role(id: &str) -> String {
    event(id, &json!({ "role": "assistant", "content": "" }), None)
}

/// What stands at the end.
fn stop(id: &str) -> String {
    event(id, &json!({}), Some("stop")) + DONE
}

/// A whole answer.
fn says(id: &str, words: &[&str]) -> String {
    let words: String = words.iter().map(|text| word(id, text)).collect();
    [role(id), words, stop(id)].concat()
}

/// An answer that is cut after these words.
fn cut(id: &str, words: &[&str]) -> Act {
    let words: String = words.iter().map(|text| word(id, text)).collect();
    Act::Answer(vec![text_part([role(id), words].concat()), Part::Fail])
}

/// What the assistant is to go on from.
fn begun(request: &Value) -> Option<&str> {
    let last = request["messages"].as_array()?.last()?;
    last["content"].as_str().filter(|_| last["role"] == "assistant")
}

/// Says the whole answer, or the rest of it where the request holds the beginning.
fn completes(request: &Value) -> Act {
    let whole = WORDS.concat();
    let rest = whole.strip_prefix(begun(request).unwrap_or_default()).expect("a beginning of the answer");
    let words: Vec<&str> = rest.split_inclusive(' ').collect();
    answer(says("second", &words))
}

/// Says the whole answer, whatever the request holds.
fn afresh() -> Act {
    answer(says("second", &WORDS))
}

async fn play(relay: &Arc<Relay<Script>>, route: Route) -> Seen {
    let response = respond(relay, route, ASK).await.unwrap();
    let seen = Seen::read(&text(response).await);
    assert_eq!(open(relay), 0, "something is left open");
    seen
}

/// The bodies as sent.
fn bodies(relay: &Relay<Script>) -> Vec<Value> {
    let seen = relay.upstream.seen.lock().unwrap();
    seen.bodies.iter().map(|body| serde_json::from_slice(body).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn two_candidates_give_one_answer() {
    for (second, route) in
        [(Act::By(completes), prefilling(&["a", "b"], 1)), (afresh(), resuming(&["a", "b"], 1))]
    {
        for order in [Order::Depth, Order::Breadth] {
            let relay = relay(Script::new([cut("first", &WORDS[..3]), second.clone()]));

            let seen = play(&relay, Route { order, ..route.clone() }).await;

            assert_eq!(seen.whole(), WORDS.concat());
            assert_eq!(seen.ids, ["first"]);
            assert_eq!(seen.models, ["first", "second"]);
            assert_eq!(sent(&relay), [("a".into(), 0), ("b".into(), 0)]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_again_is_continued_again() {
    let third = |request: &Value| {
        assert_eq!(begun(request), Some(&*WORDS[..4].concat()));
        completes(request)
    };
    let relay = relay(Script::new([
        cut("first", &WORDS[..2]),
        Act::By(|request| cut("second", if begun(request).is_some() { &WORDS[2..4] } else { &WORDS[..4] })),
        Act::By(third),
    ]));

    let seen = play(&relay, prefilling(&["a", "b", "c"], 1)).await;

    assert_eq!(seen.whole(), WORDS.concat());
    assert_eq!(seen.ids, ["first"]);
}

#[tokio::test(start_paused = true)]
async fn a_break_after_a_break_while_asked_afresh() {
    let acts = [cut("first", &WORDS[..2]), cut("second", &WORDS[..1]), cut("third", &WORDS[..5]), afresh()];
    let relay = relay(Script::new(acts));

    let seen = play(&relay, resuming(&["a", "b", "c", "d"], 1)).await;

    assert_eq!(seen.whole(), WORDS.concat());
    assert_eq!(sent(&relay).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_streamed_is_no_other_answer() {
    let whole = |words: &[&str]| {
        let message = json!({ "role": "assistant", "content": words.concat() });
        let choices = json!([{ "index": 0, "message": message, "finish_reason": "stop" }]);
        answer(json!({ "id": "second", "model": "second", "choices": choices }).to_string())
    };
    for (second, route, expected) in [
        (whole(&WORDS), resuming(&["a", "b"], 1), Some(WORDS.concat())),
        (whole(&WORDS[2..]), prefilling(&["a", "b"], 1), Some(WORDS.concat())),
        (whole(&["Good evening"]), resuming(&["a", "b"], 1), None),
        (whole(&WORDS[..1]), resuming(&["a", "b"], 1), None),
        (whole(&[""]), prefilling(&["a", "b"], 1), None),
    ] {
        let relay = relay(Script::new([cut("first", &WORDS[..2]), second]));

        let seen = play(&relay, route).await;

        match expected {
            Some(expected) => {
                assert_eq!(seen.whole(), expected);
                assert_eq!(seen.ids, ["first"]);
            }
            None => assert_eq!(seen.broken("stream_broken"), WORDS[..2].concat()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_only_reasoning_was_delivered_the_next_one_begins() {
    let thought = event("first", &json!({ "reasoning_content": "Hm" }), None);
    for delivered in [thought.clone(), [role("first"), thought].concat()] {
        let first = Act::Answer(vec![text_part(delivered), Part::Fail]);
        let own = event("second", &json!({ "reasoning_content": "Well" }), None);
        let second = answer(
            says("second", &WORDS).replacen(DONE, "", 1).replacen("data", &format!("{own}data"), 1) + DONE,
        );
        let relay = relay(Script::new([first, second]));

        let seen = play(&relay, prefilling(&["a", "b"], 1)).await;

        assert_eq!(seen.whole(), WORDS.concat());
        assert_eq!(seen.reasoning, "Hm", "no other model's thinking");
        assert_eq!(begun(&bodies(&relay)[1]), None, "there is nothing to go on from");
    }
}

#[tokio::test(start_paused = true)]
async fn an_early_head_changes_nothing() {
    let relay = relay(Script::new([Act::Hang, cut("first", &WORDS[..3]), afresh()]));
    let mut route = resuming(&["a", "b", "c"], 1);
    route.progress = Some(ProgressMode::Comments);

    let response = respond(&relay, route, ASK).await.unwrap();
    assert!(!response.headers().contains_key("x-backstop-provider"));
    let seen = Seen::read(&text(response).await);

    assert_eq!(seen.whole(), WORDS.concat());
    assert_eq!(open(&relay), 0);
}

#[tokio::test(start_paused = true)]
async fn a_byte_order_mark_costs_no_event() {
    let lines = word("second", WORDS[3]).replacen('{', "{\ndata: ", 1);
    for begins in [word("second", WORDS[3]), lines] {
        let rest = [&begins, &*word("second", &WORDS[4..].concat()), &stop("second")].concat();
        let marked = |stream: &str| answer(format!("\u{feff}{stream}"));
        let relay = relay(Script::new([cut("first", &WORDS[..3]), marked(&rest)]));
        assert_eq!(play(&relay, prefilling(&["a", "b"], 1)).await.whole(), WORDS.concat());
    }
    let marked = answer(format!("\u{feff}{}", says("first", &WORDS)));
    let relay = relay(Script::new([Act::Late(secs(20), Box::new(marked))]));
    let mut route = resuming(&["a"], 1);
    route.progress = Some(ProgressMode::Comments);
    let seen = play(&relay, route).await;
    assert!(!seen.comments.is_empty());
    assert_eq!(seen.whole(), WORDS.concat());
}
