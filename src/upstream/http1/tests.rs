//! What is read of a response, whatever the bytes and however they were split; and what hyper reads of it.

use http::HeaderMap;
use proptest::prelude::*;

use super::framing::Opened;
use super::head::HeadReader;
use crate::http1::testing::{beyond_the_hop, lengths, split};

mod responses;
mod yardstick;

use responses::Sound;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Got {
    /// Status, headers; or nothing if no head could be read.
    head: Option<(u16, HeaderMap)>,
    body: Vec<u8>,
    whole: bool,
    /// What was wrong, in words.
    why: String,
    reusable: bool,
}

impl Got {
    fn nothing(why: &impl ToString) -> Self {
        Self { head: None, body: Vec::new(), whole: false, why: why.to_string(), reusable: false }
    }
}

/// Reads a response that comes in `pieces` and then ends.
fn read<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Got {
    let mut pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
    let mut heads = HeadReader::default();
    let Opened { head, mut body, first } = loop {
        let Some(piece) = pieces.next() else {
            let malformed = heads.finish().err();
            return Got::nothing(&malformed.map_or_else(String::new, |malformed| malformed.to_string()));
        };
        match Opened::read(&mut heads, piece) {
            Ok(Some(opened)) => break opened,
            Ok(None) => {}
            Err(malformed) => return Got::nothing(&malformed),
        }
    };
    let mut payload = first.to_vec();
    for piece in pieces {
        payload.extend_from_slice(&body.push(piece));
    }
    let reusable = body.end() == Some(Ok(())) && body.keeps_alive();
    body.close();
    let end = body.end().expect("a close ends everything");
    Got {
        head: Some((head.status.as_u16(), head.headers)),
        body: payload,
        whole: end.is_ok(),
        why: end.err().map_or_else(String::new, |broken| broken.to_string()),
        reusable,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_sound_response_is_read_as_it_was_meant(sound in responses::sound(), lengths in lengths()) {
        let Sound { bytes, status, headers, body, reusable } = sound;

        let got = read(split(&bytes, &lengths));

        prop_assert_eq!(&got.body, &body);
        prop_assert!(got.whole, "{}", got.why);
        prop_assert_eq!(got.reusable, reusable);
        let (read_status, read_headers) = got.head.expect("a head");
        prop_assert_eq!(read_status, status);
        for (name, value) in headers {
            prop_assert!(read_headers.get_all(&name).iter().any(|read| read == value.as_str()), "{}", name);
        }
    }

    #[test]
    fn splits_change_nothing(bytes in responses::nearly_sound(), lengths in lengths()) {
        prop_assert_eq!(read(split(&bytes, &lengths)), read([&bytes[..]]));
    }

    #[test]
    fn rubbish_never_panics(bytes in responses::rubbish(), lengths in lengths()) {
        prop_assert_eq!(read(split(&bytes, &lengths)), read([&bytes[..]]));
    }
}
