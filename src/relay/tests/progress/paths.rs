//! Switches to other models, hedges, answers that are resumed.

use super::*;

/// The failure of a model that is asked no more.
const GONE: Act = Act::Status(404, "");

#[tokio::test(start_paused = true)]
async fn a_quick_switch_is_not_told() {
    let quick = Act::Late(Duration::from_millis(900), Box::new(hello()));
    let relay = relay(Script::new([GONE, quick]));

    let response = respond(&relay, shown(&["a", "b"], 60), STREAM).await.unwrap();

    assert_eq!(response.headers()["x-backstop-model"], "b", "the head of the answer");
    assert_eq!(text(response).await, [HELLO, STOP, DONE].concat());
}

#[tokio::test(start_paused = true)]
async fn a_switch_is_told_once_it_has_lasted_a_second() {
    let gone = Act::Late(Duration::from_millis(200), Box::new(GONE));
    let slow = Act::Late(secs(3), Box::new(hello()));
    let relay = relay(Script::new([gone, slow]));

    let told = tell(&relay, request(shown(&["deepseek/deepseek-chat", "google/gemma-3"], 60), STREAM)).await;

    let switch = "Switched to google/gemma-3 after 1 attempt at deepseek/deepseek-chat (1/120 attempts)";
    assert_told(
        &told,
        [
            (1_200, switch),
            (
                1_200,
                "error: sim/deepseek/deepseek-chat was not found (404): check the name of the model and the base_url",
            ),
            (1_200, &format!("info: {switch}")),
            (3_200, "done: Response received from Google after 3.2s (2 attempts)"),
            (3_200, "success: Response received after 2 attempts"),
            (3_200, "answer: Hello"),
            (3_200, "answer: "),
            (3_200, "[DONE]"),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn a_switch_after_waits_is_told_at_the_pace_of_the_rest() {
    let slow = Act::Late(secs(2), Box::new(hello()));
    let relay = relay(Script::new([BUSY, BUSY, BUSY, slow]));

    let told = tell(&relay, request(shown(&["x", "y"], 3), STREAM)).await;

    let switch = "Switched to y after 3 attempts at x (3/6 attempts)";
    assert_told(
        &told,
        [
            (0, "Attempt 1/6 failed. Waiting 1s before next attempt"),
            (1_000, "Attempt 2/6 failed. Waiting 1s before next attempt"),
            (2_000, switch),
            (2_000, &format!("info: {switch}")),
            (4_000, "done: Response received from y after 4s (4 attempts)"),
            (4_000, "success: Response received after 4 attempts"),
            (4_000, "answer: Hello"),
            (4_000, "answer: "),
            (4_000, "[DONE]"),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn many_quick_switches_have_their_turns() {
    let gone = || Act::Late(Duration::from_millis(900), Box::new(GONE));
    let relay = relay(Script::new([gone(), gone(), gone(), gone(), hello()]));

    let told = tell(&relay, request(shown(&["a", "b", "c", "d", "e"], 1), STREAM)).await;

    let third = "Switched to c after 1 attempt at b (2/5 attempts)";
    let fourth = "Switched to d after 1 attempt at c (3/5 attempts)";
    let told: Vec<_> = told.iter().filter(|(_, what)| !what.starts_with("error")).cloned().collect();
    assert_told(
        &told,
        [
            (1_900, third),
            (1_900, &format!("info: {third}")),
            (2_900, fourth),
            (2_900, &format!("info: {fourth}")),
            (3_600, "done: Response received from e after 3.6s (5 attempts)"),
            (3_600, "info: Switched to e after 1 attempt at d (4/5 attempts)"),
            (3_600, "success: Response received after 5 attempts"),
            (3_600, "answer: Hello"),
            (3_600, "answer: "),
            (3_600, "[DONE]"),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn in_breadth_order_only_new_models_are_switches() {
    let relay = relay(Script::new([BUSY, BUSY, BUSY, BUSY, hello()]));
    let mut route = shown(&["a", "b"], 3);
    route.order = Order::Breadth;

    let told = tell(&relay, request(route, STREAM)).await;

    let infos: Vec<_> = told.iter().filter(|(_, what)| what.starts_with("info")).cloned().collect();
    assert_eq!(infos, [(0, "info: Switched to b after 1 attempt at a (1/6 attempts)".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_beside_the_first_is_no_switch() {
    let relay =
        relay(Script::new([Act::Late(secs(30), Box::new(hello())), Act::Late(secs(14), Box::new(hello()))]));
    let mut route = shown(&["a", "b"], 60);
    route.hedge = Some(Hedge { after: secs(3), spends_quota: false });

    let told = tell(&relay, request(route, STREAM)).await;

    // Nothing has failed, so there is nothing to tell but that somebody is still there.
    assert_told(
        &told,
        [
            (15_000, ": Attempt 2/120 in progress…"),
            (17_000, "answer: Hello"),
            (17_000, "answer: "),
            (17_000, "[DONE]"),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_under_way_one_fails_and_the_other_answers() {
    let relay =
        relay(Script::new([Act::Late(secs(5), Box::new(BUSY)), Act::Late(secs(14), Box::new(hello()))]));
    let mut route = shown(&["a", "b"], 60);
    route.hedge = Some(Hedge { after: secs(3), spends_quota: false });

    let told = tell(&relay, request(route, STREAM)).await;

    assert_told(
        &told,
        [
            (15_000, ": Attempt 2/120 in progress…"),
            (17_000, "done: Response received from b after 17s (2 attempts)"),
            (17_000, "success: Response received after 2 attempts"),
            (17_000, "answer: Hello"),
            (17_000, "answer: "),
            (17_000, "[DONE]"),
        ],
    );
}

const ASK: &str = r#"{"model":"r","stream":true,"messages":[{"role":"user","content":"Hello"}]}"#;

/// The same answer, cut after its first word.
fn cut() -> Act {
    Act::Answer(vec![text_part(HELLO), Part::Fail])
}

fn resuming(attempts: u32) -> Request {
    let route = Route { on_break: OnBreak::Resume, ..shown(&["a", "gemini-3"], attempts) };
    request(route, ASK)
}

#[tokio::test(start_paused = true)]
async fn a_search_for_somebody_who_goes_on_is_told() {
    let late = Act::Late(secs(2), Box::new(hello()));
    let relay = relay(Script::new([cut(), BUSY, late]));

    let told = tell(&relay, resuming(2)).await;

    assert_told(
        &told,
        [
            (0, "answer: Hello"),
            (0, "Attempt 2/4 failed. Waiting 1s before next attempt"),
            (0, "info: Switched to gemini-3 after 1 attempt at a (1/4 attempts)"),
            (1_000, "Attempt 3/4 in progress…"),
            (3_000, "done: Response continued by Google after 3s (2 attempts)"),
            (3_000, "success: Response continued after 2 attempts"),
            (3_000, "answer: "),
            (3_000, "[DONE]"),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn no_thinking_block_cuts_an_answer_in_two() {
    let late = Act::Late(secs(3), Box::new(hello()));
    let relay = relay(Script::new([cut(), BUSY, BUSY, BUSY, late]));
    let mut request = resuming(4);
    request.progress = ProgressMode::Reasoning;

    let told = tell(&relay, request).await;

    assert_told(
        &told,
        [(0, "answer: Hello"), (5_000, ": Attempt 5/8 in progress…"), (6_000, "answer: "), (6_000, "[DONE]")],
    );
}

#[tokio::test(start_paused = true)]
async fn somebody_who_goes_on_at_once_is_not_told() {
    let relay = relay(Script::new([cut(), hello()]));

    let told = tell(&relay, resuming(2)).await;

    assert_told(&told, [(0, "answer: Hello"), (0, "answer: "), (0, "[DONE]")]);
}

#[tokio::test(start_paused = true)]
async fn nobody_who_goes_on_is_told_and_the_line_is_closed() {
    let relay = relay(Script::new([cut(), BUSY, BUSY, BUSY]));

    let told = tell(&relay, resuming(2)).await;

    let error = "The answer broke off: the body was cut, and no other model could go on. Ask again to get a whole one.";
    let last = &told[told.len() - 3..].to_vec();
    assert_told(
        last,
        [
            (last[0].0, "done: Nobody went on with the answer, after 3 attempts in 2s"),
            (last[0].0, &format!("error: {error}")),
            (last[0].0, "[DONE]"),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_has_no_line_to_close() {
    let relay = relay(Script::new([BUSY, cut()]));

    let told = tell(&relay, request(quiet(shown(&["a"], 2)), STREAM)).await;

    assert_told(
        &told,
        [
            (0, "Attempt 1/2 failed. Waiting 1s before next attempt"),
            (1_000, "done: Response received from a after 1s (2 attempts)"),
            (1_000, "answer: Hello"),
            (1_000, "error: The answer broke off: the body was cut. Ask again to get a whole one."),
            (1_000, "[DONE]"),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_others_may_cut_short_says_so() {
    for (status, expected) in [
        (429, "Attempt 1/2 failed. Waiting up to 1s before next attempt"),
        (503, "Attempt 1/2 failed. Waiting 1s before next attempt"),
    ] {
        let relay = relay(Script::new([Act::Status(status, ""), hello()]));

        let told = tell(&relay, request(shown(&["a"], 2), STREAM)).await;

        assert_eq!(told[0], (0, expected.to_owned()), "{told:?}");
    }
}
