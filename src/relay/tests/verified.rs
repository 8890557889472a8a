//! Answers that are held until they are complete.

use std::pin::pin;

use proptest::prelude::*;

use super::*;
use crate::route::{Delivery, Hedge};

const CONTENT_POLICY: &str =
    "data: {\"error\":{\"message\":\"no\",\"code\":\"content_policy_violation\"}}\n\n";

fn verified(mut route: Route) -> Route {
    route.delivery = Delivery::Verified;
    route
}

fn good() -> String {
    [ROLE, HELLO, STOP, DONE].concat()
}

/// A stream that opens at once, and then does this.
fn opens(then: impl IntoIterator<Item = Part>) -> Act {
    Act::Answer(std::iter::once(text_part([ROLE, HELLO].concat())).chain(then).collect())
}

#[tokio::test(start_paused = true)]
async fn an_answer_goes_out_when_it_is_complete_byte_for_byte() {
    let end = [STOP, DONE].concat();
    let text_of = [": theirs\r\n\r\n", ROLE, HELLO, HELLO, HELLO, &end];
    let parts = text_of.iter().flat_map(|text| [text_part(*text), Part::Wait(secs(20))]);
    let relay = relay(Script::new([Act::Answer(parts.collect())]));
    let start = Instant::now();

    let response = respond(&relay, verified(route(&["a"], 1)), STREAM).await.unwrap();

    assert_eq!(start.elapsed(), secs(100));
    assert_eq!(open(&relay), 0, "the provider is let go of before the first byte goes out");
    assert_eq!(response.headers()["x-backstop-model"], "a");
    assert_eq!(text(response).await, text_of.concat());
}

