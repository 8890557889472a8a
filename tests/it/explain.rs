//! `backstop explain`, as a person runs it. The timelines stand under `tests/fixtures/explain`.
//!
//! `UPDATE_FIXTURES=1` writes what it prints now; read the difference before you keep it.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/explain").join(name)
}

/// Runs it with the routes of the fixtures; the words are its arguments.
fn explain(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
    command.env_clear().env("OPENROUTER_API_KEY", "sk-or-fixture-1").env("NVIDIA_API_KEY", "nvapi-fixture-2");
    command.arg("explain").args(arguments.split_whitespace()).arg("--config").arg(fixture("routes.toml"));
    command.output().unwrap()
}

/// What it prints for `arguments`, which it must like.
fn shown(arguments: &str) -> String {
    let output = explain(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Its complaint about `arguments`.
fn complaint(arguments: &str) -> String {
    let output = explain(arguments);
    assert_eq!((output.status.code(), output.stdout), (Some(64), Vec::new()), "{arguments}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn timelines_are_as_they_stand_there() {
    for (name, arguments) in [
        ("depth.txt", "smallfast --fail openrouter=429x12,llama=refuse --seed 7"),
        ("breadth.txt", "fullfat --fail nvidia=429@20sx2+hang,openrouter=401,llama=503x4 --seed 7"),
        ("alone.txt", "llama/any --fail llama=hang --seed 7"),
        ("down.txt", "fullfat --seed 7"),
        ("task.txt", "cases --task --fail llama=429x1,openrouter=503 --seed 7"),
    ] {
        let shown = shown(arguments);
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::write(fixture(name), &shown).unwrap();
        }
        assert_eq!(shown, std::fs::read_to_string(fixture(name)).unwrap(), "{name}: {arguments}");
    }
}

#[test]
fn the_readme_shows_what_it_prints() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, section) = readme.split_once("\n### Explain\n").unwrap();
    let command = section.lines().find_map(|line| line.strip_prefix("backstop explain ")).unwrap();
    let (_, rest) = section.split_once("```text\n").unwrap();
    let (expected, _) = rest.split_once("```").unwrap();

    assert_eq!(shown(&command.replace('\'', "")), expected);
}

#[test]
fn a_case_is_chosen_as_for_a_request() {
    for (arguments, said, model) in [
        ("", "no case fits, so that the route's own chain is taken", "nvidia/own"),
        ("--has images,tools", "case 1, a request with images", "openrouter/sees"),
        (
            "--has images --task",
            "a task, which is tried briefly; case 1, a request with images",
            "openrouter/sees",
        ),
        ("--task", "a task, which is tried briefly; case 2, a task", "llama/tiny"),
        ("--when 2", "a task, which is tried briefly; case 2, a task", "llama/tiny"),
        ("--tokens 1000", "no case fits, so that the route's own chain is taken", "nvidia/own"),
        (
            "--tokens 1000 --user Anna@example.org",
            "case 3, a request with 1000 tokens or more from anna@example.org",
            "openrouter/long",
        ),
    ] {
        let shown = shown(&format!("cases {arguments}"));
        let mut lines = shown.lines();
        assert_eq!(lines.next(), Some(said), "{arguments}");
        assert!(lines.nth(1).is_some_and(|line| line.contains(model)), "{shown}");
    }
}

#[test]
fn a_seed_that_is_printed_draws_the_same_again() {
    let drawn = shown("smallfast");
    let (_, rest) = drawn.split_once("\nseed ").unwrap();
    let (seed, _) = rest.split_once(';').unwrap();

    assert_eq!(shown(&format!("smallfast --seed {seed}")), drawn);
}

#[test]
fn minutes_take_no_time_and_very_many_attempts_few_lines() {
    let start = Instant::now();
    let shown = shown("long");

    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(shown.lines().count() < 200, "{} lines", shown.lines().count());
    assert!(shown.contains(" attempts more …\n"), "{shown}");
    assert!(!shown.contains("sk-or-fixture"), "{shown}");
}

#[test]
fn what_a_list_would_say_is_left_out_and_told() {
    let shown = shown("lists");

    assert!(
        shown.starts_with("route lists: depth order, at most 2 attempts within 9m\n  1. llama/gemma-3-4b-it"),
        "{shown}"
    );
    assert!(
        shown.contains("  not known without asking, and left out: up to 3 free models of openrouter\n"),
        "{shown}"
    );
    assert_eq!(
        complaint("unknown"),
        "error: nobody in the chain of `unknown` is known without asking for a list: all models of openrouter\n\
         hint: explain a model of that list, as `provider/model`\n"
    );
}

#[test]
fn a_model_of_a_list_is_played_though_no_other_can_be_asked_for() {
    let config = fixture("offers.toml");
    let explain = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
        let output =
            command.arg("explain").args(["--config".as_ref(), config.as_os_str()]).args(arguments).output();
        String::from_utf8(output.expect("it runs").stdout).expect("text")
    };

    let listed = explain(&["openrouter/some/model:free"]);
    assert!(listed.contains("  1. openrouter/some/model:free: 503 for ever\n"), "{listed}");
    assert_eq!(explain(&["nvidia/other"]), "", "no list offers it");
    let his = explain(&["own", "--user", "JÜRGEN@example.org"]);
    assert!(his.starts_with("case 1, a request from jürgen@example.org\n"), "{his}");
}

#[test]
fn mistakes_say_what_is_there() {
    for (arguments, expected) in [
        ("smalfast", "error: no route or provider answers to `smalfast`\nhint: did you mean `smallfast`?\n"),
        ("nvida/x", "error: no route or provider answers to `nvida/x`\nhint: did you mean `nvidia/x`?\n"),
        (
            "gpt-4o",
            "error: no route or provider answers to `gpt-4o`\nhint: there are `smallfast`, `fullfat`, `long`, `lists`, `unknown`, `cases`\n",
        ),
        (
            "smallfast --fail openrouter=429,lama=hang",
            "error: `--fail`: nobody in this route is called `lama`\n  openrouter=429,lama=hang\n                 ^^^^\n\
             hint: did you mean `llama`?\n",
        ),
        ("cases --has imags", "error: no request has `imags`\nhint: did you mean `images`?\n"),
        ("long --when 1", "error: route `long` has no case 1\nhint: it has a single chain\n"),
        (
            "cases --when 4",
            "error: route `cases` has no case 4\nhint: 1: a request with images; 2: a task; \
             3: a request with 1000 tokens or more from anna@example.org\n",
        ),
    ] {
        assert_eq!(complaint(arguments), expected);
    }
}
