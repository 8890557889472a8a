mod echo;
mod keys;
mod routes;
mod tasks;

use std::num::NonZeroU32;

use super::*;

/// Loads a text with an environment that is empty.
pub fn load_text(text: &str) -> Result<Loaded, Faults> {
    load_with(text, &[])
}

fn load_with(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Faults> {
    let source = Source::Text { name: "backstop.toml".to_owned(), text: text.to_owned() };
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load(&source, &variables.collect(), &Overrides::default())
}

const A: &str = "[providers.a]\nbase_url = 'http://a/v1/'\n";

fn candidate(text: &str) -> crate::route::Candidate {
    let loaded = load_text(&format!("{A}{text}")).unwrap_or_else(|faults| panic!("{faults}"));
    loaded.runtime.routes.named()[0].chain.candidates()[0].clone()
}

#[test]
fn an_empty_file_is_the_defaults() {
    let loaded = load_text("").expect("valid");

    let server = &loaded.runtime.server;
    assert_eq!(server.listen.to_string(), "127.0.0.1:8420");
    assert_eq!((server.max_body, server.max_answer), (100_000_000, 64_000_000));
    assert_eq!((server.grace, server.head_after), (Duration::from_secs(30), Duration::from_secs(15)));
    assert_eq!((&server.cors, server.workers), (&Cors::Loopback, None));
    assert!(loaded.warnings.is_empty() && loaded.path.is_none());
}

#[test]
fn policies_inherit_key_by_key_nearest_first() {
    let policy = candidate(
        "[retry]\ncycles = 5\nattempts_per_burst = 6\nbursts_per_cycle = 7\non = { timeout = 'drop', empty = 'retry' }\n\
         [policies.p]\ncycles = 4\nattempts_per_burst = 3\non = { timeout = 'next' }\n\
         [routes.r]\nretry = 'p'\nchain = [{ use = 'a/m', retry = { cycles = 2 } }]",
    )
    .policy;

    assert_eq!(policy.cycles.get(), 2, "the candidate's");
    assert_eq!(policy.attempts_per_burst.get(), 3, "the named policy's");
    assert_eq!(policy.bursts_per_cycle.get(), 7, "that of [retry]");
    assert_eq!(policy.deadline, Duration::from_mins(9), "the built-in one");
    let rulings: Vec<_> = policy.on.iter().map(|(class, ruling)| format!("{class} {ruling:?}")).collect();
    assert_eq!(rulings, ["timeout Next", "empty Retry"]);
}

#[test]
fn limits_inherit_key_by_key_nearest_first() {
    let timeouts = candidate(
        "timeouts = { connect = '2s', idle = '3s' }\n[timeouts]\nconnect = '1s'\nidle = '1s'\nfirst_byte = '7s'\n\
         [routes.r]\ntimeouts = { idle = '4s', first_token = '5s' }\n\
         chain = [{ use = 'a/m', timeouts = { first_token = '6s' } }]",
    )
    .timeouts;

    assert_eq!(timeouts.connect, Duration::from_secs(2), "the provider's");
    assert_eq!(timeouts.idle, Duration::from_secs(4), "the route's");
    assert_eq!(timeouts.first_token, Duration::from_secs(6), "the candidate's");
    assert_eq!(timeouts.first_byte(true), Duration::from_secs(7), "that of [timeouts], for streams");
    assert_eq!(timeouts.first_byte(false), Duration::from_secs(7), "and for whole answers");
}

#[test]
fn local_servers_get_patience() {
    let loaded =
        load_text("[providers.ollama]\n[providers.l]\npreset = 'llamacpp'\ntimeouts = { first_byte = '1s' }");
    let loaded = loaded.expect("valid");
    let limits = |model| loaded.runtime.routes.resolve(model).expect("direct").chain.candidates()[0].timeouts;

    assert_eq!(limits("ollama/m").first_byte(true), Duration::from_mins(5));
    assert_eq!(limits("ollama/m").first_token, Duration::from_mins(5));
    assert_eq!(limits("l/m").first_byte(true), Duration::from_secs(1));
    assert!(loaded.warnings.is_empty(), "local servers need no key");

    let text = "[providers.ollama]\ntimeouts = { idle = '7s' }\n[timeouts]\nfirst_token = '6s'\nidle = '6s'";
    let loaded = load_text(text).expect("valid");
    let limits = loaded.runtime.routes.resolve("ollama/m").expect("direct").chain.candidates()[0].timeouts;
    assert_eq!(limits.first_token, Duration::from_secs(6), "what is written wins over what is built in");
    assert_eq!(limits.first_byte(true), Duration::from_mins(5), "key by key");
    assert_eq!(limits.idle, Duration::from_secs(7), "the provider's own");
}

#[test]
fn the_environment_wins_over_the_file_and_a_flag_over_both() {
    let text = "[server]\nlisten = '127.0.0.1:1'\nhead_after = '1s'";
    let variables = [("BACKSTOP_SERVER__LISTEN", "127.0.0.1:2"), ("BACKSTOP_SERVER__WORKERS", "7")];
    let server = load_with(text, &variables).expect("valid").runtime.server;
    assert_eq!(
        (server.listen.port(), server.workers, server.head_after.as_secs()),
        (2, NonZeroU32::new(7), 1)
    );

    let overrides = Overrides { listen: Some(([127, 0, 0, 1], 3).into()) };
    let source = Source::Text { name: String::new(), text: text.to_owned() };
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let loaded = load(&source, &variables, &overrides).expect("valid");
    assert_eq!(loaded.runtime.server.listen.port(), 3);
}

#[test]
fn direct_access_can_be_turned_off() {
    let direct = |text: &str| load_text(&format!("{A}{text}")).expect("valid").runtime.routes;

    assert!(direct("").resolve("a/some/model").is_some());
    assert!(direct("[server]\ndirect = false").resolve("a/some/model").is_none());
}

#[test]
fn openrouter_is_told_the_app() {
    let headers = |text: &str| {
        let loaded = load_with(text, &[("OPENROUTER_API_KEY", "sk-or-1")]).expect("valid");
        let headers = &loaded.runtime.providers[0].headers;
        let text =
            |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        (text("http-referer"), text("x-title"))
    };
    let pair = |url: &str, title: &str| (url.to_owned(), title.to_owned());

    assert_eq!(headers("[providers.openrouter]"), pair("http://localhost:8420", "Backstop"));
    assert_eq!(headers("[providers.openrouter]\nattribution = false"), pair("", ""));
    assert_eq!(headers("[providers.openrouter]\napp_title = 'T'"), pair("http://localhost:8420", "T"));
    assert_eq!(headers("[providers.openrouter]\nheaders = { HTTP-Referer = 'http://x' }").0, "http://x");
    assert_eq!(headers("[providers.groq]"), pair("", ""));
    let other_name = "[providers.or]\nbase_url = 'https://openrouter.ai/api/v1'";
    assert_eq!(headers(other_name), pair("http://localhost:8420", "Backstop"));
}

#[test]
fn an_implied_key_goes_to_its_provider_alone() {
    let load = |text: &str| load_with(text, &[("OPENAI_API_KEY", "sk-1234567")]).expect("valid");
    for (url, sent) in [
        ("https://api.openai.com/v1", true),
        ("https://API.openai.com:443/v2/", true),
        ("http://api.openai.com/v1", false),
        ("https://api.openai.com:8443/v1", false),
        ("https://api.openai.com.example.org/v1", false),
        ("http://10.0.0.5:8000/v1", false),
    ] {
        let loaded = load(&format!("[providers.openai]\nbase_url = '{url}'"));
        assert_eq!(loaded.runtime.providers[0].keys.len(), usize::from(sent), "{url}");
        let hint = loaded.warnings.first().and_then(|warning| warning.hint.as_deref());
        assert_eq!(hint.is_some_and(|hint| hint.contains("api_key = { env")), !sent, "{hint:?}");
    }
    let text = "[providers.openai]\nbase_url = 'http://a/v1'\napi_key = { env = 'OPENAI_API_KEY' }";
    assert!(load(text).runtime.providers[0].keys.len() == 1, "who writes it means it");
    for header in ["Authorization", "api-key"] {
        let text = format!("[providers.groq]\nheaders = {{ {header} = 'Bearer x' }}");
        assert_eq!(load(&text).warnings, [], "the key is in the header");
    }
}

#[test]
fn base_urls_lose_their_last_slash() {
    let loaded = load_text(A).expect("valid");
    assert_eq!(loaded.runtime.providers[0].base_url.path(), "/v1");
    let bare = load_text("[providers.b]\nbase_url = 'http://b'").expect("valid");
    assert_eq!(bare.runtime.providers[0].base_url.host(), Some("b"));
}

#[test]
fn edits_are_json() {
    let text = "[routes.r]\nchain = [{ use = 'a/m', unset = ['user'], set = { temperature = 0.5, stop = ['a', 1, true], \
                nested = { a = 1979-05-27 } } }]";
    let edits = candidate(text).edits;

    let set: Vec<_> = edits.set.iter().map(|(name, value)| format!("{name} {value}")).collect();
    assert_eq!(set, ["temperature 0.5", r#"stop ["a",1,true]"#, r#"nested {"a":"1979-05-27"}"#]);
    assert_eq!(edits.unset, ["user"]);
}

#[test]
fn secrets_are_read_masked_and_not_shown() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("key");
    std::fs::write(&file, "  file-secret\n").expect("a file");
    let text = format!(
        "[providers.a]\nbase_url = 'http://a'\napi_key = {{ file = {:?} }}\n\
         headers = {{ X-Env = {{ env = 'TOKEN' }}, Authorization = 'Bearer literal-secret', X-Plain = 'plain' }}\n\
         [routes.r]\nchain = [{{ use = 'a/m', headers = {{ X-Api-Key = 'other-secret' }} }}]",
        file.display().to_string(),
    );
    let loaded =
        load_with(&text, &[("TOKEN", "env-secret"), ("GROQ_API_KEY", "unused-secret")]).expect("valid");

    let provider = &loaded.runtime.providers[0];
    assert_eq!(
        provider.keys.first().map(|key| secrecy::ExposeSecret::expose_secret(&key.secret)),
        Some("file-secret")
    );
    assert_eq!(provider.headers["x-env"], "env-secret");
    assert!(provider.headers["x-env"].is_sensitive() && provider.headers["authorization"].is_sensitive());
    assert!(!provider.headers["x-plain"].is_sensitive());
    let said = "file-secret env-secret literal-secret other-secret plain Bearer";
    assert_eq!(loaded.runtime.secrets.mask(said), "*** *** *** *** plain Bearer");

    let shown = format!("{loaded:?} {:#?} {provider:?} {}", loaded.runtime, report(&loaded));
    assert!(!shown.contains("-secret"), "{shown}");
    assert!(shown.contains("plain"));
}

#[test]
fn a_file_that_is_no_secret_is_not_cut_to_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("key");
    let load = |length| {
        std::fs::write(&file, "k".repeat(length)).expect("a file");
        load_text(&format!(
            "[providers.a]\nbase_url = 'http://a'\napi_key = {{ file = {:?} }}",
            file.display().to_string()
        ))
    };

    assert!(load(64 << 10).is_ok());
    let faults = load((64 << 10) + 1).expect_err("too large").to_string();
    assert!(faults.contains("is larger than 64 KB"), "{faults}");
}

#[test]
fn origins_are_written_as_browsers_do() {
    for (written, expected) in [
        ("['HTTPS://A.example:443', 'http://a.example:80']", &["https://a.example", "http://a.example"][..]),
        ("['https://a.example:80', 'http://[::1]:443']", &["https://a.example:80", "http://[::1]:443"]),
        ("'https://a.example, http://b.example:3000,'", &["https://a.example", "http://b.example:3000"]),
        ("[]", &[]),
    ] {
        let cors = load_text(&format!("[server]\ncors = {written}")).expect("valid").runtime.server.cors;
        assert_eq!(cors, Cors::Origins(expected.iter().map(|origin| (*origin).to_owned()).collect()));
    }
}

#[test]
fn a_fault_inside_a_named_table_makes_no_second_one() {
    let faults =
        load_text("[providers]\nx = 3\n[routes]\ny = 'x'\n[routes.r]\nchain = ['x/m']").expect_err("faults");

    assert_eq!(faults.to_string().matches("error:").count(), 2, "{faults}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let missing = Source::Path(directory.path().join("missing.toml"));
    let faults = load(&missing, &Environment::new(), &Overrides::default()).expect_err("no such file");
    assert!(faults.to_string().contains("missing.toml"));

    let environment = Environment::from([(CONFIG_VARIABLE.to_owned(), "/from/variable.toml".to_owned())]);
    let explicit = Some(Path::new("explicit.toml"));
    assert_eq!(Source::locate(explicit, &environment), Some(Source::Path("explicit.toml".into())));
    assert_eq!(Source::locate(None, &environment), Some(Source::Path("/from/variable.toml".into())));
}

#[test]
fn the_schema_describes_every_key() {
    let schema: serde_json::Value = serde_json::from_str(schema()).expect("JSON");

    let properties = schema["properties"].as_object().expect("properties");
    assert_eq!(properties.len(), 10);
    assert!(properties.values().all(|property| property["description"].is_string()), "{properties:#?}");
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn the_schema_is_that_of_the_mirror() {
    let made = schemars::schema_for!(File).to_value();
    let made = format!("{}\n", serde_json::to_string_pretty(&made).expect("JSON"));

    if made != schema() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/schema.json");
        std::fs::write(path, made).expect("a file of the repository");
        panic!("`{path}` was out of date and has been written anew");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_mutation_panics(
        cuts in proptest::collection::vec((0.0..1.0_f64, 0_usize..20, "\\PC{0,6}|[\\[\\]{}=\"'.,\n#0-9a-z]{0,6}"), 1..4),
        variable in "BACKSTOP_[A-Z_]{0,12}__[A-Z_]{0,12}",
        value in "\\PC{0,8}",
    ) {
        let mut text: Vec<char> = include_str!("../../config/example.toml").chars().collect();
        for (place, length, insert) in cuts {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short text")]
            let start = (place * text.len() as f64) as usize;
            let end = (start + length).min(text.len());
            text.splice(start..end, insert.chars());
        }
        let text: String = text.into_iter().collect();
        match load_with(&text, &[(&variable, &value)]) {
            Ok(loaded) => proptest::prop_assert!(!report(&loaded).is_empty()),
            Err(faults) => proptest::prop_assert!(faults.to_string().starts_with("error: ")),
        }
    }
}
