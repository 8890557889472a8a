//! Everything that the retry pipe did which people installed inside Open WebUI: each line of its list of
//! features and of its settings, and the test that holds Backstop to it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use backstop::config::{self, Environment, Loaded, Overrides, Source, presets};
use backstop::retry::Policy;
use backstop::sim::{Act, Provider, Script};

use crate::support::{Call, Log, Program, proxy, route, soon};

/// Where a line is held.
#[derive(Debug, Clone, Copy)]
enum Held {
    /// By a test of this program: its path from the topic on.
    By(&'static str),
    /// By what a page of the real Open WebUI shows: a scenario of `tests/e2e/open_webui.sh`.
    OnThePage(&'static str),
}

use Held::{By, OnThePage};

/// What the pipe did, and who holds Backstop to it.
const LINES: &[(&str, &[Held])] = &[
    // Its features.
    ("bursts of quick attempts", &[By("pipe_parity::the_defaults_are_those_of_the_pipe")]),
    ("longer pauses between bursts and cycles", &[By("pipe_parity::the_defaults_are_those_of_the_pipe")]),
    ("cycles and bursts can be set", &[By("pipe_parity::every_setting_has_a_key_with_the_same_range")]),
    (
        "what may pass is tried again, what is permanent is not",
        &[By("pipe_parity::what_may_pass_is_tried_again_and_what_is_permanent_is_not")],
    ),
    (
        "each attempt shows in the chat",
        &[
            OnThePage("sixth-attempt"),
            By("progress::each_client_gets_its_own_progress_and_all_the_same_answer"),
        ],
    ),
    (
        "toasts in four colours",
        &[OnThePage("sixth-attempt"), By("progress::toasts_are_switched_for_all_and_for_a_route")],
    ),
    (
        "a summary of all attempts, with times and errors",
        &[By("pipe_parity::the_whole_story_is_in_the_error_and_in_the_log")],
    ),
    (
        "the answer is not touched by any of it",
        &[
            OnThePage("plain-answer"),
            By("progress::each_client_gets_its_own_progress_and_all_the_same_answer"),
        ],
    ),
    ("each user has settings of their own", &[By("users::whose_key_is_sent_is_the_routes_to_say")]),
    ("its behaviour is configured", &[By("pipe_parity::every_setting_has_a_key_with_the_same_range")]),
    ("notifications can be switched off", &[By("progress::toasts_are_switched_for_all_and_for_a_route")]),
    ("the line names who answered", &[OnThePage("sixth-attempt")]),
    ("nobody is held up while somebody waits", &[By("load::all_streams_complete_and_nothing_stays_behind")]),
    ("no attempt suffers from the one before", &[By("pipe_parity::no_attempt_suffers_from_the_one_before")]),
    (
        "nothing stays behind",
        &[By("load::all_streams_complete_and_nothing_stays_behind"), By("cancel::in_a_pause")],
    ),
    ("answers stream", &[By("pipe_parity::a_retried_answer_streams")]),
    // How it is used.
    ("nothing but a base URL is needed", &[OnThePage("plain-answer")]),
    (
        "only free models, with a prefix and a suffix",
        &[
            By("discovery::free_is_by_name_or_by_price_and_the_names_are_those_of_the_pipe"),
            OnThePage("model-list"),
        ],
    ),
    ("warnings at the turns of bursts and cycles", &[OnThePage("sixth-attempt")]),
    ("an error when all has failed", &[OnThePage("total-failure")]),
    ("a line in the log for each attempt, with the user", &[By("pipe_parity::the_log_reads_like_the_pipes")]),
    (
        "tool calls (for which the pipe had no answer)",
        &[OnThePage("tool-call"), By("tool_calls::streamed_calls_arrive_as_they_are_from_the_fallback")],
    ),
    // Where it fell short.
    ("5xx are tried again", &[By("pipe_parity::what_may_pass_is_tried_again_and_what_is_permanent_is_not")]),
    ("Retry-After is honoured", &[By("schedule::every_way_to_wish_is_a_floor")]),
    ("the shown wait is the real wait", &[By("pipe_parity::the_shown_wait_is_the_wait")]),
];

/// A setting of the pipe: its name, the key of a policy that stands for it, its default, and the range it had.
const SETTINGS: [(&str, &str, &str, &str, &str); 8] = [
    ("attempts_per_burst", "attempts_per_burst", "10", "1", "50"),
    ("attempt_delay_min", "attempt_delay", "2", "0.1", "10"),
    ("attempt_delay_max", "attempt_delay", "4", "0.1", "10"),
    ("bursts_before_long_pause", "bursts_per_cycle", "3", "1", "10"),
    ("burst_pause_min", "burst_pause", "15", "1", "300"),
    ("burst_pause_max", "burst_pause", "30", "1", "300"),
    ("cycles", "cycles", "2", "1", "5"),
    ("long_pause", "cycle_pause", "60", "10", "600"),
];

/// Its other settings, and the key that stands for each.
const OTHER_SETTINGS: [(&str, &str); 5] = [
    ("NAME_PREFIX", "prefix"),
    ("OPENROUTER_API_BASE_URL", "base_url"),
    ("OPENROUTER_API_KEY", "api_key"),
    ("ENABLE_NOTIFICATIONS", "notifications"),
    ("ENABLE_IN_CHAT_ERRORS", "progress"),
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// The source of a topic: its file and those of its folder.
fn topic(name: &str) -> String {
    let mut text = read(&format!("tests/it/{name}.rs"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(name);
    for entry in fs::read_dir(folder).into_iter().flatten() {
        text += &fs::read_to_string(entry.expect("an entry").path()).expect("a file");
    }
    text
}

fn load(text: &str) -> Loaded {
    let source = Source::Text { name: "test.toml".to_owned(), text: text.to_owned() };
    let loaded = config::load(&source, &Environment::new(), &Overrides::default());
    loaded.unwrap_or_else(|faults| panic!("{text}\n{faults}"))
}

#[test]
fn every_line_is_held_by_a_test_that_is_there() {
    let scenarios = read("tests/e2e/open_webui/scenarios.mjs");
    for (line, held) in LINES {
        for held in *held {
            let is_there = match held {
                By(path) => {
                    let (name, test) = path.split_once("::").expect("a topic and a test");
                    let source = topic(name);
                    source.contains(&format!("fn {test}(")) || source.contains(&format!("mod {test}"))
                }
                OnThePage(scenario) => scenarios.contains(&format!("async \"{scenario}\"(")),
            };
            assert!(is_there, "{line}: nothing of the name {held:?}");
        }
    }
}

#[test]
fn the_defaults_are_those_of_the_pipe() {
    let policy = Policy::default();
    let seconds = |time: Duration| time.as_secs().to_string();
    let number = |name: &str| match name {
        "attempts_per_burst" => policy.attempts_per_burst.to_string(),
        "attempt_delay_min" => seconds(policy.attempt_delay.min()),
        "attempt_delay_max" => seconds(policy.attempt_delay.max()),
        "bursts_before_long_pause" => policy.bursts_per_cycle.to_string(),
        "burst_pause_min" => seconds(policy.burst_pause.min()),
        "burst_pause_max" => seconds(policy.burst_pause.max()),
        "cycles" => policy.cycles.to_string(),
        "long_pause" => seconds(policy.cycle_pause.max()),
        other => panic!("{other}"),
    };
    for (name, _, default, ..) in SETTINGS {
        assert_eq!(number(name), default, "{name}");
    }
    assert_eq!(policy.attempts(), 60);
    let openrouter = presets::Preset::find("openrouter").expect("it is known");
    assert_eq!(
        (openrouter.base_url, openrouter.key_variable),
        ("https://openrouter.ai/api/v1", Some("OPENROUTER_API_KEY"))
    );
    let notifications = backstop::route::Notifications::default();
    assert!(notifications.success && notifications.warning && notifications.error && notifications.info);
}

#[test]
fn every_setting_has_a_key_with_the_same_range() {
    let example = read("config/example.toml");
    for (name, key, default, least, most) in SETTINGS {
        for value in [default, least, most] {
            let value = if name.contains("min")
                || name.contains("max")
                || name.contains("pause") && !name.contains("before")
            {
                format!("\"{value}s\"")
            } else {
                value.to_owned()
            };
            let value = value.replace("0.1s", "100ms");
            load(&format!("[retry]\n{key} = {value}\n"));
        }
    }
    for (name, key) in OTHER_SETTINGS {
        assert!(example.contains(key), "{name}: {key}");
    }
}

#[test]
fn the_readme_says_which_key_stands_for_which_setting() {
    let readme = read("README.md");
    let settings = SETTINGS.iter().map(|(name, key, ..)| (*name, *key)).chain(OTHER_SETTINGS);
    for (name, key) in settings {
        let name = name.trim_end_matches("_min").trim_end_matches("_max");
        let row = readme.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{name}")));
        let row = row.unwrap_or_else(|| panic!("no row for {name}"));
        assert!(row.contains(key), "{row} does not name {key}");
    }
}

/// One burst of four attempts, a moment apart.
const BRISK: &str =
    "retry = { attempts_per_burst = 4, bursts_per_cycle = 1, cycles = 1, attempt_delay = \"20ms\" }\n";

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_is_permanent_is_not() {
    for (act, attempts) in [
        (Act::status(429), 3),
        (Act::status(500), 3),
        (Act::status(502), 3),
        (Act::status(529), 3),
        (Act::reset(), 3),
        (Act::close(), 3),
        (Act::answer("a").cut_after(1), 3),
        (Act::status(400), 1),
        (Act::status(401), 1),
        (Act::status(404), 1),
        (Act::status(422), 1),
    ] {
        let script = Script::sequence([act.clone(), act.clone(), Act::answer("Hello")]);
        let provider = Provider::start(script).unwrap();
        let proxy = proxy(&route([provider.base_url()], BRISK)).await;

        let answer = Call::whole("r").send(proxy.address).await;

        assert_eq!(provider.count(), attempts, "{act:?}");
        assert_eq!(answer.status == 200, attempts == 3, "{act:?}");
    }
}

#[tokio::test]
async fn a_retried_answer_streams() {
    let script = Script::sequence([Act::status(503), Act::tokens(5).pace(Duration::from_millis(30))]);
    let provider = Provider::start(script).unwrap();
    let proxy = proxy(&route([provider.base_url()], BRISK)).await;

    let mut answer = Call::stream("r").send(proxy.address).await;

    let (first, second) = (answer.frame().await.unwrap(), answer.frame().await.unwrap());
    assert!(second.at > first.at, "piece by piece");
    assert!(answer.text().await.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn no_attempt_suffers_from_the_one_before() {
    // What a provider cuts, resets or goes on saying must not reach the next attempt.
    for spoilt in [
        Act::answer("a").cut_bytes(40),
        Act::reset(),
        Act::raw("HTTP/1.1 500 no\r\ncontent-length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n"),
    ] {
        let provider = Provider::start(Script::sequence([spoilt.clone(), Act::answer("Hello")])).unwrap();
        let proxy = proxy(&route([provider.base_url()], BRISK)).await;

        let mut answer = Call::whole("r").send(proxy.address).await;

        assert!(answer.text().await.contains("Hello"), "{spoilt:?}");
        let connections = provider.requests().iter().map(|request| request.connection).collect::<Vec<_>>();
        assert_eq!(connections, [0, 1], "{spoilt:?}");
    }
}

#[tokio::test]
async fn the_whole_story_is_in_the_error_and_in_the_log() {
    let log = Log::begin();
    let provider = Provider::start(Act::status(503).error("too busy", 503)).unwrap();
    let proxy = proxy(&route([provider.base_url()], BRISK)).await;

    let mut answer = Call::post("/open-webui/v1/chat/completions", r#"{"model":"r","messages":[]}"#)
        .send(proxy.address)
        .await;

    let error = answer.json().await["error"].clone();
    let message = error["message"].as_str().expect("a sentence");
    assert!(message.starts_with("No model answered after 4 attempts in "), "{message}");
    assert!(message.ends_with(": overloaded (503). Try again in a moment."), "{message}");
    let attempts = error["metadata"]["attempts"].as_array().expect("a list");
    assert_eq!(attempts.len(), 4);
    for (attempt, number) in attempts.iter().zip(1..) {
        assert_eq!(
            (&attempt["number"], &attempt["status"], &attempt["reason"]),
            (&number.into(), &503.into(), &"too busy".into())
        );
        assert!(attempt["waited"].is_f64(), "{attempt}");
    }
    assert_eq!(log.saying("ERROR: 503 - too busy").len(), 4);
}

#[tokio::test]
async fn the_shown_wait_is_the_wait() {
    let script = Script::sequence([Act::status(503), Act::answer("Hello")]);
    let provider = Provider::start(script).unwrap();
    let policy =
        "retry = { attempts_per_burst = 1, bursts_per_cycle = 2, cycles = 1, burst_pause = \"1s..3s\" }\n";
    let proxy = proxy(&route([provider.base_url()], policy)).await;
    let body = r#"{"model":"r","stream":true,"messages":[]}"#;

    let mut answer = Call::post("/open-webui/v1/chat/completions", body).send(proxy.address).await;
    let shown: serde_json::Value = serde_json::from_str(&answer.data().await.expect("a status")).unwrap();
    soon("second attempt", provider.wait_for(2)).await;

    let line = shown["event"]["data"]["description"].as_str().expect("a line").to_owned();
    let wait = line.strip_prefix("Burst 1/2 completed (1/2 attempts). Waiting ").expect("the pipe's words");
    let wait: f64 = wait.strip_suffix("s before next burst").and_then(|wait| wait.parse().ok()).expect(&line);
    let requests = provider.requests();
    let waited = (requests[1].at - requests[0].at).as_secs_f64();
    assert!(waited > wait - 0.1, "{line}: {waited}");
    assert!(waited < wait + 0.5, "{line}: {waited}");
}

#[tokio::test]
async fn the_log_reads_like_the_pipes() {
    let script = Script::sequence([Act::status(429), Act::answer("Hello")]);
    let provider = Provider::start(script).unwrap();
    let config = format!(
        "[server]\ntrust_user_headers = true\n[providers.openrouter]\nbase_url = \"{}\"\n\
         [routes.r]\nchain = [\"openrouter/deepseek/deepseek-chat-v3-0324:free\"]\n{BRISK}",
        provider.base_url()
    );
    let mut program = Program::serve(Some(&config), &[]).await;
    let call = Call::whole("r").header("x-openwebui-user-name", "John").header("x-openwebui-user-id", "7");

    call.send(program.address).await.text().await;

    for line in [
        "John:deepseek/deepseek-chat-v3-0324:free - Attempt 1/4: ERROR: 429",
        "John:deepseek/deepseek-chat-v3-0324:free - Attempt 2/4 (0m00s): SUCCESS",
    ] {
        program.line(line).await;
    }
}
