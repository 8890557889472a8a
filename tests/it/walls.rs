//! The walls between the rooms, as the architecture in `src/lib.rs` draws them, held against the source.
//!
//! Each rule is a function from source files to complaints, so that a test can also show it a file which
//! breaks it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

mod homes;
mod source;

use source::Source;

/// Fails with what `rule` finds in the source, or if it does not find anything wrong with a file of this
/// path and text.
#[track_caller]
fn hold(rule: impl Fn(&[Source]) -> Vec<String>, broken: &[(&str, &str)]) {
    let complaints = rule(&source::all());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for (path, text) in broken {
        let found = rule(&[Source::new(path, text)]);
        assert_eq!(found.len(), 1, "the rule does not see what is wrong with {path}: `{text}`: {found:?}");
    }
}

/// One complaint for each file in which `wrong` finds something.
fn each<'s>(sources: &'s [Source], wrong: impl Fn(&'s Source) -> Option<String>) -> Vec<String> {
    sources.iter().filter_map(|source| Some(format!("{}: {}", source.path, wrong(source)?))).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// The level of every room, out of the table in `src/lib.rs`; the program itself is above all of them.
fn levels() -> BTreeMap<String, u8> {
    let mut levels = BTreeMap::from([("main".to_owned(), u8::MAX), ("lib".to_owned(), u8::MAX)]);
    for line in read("src/lib.rs").lines() {
        let cells: Vec<&str> = line.trim_start_matches("//!").split('|').map(str::trim).collect();
        if let ["", level, rooms, ..] = cells[..]
            && let Ok(level) = level.parse()
        {
            let names = rooms.split('`').skip(1).step_by(2);
            levels.extend(names.map(|name| (name.to_owned(), level)));
        }
    }
    assert!(levels.len() >= 14, "{levels:?}");
    levels
}

/// The rooms that a file names, its own among them.
fn rooms_named(source: &Source) -> Vec<String> {
    let of_crate = |path: &String| {
        let mut parts = path.split("::");
        matches!(parts.next(), Some("crate" | "backstop")).then(|| parts.next().map(str::to_owned)).flatten()
    };
    source.paths().iter().filter_map(of_crate).collect()
}

#[test]
fn every_room_stands_in_the_table() {
    let levels = levels();
    for source in source::all() {
        assert!(
            levels.contains_key(source.room()),
            "{} is in no row of the table in src/lib.rs",
            source.path
        );
    }
    let lib = read("src/lib.rs");
    for room in levels.keys().filter(|room| !["main", "lib"].contains(&room.as_str())) {
        assert!(lib.contains(&format!("pub mod {room};")), "the table names `{room}`, which is no module");
    }
}

#[test]
fn imports_point_down() {
    let levels = levels();
    let rule = |sources: &[Source]| {
        each(sources, |source| {
            let own = levels[source.room()];
            let above = |room: &String| levels.get(room).is_some_and(|level| *level > own);
            rooms_named(source).into_iter().find(above).map(|room| format!("`{room}` is above it"))
        })
    };
    hold(
        rule,
        &[
            ("src/relay/peek.rs", "use crate::server::error;"),
            ("src/retry.rs", "use std::fmt;\nfn f() -> crate::config::Secrets { todo!() }"),
            ("src/route.rs", "use crate::{retry::Policy, upstream::{Call, Upstream}};"),
            ("src/config.rs", "use crate::relay;"),
            ("src/app.rs", "use crate::cli::Cli;"),
        ],
    );
    let fine = "//! Not [`crate::server`].\nuse crate::retry::Fault; // crate::server\n\
                const WORD: &str = \"crate::server\";\n#[cfg(test)]\nmod tests { use crate::server; }\n";
    assert_eq!(rule(&[Source::new("src/relay/peek.rs", fine)]), [""; 0]);
}

#[test]
fn nobody_climbs_out_of_a_room() {
    let rule = |sources: &[Source]| {
        each(sources, |source| {
            let depth = source.path.matches('/').count();
            let climbs =
                |path: &String| path.split("::").take_while(|part| *part == "super").count() >= depth;
            source.paths().into_iter().find(climbs).map(|path| format!("`{path}` leaves its room"))
        })
    };
    hold(
        rule,
        &[
            ("src/relay.rs", "use super::server;"),
            ("src/relay/peek.rs", "use super::super::server;"),
            ("src/config/validate/route.rs", "fn f() { super::super::super::relay::run() }"),
        ],
    );
}

#[test]
fn level_0_is_pure() {
    const CRATES: [&str; 12] = [
        "std",
        "core",
        "http",
        "bytes",
        "serde",
        "serde_json",
        "memchr",
        "rand",
        "strsim",
        "httpdate",
        "thiserror",
        "jiff",
    ];
    const BANNED: [&str; 15] = [
        "tokio",
        "tracing",
        "futures",
        "Instant::now",
        "SystemTime::now",
        "Timestamp::now",
        "Zoned::now",
        "rand::rng",
        "rand::random",
        "rand::make_rng",
        "thread_rng",
        "std::net",
        "std::fs",
        "std::env",
        "std::thread",
    ];
    let levels = levels();
    let rule = |sources: &[Source]| {
        let pure: Vec<Source> = sources.iter().filter(|source| levels[source.room()] == 0).cloned().collect();
        each(&pure, |source| {
            let paths = source.paths();
            let banned = |path: &&String| {
                let path = format!("::{path}::");
                BANNED.iter().any(|word| path.contains(&format!("::{word}::")))
                    || ["::async::", "::await::"].contains(&path.as_str())
            };
            let foreign = || {
                let imported = source.code.lines().filter_map(|line| line.trim().strip_prefix("use "));
                let mut crates = imported.filter_map(|path| path.split("::").next());
                // Names in scope and our own modules are no crates.
                crates.find(|name| {
                    !CRATES.contains(name)
                        && !["crate", "self", "super"].contains(name)
                        && !source.code.contains(&format!("mod {name};"))
                })
            };
            let found = paths.iter().find(banned).map(String::as_str).or_else(foreign);
            found.map(|found| format!("level 0 has no `{found}`"))
        })
    };
    hold(
        rule,
        &[
            ("src/retry/schedule.rs", "use std::time::Instant;\nfn f() { let now = Instant::now(); }"),
            ("src/retry.rs", "fn f() { let now = std::time::SystemTime::now(); }"),
            ("src/route.rs", "async fn f() {}"),
            ("src/route.rs", "fn f() { g().await }"),
            ("src/openai/sse.rs", "use tokio::time::{sleep, Duration};"),
            ("src/openai.rs", "fn f() { tracing::info!(1); }"),
            ("src/retry/schedule.rs", "fn f() -> u64 { rand::random() }"),
            ("src/retry/schedule.rs", "use rand::{SeedableRng, rng};"),
            ("src/openai/models.rs", "use std::{fmt, fs};"),
            ("src/retry/classify.rs", "use regex::Regex;"),
        ],
    );
}

#[test]
fn rooms_do_not_name_what_is_behind_the_next_wall() {
    let rule = |sources: &[Source]| {
        each(sources, |source| {
            let not_for: &[&str] = match source.room() {
                "relay" => &["axum", "hyper", "hyper_util", "reqwest", "crate::upstream::client"],
                "server" => &["hyper::client", "hyper_util::client", "reqwest", "crate::upstream::client"],
                "config" => &["axum", "hyper", "tokio", "crate::upstream"],
                "upstream" | "sim" => &["axum"],
                _ => &[],
            };
            not_for.iter().find(|word| source.names(word)).map(|word| format!("`{word}` is not for it"))
        })
    };
    hold(
        rule,
        &[
            ("src/relay/body.rs", "use axum::body::Body;"),
            ("src/relay/body.rs", "type B = hyper::body::Incoming;"),
            ("src/server/chat.rs", "use hyper::{body::Incoming, client::conn::http1};"),
            ("src/server/chat.rs", "use crate::upstream::client::Client;"),
            ("src/config/report.rs", "use tokio::fs;"),
            ("src/sim/perform.rs", "use axum::Router;"),
        ],
    );
}

#[test]
fn the_simulated_provider_knows_no_other_room() {
    let rule = |sources: &[Source]| {
        each(sources, |source| {
            let other = |room: &String| source.room() == "sim" && room != "sim";
            rooms_named(source).into_iter().find(other).map(|room| format!("it knows `{room}`"))
        })
    };
    hold(rule, &[("src/sim/act.rs", "use crate::sim::Script;\nuse crate::openai::sse;")]);
}

#[test]
fn files_are_short_and_never_called_mod() {
    const LONGEST: usize = 350;
    let rule = |sources: &[Source]| {
        each(sources, |source| {
            if source.path.ends_with("/mod.rs") {
                return Some("it is called after the folder that it would stand in".to_owned());
            }
            let lines = source.lines();
            (lines > LONGEST).then(|| format!("{lines} lines, tests not counted"))
        })
    };
    let long = "fn f() {}\n".repeat(LONGEST + 1);
    hold(rule, &[("src/relay/mod.rs", ""), ("src/relay.rs", &long)]);
    let tests = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
    assert_eq!(rule(&[Source::new("src/relay.rs", &tests)]), [""; 0]);
}
