//! A client as anyone would write it: one request, an answer that streams.

use std::collections::VecDeque;
use std::fmt::Display;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use memchr::memmem;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Error;

/// An answer on its way.
pub(super) struct Answer {
    headers: HeaderMap,
    body: Incoming,
    streamed: bool,
    buffer: BytesMut,
    events: VecDeque<Event>,
    done: bool,
    failed: bool,
    /// Owns the connection.
    _connection: JoinSet<hyper::Result<()>>,
}

/// What a client sees of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// More of its text.
    Text(String),
    /// An error, in place of the answer or of its rest.
    Error(String),
    /// Nothing more.
    End,
}

/// Asks the route `demo` for a streamed answer.
pub(super) async fn ask(address: SocketAddr, question: &str) -> Result<Answer, Error> {
    let stream =
        TcpStream::connect(address).await.map_err(|error| failed("could not connect to the proxy", error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed("could not ask the proxy", error))?;
    let mut task = JoinSet::new();
    task.spawn(connection);
    let body = json!({"model": "demo", "stream": true, "messages": [{"role": "user", "content": question}]});
    let request = Request::post("/v1/chat/completions")
        .header("host", address.to_string())
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(|error| failed("could not ask the proxy", error))?;
    let response =
        sender.send_request(request).await.map_err(|error| failed("no answer from the proxy", error))?;
    let (head, body) = response.into_parts();
    Ok(Answer {
        headers: head.headers,
        body,
        streamed: head.status.is_success(),
        buffer: BytesMut::new(),
        events: VecDeque::new(),
        done: false,
        failed: false,
        _connection: task,
    })
}

fn failed(what: &str, error: impl Display) -> Error {
    Error::Chat(format!("{what}: {error}"))
}

impl Answer {
    /// What comes next.
    pub(super) async fn next(&mut self) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            let Some(frame) = self.body.frame().await else {
                if !self.streamed && !self.failed {
                    let body = self.buffer.split();
                    self.read(&body);
                    continue;
                }
                return Ok(Event::End);
            };
            let frame = frame.map_err(|error| failed("the answer was torn off", error))?;
            self.buffer.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
            while let Some(end) = memmem::find(&self.buffer, b"\n\n").filter(|_| self.streamed) {
                let event = self.buffer.split_to(end + 2);
                if let Some(data) = event.strip_prefix(b"data: ") {
                    self.read(data.trim_ascii());
                }
            }
        }
    }

    /// Whether it came to its end.
    pub(super) fn finished(&self) -> bool {
        self.done && !self.failed
    }

    /// Who answered, and after how many attempts.
    pub(super) fn provenance(&self) -> Provenance {
        let header = |name: &str| {
            self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let provider = header("x-backstop-provider").unwrap_or_default();
        let model = header("x-backstop-model").unwrap_or_default();
        Provenance {
            candidate: format!("{provider}/{model}"),
            attempts: header("x-backstop-attempts").unwrap_or_default(),
        }
    }

    fn read(&mut self, data: &[u8]) {
        if data == b"[DONE]" {
            self.done = true;
            return;
        }
        let chunk: Value = serde_json::from_slice(data).unwrap_or_default();
        if let Some(text) = chunk["choices"][0]["delta"]["content"].as_str().filter(|text| !text.is_empty()) {
            self.events.push_back(Event::Text(text.to_owned()));
        } else if !self.streamed || chunk.get("error").is_some() {
            self.failed = true;
            let message = chunk["error"]["message"].as_str().unwrap_or("the answer is no JSON");
            self.events.push_back(Event::Error(message.to_owned()));
        }
    }
}

/// Who answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Provenance {
    /// The provider and the model.
    pub(super) candidate: String,
    /// How many attempts it took, as the header has it.
    pub(super) attempts: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Act, Provider, error};

    async fn events(act: Act) -> (Vec<Event>, bool) {
        let provider = Provider::start(act).unwrap();
        let mut answer = ask(provider.address(), "?").await.unwrap();
        let mut events = Vec::new();
        loop {
            match answer.next().await.unwrap() {
                Event::End => return (events, answer.finished()),
                event => events.push(event),
            }
        }
    }

    #[tokio::test]
    async fn reads_an_answer_however_it_is_split() {
        let expected = vec![Event::Text("Hello".into()), Event::Text(" there".into())];

        assert_eq!(events(Act::answer("Hello there").split([7])).await, (expected, true));
    }

    #[tokio::test]
    async fn sees_errors_in_place_of_an_answer_and_in_it() {
        let refused = Act::status(429).error("slow down", 429);
        assert_eq!(events(refused).await, (vec![Event::Error("slow down".into())], false));

        let broken = Act::answer("a b").insert(2, error("it broke", 502));
        let (seen, finished) = events(broken).await;
        assert_eq!((&seen[1], finished), (&Event::Error("it broke".into()), false));

        let (_, finished) = events(Act::answer("a b").without_finish()).await;
        assert!(!finished);
    }
}
