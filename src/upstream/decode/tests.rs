use std::io::Write as _;

use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flate2::{Compression, GzBuilder};
use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn labelled(label: &str) -> Decoder {
    let mut headers = HeaderMap::new();
    if !label.is_empty() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_str(label).expect("a label"));
    }
    Decoder::new(&headers)
}

/// Feeds `pieces` and joins what comes out.
fn decode<'a>(
    decoder: &mut Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, Undecodable> {
    let mut whole = Vec::new();
    let mut take = |decoder: &mut Decoder| {
        while let Some(piece) = decoder.next_piece()? {
            assert!(!piece.is_empty(), "an empty piece");
            whole.extend_from_slice(&piece);
        }
        Ok::<_, Undecodable>(())
    };
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece));
        take(decoder)?;
    }
    decoder.finish()?;
    take(decoder)?;
    Ok(whole)
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

fn raw(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

/// A member with every optional field in its head.
fn ornate(plain: &[u8]) -> Vec<u8> {
    let builder = GzBuilder::new().filename("a.json").comment("why not").extra([1, 2, 0, 4]);
    let mut encoder = builder.write(Vec::new(), Compression::fast());
    encoder.write_all(plain).expect("memory");
    let mut bytes = encoder.finish().expect("memory");
    // The checksum of the head has no writer; nobody checks it either.
    let end = 10 + 2 + 4 + "a.json\0why not\0".len();
    bytes[3] |= 0x02;
    bytes.splice(end..end, [0, 0]);
    bytes
}

const TEXT: &[u8] = b"data: {\"choices\":[]}\n\n";

#[test]
fn labels_and_what_is_really_inside() {
    for (label, packed) in [
        ("", TEXT.to_vec()),
        ("identity", TEXT.to_vec()),
        ("Identity, ", TEXT.to_vec()),
        ("gzip", gzip(TEXT)),
        ("x-gzip", gzip(TEXT)),
        ("GZIP", gzip(TEXT)),
        ("identity, gzip", gzip(TEXT)),
        ("gzip", ornate(TEXT)),
        ("gzip", [gzip(&TEXT[..7]), ornate(&TEXT[7..]), gzip(b"")].concat()),
        ("gzip", [gzip(TEXT), vec![0; 9]].concat()),
        ("gzip", [gzip(TEXT), b"\x1frubbish".to_vec()].concat()),
        ("", gzip(TEXT)),
        ("identity", gzip(TEXT)),
        ("deflate", zlib(TEXT)),
        ("Deflate", raw(TEXT)),
        ("deflate", gzip(TEXT)),
        ("deflate", [zlib(TEXT), b"rubbish".to_vec()].concat()),
    ] {
        assert_eq!(decode(&mut labelled(label), [&*packed]), Ok(TEXT.to_vec()), "{label}, whole");
        let bytes = packed.chunks(1);
        assert_eq!(decode(&mut labelled(label), bytes), Ok(TEXT.to_vec()), "{label}, byte by byte");
    }
}

#[test]
fn nothing_is_nothing_in_any_coding() {
    for label in ["", "gzip", "deflate", "br"] {
        assert_eq!(decode(&mut labelled(label), []), Ok(Vec::new()));
        assert_eq!(decode(&mut labelled(label), [&b""[..]]), Ok(Vec::new()));
    }
    assert_eq!(decode(&mut labelled("gzip"), [&*gzip(b"")]), Ok(Vec::new()));
}

#[test]
fn plain_bytes_that_begin_like_gzip_are_plain() {
    for plain in [&b"\x1f"[..], b"\x1f{}", b"\x1f\x8a\x8b"] {
        assert_eq!(decode(&mut labelled(""), plain.chunks(1)), Ok(plain.to_vec()));
    }
}

#[test]
fn other_codings_are_named() {
    for (label, named) in
        [("br", "br"), ("ZSTD", "zstd"), ("gzip, br", "gzip, br"), ("gzip,gzip", "gzip, gzip")]
    {
        let error = decode(&mut labelled(label), [&b"x"[..]]).expect_err("an error");

        assert_eq!(error.to_string(), format!("content-encoding `{named}` was not asked for"));
    }
}

#[test]
fn damage_is_found_and_named() {
    let mut wrong_sum = gzip(TEXT);
    let end = wrong_sum.len();
    wrong_sum[end - 8] ^= 1;
    let mut wrong_length = gzip(TEXT);
    wrong_length[end - 1] ^= 1;
    let mut odd_flags = gzip(TEXT);
    odd_flags[3] = 0x80;
    for (label, packed, message) in [
        ("gzip", b"plain text".to_vec(), "the answer's gzip data is broken: no gzip header"),
        ("gzip", vec![0x1f, 0x8b, 7], "the answer's gzip data is broken: unknown compression method"),
        ("gzip", odd_flags, "the answer's gzip data is broken: unknown flags"),
        ("gzip", wrong_sum, "the answer's gzip data is broken: wrong checksum"),
        ("gzip", wrong_length, "the answer's gzip data is broken: wrong length"),
        ("deflate", vec![0xff; 40], "the answer's deflate data is broken: not a deflate stream"),
        ("deflate", vec![0x78], "the answer's deflate data ends too soon"),
        ("gzip", vec![0x1f], "the answer's gzip data ends too soon"),
    ] {
        let error = decode(&mut labelled(label), [&*packed]).expect_err(message);

        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_flushed_event_comes_out_with_its_frame() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut decoder = labelled("gzip");
    for number in 0..5 {
        let event = format!("data: {number}\n\n");
        encoder.write_all(event.as_bytes()).expect("memory");
        encoder.flush().expect("memory");
        decoder.feed(std::mem::take(encoder.get_mut()).into());

        assert_eq!(decoder.next_piece().expect("sound data").expect("a piece"), event);
        assert_eq!(decoder.next_piece(), Ok(None));
    }
}

#[test]
fn a_bomb_goes_off_in_small_pieces() {
    let packed = gzip(&vec![b' '; 8 << 20]);
    assert!(packed.len() < 16 << 10);
    let mut decoder = labelled("gzip");
    decoder.feed(packed.into());
    let mut total = 0;

    while let Some(piece) = decoder.next_piece().expect("sound data") {
        assert!(piece.len() <= PIECE);
        total += piece.len();
    }

    assert_eq!(total, 8 << 20);
    assert_eq!(decoder.finish(), Ok(()));
}

#[test]
fn plain_pieces_are_not_copied() {
    let piece = Bytes::from_static(TEXT);
    let mut decoder = labelled("");

    decoder.feed(piece.clone());

    assert_eq!(decoder.next_piece().expect("sound data").expect("a piece").as_ptr(), piece.as_ptr());
}

fn splits() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..200, 1..20)
}

