use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Result<Parsed, &'static str> {
    Proxy::parse(text).map_err(|problem| problem.message)
}

#[test]
fn where_a_proxy_is() {
    for (text, shown) in [
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        ("HTTP://proxy.example:3128/", "http://proxy.example:3128"),
        ("http://proxy.example", "http://proxy.example:80"),
        ("proxy.example:3128", "http://proxy.example:3128"),
        ("10.0.0.1:8080", "http://10.0.0.1:8080"),
        ("http://[::1]:3128", "http://[::1]:3128"),
        ("http://user:secret-word@proxy.example:3128", "http://proxy.example:3128"),
        ("user:p@ss-with-at@proxy.example:3128", "http://proxy.example:3128"),
    ] {
        assert_eq!(parsed(text).map(|parsed| parsed.proxy.to_string()), Ok(shown.to_owned()), "{text}");
    }
}

#[test]
fn what_is_no_proxy() {
    for (text, message) in [
        ("socks5://127.0.0.1:1080", "SOCKS proxies are not supported"),
        ("SOCKS5h://127.0.0.1:1080", "SOCKS proxies are not supported"),
        ("https://proxy.example:443", "a proxy cannot be reached over TLS"),
        ("ftp://proxy.example", "this is not the URL of a proxy"),
        ("", "this is not the URL of a proxy"),
        ("http://", "this is not the URL of a proxy"),
        ("http://:3128", "this is not the URL of a proxy"),
        ("http://proxy.example:0", "this is not the URL of a proxy"),
        ("http://proxy.example:", "this is not the URL of a proxy"),
        ("http://proxy.example:65536", "this is not the URL of a proxy"),
        ("http://a b", "this is not the URL of a proxy"),
        ("http://proxy.example:3128/path", "the URL of a proxy has no path"),
        ("http://user%0A:x@proxy.example", "no proxy takes such a user or password"),
        ("http://us%3Aer:x@proxy.example", "no proxy takes such a user or password"),
    ] {
        assert_eq!(parsed(text).err(), Some(message), "{text}");
    }
}

#[test]
fn who_asks_is_told_and_shown_nowhere() {
    let Parsed { proxy, secrets } =
        parsed("http://Aladdin:open%20sesame@proxy.example:3128").expect("a proxy");

    // The example of RFC 7617, section 2.
    assert_eq!(proxy.authorization().expect("a header"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_eq!(secrets, ["open%20sesame", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]);
    let shown = format!("{proxy} {proxy:?}");
    assert!(secrets.iter().all(|secret| !shown.contains(secret.as_str())), "{shown}");
    assert_eq!(parsed("http://proxy.example").expect("a proxy").proxy.authorization(), None);
    let Parsed { secrets, .. } = parsed("http://only-a-token@proxy.example").expect("a proxy");
    assert_eq!(secrets[0], "only-a-token");
}

#[test]
fn base64_of_each_length() {
    // RFC 4648, section 10.
    for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_text_is_a_proxy_or_none(text in ".{0,40}", user in ".{0,12}", word in "[!-~]{0,12}") {
        let _ = Proxy::parse(&text);
        let _ = Proxy::parse(&format!("http://{user}:{word}@proxy.example:3128"));
    }

    #[test]
    fn every_password_can_be_written(password in "[ -~]{1,20}") {
        let encoded = password.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02x}"));

        let Parsed { secrets, .. } = parsed(&format!("http://me:{encoded}@proxy.example")).expect("a proxy");

        prop_assert!(secrets.contains(&password));
        let token = base64(format!("me:{password}").as_bytes());
        prop_assert!(secrets.contains(&token));
    }
}
