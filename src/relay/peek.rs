//! Reads an answer until it has really opened. Nothing has gone out yet, so whatever goes wrong
//! here is a failed attempt, whatever the HTTP status said.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use bytesize::ByteSize;
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt;
use serde_json::value::RawValue;

use super::flow::{LINGER, Opening};
use super::limits::Limits;
use super::sieve::{End, Sieve, TOO_LONG};
use super::{Request, flow};
use crate::openai::completion::{self, Flaw};
use crate::openai::error::ProviderError;
use crate::retry::{Class, Fault, Phase, classify};

/// The most white space that may stand before an answer.
const MAX_BLANK: usize = 64 * 1024;

/// The most that is kept of a stream that does not open.
const MAX_PRELUDE: usize = 8 * 1024 * 1024;

/// Reads a whole answer and checks it. Each silence in it is held to the `first_token` limit.
pub(super) async fn whole<B>(
    mut body: B,
    headers: &HeaderMap,
    most: usize,
    limits: Limits,
) -> Result<Bytes, Fault>
where
    B: Body<Data = Bytes, Error = Fault> + Unpin,
{
    let answer = read_whole(&mut body, BytesMut::new(), most, limits).await?;
    check(&answer, headers)?;
    Ok(answer)
}

/// Reads the beginning of a streamed answer, until an event carries payload.
pub(super) async fn stream<B>(
    body: B,
    headers: &HeaderMap,
    sieve: Sieve,
    request: &Request,
    most: usize,
    limits: Limits,
) -> Result<Opening<B>, Fault>
where
    B: Body<Data = Bytes, Error = Fault> + Unpin,
{
    let beginning = {
        let beginning = pin!(begin(body, sieve, headers));
        limits.payload(beginning).await?
    };
    let (mut body, sieve, prelude) = match beginning {
        Beginning::Events(mut reading) => {
            // What a candidate says again may take long, but it is not silent.
            while !reading.is_over() {
                limits.silence(pin!(reading.step(headers))).await?;
            }
            return reading.opening(limits);
        }
        Beginning::Json(body, sieve, prelude) => (body, sieve, prelude),
    };
    let answer = read_whole(&mut body, BytesMut::from(&without_bom(prelude)[..]), most, limits).await?;
    check(&answer, headers)?;
    let events = completion::as_events(&answer, request.envelope.include_usage())
        .map_err(|flaw| broken(flaw.to_string()))?;
    if !sieve.continues() {
        return Ok(Opening::whole(events, limits.idle));
    }
    let mut reading = Reading::<B>::new(None, sieve);
    reading.take(events);
    while !reading.is_over() {
        reading.step(headers).await?;
    }
    reading.opening(limits)
}

/// What the first bytes of a streamed answer turned out to be.
enum Beginning<B> {
    Events(Reading<B>),
    /// A whole answer, and what has been read of it.
    Json(B, Sieve, Bytes),
}

async fn begin<B>(mut body: B, sieve: Sieve, headers: &HeaderMap) -> Result<Beginning<B>, Fault>
where
    B: Body<Data = Bytes, Error = Fault> + Unpin,
{
    let (form, prelude) = sniff(&mut body).await?;
    match form {
        Form::Events => {
            let mut reading = Reading::new(Some(body), sieve);
            reading.take(without_bom(prelude));
            while !reading.is_over() && !reading.sieve.repeats() {
                reading.step(headers).await?;
            }
            Ok(Beginning::Events(reading))
        }
        Form::Json => Ok(Beginning::Json(body, sieve, prelude)),
        Form::Empty => Err(Fault::new(Class::Empty, Phase::FirstToken, "an empty body")),
        Form::Neither => {
            let what = "an answer that is neither an event stream nor JSON by its first bytes";
            Err(broken(match ProviderError::parse(&prelude).message {
                Some(words) => format!("{what}: {words}"),
                None => what.to_owned(),
            }))
        }
    }
}

