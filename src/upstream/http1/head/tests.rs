use super::*;

/// The status of the head in `pieces` and what is behind it, or what came of the pieces without.
fn read(pieces: &[&[u8]]) -> Result<Option<(Parts, Vec<u8>)>, Malformed> {
    let mut heads = HeadReader::default();
    for (index, piece) in pieces.iter().enumerate() {
        if let Some((head, rest)) = heads.push(piece)? {
            let rest = [rest, &pieces[index + 1..].concat()].concat();
            return Ok(Some((head.parts, rest)));
        }
    }
    heads.finish().map(|()| None)
}

fn read_at_once(bytes: &[u8]) -> Result<Option<(Parts, Vec<u8>)>, Malformed> {
    read(&[bytes])
}

#[test]
fn heads_and_what_is_behind_them() {
    for (bytes, status, lines, behind) in [
        ("HTTP/1.1 200 OK\r\n\r\nbody", 200, 0, "body"),
        ("HTTP/1.0 404 Not Found\r\na: b\r\n\r\n", 404, 1, ""),
        ("HTTP/1.1 529\r\na: b\r\na: c\r\n\r\n", 529, 2, ""),
        ("HTTP/1.1 200 OK\na: b\n\nbody", 200, 1, "body"),
        ("\r\n\r\nHTTP/1.1 200 OK\r\n\r\n\r\n", 200, 0, "\r\n"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\na: b\r\n\r\n", 200, 1, ""),
        (
            "HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 103 Early\r\n\r\nHTTP/1.1 500 No\r\n\r\n!",
            500,
            0,
            "!",
        ),
        ("HTTP/1.1 101 Switch\r\nupgrade: x\r\n\r\nwords", 101, 1, "words"),
        ("HTTP/1.1 200 OK\r\nno header\r\nbad name: x\r\n folded: x\r\na: b\r\n\r\n", 200, 1, ""),
        ("HTTP/1.1 200 OK\r\nempty:\r\na:   \tb \t \r\n\r\n", 200, 2, ""),
    ] {
        let (parts, rest) = read_at_once(bytes.as_bytes()).expect("a head").expect("all of it");

        assert_eq!(parts.status.as_u16(), status, "{bytes:?}");
        assert_eq!(parts.headers.len(), lines, "{bytes:?}");
        assert_eq!(String::from_utf8_lossy(&rest), behind, "{bytes:?}");
        if let Some(value) = parts.headers.get("a") {
            assert_eq!(value, "b");
        }
        let bytewise: Vec<&[u8]> = bytes.as_bytes().chunks(1).collect();
        let (again, rest) = read(&bytewise).expect("a head").expect("all of it");
        assert_eq!((again.status, again.headers), (parts.status, parts.headers), "{bytes:?}");
        assert_eq!(String::from_utf8_lossy(&rest), behind, "{bytes:?}");
    }
}

#[test]
fn what_is_no_head() {
    for bytes in [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 0x0 OK\r\n\r\n",
        "HTTP/1.1 099 Too low\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: \0\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n",
        "<!doctype html>",
    ] {
        let bytewise: Vec<&[u8]> = bytes.as_bytes().chunks(1).collect();
        for pieces in [vec![bytes.as_bytes()], bytewise] {
            let malformed = read(&pieces).expect_err("no head");

            assert!(malformed.to_string().starts_with("the response head is not HTTP/1.1: "), "{bytes:?}");
        }
    }
    for part in ["", "H", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\na: b\r\n", "HTTP/1.1 100 Continue\r\n\r\n"] {
        assert!(read_at_once(part.as_bytes()).expect("no fault").is_none(), "{part:?}");
    }
}

#[test]
fn a_head_has_a_size() {
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(length - 24));
    let lines = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(count));
    let interim = "HTTP/1.1 100 Go on\r\n\r\n".repeat(LONGEST / 22 + 1);

    assert_eq!(head(LONGEST).len(), LONGEST);
    assert!(read_at_once(head(LONGEST).as_bytes()).expect("a head").is_some());
    assert!(read_at_once(lines(100).as_bytes()).expect("a head").is_some());
    for long in [head(LONGEST + 1), lines(101), interim, "\r\n".repeat(LONGEST)] {
        let pieces: Vec<&[u8]> = long.as_bytes().chunks(100).collect();
        assert_eq!(read(&pieces).expect_err("too much"), Malformed::TooLarge);
        assert_eq!(read_at_once(long.as_bytes()).expect_err("too much"), Malformed::TooLarge);
    }
}

#[test]
fn a_slow_head_is_not_looked_at_over_and_over() {
    let lines = "x\r\n".repeat(LONGEST / 3 - 10);
    let head = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
    let began = std::time::Instant::now();

    let pieces: Vec<&[u8]> = head.as_bytes().chunks(1).collect();
    let (parts, _) = read(&pieces).expect("a head").expect("all of it");

    assert!(parts.headers.is_empty());
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}
