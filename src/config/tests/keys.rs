//! The keys of a provider: their names, their order, their limits, and who masks them.

use std::num::NonZeroU32;

use secrecy::ExposeSecret as _;

use super::*;

fn keys(written: &str, variables: &[(&str, &str)]) -> Vec<(String, String)> {
    let text = format!("[providers.a]\nbase_url = 'http://a'\n{written}");
    let loaded = load_with(&text, variables).unwrap_or_else(|faults| panic!("{faults}"));
    let pair = |key: &Key| (key.name.to_string(), key.secret.expose_secret().to_owned());
    loaded.runtime.providers[0].keys.iter().map(pair).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, key)| ((*name).to_owned(), (*key).to_owned())).collect()
}

#[test]
fn keys_are_called_after_their_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("or-b");
    std::fs::write(&file, "from-a-file\n").expect("a file");
    let file = file.display();
    let variables = [("KEY_A", " from-a-variable ")];

    for (written, expected) in [
        ("api_key = 'from-text'".to_owned(), &[("key 1", "from-text")][..]),
        ("api_key = { env = 'KEY_A' }".to_owned(), &[("KEY_A", "from-a-variable")]),
        (format!("api_key = {{ file = '{file}' }}"), &[("or-b", "from-a-file")]),
        (
            format!("api_keys = [{{ env = 'KEY_A' }}, 'from-text', {{ file = '{file}' }}]"),
            &[("KEY_A", "from-a-variable"), ("key 2", "from-text"), ("or-b", "from-a-file")],
        ),
        (
            format!(
                "api_keys = [{{ file = '{file}', name = 'x' }}, {{ value = 'text', name = 'KEY_A' }}, \
                 {{ env = 'KEY_A', name = 'or-b' }}]"
            ),
            &[("x", "from-a-file"), ("KEY_A", "text"), ("or-b", "from-a-variable")],
        ),
    ] {
        assert_eq!(keys(&written, &variables), pairs(expected), "{written}");
    }
    let loaded = load_with("[providers.groq]", &[("GROQ_API_KEY", "gsk-1234")]).expect("valid");
    assert_eq!(&*loaded.runtime.providers[0].keys[0].name, "GROQ_API_KEY");
}

#[test]
fn what_is_left_out_of_a_pool_leaves_the_names_of_the_others() {
    let written = "api_keys = [{ env = 'KEY_A' }, { env = 'GONE' }, 'from-text', 'from-text', 'other-text']";

    let expected = [("KEY_A", "in-a"), ("key 3", "from-text"), ("key 5", "other-text")];
    assert_eq!(keys(written, &[("KEY_A", "in-a"), ("GONE", " ")]), pairs(&expected));
    let text = "[providers.a]\nbase_url = 'http://a'\napi_keys = [{ env = 'GONE' }]";
    let faults = load_text(text).expect_err("no key is left").to_string();
    assert!(faults.contains("environment variable `GONE` is not set"), "{faults}");
}

#[test]
fn a_pool_has_an_order_and_limits() {
    let text = "[providers.a]\nbase_url = 'http://a'\nlimits = { requests_per_minute = 20 }\nkey_order = 'in-order'\n\
                api_keys = ['one', { value = 'two', limits = { requests_per_minute = 5, requests_per_day = 50 } }]";
    let loaded = load_text(text).expect("valid");

    let provider = &loaded.runtime.providers[0];
    let numbers = |quota: Quota| {
        (quota.requests_per_minute.map(NonZeroU32::get), quota.requests_per_day.map(NonZeroU32::get))
    };
    assert_eq!(provider.key_order, KeyOrder::InOrder);
    assert_eq!(numbers(provider.quota), (Some(20), None));
    let of_keys: Vec<_> = provider.keys.iter().map(|key| numbers(key.quota)).collect();
    assert_eq!(of_keys, [(None, None), (Some(5), Some(50))]);

    let plain = load_text(A).expect("valid");
    assert_eq!(plain.runtime.providers[0].key_order, KeyOrder::RoundRobin);
    assert_eq!(plain.runtime.providers[0].quota, Quota::default());
}

#[test]
fn every_key_of_a_pool_is_masked() {
    let text = "[providers.a]\nbase_url = 'http://a'\n\
                api_keys = ['first-secret', { value = 'second-secret', name = 'second' }, { env = 'KEY_A' }]";
    let loaded = load_with(text, &[("KEY_A", "third-secret")]).expect("valid");

    let said = "first-secret second-secret third-secret";
    assert_eq!(loaded.runtime.secrets.mask(said), "*** *** ***");
    let shown = format!("{loaded:?} {}", report(&loaded));
    assert!(!shown.contains("-secret"), "{shown}");
}
