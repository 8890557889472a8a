//! What a client that shows progress is told, and when.

use std::pin::pin;

use serde_json::Value;

use super::*;
use crate::route::{Hedge, Notifications};

mod ends;
mod keys;
mod paths;
mod stories;

/// What went out: milliseconds since the request began, and what it was.
type Told = Vec<(u64, String)>;

/// A route whose progress goes to Open `WebUI`.
fn shown(models: &[&str], attempts: u32) -> Route {
    Route { progress: Some(ProgressMode::OpenWebui), ..route(models, attempts) }
}

/// The same without a toast.
fn quiet(route: Route) -> Route {
    let notifications = Notifications { success: false, warning: false, error: false, info: false };
    Route { notifications, ..route }
}

/// Whatever goes out.
async fn tell(relay: &Arc<Relay<Script>>, request: Request) -> Told {
    let start = Instant::now();
    let response = relay.respond(request).await.expect("a head");
    read(response, start).await
}

async fn read(response: Response<Body<Script>>, start: Instant) -> Told {
    let mut body = pin!(response.into_body());
    let mut told = Vec::new();
    while let Some(frame) = body.frame().await {
        let bytes = frame.unwrap().into_data().unwrap();
        let at = u64::try_from(start.elapsed().as_millis()).unwrap();
        let events = std::str::from_utf8(&bytes).unwrap().split_terminator("\n\n");
        told.extend(events.map(|event| (at, what(event))));
    }
    told
}

/// An event in a few words.
fn what(event: &str) -> String {
    let Some(data) = event.strip_prefix("data: ") else { return event.to_owned() };
    let Ok(value) = serde_json::from_str::<Value>(data) else { return data.to_owned() };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let delta = &value["choices"][0]["delta"];
    if value["event"].is_object() {
        assert_eq!(
            (delta, &value["id"], &value["model"]),
            (&serde_json::json!({}), &"chatcmpl-id".into(), &"r".into())
        );
    }
    let data = &value["event"]["data"];
    match value["event"]["type"].as_str() {
        Some("status") if data["done"] == true => format!("done: {}", text(&data["description"])),
        Some("status") => text(&data["description"]),
        Some("notification") => format!("{}: {}", text(&data["type"]), text(&data["content"])),
        Some(other) => panic!("{other}"),
        None if value["error"].is_object() => format!("error: {}", text(&value["error"]["message"])),
        None => match delta["reasoning_content"].as_str() {
            Some(line) => format!("reasoning: {}", line.strip_suffix("\n\n").unwrap()),
            None => format!("answer: {}", text(&delta["content"])),
        },
    }
}

fn assert_told<const N: usize>(told: &Told, expected: [(u64, &str); N]) {
    let told: Vec<_> = told.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(told, expected);
}

/// A good stream of one word.
fn hello() -> Act {
    answer([HELLO, STOP, DONE].concat())
}

const BUSY: Act = Act::Status(503, "");

