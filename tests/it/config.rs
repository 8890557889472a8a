//! Every configuration under `tests/fixtures/config` beside what `backstop check` prints about it.
//!
//! `UPDATE_FIXTURES=1` writes what it prints now; read the difference before you keep it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use backstop::cli::{CheckArgs, check};
use backstop::config::{self, Environment};

/// What the fixtures find in their environment. The values are looked for in the output.
const SECRETS: [(&str, &str); 4] = [
    ("OPENROUTER_API_KEY", "sk-or-fixture-1"),
    ("NVIDIA_API_KEY", "nvapi-fixture-2"),
    ("FIXTURE_TOKEN", "fixture-token-3"),
    ("BACKSTOP_PROVIDERS__FROM_ENVIRONMENT__API_KEY", "fixture-overlay-4"),
];

/// What is a secret inside the fixtures' own text begins with this.
const LITERAL_SECRET: &str = "literal-secret";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fixtures() -> Vec<PathBuf> {
    let directory = root().join("tests/fixtures/config");
    let entries = fs::read_dir(directory).expect("the fixtures").map(|entry| entry.expect("an entry").path());
    let mut fixtures: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "toml")).collect();
    fixtures.sort();
    fixtures
}

/// What `check` prints with the fixtures' environment, and its exit code. A first line
/// `# env NAME=value` adds a variable.
fn checked(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a file");
    let set = text.lines().filter_map(|line| line.strip_prefix("# env ")?.split_once('='));
    let mut environment: Environment =
        set.chain(SECRETS).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if !text.contains("from_environment") {
        environment.remove(SECRETS[3].0);
    }
    let (output, code) = check(&CheckArgs { file: Some(path.to_owned()), config: None }, &environment);
    let directory = path.parent().expect("a directory").to_string_lossy().into_owned();
    format!("{}\nexit {code}\n", output.replace(&format!("{directory}/"), ""))
}

#[test]
fn fixtures_print_what_they_say() {
    let update = std::env::var_os("UPDATE_FIXTURES").is_some();
    let mut wrong = Vec::new();
    for path in fixtures() {
        let printed = checked(&path);
        let expected = path.with_extension("txt");
        if update {
            fs::write(&expected, &printed).expect("a writable fixture");
        }
        if fs::read_to_string(&expected).ok().as_ref() != Some(&printed) {
            wrong.push(format!("--- {}\n{printed}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "these differ from the .txt beside them:\n{}", wrong.join("\n"));
}

#[test]
fn no_secret_is_printed() {
    for path in fixtures() {
        let printed = checked(&path);
        let hits = SECRETS.iter().filter(|(_, secret)| printed.contains(secret));
        assert_eq!(hits.count(), 0, "{}", path.display());
        assert!(!printed.contains(LITERAL_SECRET), "{}:\n{printed}", path.display());
    }
}

#[test]
fn the_example_is_valid_and_complete() {
    let path = root().join("config/example.toml");
    let environment =
        SECRETS[..2].iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let (output, code) = check(&CheckArgs { file: Some(path.clone()), config: None }, &environment);
    assert_eq!(code, 0, "{output}");

    let schema: serde_json::Value = serde_json::from_str(config::schema()).expect("JSON");
    let mut keys = BTreeSet::new();
    collect_keys(&schema, &mut keys);
    let text = fs::read_to_string(path).expect("the example");
    let missing: Vec<_> = keys.iter().filter(|key| !names(&text, key)).collect();
    assert!(keys.len() > 40 && missing.is_empty(), "the example does not name {missing:?}");
}

/// Whether `key` stands in `text` as a word.
fn names(text: &str, key: &str) -> bool {
    text.split(|char: char| !char.is_alphanumeric() && char != '_').any(|word| word == key)
}

fn collect_keys(schema: &serde_json::Value, keys: &mut BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(members) => {
            if let Some(properties) = members.get("properties").and_then(serde_json::Value::as_object) {
                keys.extend(properties.keys().cloned());
            }
            members.values().for_each(|member| collect_keys(member, keys));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        _ => {}
    }
}