fn broken(reason: impl Into<String>) -> Fault {
    Fault::new(Class::Broken, Phase::FirstToken, reason)
}

fn check(answer: &[u8], headers: &HeaderMap) -> Result<(), Fault> {
    let says = || classify::error_body(headers, answer, Phase::FirstToken, SystemTime::now());
    let empty = |reason| Err(Fault::new(Class::Empty, Phase::FirstToken, reason));
    if answer.iter().all(u8::is_ascii_whitespace) {
        return empty("an empty body");
    }
    match completion::inspect(answer) {
        Ok(completion) if completion.empty => empty("an answer with nothing in it"),
        Ok(_) => Ok(()),
        Err(Flaw::Error) => Err(says()),
        // An error in a shape of its own still has its words; JSON that was cut may hold those of an answer.
        Err(_) if is_json(answer) && speaks_of_an_error(answer) => Err(says()),
        Err(flaw) => Err(broken(flaw.to_string())),
    }
}

fn speaks_of_an_error(answer: &[u8]) -> bool {
    let ProviderError { message, status, .. } = ProviderError::parse(answer);
    message.is_some() || status.is_some()
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(text).is_ok()
}

async fn read_whole<B>(body: &mut B, start: BytesMut, most: usize, limits: Limits) -> Result<Bytes, Fault>
where
    B: Body<Data = Bytes, Error = Fault> + Unpin,
{
    let mut first: Option<Bytes> = None;
    let mut read = start;
    while let Some(data) = limits.payload(pin!(next_data(body))).await? {
        if read.len() + first.as_ref().map_or(0, Bytes::len) + data.len() > most {
            return Err(too_large(most));
        }
        if read.is_empty() && first.is_none() {
            first = Some(data);
            continue;
        }
        if let Some(first) = first.take() {
            read.extend_from_slice(&first);
        }
        read.extend_from_slice(&data);
    }
    Ok(first.unwrap_or_else(|| read.freeze()))
}

/// An answer that is to be read whole has more than `most` bytes.
pub(super) fn too_large(most: usize) -> Fault {
    let most = ByteSize(most as u64).display().si();
    let reason = format!("an answer larger than `server.max_answer`: {most}");
    // The same question gets an answer of that size again.
    Fault::new(Class::Unexpected, Phase::FirstToken, reason)
}

