//! Which events pass, which do not, and when.

use backstop::sim::{error, error_beside_choices};
use bytes::Bytes;

use super::*;

/// Every shape of an error event, with the reason in it.
pub fn errors() -> Vec<(Bytes, &'static str)> {
    let nested = r#"{"error":{"message":"Provider returned error","code":502,"metadata":{"raw":"the engine stopped"}}}"#;
    let reason = "the engine stopped";
    vec![
        (data(error(reason, 502)), reason),
        (data(error(reason, "overloaded_error")), reason),
        (data(error(reason, Value::Null)), reason),
        (data(error_beside_choices(reason, 502)), reason),
        (data(error_beside_choices(reason, "server_error")), reason),
        (data(r#"{"error":"the engine stopped"}"#), reason),
        (data(nested), reason),
        ("event: error\ndata: {\"message\":\"the engine stopped\"}\n\n".into(), reason),
        (data(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#), "broke off"),
    ]
}

#[tokio::test]
async fn an_error_event_is_a_break_in_every_shape() {
    for (event, reason) in errors() {
        for before in [[ROLE, HELLO].concat(), [ROLE, HELLO, STOP].concat()] {
            let events = [before.clone().into(), event.clone(), HELLO.into(), DONE.into()];
            let stage = Stage::new(Act::events(events).then(Finish::Stall), "").await;

            let body = stage.body().await;

            let error = error_after(&body, &before);
            assert_eq!(error["code"], "stream_broken", "{event:?}");
            assert!(message(&error).contains(reason), "{error} for {event:?}");
            assert_eq!(soon("end", stage.provider.wait_ended(0)).await, Ended::ClientLeft);
        }
    }
}

#[tokio::test]
async fn a_null_error_is_none() {
    let chunk = "data: {\"error\":null,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";
    let stage = Stage::new(Act::events([chunk, STOP, DONE]), "").await;

    assert_eq!(stage.body().await, [chunk, STOP, DONE].concat());
}

#[tokio::test]
async fn what_is_not_json_is_dropped_and_logged_once() {
    let log = Log::begin();
    let odd = ["data: oops\n\n", "data: {\"a\":[}\n\n", "data: <html>\ndata: {}\n\n", "data:\n\n"];
    let events = [odd[0], ROLE, odd[1], HELLO, odd[2], ": kept\n\n", odd[3], STOP, DONE];
    let stage = Stage::new(Act::events(events), "").await;

    assert_eq!(stage.body().await, [ROLE, HELLO, ": kept\n\n", STOP, DONE].concat());
    let lines = log.saying("dropped an event that is not JSON");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["level"], "WARN");
    assert_eq!(log.outcomes(), ["ok"]);
}

#[tokio::test]
async fn a_bracket_inside_a_string_is_no_bracket() {
    let chunk = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"]}\\\"{[\"}}]}\n\n";
    let stage = Stage::new(Act::events([chunk, STOP, DONE]), "").await;

    assert_eq!(stage.body().await, [chunk, STOP, DONE].concat());
}

#[tokio::test]
async fn whole_events_never_wait_and_a_cut_one_is_held() {
    let peer = Peer::start();
    let proxy = proxy(&route([peer.base_url()], "")).await;
    let connection = Call::stream("r").start(proxy.address).await;
    let mut provider = peer.asked().await;
    provider.begin().await;
    let (first, second) = HELLO.split_at(HELLO.len() / 2);

    // One frame holds two events and the beginning of a third, and then nothing comes.
    provider.say([ROLE, HELLO, first].concat()).await;
    let mut answer = connection.head().await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < ROLE.len() + HELLO.len() {
        seen.extend_from_slice(&answer.frame().await.expect("whole events").bytes);
    }
    assert_eq!(seen, [ROLE, HELLO].concat().into_bytes(), "not a byte of the third");

    // Not even its end goes out before its blank line is whole.
    provider.say(&second[..second.len() - 1]).await;
    provider.say(&second[second.len() - 1..]).await;
    let third = answer.frame().await.expect("the third event");
    assert_eq!(third.bytes, HELLO);

    provider.say([STOP, DONE].concat()).await;
    assert_eq!(answer.text().await, [STOP, DONE].concat());
}

#[tokio::test]
async fn each_event_goes_out_when_it_comes() {
    let peer = Peer::start();
    let proxy = proxy(&route([peer.base_url()], "")).await;
    let connection = Call::stream("r").start(proxy.address).await;
    let mut provider = peer.asked().await;
    provider.begin().await;
    provider.say(HELLO).await;
    let mut answer = connection.head().await.unwrap();

    for event in [": hello\n\n", HELLO, USAGE, "event: ping\n\n", "\n", STOP] {
        let next = answer.frame().await.expect("the event before");
        assert!(!next.bytes.is_empty());
        provider.say(event).await;
    }

    assert_eq!(answer.frame().await.unwrap().bytes, STOP);
    provider.say(DONE).await;
    assert_eq!(answer.text().await, DONE);
}

#[tokio::test]
async fn an_event_of_more_than_8_mib_is_a_break() {
    let chunk = |size: usize| {
        let word = "x".repeat(size);
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}}}}]}}\n\n")
    };
    for (size, fits) in [(8_000_000, true), (9_000_000, false)] {
        let large = chunk(size);
        let events = [HELLO.to_owned(), large.clone(), STOP.to_owned(), DONE.to_owned()];
        let stage = Stage::new(Act::events(events.clone()).split([65_536]), "").await;

        let body = stage.body().await;

        if fits {
            assert!(body == events.concat(), "{} bytes instead of {}", body.len(), events.concat().len());
        } else {
            let error = error_after(&body, HELLO);
            assert_eq!(error["code"], "stream_broken");
            assert!(message(&error).contains("an event of more than 8 MiB"), "{error}");
            soon("close", stage.provider.wait_closed(0)).await;
        }
    }
}

