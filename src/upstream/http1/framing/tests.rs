use super::*;

fn opened(head: &str) -> Result<Opened, Malformed> {
    let mut heads = HeadReader::default();
    let opened = Opened::read(&mut heads, format!("{head}\r\n\r\n").as_bytes())?;
    Ok(opened.expect("a whole head"))
}

#[test]
fn where_a_body_ends() {
    let chunked = || Framing::Chunked(Chunks::new());
    for (head, framing, keeps_alive) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5", Framing::Length(5), true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0", Framing::Length(0), true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\ncontent-length: 05", Framing::Length(5), true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", chunked(), true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, CHUNKED ", chunked(), true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked", chunked(), true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5", chunked(), false),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip", Framing::UntilClose, false),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ncontent-length: 5", Framing::UntilClose, false),
        ("HTTP/1.1 200 OK", Framing::UntilClose, false),
        ("HTTP/1.1 204 No Content\r\ncontent-length: 5", Framing::Length(0), true),
        ("HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked", Framing::Length(0), true),
        ("HTTP/1.1 101 Switch\r\nconnection: upgrade", Framing::Length(0), false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: Close", Framing::Length(5), false),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: x, close\r\nconnection: keep-alive",
            Framing::Length(5),
            false,
        ),
        ("HTTP/1.0 200 OK\r\ncontent-length: 5", Framing::Length(5), false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: Keep-Alive", Framing::Length(5), true),
        ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive, close", Framing::Length(5), false),
    ] {
        let body = opened(head).expect("a head").body;

        assert_eq!(body.framing, framing, "{head}");
        assert_eq!(body.keeps_alive(), keeps_alive, "{head}");
        assert_eq!(body.end().is_some(), framing == Framing::Length(0), "{head}");
    }
}

#[test]
fn heads_that_do_not_say_where_the_body_ends() {
    for (lines, what) in [
        ("content-length: 5\r\ncontent-length: 6", "invalid content-length"),
        ("content-length: 5, 6", "invalid content-length"),
        ("content-length: +5", "invalid content-length"),
        ("content-length: 5,", "invalid content-length"),
        ("content-length: 0x5", "invalid content-length"),
        ("content-length:", "invalid content-length"),
        ("content-length: 99999999999999999999", "invalid content-length"),
    ] {
        let malformed = opened(&format!("HTTP/1.1 200 OK\r\n{lines}")).expect_err("no length");

        assert_eq!(malformed.to_string(), format!("the response head is not HTTP/1.1: {what}"), "{lines}");
    }
    let old = opened("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked").expect_err("no length");
    assert_eq!(old, Malformed::NotHttp("transfer-encoding in HTTP/1.0".to_owned()));
}

#[test]
fn all_chunks_of_a_read_come_out_as_one_piece() {
    let mut body = opened("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked").expect("a head").body;

    assert_eq!(body.push(b"3\r\nabc\r\n2\r\nde\r\n5\r\nf"), "abcdef");
    assert_eq!(body.push(b"gh"), "gh");
    assert_eq!(body.push(b"ij\r\n"), "ij");
    assert_eq!(body.push(b"0\r\n"), "");
    assert_eq!((body.end(), body.keeps_alive()), (None, true));
    assert_eq!(body.push(b"\r\n"), "");
    assert_eq!((body.end(), body.keeps_alive()), (Some(Ok(())), true));
}

#[test]
fn what_comes_behind_a_body_spoils_the_connection() {
    for (head, bytes) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 3", "abc"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
        ("HTTP/1.1 204 No Content", ""),
    ] {
        for (behind, keeps_alive) in [("", true), ("H", false)] {
            let mut at_once = opened(head).expect("a head").body;
            let mut apart = opened(head).expect("a head").body;

            let payload = at_once.push(format!("{bytes}{behind}").as_bytes());
            assert_eq!(apart.push(bytes.as_bytes()), payload);
            assert_eq!(apart.push(behind.as_bytes()), "");

            for body in [at_once, apart] {
                assert_eq!((body.end(), body.keeps_alive()), (Some(Ok(())), keeps_alive), "{head}");
            }
        }
    }
}

#[test]
fn a_close_ends_or_breaks_a_body() {
    for (head, bytes, end) in [
        ("HTTP/1.1 200 OK", "abc", Ok(())),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3", "abc", Ok(())),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3", "ab", Err("the answer was cut after 2 of 3 bytes")),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", "2\r\na", Err("the answer was cut before its end")),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", "0\r\n", Err("the answer was cut before its end")),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked",
            "1\r\nax",
            Err("the answer's chunks are broken: no line end after a chunk"),
        ),
    ] {
        let mut body = opened(head).expect("a head").body;
        body.push(bytes.as_bytes());

        body.close();

        let ended = body.end().expect("an end").map_err(|broken| broken.to_string());
        assert_eq!(ended, end.map_err(str::to_owned), "{head}");
        assert!(!body.keeps_alive());
    }
}
