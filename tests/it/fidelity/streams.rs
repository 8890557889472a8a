//! Recorded streams arrive as they are, however their bytes are cut and packed on the way.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use backstop::sim::{Encoding, Framing, Script};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::support::End;

/// What is recorded here is changed on the way, for each a reason of the failure table: members that a
/// client must not see, an error event.
const CHANGED: [&str; 2] = ["foreign.sse", "openrouter-broken.sse"];

/// No answer at all: an error in place of one, nothing in it.
const REFUSED: [(&str, u16); 2] = [("openrouter-refused.sse", 429), ("empty.sse", 502)];

/// Every recorded stream by its name.
fn recorded() -> Vec<(String, Bytes)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sse");
    let mut streams: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "sse"))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap().into()))
        .collect();
    streams.sort();
    assert!(streams.len() >= 14, "{} recorded streams", streams.len());
    streams
}

fn is_kept(name: &str) -> bool {
    !CHANGED.contains(&name) && REFUSED.iter().all(|(refused, _)| *refused != name)
}

/// A Backstop before a provider whose next act can be changed.
struct Stage {
    runtime: tokio::runtime::Runtime,
    act: Arc<Mutex<Act>>,
    provider: Provider,
    proxy: Proxy,
}

impl Stage {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let act = Arc::new(Mutex::new(Act::echo()));
        let next = Arc::clone(&act);
        let script = Script::by(move |_| next.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let (provider, proxy) = runtime.block_on(async {
            let provider = Provider::start(script).unwrap();
            let proxy = proxy(&route_to(&provider)).await;
            (provider, proxy)
        });
        Self { runtime, act, provider, proxy }
    }

    /// The status and the body that a client gets when the provider does `act`.
    fn play(&self, act: Act) -> (u16, Bytes) {
        *self.act.lock().unwrap() = act;
        self.runtime.block_on(async {
            let mut answer = Call::stream("r").send(self.proxy.address).await;
            let (body, end) = answer.rest().await;
            assert_eq!(end, End::Clean);
            (answer.status, body)
        })
    }
}

fn stream(bytes: &Bytes) -> Act {
    Act::events([bytes.clone()])
}

#[test]
fn recorded_streams_arrive_as_they_are() {
    let stage = Stage::new();
    let streams = recorded();
    for (name, bytes) in streams.iter().filter(|(name, _)| is_kept(name)) {
        let ways = [
            ("in one piece", stream(bytes)),
            ("byte by byte", stream(bytes).split([1])),
            ("until the close", stream(bytes).framing(Framing::UntilClose)),
            ("gzip", stream(bytes).encode(Encoding::Gzip)),
            ("gzip byte by byte", stream(bytes).encode(Encoding::Gzip).split([1])),
            ("deflate", stream(bytes).encode(Encoding::Deflate).split([5])),
            ("raw deflate", stream(bytes).encode(Encoding::RawDeflate).split([1, 2])),
            ("unlabelled gzip", stream(bytes).encode(Encoding::Gzip).without_header("content-encoding")),
        ];
        for (way, act) in ways {
            let (status, body) = stage.play(act);

            assert_eq!(status, 200, "{name}, {way}");
            assert!(body == bytes, "{name}, {way}: {}", String::from_utf8_lossy(&body));
        }
    }
    for (name, expected) in REFUSED {
        let (_, bytes) = streams.iter().find(|(other, _)| other == name).expect("it is recorded");
        assert_eq!(stage.play(stream(bytes)).0, expected, "{name}");
    }
}

#[test]
fn what_is_changed_is_changed_as_listed() {
    let stage = Stage::new();
    let streams = recorded();
    let text = |name: &str| {
        let (_, bytes) = streams.iter().find(|(other, _)| other == name).expect("it is recorded");
        let (status, body) = stage.play(stream(bytes));
        assert_eq!(status, 200, "{name}");
        (String::from_utf8(bytes.to_vec()).unwrap(), String::from_utf8(body.to_vec()).unwrap())
    };

    let (sent, got) = text("foreign.sse");
    let expected = sent
        .replace(r#""event":{"type":"execute","data":{"code":"alert(1)"}}"#, "")
        .replace(r#""selected_model_id":"x","#, "")
        .replace(r#", "\u0065vent":{"type":"status"} "#, " ")
        .replace("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lost\"\n\n", "")
        .replace("data: upstream hiccup\n\n", "");
    assert_eq!(got, expected);

    let (sent, got) = text("openrouter-broken.sse");
    let before = &sent[..sent.rfind("data: {").unwrap()];
    let error = got.strip_prefix(before).expect("what came before the error stays");
    let error = error.strip_prefix("data: ").and_then(|rest| rest.strip_suffix("\n\ndata: [DONE]\n\n"));
    let error: serde_json::Value = serde_json::from_str(error.expect("one event")).unwrap();
    assert!(error.get("choices").is_none(), "{error}");
    assert_eq!(error["error"]["code"], "stream_broken");
    assert!(
        error["error"]["message"].as_str().unwrap().contains("Provider disconnected unexpectedly"),
        "{error}"
    );
}

#[test]
fn it_does_not_matter_how_the_bytes_are_split() {
    let stage = Stage::new();
    let streams = recorded();
    let expected: Vec<(u16, Bytes)> = streams.iter().map(|(_, bytes)| stage.play(stream(bytes))).collect();
    let encodings = [None, Some(Encoding::Gzip), Some(Encoding::Deflate), Some(Encoding::RawDeflate)];
    let cuts = (
        0..streams.len(),
        prop::collection::vec(prop_oneof![1_usize..6, 1_usize..400], 1..12),
        prop::sample::select(encodings.to_vec()),
        any::<bool>(),
    );
    let config = Config { cases: 96, failure_persistence: None, ..Config::default() };

    let checked = TestRunner::new(config).run(&cuts, |(index, sizes, encoding, labelled)| {
        let mut act = stream(&streams[index].1).split(sizes);
        if let Some(encoding) = encoding {
            act = act.encode(encoding);
            if encoding == Encoding::Gzip && !labelled {
                act = act.without_header("content-encoding");
            }
        }
        let (status, body) = stage.play(act);
        prop_assert_eq!(status, expected[index].0, "{}", &streams[index].0);
        // A refusal tells how long it took.
        prop_assert!(status != 200 || body == expected[index].1, "{}: {:?}", &streams[index].0, body);
        Ok(())
    });

    checked.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(stage.provider.unexpected(), 0);
}
