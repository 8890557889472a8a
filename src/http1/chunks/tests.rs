use super::*;

/// The payload, how much was taken, and what is wrong.
fn decode(input: &[u8]) -> (Vec<u8>, usize, Option<BadChunk>) {
    decode_with(Chunks::strict(), input)
}

fn decode_with(mut chunks: Chunks, mut input: &[u8]) -> (Vec<u8>, usize, Option<BadChunk>) {
    let (mut payload, all) = (Vec::new(), input.len());
    loop {
        match chunks.payload(&mut input) {
            Ok(Some(piece)) => payload.extend_from_slice(piece),
            Ok(None) => return (payload, all - input.len(), None),
            Err(bad) => return (payload, all - input.len(), Some(bad)),
        }
    }
}

#[test]
fn bodies_that_are_sound() {
    for (input, payload, behind) in [
        ("0\r\n\r\n", "", ""),
        ("3\r\nabc\r\n0\r\n\r\n", "abc", ""),
        ("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nHTTP/1.1", "abcde", "HTTP/1.1"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789", ""),
        ("000000000000000000003\r\nabc\r\n00\r\n\r\n", "abc", ""),
        ("3 \t\r\nabc\r\n0;last\r\n\r\n", "abc", ""),
        ("3;name=\"va;lue\"\r\nabc\r\n0\r\n\r\n", "abc", ""),
        ("3\r\n\r\n\r\r\n0\r\n\r\n", "\r\n\r", ""),
        ("1\r\na\r\n0\r\nexpires: never\r\nx: y\r\n\r\nbehind", "a", "behind"),
        ("1\r\na\r\n0\r\nx:\r\ny: \t\u{e4} !\r\n\r\n", "a", ""),
    ] {
        let (read, taken, bad) = decode(input.as_bytes());

        assert_eq!(bad, None, "{input:?}");
        assert_eq!(read, payload.as_bytes(), "{input:?}");
        assert_eq!(&input[taken..], behind, "{input:?}");
    }
}

#[test]
fn bodies_that_are_not() {
    for (input, payload, bad) in [
        ("\r\nabc", "", BadChunk::Size),
        ("zz\r\n", "", BadChunk::Size),
        ("-1\r\n", "", BadChunk::Size),
        ("0x3\r\nabc", "", BadChunk::Size),
        ("3 3\r\nabc", "", BadChunk::Size),
        ("3\nabc\n0\n\n", "", BadChunk::Size),
        ("10000000000000000\r\n", "", BadChunk::Overflow),
        ("3\rabc", "", BadChunk::LineEnd("a chunk size")),
        ("3;ext\nabc", "", BadChunk::LineEnd("a chunk extension")),
        ("3\r\nabcd\r\n", "abc", BadChunk::LineEnd("a chunk")),
        ("3\r\nabc\n0\r\n", "abc", BadChunk::LineEnd("a chunk")),
        ("3\r\nabc\r0\r\n", "abc", BadChunk::LineEnd("a chunk")),
        ("0\r\n\rx", "", BadChunk::LineEnd("the last chunk")),
        ("0\r\nx: y\rz", "", BadChunk::LineEnd("a trailer")),
        ("0\r\nx: y\n\r\n", "", BadChunk::LineEnd("a trailer")),
        ("0\r\nx: y\r\n\n", "", BadChunk::LineEnd("the last chunk")),
        ("0\r\n\nGET /b HTTP/1.1\r\nhost: x\r\n\r\n", "", BadChunk::LineEnd("the last chunk")),
        ("0\r\nno trailer at all\r\n\r\n", "", BadChunk::Trailer),
        ("0\r\nx\r\n\r\n", "", BadChunk::Trailer),
        ("0\r\nx\n\r\n", "", BadChunk::Trailer),
        ("0\r\n: y\r\n\r\n", "", BadChunk::Trailer),
        ("0\r\nx : y\r\n\r\n", "", BadChunk::Trailer),
        ("0\r\nx: y\r\n folded\r\n\r\n", "", BadChunk::Trailer),
        ("0\r\nx: y\0\r\n\r\n", "", BadChunk::Trailer),
    ] {
        let (read, _, found) = decode(input.as_bytes());

        assert_eq!(found, Some(bad), "{input:?}");
        assert_eq!(read, payload.as_bytes(), "{input:?}");
    }
}

#[test]
fn an_answer_is_whole_whatever_its_trailers_hold() {
    for trailers in ["no trailer at all\r\n", "x: y\nz: \0\r\n", ": y\r\n", "x: y\r\n folded\r\n"] {
        let input = format!("1\r\na\r\n0\r\n{trailers}\r\nbehind");

        let (read, taken, bad) = decode_with(Chunks::new(), input.as_bytes());

        assert_eq!((&read[..], &input[taken..], bad), (&b"a"[..], "behind", None), "{trailers:?}");
    }
}

#[test]
fn what_is_skipped_is_bounded() {
    let extension = |length| format!("1;{}\r\na\r\n0\r\n\r\n", "e".repeat(length));
    assert_eq!(decode(extension(16 * 1024 - 1).as_bytes()).2, None);
    assert_eq!(decode(extension(16 * 1024).as_bytes()).2, Some(BadChunk::Extensions));

    let trailer = |length: usize| format!("0\r\nt:{}\r\n\r\n", "t".repeat(length - 2));
    assert_eq!(decode(trailer(16 * 1024 - 4).as_bytes()).2, None);
    assert_eq!(decode(trailer(16 * 1024).as_bytes()).2, Some(BadChunk::Trailers));

    let lines = |count| format!("0\r\n{}\r\n", "x: y\r\n".repeat(count));
    assert_eq!(decode(lines(100).as_bytes()).2, None);
    assert_eq!(decode(lines(101).as_bytes()).2, Some(BadChunk::Trailers));
}

#[test]
fn the_largest_chunk_is_one_of_64_bits() {
    let (payload, taken, bad) = decode(b"ffffffffffffffff\r\nabc");

    assert_eq!((&payload[..], taken, bad), (&b"abc"[..], 21, None));
}
