//! Failures under 200: bodies that break, that are no answer, that hold nothing.

use backstop::sim::{Act, Encoding, Finish, Framing, Provider, data};

use super::Row;
use crate::support::{Call, Refusal, providers, proxy};

pub fn broken() -> Vec<Row> {
    let answer = || Act::answer("Hello there");
    let role = || answer().cut_after(1);
    let json = || answer().whole();
    let piece = || json().framing(Framing::Chunked).cut_bytes(20);
    let torn_gzip = json().encode(Encoding::Gzip).framing(Framing::Chunked).cut_bytes(60);
    let labelled = |coding: &str| json().header("content-encoding", coding);
    let page = || Act::status(200).html("<h1>Welcome</h1>");
    let lying_page = answer().body("text/event-stream", "<h1>Welcome</h1>");
    let open_json = answer().json(r#"{"choices":[{"#);
    let no_completion = answer().json(r#"{"status":"ok"}"#);
    let words = Act::events([data("Hello"), data("there")]);
    let (cut, reset) = ("the answer was cut before its end", "connection reset in the middle of the answer");
    let (chunks, neither) = ("chunks are broken", "neither an event stream nor JSON");
    let not_json = "the answer is not JSON";
    let head = Act::raw("SSH-2.0-OpenSSH_9.7\r\n\r\n");
    vec![
        Row::before("no HTTP at all", head, "the response head is not HTTP/1.1"),
        Row::inside("half its length", json().cut_after(1), "the answer was cut after "),
        Row::inside("too long a length", json().framing(Framing::LongLength(7)), "the answer was cut after "),
        Row::inside("cut between chunks", piece().then(Finish::Eof), cut),
        Row::inside("reset between chunks", piece().then(Finish::Reset), reset),
        Row::inside("broken chunks", piece().then(Finish::BrokenChunking), chunks),
        Row::inside("a stream cut before a word", role().then(Finish::Eof), cut).streamed(),
        Row::inside("a stream reset before a word", role().then(Finish::Reset), reset).streamed(),
        Row::inside("a stream's broken chunks", role().then(Finish::BrokenChunking), chunks).streamed(),
        Row::inside("no gzip in spite of its label", labelled("gzip"), "gzip data is broken"),
        Row::inside("gzip that ends too soon", torn_gzip, "gzip data ends too soon"),
        Row::inside("a coding nobody asked for", labelled("br"), "`br` was not asked for"),
        Row::inside("a page for a stream", page(), neither).streamed(),
        Row::inside("a page for an answer", page(), not_json).whole(),
        Row::inside("a page labelled as a stream", lying_page, neither).streamed(),
        Row::inside("JSON that does not end", open_json, not_json),
        Row::inside("JSON that is no completion", no_completion, "the answer has no `choices`"),
        Row::inside("a stream unasked", answer().streamed(), not_json).whole(),
        Row::inside("no event is JSON", words, "a stream without one event that is JSON").streamed(),
    ]
}

pub fn unexpected() -> Vec<Row> {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n";
    let hint = "check the provider's `base_url`";
    let fine = || Act::answer("Hello");
    let moved = |target: &str| fine().header("location", target);
    let (path, url) = ("/v2/chat/completions?key=secret", "https://user:secret@example.org/v1");
    let mut rows = vec![
        Row { status: Some(101), ..Row::before("a final 101", Act::raw(switching), hint) },
        Row::status("a 204", 204, fine().empty(), hint),
        Row::status("another path", 301, moved(path), "redirects to `/v2/chat/completions`, check"),
        Row::status("another host", 308, moved(url), "redirects to `https://example.org/v1`, check"),
        Row::status("a redirect to nowhere", 302, fine(), hint),
    ];
    for status in [201, 202, 203, 206, 299, 300, 304] {
        rows.push(Row::status("a good answer under an odd status", status, fine(), hint));
    }
    rows
}

#[tokio::test]
async fn nobody_follows_a_redirect() {
    let target = Provider::start(Act::answer("Hello")).unwrap();
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/chat/completions", target.base_url());
        let provider = Provider::start(Act::status(status).header("location", location)).unwrap();
        let proxy = proxy(&providers(&[("moved", &provider)])).await;

        let refusal = Refusal::read(Call::whole("moved/m").send(proxy.address).await).await;

        assert_eq!((refusal.status, refusal.error.code.as_str()), (502, "unexpected"), "{status}");
        assert!(refusal.error.message.contains(&target.base_url()), "{}", refusal.error.message);
        assert_eq!((provider.count(), target.connections()), (1, 0), "{status}");
    }
}

pub fn empty() -> Vec<Row> {
    let nothing = || Act::answer("");
    let role = || data(r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#);
    let usage = || data(r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":0}}"#);
    let done = || data("[DONE]");
    let null = r#"{"choices":[{"message":{"content":null}}],"usage":{"completion_tokens":0}}"#;
    let stream = "a stream with nothing in it";
    vec![
        Row::inside("no words", nothing(), "with nothing in it"),
        Row::inside("no words, not streamed", nothing().whole(), "an answer with nothing in it"),
        Row::inside("no words, zipped", nothing().encode(Encoding::Gzip), "with nothing in it"),
        Row::inside("no content, no tokens", nothing().json(null), "an answer with nothing in it"),
        Row::inside("no body", nothing().empty(), "an empty body"),
        Row::inside("a blank body", nothing().json("\n \n"), "an empty body"),
        Row::inside("no event", Act::events([""; 0]), "an empty body").streamed(),
        Row::inside("a lone `[DONE]`", Act::events([done()]), stream).streamed(),
        Row::inside("a lone comment", Act::events([": hello\n\n"]), stream).streamed(),
        Row::inside("a role and no end", Act::events([role()]), stream).streamed(),
        Row::inside("a usage of 0", Act::events([role(), usage(), done()]), stream).streamed(),
    ]
}