/// `bytes` in pieces of the given sizes, over and over.
fn split<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..Default::default() })]

    #[test]
    fn splits_change_nothing(plain in prop::collection::vec(0_u8..8, 0..20_000), sizes in splits()) {
        for (label, packed) in [
            ("gzip", gzip(&plain)),
            ("", gzip(&plain)),
            ("gzip", [gzip(&plain), ornate(b"")].concat()),
            ("deflate", zlib(&plain)),
            ("deflate", raw(&plain)),
            ("", plain.clone()),
        ] {
            let decoded = decode(&mut labelled(label), split(&packed, &sizes));
            prop_assert_eq!(decoded.as_ref(), Ok(&plain));
        }
    }

    #[test]
    fn a_cut_is_never_taken_for_an_end(plain in prop::collection::vec(any::<u8>(), 1..2000), cut in any::<prop::sample::Index>(), sizes in splits()) {
        for (label, packed) in [("gzip", gzip(&plain)), ("gzip", ornate(&plain)), ("deflate", zlib(&plain))] {
            let cut = 1 + cut.index(packed.len() - 1);
            let error = decode(&mut labelled(label), split(&packed[..cut], &sizes));
            prop_assert!(matches!(error, Err(Undecodable::Truncated(_))), "{label} cut at {cut}: {error:?}");
        }
    }

    #[test]
    fn rubbish_never_panics_and_splits_do_not_matter(bytes in prop::collection::vec(any::<u8>(), 0..400), label in prop::sample::select(vec!["", "gzip", "deflate"]), magic in any::<bool>(), sizes in splits()) {
        let bytes = if magic { [&[0x1f, 0x8b, 8][..], &bytes].concat() } else { bytes };
        let whole = decode(&mut labelled(label), [&*bytes]);
        prop_assert_eq!(whole, decode(&mut labelled(label), split(&bytes, &sizes)));
    }
}
