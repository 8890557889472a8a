//! The head of a response as bytes.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::response::Parts;
use http::{Method, StatusCode, Version};
use http_body::SizeHint;

use crate::http1::hop::split;
use crate::http1::numbers::{number, push_number};

/// How the end of a response's body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Ending {
    /// There is none, whatever the headers say.
    Bodiless,
    /// It has so many bytes.
    Length(u64),
    /// By the chunked coding.
    Chunked,
    /// By the end of the connection.
    Close,
}

/// How a request is to be answered, as far as the connection knows.
#[derive(Debug, Clone, Copy)]
pub(in crate::server) struct Manner {
    /// The client spoke HTTP/1.0.
    pub is_old: bool,
    /// The client wants the head alone.
    pub wants_head: bool,
    /// Another request may follow, as far as the connection knows.
    pub keeps_alive: bool,
}

impl Manner {
    /// That of a request with this `method` and `version`.
    pub fn new(method: &Method, version: Version, keeps_alive: bool) -> Self {
        Self { is_old: version == Version::HTTP_10, wants_head: method == Method::HEAD, keeps_alive }
    }
}

/// How the body of a response ends whose own estimate is `size`.
pub(in crate::server) fn ending(parts: &Parts, manner: Manner, size: &SizeHint) -> Ending {
    if manner.wants_head || matches!(parts.status.as_u16(), 204 | 304) {
        return Ending::Bodiless;
    }
    let said = || parts.headers.get(CONTENT_LENGTH).and_then(|length| number(length.as_bytes()));
    match size.exact().or_else(said) {
        Some(length) => Ending::Length(length),
        None if manner.is_old => Ending::Close,
        None => Ending::Chunked,
    }
}

/// The head of a response, and whether the connection goes on after it, as it does if `keeps` unless the response
/// itself says that it is the last one. The length of a body that is not sent is told where `size` knows it.
pub(in crate::server) fn head(
    parts: &Parts,
    manner: Manner,
    ending: Ending,
    size: &SizeHint,
    keeps: bool,
) -> (Vec<u8>, bool) {
    let lines: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let mut head = Vec::with_capacity(lines + 160);
    let version: &[u8] = if manner.is_old { b"HTTP/1.0 " } else { b"HTTP/1.1 " };
    let reason = parts.status.canonical_reason().unwrap_or_default();
    for part in [version, parts.status.as_str().as_bytes(), b" ", reason.as_bytes(), b"\r\n"] {
        head.extend_from_slice(part);
    }
    // Looking for a header costs more than seeing it go by.
    let (mut has_options, mut has_length, mut has_date, mut closes) = (false, false, false, false);
    for (name, value) in &parts.headers {
        let is_ours = match *name {
            TRANSFER_ENCODING => true,
            CONTENT_LENGTH => {
                has_length = true;
                ending != Ending::Bodiless || parts.status == StatusCode::NO_CONTENT
            }
            CONNECTION => {
                has_options = true;
                closes |= split(value.as_bytes()).any(|option| option.eq_ignore_ascii_case(b"close"));
                false
            }
            DATE => {
                has_date = true;
                false
            }
            _ => false,
        };
        if !is_ours {
            line(&mut head, name.as_str().as_bytes(), value.as_bytes());
        }
    }
    let keeps = keeps && !closes;
    let unsent = || size.exact().filter(|length| manner.wants_head && !has_length && *length > 0);
    match ending {
        Ending::Length(length) => length_line(&mut head, length),
        Ending::Chunked => line(&mut head, b"transfer-encoding", b"chunked"),
        Ending::Bodiless => unsent().into_iter().for_each(|length| length_line(&mut head, length)),
        Ending::Close => {}
    }
    if !has_options {
        match (keeps, manner.is_old) {
            (false, false) => line(&mut head, b"connection", b"close"),
            (true, true) => line(&mut head, b"connection", b"keep-alive"),
            _ => {}
        }
    }
    if !has_date {
        date(|date| line(&mut head, b"date", date));
    }
    head.extend_from_slice(b"\r\n");
    (head, keeps)
}

fn line(head: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        head.extend_from_slice(part);
    }
}

fn length_line(head: &mut Vec<u8>, length: u64) {
    head.extend_from_slice(b"content-length: ");
    push_number(head, length, 10);
    head.extend_from_slice(b"\r\n");
}

thread_local! {
    /// The second that was last asked for, and its name.
    static DATE_OF: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// Shows `to` what is the value of `date` now. It is put into words once a second.
fn date(to: impl FnOnce(&[u8])) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    DATE_OF.with_borrow_mut(|(second, text)| {
        if *second != now || text.is_empty() {
            *second = now;
            text.clear();
            let date = httpdate::HttpDate::from(SystemTime::UNIX_EPOCH + Duration::from_secs(now));
            let _ = write!(text, "{date}");
        }
        to(text.as_bytes());
    });
}

#[cfg(test)]
mod tests;
