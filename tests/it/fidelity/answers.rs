//! Whole answers arrive as the provider sent them, under an honest label.

use backstop::sim::{Encoding, Framing};

use super::*;

/// Odd on purpose: spacing, numbers, escapes, unknown members, another `model`, white space at the end.
const ANSWER: &str = "{ \"id\":\"x\",\"model\" : \"someone/else\",\"choices\":[ {\"index\":0,\"message\":{\"role\":\"assistant\",\
     \"content\":\"Z\\u00fcrich Zürich \\ud83d\\ude00 \\/ {\\\"error\\\": 1}\"},\"finish_reason\":\"stop\"} ],\
     \"usage\":{\"total_tokens\":1E+2,\"cost\":0.10,\"big\":123456789012345678901234567890},\"event\":null}\r\n ";

#[tokio::test]
async fn a_whole_answer_keeps_every_byte_however_it_comes() {
    let answer = || Act::echo().json(ANSWER);
    let table = [
        ("as it is", answer()),
        ("chunked", answer().framing(Framing::Chunked).split([1, 5])),
        ("until the close", answer().framing(Framing::UntilClose)),
        ("gzip", answer().encode(Encoding::Gzip).split([3])),
        ("deflate", answer().encode(Encoding::Deflate)),
        ("raw deflate", answer().encode(Encoding::RawDeflate).framing(Framing::Chunked).split([1])),
        ("unlabelled gzip", answer().encode(Encoding::Gzip).without_header("content-encoding")),
    ];
    for (how, act) in table {
        let (provider, proxy) = answering(act).await;

        let mut answer = Call::whole("r").send(proxy.address).await;

        assert_eq!(answer.status, 200, "{how}");
        assert_eq!(answer.header("content-length"), ANSWER.len().to_string(), "{how}");
        assert_eq!(answer.header("content-encoding"), "", "{how}");
        assert_eq!(answer.header("transfer-encoding"), "", "{how}");
        assert_eq!(answer.text().await, ANSWER, "{how}");
        assert_eq!(provider.count(), 1, "{how}");
    }
}

#[tokio::test]
async fn the_label_says_what_is_in_it() {
    let json = || Act::echo().json(ANSWER);
    let stream = || Act::answer("Hello there");
    let table = [
        (false, json().header("content-type", "text/html"), "application/json"),
        (false, json().header("content-type", "text/event-stream"), "application/json"),
        (false, json().without_header("content-type"), "application/json"),
        (
            false,
            json().header("content-type", "application/json; charset=utf-8"),
            "application/json; charset=utf-8",
        ),
        (true, stream().header("content-type", "application/json"), "text/event-stream"),
        (true, stream().header("content-type", "text/plain"), "text/event-stream"),
        (true, stream().without_header("content-type"), "text/event-stream"),
        (true, stream().whole(), "text/event-stream"),
    ];
    for (stream, act, label) in table {
        let (_provider, proxy) = answering(act.clone()).await;
        let call = if stream { Call::stream("r") } else { Call::whole("r") };

        let mut answer = call.send(proxy.address).await;

        assert_eq!((answer.status, answer.header("content-type")), (200, label), "{act:?}");
        if stream {
            assert_eq!(answer.content().await, "Hello there", "{act:?}");
        } else {
            assert_eq!(answer.text().await, ANSWER, "{act:?}");
        }
    }
}
