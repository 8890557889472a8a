use proptest::prelude::*;

use super::*;

fn page(cors: &Cors, origin: &str) -> Page {
    Page::of(cors, &HeaderMap::from_iter([(ORIGIN, HeaderValue::from_str(origin).unwrap())]))
}

#[test]
fn pages_of_this_machine_are_loopback() {
    for origin in [
        "http://localhost",
        "https://localhost:3000",
        "http://LOCALHOST:8080",
        "http://app.localhost:5173",
        "http://127.0.0.1:8080",
        "http://127.9.8.7",
        "http://[::1]",
        "https://[::1]:443",
    ] {
        assert!(matches!(page(&Cors::Loopback, origin), Page::Allowed(_)), "{origin}");
    }
}

#[test]
fn no_other_page_is() {
    for origin in [
        "null",
        "",
        "localhost",
        "https://example.com",
        "http://localhost.evil.com",
        "http://127.0.0.1.evil.com",
        "http://evil.com/localhost",
        "http://evil.com#localhost",
        "http://user@localhost",
        "http://localhost@evil.com",
        "http://notlocalhost",
        "http://192.168.0.1",
        "http://0.0.0.0",
        "http://[::2]",
        "http://[::1]evil.com",
        "http://[::1",
        "http://localhost:",
        "http://localhost:80a",
        "http://localhost:99999",
        "file://localhost",
        "http://localhost http://evil.com",
    ] {
        assert_eq!(page(&Cors::Loopback, origin), Page::Forbidden(origin.to_owned()), "{origin}");
    }
}

#[test]
fn a_list_means_exactly_these() {
    let cors = Cors::Origins(vec!["https://Chat.example.com".to_owned(), "http://10.0.0.5:3000".to_owned()]);

    assert!(matches!(page(&cors, "https://chat.example.com"), Page::Allowed(_)));
    assert!(matches!(page(&cors, "http://10.0.0.5:3000"), Page::Allowed(_)));
    for other in ["http://chat.example.com", "http://10.0.0.5", "http://localhost", "null"] {
        assert!(matches!(page(&cors, other), Page::Forbidden(_)), "{other}");
    }
    assert!(matches!(page(&Cors::Origins(Vec::new()), "http://localhost"), Page::Forbidden(_)));
}

#[test]
fn any_means_any() {
    for origin in ["null", "https://example.com"] {
        assert_eq!(page(&Cors::Any, origin), Page::Allowed(HeaderValue::from_static("*")));
    }
}

#[test]
fn two_origins_are_one_too_many() {
    let mut headers = HeaderMap::new();
    headers.append(ORIGIN, HeaderValue::from_static("http://localhost"));
    headers.append(ORIGIN, HeaderValue::from_static("http://evil.com"));

    assert!(matches!(Page::of(&Cors::Loopback, &headers), Page::Forbidden(_)));
}

#[test]
fn without_an_origin_nothing_is_added() {
    let mut headers = HeaderMap::new();
    Page::of(&Cors::Loopback, &HeaderMap::new()).admit(&mut headers);

    assert!(headers.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
    #[test]
    fn a_foreign_domain_is_never_loopback(
        name in "[a-z0-9.:@\\[\\]/-]{0,20}",
        domain in "[a-z]{1,10}\\.(com|org|dev)",
        port in proptest::option::of(any::<u16>()),
    ) {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let origin = format!("http://{name}{domain}{port}");
        prop_assert!(!is_loopback(&origin), "{}", origin);
    }

    #[test]
    fn nothing_makes_it_panic(origin in ".{0,40}") {
        is_loopback(&origin);
    }
}
