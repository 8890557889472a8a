//! Bytes that come in pieces, for the tests of both ends.

use http::HeaderMap;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use proptest::prelude::*;

/// `bytes` in pieces of these lengths, over and over.
pub fn split<'b>(bytes: &'b [u8], lengths: &[usize]) -> Vec<&'b [u8]> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    for length in lengths.iter().cycle() {
        let (piece, more) = rest.split_at((*length).min(rest.len()));
        pieces.push(piece);
        rest = more;
        if rest.is_empty() {
            break;
        }
    }
    pieces
}

/// Short ones, and some with longer ones among them.
pub fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![prop::collection::vec(1_usize..4, 1..4), prop::collection::vec(1_usize..60, 1..8)]
}

/// What of `headers` is for others than the connection.
pub fn beyond_the_hop(mut headers: HeaderMap) -> HeaderMap {
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}