/// The next bytes of a body, or nothing at its end.
async fn next_data<B>(body: &mut B) -> Result<Option<Bytes>, Fault>
where
    B: Body<Data = Bytes, Error = Fault> + Unpin,
{
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data()
            && !data.is_empty()
        {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

enum Form {
    Events,
    Json,
    Empty,
    Neither,
}

/// Tells by its first bytes what a body is; labels lie.
async fn sniff<B>(body: &mut B) -> Result<(Form, Bytes), Fault>
where
    B: Body<Data = Bytes, Error = Fault> + Unpin,
{
    let mut read = Bytes::new();
    loop {
        let Some(data) = next_data(body).await? else {
            let blank = read.iter().all(u8::is_ascii_whitespace);
            return Ok((if blank { Form::Empty } else { Form::Neither }, read));
        };
        read = if read.is_empty() { data } else { [read, data].concat().into() };
        if let Some(form) = form_of(&read) {
            return Ok((form, read));
        }
        if read.len() > MAX_BLANK {
            return Ok((Form::Neither, read));
        }
    }
}

/// What some bodies begin with. Behind what went out before, it would make the client lose an event.
const BOM: &[u8] = b"\xef\xbb\xbf";

fn without_bom(mut prelude: Bytes) -> Bytes {
    let length = if prelude.starts_with(BOM) { BOM.len() } else { 0 };
    prelude.split_off(length)
}

/// The form of a body that begins with `bytes`, or nothing while more of it is needed.
fn form_of(bytes: &[u8]) -> Option<Form> {
    const FIELDS: [&[u8]; 5] = [b":", b"data:", b"event:", b"id:", b"retry:"];
    if bytes.len() < BOM.len() && BOM.starts_with(bytes) {
        return None;
    }
    let text = bytes.strip_prefix(BOM).unwrap_or(bytes).trim_ascii_start();
    match text.first()? {
        b'{' | b'[' => Some(Form::Json),
        _ if FIELDS.iter().any(|field| text.starts_with(field)) => Some(Form::Events),
        _ if FIELDS.iter().any(|field| field.starts_with(text)) => None,
        _ => Some(Form::Neither),
    }
}

/// The beginning of a stream, event by event.
struct Reading<B> {
    /// Nothing if all of it has been read.
    body: Option<B>,
    sieve: Sieve,
    pieces: VecDeque<Bytes>,
    end: Option<End>,
    /// Whether it ended before it opened.
    concluded: bool,
}

impl<B> Reading<B>
where
    B: Body<Data = Bytes, Error = Fault> + Unpin,
{
    fn new(body: Option<B>, sieve: Sieve) -> Self {
        Self { body, sieve, pieces: VecDeque::new(), end: None, concluded: false }
    }

    fn take(&mut self, data: Bytes) {
        self.end = self.sieve.push(data, &mut self.pieces);
    }

    /// Whether nothing more has to be read.
    fn is_over(&self) -> bool {
        self.sieve.opened() || self.concluded
    }

    /// Weighs the end, if it has come, or else reads on.
    async fn step(&mut self, headers: &HeaderMap) -> Result<(), Fault> {
        match &self.end {
            Some(End::Error(data)) => {
                return Err(classify::error_body(headers, data, Phase::FirstToken, SystemTime::now()));
            }
            Some(End::Done) => {
                self.concluded = true;
                return Ok(());
            }
            Some(End::Differs(why)) => return Err(flow::differs(*why, Phase::FirstToken)),
            Some(End::TooLong) => return Err(broken(TOO_LONG)),
            None => {}
        }
        if self.sieve.passed() > MAX_PRELUDE {
            return Err(broken("8 MiB of events without payload"));
        }
        let Some(body) = &mut self.body else {
            self.end = Some(End::Done);
            return Ok(());
        };
        let next = next_data(body);
        let data = if self.sieve.finished() {
            // What follows a finish reason is short: a usage chunk, `[DONE]`.
            tokio::time::timeout(LINGER, next).await.unwrap_or(Ok(None))
        } else {
            next.await
        };
        self.end = match data {
            Ok(Some(data)) => self.sieve.push(data, &mut self.pieces),
            // Where that opens the stream the ended body says so again, and what follows from it is decided
            // in one place.
            Ok(None) => match self.sieve.finish(&mut self.pieces) {
                None if self.sieve.opened() => None,
                end => Some(end.unwrap_or(End::Done)),
            },
            Err(_) if self.sieve.finished() => Some(End::Done),
            Err(fault) => return Err(fault),
        };
        Ok(())
    }

    /// A stream that ended before any payload is an answer only if its tokens were counted; one that was to
    /// go on is none, for tokens are counted of what it says again too.
    fn opening(self, limits: Limits) -> Result<Opening<B>, Fault> {
        let Self { body, mut sieve, mut pieces, end, .. } = self;
        if sieve.opened() {
            return Ok(Opening { pieces, sieve, end, body, idle: limits.idle });
        }
        if sieve.continues() && sieve.repeats() && !sieve.finished() {
            return Err(broken("the stream ended without a finish reason"));
        }
        if sieve.counted_tokens() && !sieve.continues() {
            sieve.close(&mut pieces);
            return Ok(Opening { pieces, sieve, end: Some(End::Done), body: None, idle: limits.idle });
        }
        if sieve.dropped() && !sieve.finished() {
            return Err(broken("a stream without one event that is JSON"));
        }
        Err(Fault::new(Class::Empty, Phase::FirstToken, "a stream with nothing in it"))
    }
}
