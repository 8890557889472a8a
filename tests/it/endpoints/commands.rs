//! The commands of the program, their exit codes and what they say.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use super::*;
use crate::support::program::{command, run};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn check_says_what_is_wrong_with_64_and_what_is_right_with_0() {
    let folder = root().join("tests/fixtures/config");

    let (code, report, errors) = run(&folder, &["check", "minimal.toml"]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{report}");
    assert!(report.contains("attempts"), "{report}");

    assert_eq!(run(&folder, &["check", "--config", "minimal.toml"]), (Some(0), report, errors), "as a flag");

    let (code, report, errors) = run(&folder, &["check", "unknown_keys.toml"]);
    assert_eq!((code, report.as_str()), (Some(64), ""));
    assert!(errors.contains("--> unknown_keys.toml:") && errors.contains("^^^"), "{errors}");

    let (code, _, errors) = run(&folder, &["check", "nowhere.toml"]);
    assert_eq!(code, Some(64));
    assert!(errors.contains("cannot read `nowhere.toml`"), "{errors}");
}

#[test]
fn check_reads_the_example_and_every_block_of_the_readme() {
    let (code, report, errors) = run(root(), &["check", "config/example.toml"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(report.contains("smallfast"), "{report}");

    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    fs::write(&secret, "sk-of-the-readme").unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks: Vec<&str> =
        readme.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 3, "{} blocks", blocks.len());
    for block in blocks {
        let text = block.replace("/run/secrets/openrouter", secret.to_str().unwrap());
        fs::write(directory.path().join("backstop.toml"), text).unwrap();

        let (code, _, errors) = run(directory.path(), &["check"]);

        assert_eq!(code, Some(0), "{errors}\n{block}");
    }
}

#[test]
fn check_without_a_file_does_not_say_what_it_does_not_know() {
    let directory = tempfile::tempdir().unwrap();

    let (code, report, errors) = run(directory.path(), &["check"]);

    assert_eq!((code, errors.as_str()), (Some(0), ""), "{report}");
    assert!(report.contains("local servers are looked for when serving"), "{report}");
    assert!(!report.contains("nothing can be asked for"), "{report}");
}

#[test]
fn schema_is_json_that_names_the_sections() {
    let (code, schema, errors) = run(root(), &["schema"]);

    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    for section in ["server", "retry", "timeouts", "cooldown", "providers", "policies", "routes"] {
        assert!(schema["properties"][section].is_object(), "{section}");
    }
}

#[tokio::test]
async fn health_asks_who_serves() {
    let provider = Provider::start(Act::echo()).unwrap();
    let program = Program::serve(Some(&route_to(&provider)), &[]).await;
    let listen = program.address.to_string();
    let health = |path: &str| {
        let url = format!("http://{listen}{path}");
        run(program.directory(), &["health", "--url", &url])
    };

    assert_eq!(health("/health/live"), (Some(0), String::new(), String::new()));
    assert_eq!(health("/health/ready").0, Some(0));
    let (code, _, errors) = health("/nowhere");
    assert_eq!(code, Some(1));
    assert!(errors.contains("/nowhere did not answer 200: 404"), "{errors}");

    let found = command(program.directory(), &[("BACKSTOP_SERVER__LISTEN", &listen)], &["health"]).output();
    assert_eq!(found.unwrap().status.code(), Some(0), "at the configured address");

    let directory = tempfile::tempdir().unwrap();
    assert_eq!(program.stop().await.0, Some(0));
    let (code, _, errors) =
        run(directory.path(), &["health", "--url", &format!("http://{listen}/health/live")]);
    assert_eq!(code, Some(1));
    assert!(errors.contains(&format!("cannot ask http://{listen}/health/live")), "{errors}");
}

#[test]
fn help_names_every_command() {
    let (code, help, _) = run(root(), &["--help"]);

    assert_eq!(code, Some(0));
    let codes = ["0 done", "1 could not start", "2 the arguments", "64 the configuration", "130 stopped"];
    for word in
        ["serve", "check", "demo", "schema", "health", "--config", "--listen"].into_iter().chain(codes)
    {
        assert!(help.contains(word), "no `{word}` in {help}");
    }
    for word in ["serve", "check", "demo", "schema", "health"] {
        let (code, help, _) = run(root(), &[word, "--help"]);
        assert_eq!(code, Some(0), "{word}");
        assert!(help.contains("Usage: backstop"), "{help}");
    }
    assert_eq!(run(root(), &["--version"]).1, concat!("backstop ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn a_taken_address_is_1_with_a_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("my.toml"), "[providers.ollama]\n").unwrap();

    let (code, _, errors) = run(directory.path(), &["--config", "my.toml", "--listen", &address]);

    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains(&format!("error: could not listen on `{address}`: ")), "{errors}");
    assert!(errors.contains("\nhint: another program listens there"), "{errors}");
}

#[test]
fn a_configuration_that_is_not_there_or_has_faults_is_64() {
    let directory = tempfile::tempdir().unwrap();
    let missing: PathBuf = directory.path().join("missing.toml");
    let message = format!("cannot read `{}`", missing.display());

    for arguments in
        [&["--config", missing.to_str().unwrap()][..], &["serve", "-c", missing.to_str().unwrap()]]
    {
        let (code, _, errors) = run(directory.path(), arguments);
        assert_eq!(code, Some(64), "{errors}");
        assert!(errors.contains(&message), "{errors}");
    }
    let named =
        command(directory.path(), &[("BACKSTOP_CONFIG", missing.to_str().unwrap())], &[]).output().unwrap();
    assert_eq!(named.status.code(), Some(64), "a file that is named must be there");

    fs::write(directory.path().join("backstop.toml"), "[routes.r]\nchian = []\n").unwrap();
    let (code, _, errors) = run(directory.path(), &[]);
    assert_eq!(code, Some(64));
    assert!(errors.contains("backstop.toml:2:1") && errors.contains("did you mean `chain`"), "{errors}");
}
