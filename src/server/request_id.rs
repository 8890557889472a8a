//! The name of a request in logs and in the `x-request-id` header.

use http::{HeaderMap, HeaderName};

/// The header both ways.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ones would only fill the log.
const LONGEST: usize = 128;

/// The client's own id if it is of one to 128 visible ASCII characters, else a made one.
pub(super) fn choose(headers: &HeaderMap) -> Box<str> {
    headers
        .get(X_REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| (1..=LONGEST).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()))
        .map_or_else(make, Box::from)
}

/// A new id: sixteen random hexadecimal digits.
pub(super) fn make() -> Box<str> {
    let mut digits = [0; 16];
    let mut rest = rand::random::<u64>();
    for digit in &mut digits {
        *digit = b"0123456789abcdef"[(rest & 15) as usize];
        rest >>= 4;
    }
    str::from_utf8(&digits).expect("digits").into()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn chosen(id: &[u8]) -> Box<str> {
        choose(&HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_bytes(id).unwrap())]))
    }

    #[test]
    fn a_usable_id_is_kept() {
        assert_eq!(&*chosen(b"chat-7/a:b"), "chat-7/a:b");
        assert_eq!(&*chosen(&[b'x'; LONGEST]), "x".repeat(LONGEST));
    }

    #[test]
    fn any_other_is_replaced() {
        for id in [&b""[..], b"two words", b"caf\xc3\xa9", &[b'x'; LONGEST + 1]] {
            let made = chosen(id);
            assert_eq!(made.len(), 16);
            assert!(made.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
        assert_ne!(choose(&HeaderMap::new()), choose(&HeaderMap::new()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
        #[test]
        fn what_comes_out_is_always_visible_ascii(id in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(value) = HeaderValue::from_bytes(&id) {
                let chosen = choose(&HeaderMap::from_iter([(X_REQUEST_ID, value)]));
                prop_assert!((1..=LONGEST).contains(&chosen.len()));
                prop_assert!(chosen.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
