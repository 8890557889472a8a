//! A second attempt beside the first, when its answer is late.

use super::*;
use crate::retry::Ruling;
use crate::route::Hedge;

/// The next candidate starts too after three seconds.
fn hedged(mut route: Route) -> Route {
    route.hedge = Some(Hedge { after: secs(3), spends_quota: false });
    route
}

/// A good stream that begins after so many seconds.
fn good_after(seconds: u64) -> Act {
    Act::Answer(vec![Part::Wait(secs(seconds)), text_part(good())])
}

/// An answer that is cut before its first payload, after so many seconds.
fn cut_after(seconds: u64) -> Act {
    Act::Answer(vec![Part::Wait(secs(seconds)), Part::Fail])
}

fn good() -> String {
    [ROLE, HELLO, STOP, DONE].concat()
}

fn sends<const N: usize>(expected: [(&str, u64); N]) -> Vec<(String, u64)> {
    expected.map(|(model, at)| (model.to_owned(), at)).into()
}

#[tokio::test(start_paused = true)]
async fn whoever_is_first_wins_and_the_other_is_let_go_of_at_once() {
    for (first, second, winner, at) in
        [(30, 1, "a-b", 4), (5, 9, "a-a", 5), (4, 1, "a-a", 4), (3, 0, "a", 3), (1, 0, "a", 1)]
    {
        let relay = relay(Script::new([good_after(first), good_after(second)]));
        let start = Instant::now();

        let response = respond(&relay, hedged(route(&["a", "b"], 2)), STREAM).await.unwrap();

        assert_eq!(start.elapsed(), secs(at));
        assert_eq!(response.headers()["x-backstop-model"], winner[winner.len() - 1..]);
        let attempts = if winner.len() > 1 { "2" } else { "1" };
        assert_eq!(response.headers()["x-backstop-attempts"], attempts, "{first} {second}");
        assert_eq!(open(&relay), 0, "the loser is gone, and the winner has said all");
        assert_eq!(text(response).await, good());
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_races_too() {
    let whole = |seconds| Act::Answer(vec![Part::Wait(secs(seconds)), text_part(COMPLETION)]);
    let relay = relay(Script::new([whole(40), whole(5)]));
    let start = Instant::now();

    let response = respond(&relay, hedged(route(&["a", "b"], 2)), WHOLE).await.unwrap();

    assert_eq!((start.elapsed(), open(&relay)), (secs(8), 0));
    assert_eq!(response.headers()["x-backstop-model"], "b");
    assert_eq!(text(response).await, COMPLETION);
}

#[tokio::test(start_paused = true)]
async fn without_hedge_after_or_somebody_else_or_an_attempt_left_nobody_starts() {
    let one_attempt = |mut route: Route| {
        route.policy.max_attempts = NonZeroU32::new(1);
        route
    };
    for route in [route(&["a", "b"], 2), hedged(route(&["a"], 2)), one_attempt(hedged(route(&["a", "b"], 2)))]
    {
        let relay = relay(Script::new([good_after(30)]));
        let response = respond(&relay, route, STREAM).await.unwrap();
        assert_eq!(response.headers()["x-backstop-attempts"], "1");
    }
}

#[tokio::test(start_paused = true)]
async fn one_fails_and_the_other_goes_on() {
    for (first, second, winner, at, failed) in
        [(cut_after(4), good_after(6), "b", 9, 1), (good_after(30), cut_after(2), "a", 30, 2)]
    {
        let broken = match winner {
            "a" => [Act::Answer(vec![Part::Wait(secs(30)), text_part(HELLO)]), second],
            _ => [first, Act::Answer(vec![Part::Wait(secs(6)), text_part(HELLO)])],
        };
        let relay = relay(Script::new(broken));
        let start = Instant::now();

        let response = respond(&relay, hedged(route(&["a", "b"], 2)), STREAM).await.unwrap();

        assert_eq!(start.elapsed(), secs(at));
        assert_eq!(response.headers()["x-backstop-model"], winner);
        // It breaks then: the error tells of both, and the loser of a race is no failure.
        let text = text(response).await;
        let event = text.strip_prefix(HELLO).and_then(|rest| rest.strip_prefix("data: ")).unwrap();
        let error: serde_json::Value = serde_json::from_str(event.split('\n').next().unwrap()).unwrap();
        assert_eq!(error["error"]["metadata"]["candidate"], format!("sim/{winner}"));
        let trail = error["error"]["metadata"]["attempts"].as_array().unwrap();
        let numbers: Vec<_> = trail.iter().map(|tried| tried["number"].as_u64().unwrap()).collect();
        assert_eq!(numbers, [1, 2]);
        assert_eq!(trail[failed - 1]["phase"], "first_token");
    }
}

#[tokio::test(start_paused = true)]
async fn both_fail_and_the_first_ones_verdict_decides() {
    // `a` is cut at 4 s and 10 s, `b` beside it at 5 s and 11 s: then nobody has an attempt left.
    let acts = [cut_after(4), cut_after(2), cut_after(4), cut_after(2)];
    let relay = relay(Script::new(acts));

    let failure = respond(&relay, hedged(route(&["a", "b"], 2)), STREAM).await.map(|_| ()).unwrap_err();

    assert_eq!(sent(&relay), sends([("a", 0), ("b", 3), ("a", 6), ("b", 9)]));
    assert_eq!((failure.attempts, failure.trail.len()), (4, 4));
    let told: Vec<_> = failure.trail.iter().map(|tried| (tried.number, &*tried.model)).collect();
    assert_eq!(told, [(1, "a"), (2, "b"), (3, "a"), (4, "b")]);
    assert!(failure.message.contains("`sim/a`"), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn one_that_failed_beside_another_waits_as_on_its_own_schedule() {
    // `a` is silent for a minute, `b` is cut at 60.5 s in 1 s steps: its own delay runs from there.
    let mut route = hedged(route(&["a", "b"], 2));
    for candidate in route.chain.candidates() {
        assert_eq!(candidate.policy.attempt_delay.min(), secs(1));
    }
    route.hedge = Some(Hedge { after: secs(59), spends_quota: false });
    let relay = relay(Script::new([Act::Hang, cut_after(1), good_stream()]));

    respond(&relay, route, STREAM).await.unwrap();

    assert_eq!(sent(&relay), sends([("a", 0), ("b", 59), ("b", 61)]));
}

#[tokio::test(start_paused = true)]
async fn in_breadth_order_each_has_one_attempt_a_round() {
    let acts = [cut_after(4), cut_after(2), cut_after(0), cut_after(4), cut_after(3), good_stream()];
    let relay = relay(Script::new(acts));
    let mut route = hedged(route(&["a", "b", "c"], 2));
    route.order = Order::Breadth;

    let response = respond(&relay, route, STREAM).await.unwrap();

    let expected = [("a", 0), ("b", 3), ("c", 5), ("a", 6), ("b", 9), ("c", 12)];
    assert_eq!(sent(&relay), sends(expected));
    assert_eq!(response.headers()["x-backstop-attempts"], "6");
}

#[tokio::test(start_paused = true)]
async fn a_winner_that_breaks_is_resumed() {
    let text_of = |text: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let broken = Act::Answer(vec![Part::Wait(secs(1)), text_part(text_of("Hello ", "null")), Part::Fail]);
    let whole = answer([text_of("Hello there", "null"), text_of("", "\"stop\""), DONE.to_owned()].concat());
    let relay = relay(Script::new([good_after(30), broken, whole]));
    let mut route = hedged(route(&["a", "b"], 2));
    route.on_break = OnBreak::Resume;
    let body = r#"{"model":"r","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;

    let text = text(respond(&relay, route, body).await.unwrap()).await;

    // The one that was slower goes on; nobody starts beside it.
    assert_eq!(sent(&relay), sends([("a", 0), ("b", 3), ("a", 5)]));
    assert!(text.contains("\"Hello \"") && text.contains("there") && text.ends_with(DONE), "{text}");
    assert!(!text.contains("error"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_good_ends_both() {
    let refusal = "{\"error\":{\"message\":\"no\",\"code\":\"content_policy_violation\"}}";
    let refused_after =
        |seconds| Act::Answer(vec![Part::Wait(secs(seconds)), text_part(refusal), Part::Wait(secs(0))]);
    for (acts, at, number) in
        [([refused_after(5), good_after(30)], 5, 1), ([good_after(30), refused_after(5)], 8, 2)]
    {
        let relay = relay(Script::new(acts));
        let mut policy = brisk(2);
        policy.on.insert(Class::ContentPolicy, Ruling::Reject);
        let mut route = hedged(route(&["a", "b"], 2));
        let chain = ["a", "b"].map(|model| candidate(model, &policy));
        route.chain = Chain::try_new(chain.into()).unwrap();
        let start = Instant::now();

        let failure = respond(&relay, route, STREAM).await.map(|_| ()).unwrap_err();

        assert_eq!((start.elapsed(), open(&relay)), (secs(at), 0));
        assert_eq!(failure.outcome, Outcome::Failed(Class::ContentPolicy));
        assert_eq!((failure.attempts, failure.trail.len()), (2, 1));
        assert_eq!(failure.trail[0].number, number);
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_both() {
    let relay = relay(Script::new([Act::Hang, Act::Hang]));
    let mut route = hedged(route(&["a", "b"], 9));
    route.policy.deadline = secs(20);
    let start = Instant::now();

    let failure = respond(&relay, route, STREAM).await.map(|_| ()).unwrap_err();

    // The first had its share; the other one, which began beside it, all that was left.
    assert_eq!(sent(&relay), sends([("a", 0), ("b", 3)]));
    assert_eq!((start.elapsed(), open(&relay)), (secs(20), 0));
    assert_eq!(failure.outcome, Outcome::Failed(Class::Timeout));
    assert_eq!(failure.trail.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_and_the_end_of_the_grace_end_both() {
    let relay = relay(Script::new(vec![Act::Hang; 4]));
    let drain = relay.drain.clone();
    let leaver = respond(&relay, hedged(route(&["a", "b"], 2)), STREAM);
    assert!(tokio::time::timeout(secs(5), leaver).await.is_err());
    assert_eq!((sent(&relay).len(), open(&relay)), (2, 0));

    let stop = async {
        tokio::time::sleep(secs(5)).await;
        assert_eq!(open(&relay), 2);
        drain.streams.give();
    };
    let (result, ()) = tokio::join!(respond(&relay, hedged(route(&["a", "b"], 2)), STREAM), stop);

    assert_eq!(result.map(|_| ()).unwrap_err().outcome, Outcome::ShuttingDown);
    assert_eq!((sent(&relay).len(), open(&relay)), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn who_rests_is_not_asked_beside_another_and_a_loser_does_not_rest() {
    let wear_out = vec![Act::Refuse; 5];
    let losses = std::iter::repeat_n([good_after(30), good_after(1)], 6).flatten();
    let relay = relay(Script::new(wear_out.into_iter().chain(losses)));
    respond(&relay, route(&["b"], 5), STREAM).await.map(|_| ()).unwrap_err();
    let start = relay.upstream.seen.lock().unwrap().sent.len();

    for _ in 0..6 {
        let mut route = route(&["a", "b", "c"], 2);
        route.hedge = Some(Hedge { after: secs(1), spends_quota: false });
        let response = respond(&relay, route, STREAM).await.unwrap();
        assert_eq!(response.headers()["x-backstop-attempts"], "2");
        text(response).await;
    }

    let asked: String = sent(&relay)[start..].iter().map(|(model, _)| model.as_str()).collect();
    // `b` rests for two seconds; `a` loses six times, and is asked first each time.
    assert_eq!(asked, "acababababab");
}
