use proptest::prelude::*;

use super::*;
use crate::config::{Environment, Overrides, Source, load};

const CONFIG: &str = r#"
[server]
trust_user_headers = true
[providers.one]
base_url = "http://127.0.0.1:1/v1"
[providers."Two at home"]
base_url = "http://127.0.0.1:2/v1"
[providers."two-at home"]
base_url = "http://127.0.0.1:3/v1"
[providers.four]
base_url = "http://127.0.0.1:4/v1"
[users."Anna@Example.org"]
keys = { one = "sk-anna-one", four = "sk-anna-four" }
[users."7f"]
keys = { one = "sk-7f-one" }
"#;

fn runtime(trust: bool) -> Runtime {
    let text = CONFIG.replace("headers = true", &format!("headers = {trust}"));
    let source = Source::Text { name: "test".into(), text };
    load(&source, &Environment::new(), &Overrides::default())
        .unwrap_or_else(|faults| panic!("{faults}"))
        .runtime
}

fn headers(pairs: &[(&str, &[u8])]) -> HeaderMap {
    let header = |(name, value): &(&str, &[u8])| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value).unwrap())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in pairs.iter().map(header) {
        headers.append(name, value);
    }
    headers
}

fn taken(trust: bool, pairs: &[(&str, &[u8])]) -> Result<User, String> {
    take(&mut headers(pairs), &runtime(trust)).map_err(|bad| bad.to_string())
}

fn key(user: &User, provider: usize) -> Option<&str> {
    user.key(ProviderId(provider)).map(UserKey::expose)
}

#[test]
fn a_user_is_known_by_mail_or_id_if_the_headers_are_believed() {
    let mail: &[_] = &[("x-openwebui-user-email", b"anna@example.ORG" as &[u8])];
    for (trust, headers, own) in [
        (true, mail, Some("sk-anna-one")),
        (true, &[("X-OpenWebUI-User-Id", b"7f")], Some("sk-7f-one")),
        (true, &[("X-OpenWebUI-User-Id", b"7F")], None),
        (true, &[("X-OpenWebUI-User-Name", b"Anna@Example.org")], None),
        (true, &[("x-openwebui-user-email", b"")], None),
        (true, &[], None),
        (false, mail, None),
    ] {
        let user = taken(trust, headers).unwrap();
        assert_eq!(key(&user, 0), own, "{trust} {headers:?}");
        assert_eq!(user.name().is_some(), trust && headers.iter().any(|(_, value)| !value.is_empty()));
    }
}

#[test]
fn a_key_in_a_header_is_taken_out_of_them_and_wins() {
    for trust in [true, false] {
        let mut headers = headers(&[
            ("x-backstop-key-one", b" sk-from-header "),
            ("x-openwebui-user-email", b"anna@example.org"),
            ("accept", b"*/*"),
        ]);

        let user = take(&mut headers, &runtime(trust)).unwrap();

        assert_eq!(key(&user, 0), Some("sk-from-header"));
        assert_eq!(key(&user, 3), trust.then_some("sk-anna-four"));
        assert!(!headers.contains_key("x-backstop-key-one") && headers.contains_key("accept"));
    }
}

#[test]
fn what_cannot_be_a_key_is_named_without_its_value() {
    let long = [b"sk-secret-".repeat(409), b"sk-sec!".to_vec()].concat();
    assert_eq!(long.len(), LONGEST_KEY + 1);
    for (name, value, words) in [
        ("x-backstop-key-one", b"" as &[u8], "holds no key"),
        ("x-backstop-key-one", b"   ", "holds no key"),
        ("x-backstop-key-one", b"Bearer sk-secret", "characters that no key has"),
        ("x-backstop-key-one", b"sk-secret\tx", "characters that no key has"),
        ("x-backstop-key-one", b"sk-secret\xff", "characters that no key has"),
        ("x-backstop-key-one", &long, "longer than any key"),
        ("x-backstop-key-onw", b"sk-secret", "`x-backstop-key-one`, `x-backstop-key-two-at-home`"),
        ("x-backstop-key-", b"sk-secret", "no provider has its key in the header"),
        ("x-backstop-key-two-at-home", b"sk-secret", "meant for `Two at home` or for `two-at home`"),
    ] {
        let error = taken(false, &[(name, value)]).unwrap_err();
        assert!(error.contains(&format!("the header `{name}`")), "{error}");
        assert!(error.contains(words), "{words}: {error}");
        assert!(!error.contains("sk-sec"), "{error}");
    }
    let key = vec![b'k'; LONGEST_KEY];
    assert!(taken(false, &[("X-Backstop-Key-One", &key)]).is_ok());
}

#[test]
fn nobody_is_two_people() {
    for name in
        ["x-backstop-key-one", "x-openwebui-user-email", "x-openwebui-user-id", "x-openwebui-user-name"]
    {
        let error = taken(true, &[(name, b"one"), (name, b"two")]).unwrap_err();
        assert!(error.contains(&format!("the header `{name}` is there more than once")), "{error}");
    }
    assert!(taken(false, &[("x-openwebui-user-id", b"one"), ("x-openwebui-user-id", b"two")]).is_ok());
}

#[test]
fn names_are_shown_on_one_line() {
    for (sent, name) in [
        ("J%C3%BCrgen M", "Jürgen M"),
        ("100%25 %zz %", "100% %zz %"),
        ("a%0Ab%0d%1b[31m", "ab[31m"),
        ("%E2%80%AEanna", "anna"),
        ("%20%20x", "x"),
        ("%FFx", "\u{fffd}x"),
    ] {
        let user = taken(true, &[("x-openwebui-user-name", sent.as_bytes())]).unwrap();
        assert_eq!(user.name().map(|name| &**name), Some(name), "{sent}");
    }
    let long = taken(true, &[("x-openwebui-user-name", &[b'x'; 900])]).unwrap();
    assert_eq!(long.name().unwrap().len(), LONGEST_NAME);
    assert_eq!(taken(true, &[("x-openwebui-user-name", b"%0a")]).unwrap().name(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_name_is_one_line(text in "\\PC{0,80}|[%0-9a-fA-F ]{0,200}") {
        let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) else { return Ok(()) };
        let headers = HeaderMap::from_iter([(NAME, value)]);
        if let Some(name) = name(&headers).unwrap() {
            prop_assert!(!name.is_empty() && name.chars().count() <= LONGEST_NAME);
            prop_assert!(!name.contains(char::is_control), "{name:?}");
        }
    }

    #[test]
    fn what_is_not_encoded_stays(text in "[^%]{0,60}") {
        prop_assert_eq!(decoded(text.as_bytes()), text.as_bytes());
    }

    #[test]
    fn a_key_is_whatever_can_be_sent_or_an_error_without_it(value in "[ -~]{1,60}") {
        let name = HeaderName::from_static("x-backstop-key-one");
        let header = HeaderValue::from_str(&value).unwrap();
        match super::key(&name, Some(&header)) {
            Ok(key) => prop_assert_eq!(key.expose(), value.trim()),
            Err(error) => prop_assert!(value.trim().contains(' ') || value.trim().is_empty(), "{error:?}"),
        }
    }
}
