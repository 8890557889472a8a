//! Progress that a chat shows: which client gets which, and that an answer is never touched by it.

use backstop::sim::{Act, Provider, Script};
use serde_json::Value;

use crate::support::{Answer, Call, End, Proxy, proxy, route};

const OURS: &str = "/open-webui/v1/chat/completions";
const PLAIN: &str = "/v1/chat/completions";

/// Backstop before a provider that is busy twice; with these keys of the route, and three attempts a tenth of a
/// second apart.
async fn stage(rest: &str) -> (Provider, Proxy) {
    let acts = [Act::status(503), Act::status(503), Act::answer("Hello there")];
    let provider = Provider::start(Script::sequence(acts)).unwrap();
    let proxy = proxy(&route([provider.base_url()], &format!("{BRISK}{rest}"))).await;
    (provider, proxy)
}

const BRISK: &str =
    "retry = { attempts_per_burst = 3, bursts_per_cycle = 1, cycles = 1, attempt_delay = \"100ms\" }\n";

fn chat(path: &str, stream: bool) -> Call {
    let messages = r#"[{"role":"user","content":"Hello"}]"#;
    Call::post(path, format!(r#"{{"model":"r","stream":{stream},"messages":{messages}}}"#))
}

/// What an SDK makes of a stream.
#[derive(Debug, Default)]
struct Read {
    content: String,
    reasoning: Vec<String>,
    statuses: Vec<(String, bool)>,
    toasts: Vec<String>,
    error: Option<Value>,
}

async fn read(answer: &mut Answer) -> Read {
    let mut read = Read::default();
    loop {
        let data = answer.data().await.expect("an event");
        if data == "[DONE]" {
            assert_eq!(answer.frame().await.map(|frame| frame.bytes), Err(End::Clean), "after `[DONE]`");
            return read;
        }
        let chunk: Value = serde_json::from_str(&data).unwrap();
        if let Some(error) = chunk.get("error") {
            assert!(chunk.get("choices").is_none(), "{chunk}");
            read.error = Some(error.clone());
            continue;
        }
        // What SDKs insist on, in every chunk.
        assert!(chunk["id"].is_string() && chunk["created"].is_u64(), "{chunk}");
        assert_eq!(chunk["object"], "chat.completion.chunk");
        let delta = &chunk["choices"][0]["delta"];
        read.content += delta["content"].as_str().unwrap_or_default();
        read.reasoning.extend(delta["reasoning_content"].as_str().map(|line| line.trim_end().to_owned()));
        let event = &chunk["event"]["data"];
        match chunk["event"]["type"].as_str() {
            Some("status") => {
                let description = event["description"].as_str().unwrap().to_owned();
                read.statuses.push((description, event["done"].as_bool().unwrap()));
            }
            Some("notification") => read.toasts.push(event["type"].as_str().unwrap().to_owned()),
            Some(other) => panic!("{other}"),
            None => {}
        }
    }
}

#[tokio::test]
async fn each_client_gets_its_own_progress_and_all_the_same_answer() {
    const USER: (&str, &str) = ("X-OpenWebUI-User-Id", "7");
    const HEADER: &str = "x-backstop-progress";
    for (path, headers, of_route, expected) in [
        (PLAIN, &[][..], "", "comments"),
        (OURS, &[], "", "open-webui"),
        ("//open-webui/v1//chat/completions/", &[], "", "open-webui"),
        (PLAIN, &[USER], "", "open-webui"),
        (PLAIN, &[(HEADER, "open-webui")], "", "open-webui"),
        (PLAIN, &[(HEADER, "reasoning")], "open-webui", "reasoning"),
        (PLAIN, &[], "reasoning", "reasoning"),
        (OURS, &[USER], "comments", "comments"),
        (OURS, &[(HEADER, "off"), USER], "open-webui", "off"),
    ] {
        let progress = match of_route {
            "" => String::new(),
            mode => format!("progress = \"{mode}\""),
        };
        let (_provider, proxy) = stage(&progress).await;
        let call = headers.iter().fold(chat(path, true), |call, (name, value)| call.header(name, value));

        let mut answer = call.send(proxy.address).await;
        let early = answer.header("x-backstop-model").is_empty();
        let read = read(&mut answer).await;

        let case = format!("{path} {headers:?} {of_route}: {read:?}");
        assert_eq!((read.content.as_str(), &read.error), ("Hello there", &None), "{case}");
        assert_eq!(early, matches!(expected, "open-webui" | "reasoning"), "{case}");
        let statuses: Vec<_> = read.statuses.iter().map(|(line, _)| line.clone()).collect();
        let shown = expected == "open-webui";
        assert!(shown || statuses.is_empty() && read.toasts.is_empty(), "{case}");
        let lines = if shown { statuses } else { read.reasoning.clone() };
        if early {
            let [first, .., last] = &lines[..] else { panic!("{case}") };
            assert_eq!(first, "Attempt 1/3 failed. Waiting 100ms before next attempt", "{case}");
            assert!(last.starts_with("Response received from m after "), "{case}");
            assert!(last.ends_with(" (3 attempts)"), "{case}");
        } else {
            assert!(lines.is_empty(), "{case}");
        }
        if shown {
            assert!(read.statuses.last().unwrap().1 && read.reasoning.is_empty(), "{case}");
            assert_eq!(read.toasts, ["success"], "{case}");
        }
    }
}

#[tokio::test]
async fn toasts_are_switched_for_all_and_for_a_route() {
    for (rest, toasts) in [
        ("[notifications]\nsuccess = false", &[][..]),
        ("notifications = { success = true }\n[notifications]\nsuccess = false", &["success"]),
        ("notifications = { success = false }", &[]),
        ("notifications = { info = false }", &["success"]),
    ] {
        let (_provider, proxy) = stage(rest).await;
        let read = read(&mut chat(OURS, true).send(proxy.address).await).await;
        assert_eq!(read.toasts, toasts, "{rest}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_streamed_has_no_progress() {
    let (_provider, proxy) = stage("").await;

    let mut answer = chat(OURS, false).send(proxy.address).await;

    assert_eq!((answer.status, answer.header("x-backstop-attempts")), (200, "3"));
    let body = answer.json().await;
    assert_eq!(body["choices"][0]["message"]["content"], "Hello there");
    assert!(body.get("event").is_none());
}

#[tokio::test]
async fn a_total_failure_is_one_sentence_in_band_and_by_status() {
    let provider = Provider::start(Script::always(Act::status(503))).unwrap();
    let proxy = proxy(&route([provider.base_url()], BRISK)).await;

    let in_band = read(&mut chat(OURS, true).send(proxy.address).await).await;
    let mut failed = chat(OURS, false).send(proxy.address).await;

    assert!(in_band.content.is_empty() && in_band.statuses.last().unwrap().1, "{in_band:?}");
    assert_eq!(failed.status, 503);
    for error in [in_band.error.unwrap(), failed.json().await["error"].clone()] {
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with("No model answered after 3 attempts in "), "{message}");
        assert!(message.ends_with(": overloaded (503). Try again in a moment."), "{message}");
        assert_eq!(error["metadata"]["attempts"].as_array().unwrap().len(), 3);
        assert!(error["metadata"]["detail"].as_str().unwrap().starts_with("`r` got no answer"), "{error}");
    }
}

#[tokio::test]
async fn what_is_refused_before_any_attempt_is_a_sentence_too() {
    let (provider, proxy) = stage("").await;
    for (path, body, message, detail) in [
        (OURS, r#"{"model":"x"}"#, "There is no model of this name. Choose another one.", true),
        (OURS, r#"{"model":7}"#, "`model` must be a string at line 1 column 10", false),
        (OURS, "{}", "the body has no `model`; name one of those that `GET /v1/models` lists", false),
        (PLAIN, "{}", "the body has no `model`\nhint: name one of those that `GET /v1/models` lists", false),
    ] {
        let error = Call::post(path, body).send(proxy.address).await.json().await["error"].clone();
        assert_eq!(error["message"], message);
        let said = error["metadata"]["detail"].as_str().map(|said| said.starts_with("no route or provider"));
        assert_eq!(said, detail.then_some(true), "{error}");
    }
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn an_unknown_word_is_refused_before_any_attempt() {
    let (provider, proxy) = stage("").await;

    let mut answer = chat(OURS, true).header("x-backstop-progress", "lots").send(proxy.address).await;

    assert_eq!(answer.status, 400);
    let error = answer.json().await["error"].clone();
    assert_eq!(error["code"], "invalid_request");
    assert!(error["message"].as_str().unwrap().contains("`off`, `comments`, `open-webui` or `reasoning`"));
    assert_eq!(provider.count(), 0);
}
