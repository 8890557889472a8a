use proptest::prelude::*;

use super::*;

/// Sends all there is in steps of at most `step` bytes.
fn send(outbox: &mut Outbox, step: usize, sent: &mut Vec<u8>) {
    while !outbox.is_empty() {
        let mut room = [IoSlice::new(&[]); SLICES];
        let used = outbox.fill(&mut room);
        let bytes = room[..used].iter().flat_map(|slice| slice.to_vec()).collect::<Vec<u8>>();
        let length = step.min(bytes.len());
        sent.extend_from_slice(&bytes[..length]);
        outbox.advance(length);
    }
}

fn sent(ending: Ending, batches: &[&[&'static str]]) -> String {
    let mut outbox = Outbox::new(b"head\n".to_vec(), ending);
    let mut bytes = Vec::new();
    for (index, batch) in batches.iter().enumerate() {
        for piece in *batch {
            outbox.push(Bytes::from(*piece)).expect("the right length");
        }
        outbox.seal(index + 1 == batches.len()).expect("the right length");
        send(&mut outbox, usize::MAX, &mut bytes);
    }
    String::from_utf8(bytes).expect("text")
}

#[test]
fn bodies_are_these_bytes() {
    for (ending, batches, bytes) in [
        (Ending::Length(5), &[&["ab", "cde"][..]][..], "head\nabcde"),
        (Ending::Length(5), &[&["ab"], &["cde"]], "head\nabcde"),
        (Ending::Length(0), &[&[]], "head\n"),
        (Ending::Bodiless, &[&[]], "head\n"),
        (Ending::Close, &[&["ab"], &[], &["cde"]], "head\nabcde"),
        (Ending::Chunked, &[&["ab", "", "cde"]], "head\n5\r\nabcde\r\n0\r\n\r\n"),
        (Ending::Chunked, &[&["ab"], &["cde"], &[]], "head\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"),
        (Ending::Chunked, &[&[], &["0123456789abcdefg"]], "head\n11\r\n0123456789abcdefg\r\n0\r\n\r\n"),
        (Ending::Chunked, &[&[]], "head\n0\r\n\r\n"),
    ] {
        assert_eq!(sent(ending, batches), bytes, "{batches:?}");
    }
}

#[test]
fn a_body_has_the_length_that_was_announced_or_none() {
    let mut long = Outbox::new(Vec::new(), Ending::Length(3));
    assert_eq!(long.push(Bytes::from("abcd")), Err(WrongLength));
    let mut bytes = Vec::new();
    send(&mut long, usize::MAX, &mut bytes);
    assert_eq!((&bytes[..], long.is_whole()), (&b"abc"[..], true), "no byte beyond it goes out");

    let mut short = Outbox::new(Vec::new(), Ending::Length(3));
    assert_eq!(short.push(Bytes::from("ab")), Ok(()));
    assert_eq!((short.seal(false), short.seal(true)), (Ok(()), Err(WrongLength)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_much_a_write_takes_the_bytes_are_the_same(
        batches in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..PIECES), 1..5),
        step in 1_usize..40,
    ) {
        let [mut slow, mut fast] = [Vec::new(), Vec::new()];
        for (step, sent) in [(step, &mut slow), (usize::MAX, &mut fast)] {
            let mut outbox = Outbox::new(b"head".to_vec(), Ending::Chunked);
            for (index, batch) in batches.iter().enumerate() {
                for piece in batch {
                    outbox.push(piece.clone().into()).expect("room");
                }
                outbox.seal(index + 1 == batches.len()).expect("any length");
                send(&mut outbox, step, sent);
            }
        }
        prop_assert_eq!(&slow, &fast);
        let mut chunks = crate::http1::chunks::Chunks::new();
        let (mut rest, mut payload) = (&fast[4..], Vec::new());
        while let Some(piece) = chunks.payload(&mut rest).expect("chunks") {
            payload.extend_from_slice(piece);
        }
        prop_assert!(chunks.is_ended() && rest.is_empty());
        prop_assert_eq!(payload, batches.concat().concat());
    }
}
