//! Headers that are lists, on one line or on several.

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, Version};

/// The items of a list.
pub fn items<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
    headers.get_all(name).into_iter().flat_map(|line| split(line.as_bytes()))
}

/// The items on one line of a list.
pub fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Whether whoever sent these headers wants the connection to go on after the message.
pub fn keeps_alive(version: Version, headers: &HeaderMap) -> bool {
    let mut keeps = version == Version::HTTP_11;
    for option in items(headers, &CONNECTION) {
        if option.eq_ignore_ascii_case(b"close") {
            return false;
        }
        keeps |= option.eq_ignore_ascii_case(b"keep-alive");
    }
    keeps
}