#[tokio::test(start_paused = true)]
async fn every_break_is_a_failed_attempt_and_none_of_it_goes_out() {
    let beside = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"error\"}],\"error\":{\"code\":502,\"message\":\"gone\"}}\n\n";
    let named = "event: error\ndata: {\"message\":\"overloaded\"}\n\n";
    let long = Bytes::from("data: \"".to_owned() + &"x".repeat(9_000_000));
    let many = [HELLO.repeat(13_000), STOP.to_owned(), DONE.to_owned()].concat();
    let same = |after: u64| ("a", after);
    let other = |after: u64| ("b", after);
    for (then, (model, at)) in [
        (vec![], same(1)),
        (vec![Part::Fail], same(1)),
        (vec![Part::Wait(secs(50)), Part::Fail], same(51)),
        (vec![Part::Hang], other(60)),
        (vec![text_part(HELLO), Part::Wait(secs(59)), text_part(": alive\n\n"), Part::Hang], other(119)),
        (vec![text_part(beside), Part::Hang], same(1)),
        (vec![text_part(STOP), text_part(beside)], same(1)),
        (vec![text_part(named)], same(1)),
        (vec![text_part(CONTENT_POLICY)], other(0)),
        (vec![Part::Bytes(long)], same(1)),
        (vec![text_part(many)], other(0)),
    ] {
        let name = format!("{:.300}", format!("{then:?}"));
        let relay = relay(Script::new([opens(then), good_stream()]));

        let response = respond(&relay, verified(route(&["a", "b"], 3)), STREAM).await.unwrap();

        assert_eq!(response.headers()["x-backstop-attempts"], "2", "{name}");
        assert_eq!(sent(&relay), [("a".to_owned(), 0), (model.to_owned(), at)], "{name}");
        assert_eq!(text(response).await, good(), "{name}");
        assert_eq!(open(&relay), 0, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_at_the_end_tells_of_the_cuts() {
    let acts = [opens([]), opens([Part::Hang]), opens([text_part(HELLO.repeat(13_000))])];
    let relay = relay(Script::new(acts));

    let failure = respond(&relay, verified(route(&["a", "b"], 2)), STREAM).await;

    // The first is cut and asked again, then silent; the second says more than it may.
    let failure = failure.map(|_| ()).unwrap_err();
    assert_eq!(failure.outcome, Outcome::Failed(Class::Timeout), "{failure:?}");
    let told: Vec<_> = failure.trail.iter().map(|tried| (tried.number, tried.phase, tried.code)).collect();
    assert_eq!(told, [(1, "stream", "broken"), (2, "stream", "timeout"), (3, "stream", "unexpected")]);
    assert!(failure.trail[1].reason.contains("1m (idle)"), "{:?}", failure.trail[1]);
    assert!(failure.trail[2].reason.contains("`server.max_answer`: 1.0 MB"), "{:?}", failure.trail[2]);
}

#[tokio::test(start_paused = true)]
async fn comments_go_out_meanwhile_and_then_the_whole_answer() {
    let slow = [Part::Wait(secs(50)), text_part(HELLO)].into_iter().cycle().take(6);
    let relay = relay(Script::new([opens(slow.chain([Part::Fail])), good_stream()]));
    let mut route = verified(route(&["a"], 2));
    route.progress = Some(ProgressMode::Comments);
    let start = Instant::now();

    let response = respond(&relay, route, STREAM).await.unwrap();
    assert_eq!(start.elapsed(), secs(15));
    let mut body = response.into_body();
    let (mut text, mut last, mut longest) = (String::new(), start.elapsed(), Duration::ZERO);
    while let Some(frame) = body.frame().await {
        longest = longest.max(start.elapsed().saturating_sub(last));
        last = start.elapsed();
        text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
    }

    assert!(longest <= secs(10), "{longest:?}");
    assert_eq!(start.elapsed(), secs(151));
    let comments = text.strip_suffix(&good()).unwrap_or_else(|| panic!("{text}"));
    assert!(comments.split_terminator("\n\n").all(|comment| comment.starts_with(": ")), "{comments}");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_stands_still_while_an_answer_is_held() {
    // Eight seconds to the first payload, a minute held, one second of delay: one is left.
    let cut = Act::Answer(vec![
        Part::Wait(secs(8)),
        text_part(HELLO),
        Part::Wait(secs(50)),
        text_part(HELLO),
        Part::Wait(secs(10)),
        Part::Fail,
    ]);
    for (second, answers) in [(opens([Part::Wait(secs(30)), text_part(STOP)]), true), (Act::Hang, false)] {
        let relay = relay(Script::new([cut.clone(), second]));
        let mut route = verified(route(&["a"], 9));
        route.policy.deadline = secs(10);
        let start = Instant::now();

        let result = respond(&relay, route, STREAM).await;

        assert_eq!(sent(&relay), [("a".to_owned(), 0), ("a".to_owned(), 69)]);
        assert_eq!(result.is_ok(), answers);
        assert_eq!(start.elapsed(), secs(if answers { 99 } else { 70 }));
    }
}

#[tokio::test(start_paused = true)]
async fn every_end_after_a_finish_reason_is_complete() {
    for (then, wait) in [(vec![], 0), (vec![Part::Fail], 0), (vec![Part::Hang], 2)] {
        let relay = relay(Script::new([opens(std::iter::once(text_part(STOP)).chain(then))]));
        let start = Instant::now();

        let response = respond(&relay, verified(route(&["a"], 1)), STREAM).await.unwrap();

        assert_eq!((text(response).await, start.elapsed()), (good(), secs(wait)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_streamed_is_as_ever() {
    let relay = relay(Script::new([answer(COMPLETION), answer(COMPLETION)]));

    let whole = respond(&relay, verified(route(&["a"], 1)), WHOLE).await.unwrap();
    assert_eq!(text(whole).await, COMPLETION);
    // Nor does it matter that a provider answers whole where a stream was wanted.
    let streamed = respond(&relay, verified(route(&["a"], 1)), STREAM).await.unwrap();
    let streamed = text(streamed).await;
    assert!(streamed.starts_with("data: ") && streamed.ends_with(DONE), "{streamed}");
}

#[tokio::test(start_paused = true)]
async fn alone_it_is_waited_for_twice_as_long_after_a_silence() {
    let slow = opens([Part::Wait(secs(100)), text_part([STOP, DONE].concat())]);
    let relay = relay(Script::new([slow.clone(), slow]));

    let response = respond(&relay, verified(route(&["a"], 2)), STREAM).await.unwrap();

    assert_eq!(sent(&relay), [("a".to_owned(), 0), ("a".to_owned(), 61)]);
    assert_eq!(text(response).await, good());
}

#[tokio::test(start_paused = true)]
async fn in_breadth_order_a_cut_answer_sends_the_round_on() {
    let relay = relay(Script::new([opens([]), opens([]), opens([]), good_stream()]));
    let mut route = verified(route(&["a", "b"], 2));
    route.order = Order::Breadth;

    let response = respond(&relay, route, STREAM).await.unwrap();

    let expected = [("a", 0), ("b", 0), ("a", 1), ("b", 1)].map(|(model, at)| (model.to_owned(), at));
    assert_eq!(sent(&relay), expected);
    assert_eq!(text(response).await, good());
}

#[tokio::test(start_paused = true)]
async fn the_winner_of_a_race_is_held_too_and_its_cut_is_its_own() {
    let late = Act::Answer(vec![Part::Wait(secs(30)), text_part(good())]);
    let cut = opens([Part::Wait(secs(5)), Part::Fail]);
    let relay = relay(Script::new([late, cut, good_stream()]));
    let mut route = verified(route(&["a", "b"], 3));
    route.hedge = Some(Hedge { after: secs(3), spends_quota: false });

    let response = respond(&relay, route, STREAM).await.unwrap();

    // The loser is let go of at the first payload; the winner, cut at 8 s, is asked again on its own schedule.
    let expected = [("a", 0), ("b", 3), ("b", 9)].map(|(model, at)| (model.to_owned(), at));
    assert_eq!(sent(&relay), expected);
    assert_eq!(response.headers()["x-backstop-attempts"], "3");
    assert_eq!(text(response).await, good());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_closes_what_is_held() {
    for progress in [ProgressMode::Off, ProgressMode::Comments] {
        let relay = relay(Script::new([opens([Part::Wait(secs(50)), text_part(HELLO), Part::Hang])]));
        let mut route = verified(route(&["a"], 60));
        route.progress = Some(progress);
        let waiting = async { text(respond(&relay, route, STREAM).await.unwrap()).await };

        assert!(tokio::time::timeout(secs(30), waiting).await.is_err());

        assert_eq!(open(&relay), 0);
        tokio::time::sleep(secs(1000)).await;
        assert_eq!(sent(&relay).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_grace_ends_what_is_held_unless_it_has_finished() {
    for (then, outcome) in
        [(vec![Part::Hang], Some(Outcome::ShuttingDown)), (vec![text_part(STOP), Part::Hang], None)]
    {
        let relay = relay(Script::new([opens(then)]));
        let drain = relay.drain.clone();
        let mut waiting = pin!(respond(&relay, verified(route(&["a"], 2)), STREAM));
        assert!(tokio::time::timeout(secs(1), &mut waiting).await.is_err());
        let start = Instant::now();

        drain.pauses.give();
        drain.streams.give();
        let result = waiting.await;

        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(open(&relay), 0);
        match result {
            Ok(response) => assert_eq!((text(response).await, None), (good(), outcome)),
            Err(failure) => assert_eq!(Some(failure.outcome), outcome),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn wherever_it_is_cut_the_client_gets_a_whole_answer_and_nothing_else(
        at in 0usize..2000,
        pieces in proptest::collection::vec(1usize..60, 1..8),
        fails in any::<bool>(),
    ) {
        let stream = [ROLE, &HELLO.repeat(4), STOP, DONE].concat();
        let at = at % stream.len();
        let mut parts = Vec::new();
        let mut rest = &stream.as_bytes()[..at];
        for size in pieces.iter().cycle() {
            let (piece, after) = rest.split_at(rest.len().min(*size));
            parts.push(Part::Bytes(Bytes::copy_from_slice(piece)));
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        parts.extend(fails.then_some(Part::Fail));
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (text, attempts) = runtime.block_on(async {
            let relay = relay(Script::new([Act::Answer(parts), good_stream()]));
            let response = respond(&relay, verified(route(&["a"], 2)), STREAM).await.unwrap();
            (text(response).await, sent(&relay).len())
        });
        let finished = stream.find(STOP).unwrap() + STOP.len();
        // Of a stream that ends in order, the last event may lack its blank line.
        let enough = if fails { finished } else { finished - 2 };
        prop_assert_eq!(attempts, if at >= enough { 1 } else { 2 });
        prop_assert_eq!(text, if attempts == 1 { stream } else { good() });
    }
}
