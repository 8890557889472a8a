use http::Response;

use super::*;

const NEW: Manner = Manner { is_old: false, wants_head: false, keeps_alive: true };
const OLD: Manner = Manner { is_old: true, ..NEW };
const HEAD: Manner = Manner { wants_head: true, ..NEW };

fn written(
    lines: &[(&'static str, &'static str)],
    status: u16,
    manner: Manner,
    size: &SizeHint,
) -> (String, Ending) {
    let mut response = Response::builder().status(status).header(DATE, "now");
    for (name, value) in lines {
        response = response.header(*name, *value);
    }
    let (parts, ()) = response.body(()).expect("a response").into_parts();
    let ending = ending(&parts, manner, size);
    let keeps = manner.keeps_alive && ending != Ending::Close;
    let (head, goes_on) = head(&parts, manner, ending, size, keeps);
    assert_eq!(goes_on, keeps && lines.iter().all(|(name, _)| *name != "connection"));
    let head = String::from_utf8(head).expect("text");
    (head, ending)
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn heads_are_these_bytes() {
    let (some, exact) = (SizeHint::default(), SizeHint::with_exact(5));
    let (empty, closing) = (SizeHint::with_exact(0), Manner { keeps_alive: false, ..NEW });
    for (status, manner, size, lines, ending, bytes) in [
        (
            200,
            NEW,
            &exact,
            &[("x", "y")][..],
            Ending::Length(5),
            "HTTP/1.1 200 OK\r\ndate: now\r\nx: y\r\ncontent-length: 5\r\n\r\n",
        ),
        (
            200,
            NEW,
            &empty,
            &[],
            Ending::Length(0),
            "HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            200,
            NEW,
            &some,
            &[],
            Ending::Chunked,
            "HTTP/1.1 200 OK\r\ndate: now\r\ntransfer-encoding: chunked\r\n\r\n",
        ),
        (
            200,
            NEW,
            &some,
            &[("content-length", "7")],
            Ending::Length(7),
            "HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 7\r\n\r\n",
        ),
        (
            200,
            NEW,
            &exact,
            &[("content-length", "7")],
            Ending::Length(5),
            "HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 5\r\n\r\n",
        ),
        (
            200,
            NEW,
            &some,
            &[("transfer-encoding", "gzip")],
            Ending::Chunked,
            "HTTP/1.1 200 OK\r\ndate: now\r\ntransfer-encoding: chunked\r\n\r\n",
        ),
        (
            200,
            closing,
            &exact,
            &[],
            Ending::Length(5),
            "HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 5\r\nconnection: close\r\n\r\n",
        ),
        (
            503,
            NEW,
            &exact,
            &[("connection", "close")],
            Ending::Length(5),
            "HTTP/1.1 503 Service Unavailable\r\ndate: now\r\nconnection: close\r\ncontent-length: 5\r\n\r\n",
        ),
        (529, NEW, &empty, &[], Ending::Length(0), "HTTP/1.1 529 \r\ndate: now\r\ncontent-length: 0\r\n\r\n"),
        (
            204,
            NEW,
            &empty,
            &[("content-length", "0")],
            Ending::Bodiless,
            "HTTP/1.1 204 No Content\r\ndate: now\r\n\r\n",
        ),
        (
            304,
            NEW,
            &empty,
            &[("content-length", "9")],
            Ending::Bodiless,
            "HTTP/1.1 304 Not Modified\r\ndate: now\r\ncontent-length: 9\r\n\r\n",
        ),
        (
            200,
            HEAD,
            &empty,
            &[("content-length", "9")],
            Ending::Bodiless,
            "HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 9\r\n\r\n",
        ),
        (
            200,
            HEAD,
            &exact,
            &[],
            Ending::Bodiless,
            "HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 5\r\n\r\n",
        ),
        (200, HEAD, &some, &[], Ending::Bodiless, "HTTP/1.1 200 OK\r\ndate: now\r\n\r\n"),
        (
            200,
            OLD,
            &exact,
            &[],
            Ending::Length(5),
            "HTTP/1.0 200 OK\r\ndate: now\r\ncontent-length: 5\r\nconnection: keep-alive\r\n\r\n",
        ),
        (200, OLD, &some, &[], Ending::Close, "HTTP/1.0 200 OK\r\ndate: now\r\n\r\n"),
    ] {
        assert_eq!(written(lines, status, manner, size), (bytes.to_owned(), ending));
    }
}

#[test]
fn a_date_is_added_and_is_that_of_now() {
    let (parts, ()) = Response::new(()).into_parts();
    let (head, _) = head(&parts, NEW, Ending::Length(0), &SizeHint::default(), true);

    let text = String::from_utf8(head).expect("text");
    let date = text.split("date: ").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("a date");
    let age = SystemTime::now().duration_since(httpdate::parse_http_date(date).expect("a date"));
    assert!(age.expect("the past") < Duration::from_mins(1), "{date}");
}