#[tokio::test(start_paused = true)]
async fn nothing_is_told_when_the_first_attempt_answers() {
    for act in [hello(), Act::Late(secs(14), Box::new(hello()))] {
        let relay = relay(Script::new([act]));
        let response = respond(&relay, shown(&["a"], 60), STREAM).await.unwrap();
        assert!(response.headers().contains_key("x-backstop-model"), "the head of the answer");
        assert_eq!(text(response).await, [HELLO, STOP, DONE].concat());
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_that_hangs_is_told_in_comments() {
    let relay = relay(Script::new([Act::Late(secs(27), Box::new(hello()))]));

    let told = tell(&relay, request(shown(&["a"], 60), STREAM)).await;

    let comment = ": Attempt 1/60 in progress…";
    assert_told(
        &told,
        [
            (15_000, comment),
            (20_000, comment),
            (25_000, comment),
            (27_000, "answer: Hello"),
            (27_000, "answer: "),
            (27_000, "[DONE]"),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn five_failures_and_an_answer() {
    let mut acts = vec![BUSY; 5];
    acts.push(Act::Late(Duration::from_millis(1_500), Box::new(hello())));
    let relay = relay(Script::new(acts));
    let mut route = shown(&["deepseek/deepseek-chat"], 60);
    route.chain = paced(&["deepseek/deepseek-chat"], secs(3));

    let told = tell(&relay, request(route, STREAM)).await;

    // What is newer within a second takes the place of what is older.
    assert_told(
        &told,
        [
            (0, "Attempt 1/60 failed. Waiting 3s before next attempt"),
            (3_000, "Attempt 2/60 failed. Waiting 3s before next attempt"),
            (6_000, "Attempt 3/60 failed. Waiting 3s before next attempt"),
            (9_000, "Attempt 4/60 failed. Waiting 3s before next attempt"),
            (12_000, "Attempt 5/60 failed. Waiting 3s before next attempt"),
            (15_000, "Attempt 6/60 in progress…"),
            (16_500, "done: Response received from DeepSeek after 16s (6 attempts)"),
            (16_500, "success: Response received after 6 attempts"),
            (16_500, "answer: Hello"),
            (16_500, "answer: "),
            (16_500, "[DONE]"),
        ],
    );
}

/// A chain whose candidates have the built-in schedule with this delay.
fn paced(models: &[&str], delay: Duration) -> Chain {
    let range = |time| DelayRange::try_new(time, time).unwrap();
    let policy = Policy { attempt_delay: range(delay), burst_pause: range(secs(18)), ..Policy::default() };
    Chain::try_new(models.iter().map(|model| candidate(model, &policy)).collect()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn bursts_and_cycles_are_told_and_warned_of() {
    let mut acts = vec![BUSY; 30];
    acts.push(hello());
    let relay = relay(Script::new(acts));
    let mut route = shown(&["a"], 60);
    route.chain = paced(&["a"], Duration::from_millis(100));

    let told = tell(&relay, request(route, STREAM)).await;

    let pauses = told.iter().filter(|(_, what)| what.contains("completed") && !what.starts_with(": "));
    let pauses: Vec<_> = pauses.map(|(at, what)| (*at, what.as_str())).collect();
    let first = "Burst 1/3 completed (10/60 attempts). Waiting 18s before next burst";
    let second = "Burst 2/3 completed (20/60 attempts). Waiting 18s before next burst";
    let third = "Cycle 1/2 completed (30/60 attempts). Waiting 1m before next cycle";
    let warnings = [first, second, third].map(|line| format!("warning: {line}"));
    assert_eq!(
        pauses,
        [
            (1_000, first),
            (1_000, &warnings[0]),
            (19_900, second),
            (19_900, &warnings[1]),
            (38_800, third),
            (38_800, &warnings[2]),
        ]
    );
    // A comment every five seconds in the pauses.
    let comments = told.iter().filter(|(_, what)| *what == format!(": {third}"));
    let comments: Vec<_> = comments.map(|(at, _)| at - 38_800).collect();
    assert_eq!(comments, (1..12).map(|count| count * 5_000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn statuses_keep_their_pace_whatever_happens() {
    let mut acts = vec![BUSY; 59];
    acts.push(hello());
    let relay = relay(Script::new(acts));
    let mut route = quiet(shown(&["a"], 60));
    route.chain = paced(&["a"], Duration::from_millis(130));

    let told = tell(&relay, request(route, STREAM)).await;

    let statuses: Vec<_> =
        told.iter().filter(|(_, what)| what.starts_with(|first: char| "ABC".contains(first))).collect();
    assert!(statuses.len() > 8, "{told:?}");
    assert!(statuses.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 1_000), "{statuses:?}");
    assert!(
        !told.iter().any(|(_, what)| what.starts_with("warning") || what.starts_with("success")),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_shown_wait_is_the_wait_slept() {
    let relay = relay(Script::new([BUSY, BUSY, hello()]).with_header("retry-after", "7"));

    let told = tell(&relay, request(quiet(shown(&["a"], 60)), STREAM)).await;

    let line =
        |sent| format!("The provider asks to wait ({sent}/60 attempts). Waiting 7s before next attempt");
    let lines: Vec<_> = told.iter().filter(|(_, what)| what.starts_with("The")).cloned().collect();
    assert_eq!(lines, [(0, line(1)), (7_000, line(2))]);
    assert_eq!(sent(&relay).iter().map(|(_, at)| *at).collect::<Vec<_>>(), [0, 7, 14]);
}

#[tokio::test(start_paused = true)]
async fn a_thinking_block_has_the_same_lines() {
    let relay = relay(Script::new([BUSY, BUSY, hello()]));
    let route = Route { progress: Some(ProgressMode::Reasoning), ..route(&["gemma-3"], 3) };

    let told = tell(&relay, request(route, STREAM)).await;

    assert_told(
        &told,
        [
            (0, "reasoning: Attempt 1/3 failed. Waiting 1s before next attempt"),
            (1_000, "reasoning: Attempt 2/3 failed. Waiting 1s before next attempt"),
            (2_000, "reasoning: Response received from Google after 2s (3 attempts)"),
            (2_000, "answer: Hello"),
            (2_000, "answer: "),
            (2_000, "[DONE]"),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn who_shows_no_progress_is_told_none() {
    for progress in [ProgressMode::Off, ProgressMode::Comments] {
        let relay = relay(Script::new([BUSY, BUSY, hello()]));
        let route = Route { progress: Some(progress), ..route(&["a"], 3) };
        let response = respond(&relay, route, STREAM).await.unwrap();
        assert_eq!(text(response).await, [HELLO, STOP, DONE].concat());
    }
    let relay = relay(Script::new([BUSY, answer(COMPLETION)]));
    let response = respond(&relay, shown(&["a"], 3), WHOLE).await.unwrap();
    assert_eq!(text(response).await, COMPLETION);
}