#[tokio::test]
async fn members_that_open_webui_would_run_are_cut_out() {
    for (given, expected) in [
        (
            r#"{"event":{"type":"execute","data":{"code":"x"}},"choices":[{"delta":{"content":"a"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a"}}]}"#,
        ),
        (
            r#"{"id": "1" , "choices":[{"delta":{"content":"a"}}] , "event" : {"type":"execute"} , "n":1E+2}"#,
            r#"{"id": "1" , "choices":[{"delta":{"content":"a"}}] , "n":1E+2}"#,
        ),
        (
            r#"{"choices":[{"delta":{"content":"a"}}],"selected_model_id":"evil"}"#,
            r#"{"choices":[{"delta":{"content":"a"}}]}"#,
        ),
        (
            r#"{"choices":[{"delta":{"content":"a"}}],"\u0065vent":{"type":"execute"}}"#,
            r#"{"choices":[{"delta":{"content":"a"}}]}"#,
        ),
        (
            r#"{"choices":[{"delta":{"content":"a"}}],"event":1,"selected\u005fmodel_id":"x","event":2}"#,
            r#"{"choices":[{"delta":{"content":"a"}}]}"#,
        ),
        // Only what stands at the top is run.
        (
            r#"{"choices":[{"delta":{"content":"\"event\":1"},"event":"kept"}],"x":{"event":1}}"#,
            r#"{"choices":[{"delta":{"content":"\"event\":1"},"event":"kept"}],"x":{"event":1}}"#,
        ),
    ] {
        let prelude = format!("event: message\nid: 7\ndata: {given}\n\n");
        let event = format!("event: execute\r\ndata:{given}\r\n\r\n");
        let stage =
            Stage::new(Act::events([&prelude, HELLO, &event, STOP, DONE].map(str::to_owned)), "").await;

        let body = stage.body().await;

        let prelude = prelude.replace(given, expected);
        let event = event.replace(given, expected);
        assert_eq!(body, [&prelude, HELLO, &event, STOP, DONE].concat());
    }
}

#[tokio::test]
async fn they_are_cut_out_of_an_answer_that_is_made_a_stream() {
    let whole = r#"{"id":"1","object":"chat.completion","created":1,"model":"m","event":{"type":"execute"},"selected_model_id":"evil","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}"#;
    let stage = Stage::new(Act::answer("").json(whole), "").await;

    let body = stage.body().await;

    assert!(body.contains("\"Hi\"") && body.ends_with(DONE), "{body}");
    assert!(!body.contains("execute") && !body.contains("selected_model_id"), "{body}");
}
