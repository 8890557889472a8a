use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::openai::testing::{cases, members, noise, value};

fn facts(body: &str) -> Facts {
    let envelope = Envelope::parse(body.to_owned().into()).unwrap();
    let facts = envelope.facts();
    assert!(facts.kind == Kind::Chat || envelope.may_be_task(), "a quick look is enough: {body}");
    facts
}

fn of(mut body: Value) -> Facts {
    body["model"] = "m".into();
    facts(&body.to_string())
}

#[test]
fn sees_what_a_request_has() {
    use Trait::{Audio, Images, JsonSchema, Tools};
    let part = |part: Value| json!({ "messages": [{ "role": "user", "content": [part] }] });
    for (body, expected) in [
        (json!({}), &[][..]),
        (part(json!({ "type": "text", "text": "image_url" })), &[]),
        (
            part(json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } })),
            &[Images],
        ),
        (part(json!({ "image_url": "x", "type": "input_image" })), &[Images]),
        (part(json!({ "type": "input_audio", "input_audio": { "data": "AAAA" } })), &[Audio]),
        (part(json!("image_url")), &[]),
        (json!({ "modalities": ["text", "audio"] }), &[Audio]),
        (json!({ "modalities": ["text"] }), &[]),
        (json!({ "modalities": "audio" }), &[]),
        (json!({ "tools": [{}] }), &[Tools]),
        (json!({ "functions": [{}] }), &[Tools]),
        (json!({ "tools": [], "functions": null }), &[]),
        (json!({ "tools": {} }), &[]),
        (json!({ "response_format": { "type": "json_schema", "json_schema": {} } }), &[JsonSchema]),
        (json!({ "response_format": { "type": "json_object" } }), &[]),
        (json!({ "response_format": "json_schema" }), &[]),
    ] {
        assert_eq!(of(body.clone()).has, expected.iter().copied().collect(), "{body}");
    }
}

#[test]
fn counts_tokens_by_the_bytes_of_what_is_read() {
    let message = |content: Value| json!({ "messages": [{ "role": "user", "content": content }] });
    for (body, tokens) in [
        (json!({}), 0),
        (message(json!("a")), 1),
        (message(json!("abcd")), 1),
        (message(json!("abcde")), 2),
        (message(json!("\n\"\\\u{1}é€😀")), 4),
        (message(json!([{ "type": "text", "text": "abcd" }, { "type": "text", "text": "e" }])), 2),
        (message(json!([{ "type": "image_url", "image_url": { "url": "A".repeat(9999) } }])), 1000),
        (
            message(
                json!([{ "type": "text", "text": "a" }, { "type": "image_url" }, { "type": "image_url" }]),
            ),
            2001,
        ),
        (message(json!([{ "type": "input_audio", "input_audio": { "data": "A".repeat(9999) } }])), 0),
        (message(json!([{ "type": "file", "file": { "file_data": "A".repeat(9999) } }])), 0),
        (json!({ "messages": [{ "content": "ab" }, { "content": null }, { "content": "cd" }] }), 1),
        (json!({ "messages": [{ "tool_calls": [{ "a": 12 }] }] }), 3),
        (json!({ "messages": [{ "reasoning_content": "abcde" }] }), 2),
        (json!({ "tools": [{ "a": "\n" }] }), 3),
        (json!({ "tools": [] }), 0),
    ] {
        assert_eq!(of(body.clone()).tokens, tokens, "{body}");
    }
    let escaped = r#"{"model":"m","messages":[{"content":"\u0061\u00e9\u20ac\ud83d\ude00\ud83d"}]}"#;
    assert_eq!(facts(escaped).tokens, (1 + 2 + 3 + 4 + 3_u64).div_ceil(4));
}

/// How the prompts of Open `WebUI` 0.12 begin that it has built in, and what else counts; the last ones are
/// people's own.
const PROMPTS: [(&str, bool); 14] = [
    (
        "### Task:\nGenerate a concise title summarizing the chat history.\n<chat_history>…</chat_history>",
        true,
    ),
    (
        "### Task:\nGenerate 1-3 broad tags categorizing the main themes of the chat history\n<chat_history>…</chat_history>",
        true,
    ),
    (
        "### Task:\nGenerate a detailed prompt for am image generation task based on\n<chat_history>…</chat_history>",
        true,
    ),
    (
        "### Task:\nPredict 3-5 useful messages this user might naturally send next\n<chat_history>…</chat_history>",
        true,
    ),
    (
        "### Task:\nAnalyze the chat history to determine the necessity of generating search queries\n<chat_history>…</chat_history>",
        true,
    ),
    (
        "### Task:\nYou are an autocompletion system. Continue the text in `<text>`\n<chat_history>…</chat_history>",
        true,
    ),
    ("Your task is to reflect the speaker's likely facial expression through a fitting emoji.", true),
    // The answer itself, merged out of several.
    ("You have been provided with a set of responses from various models to the latest user query", false),
    // It has two messages, and the chat waits for it.
    ("Available Tools: []\n\nYour task is to choose and return the correct tool(s)", false),
    (
        "### Task:\nRespond to the user query using the provided context, incorporating inline citations",
        false,
    ),
    ("### Task:\nSummarize the conversation history that will be compacted out of the active chat", false),
    ("### Task:\nTranslate this.\n### Output:\nGerman", false),
    ("### Task:\nGenerate a title for my essay on the role of chat_history tables.", false),
    ("### Task:\nRespond to the user query using the provided context <chat_history></chat_history>", false),
];

#[test]
fn knows_the_tasks_of_open_webui_by_their_shape() {
    for (prompt, expected) in PROMPTS {
        let is_task = |change: &dyn Fn(&mut Value)| {
            let mut body = json!({ "stream": false, "messages": [{ "role": "user", "content": prompt }] });
            change(&mut body);
            of(body).kind == Kind::Task
        };
        assert_eq!(is_task(&|_| ()), expected, "{prompt}");
        assert_eq!(is_task(&|body| body["stream"] = Value::Null), expected);
        assert_eq!(is_task(&|body| body["max_tokens"] = 1000.into()), expected);
        assert_eq!(is_task(&|body| body["tools"] = json!([])), expected);
        let parts = json!([{ "type": "text", "text": format!("\n {prompt}") }]);
        assert_eq!(is_task(&|body| body["messages"][0]["content"] = parts.clone()), expected);

        assert!(!is_task(&|body| body["stream"] = true.into()));
        assert!(!is_task(&|body| body["tools"] = json!([{}])));
        assert!(!is_task(&|body| body["messages"][0]["role"] = "system".into()));
        assert!(!is_task(&|body| body["messages"][0]["content"] = format!("Hi. {prompt}").into()));
        let twice = json!([{ "role": "user", "content": prompt }, { "role": "user", "content": prompt }]);
        assert!(!is_task(&|body| body["messages"] = twice.clone()));
    }
}

#[test]
fn most_requests_are_told_from_a_task_by_a_look() {
    for (messages, expected) in [
        (r####"[{"role":"user","content":"### Task: <chat_history>"}]"####, true),
        (r#"[{"content":" \u0023## Task:","role":"user"}]"#, true),
        (r#"[{"role":"user","content":"Your task"} ]"#, true),
        (r#"[{"role":"user","content":[{"type":"text","text":"Hi"}]}]"#, true),
        (r#"[{"role":"user","content":"Tell me of chat_history, a facial expression and \u00e9"}]"#, false),
        (r####"[{"role":"system","content":"### Task:"},{"role":"user","content":"### Task:"}]"####, false),
        (r#"[{"role":"user","content":"你好"}]"#, false),
        (r#"[{"role":"user","content":null}]"#, true),
        (r#"[{"role":"user"}]"#, false),
        ("[{}]", false),
        ("[]", false),
        (r####"["### Task:"]"####, false),
        ("{}", false),
        (r####"[],"messages":[{"role":"user","content":"### Task:"}]"####, true),
    ] {
        let look = |stream: &str| {
            let body = format!(r#"{{"model":"m","stream":{stream},"messages":{messages}}}"#);
            Envelope::parse(body.into()).unwrap().may_be_task()
        };
        assert_eq!(look("false"), expected, "{messages}");
        assert!(!look("true"), "{messages}");
    }
    assert!(!Envelope::parse(r#"{"model":"m"}"#.into()).unwrap().may_be_task());
}

#[test]
fn no_white_space_hides_a_task() {
    let spaces =
        (0..=char::MAX as u32).filter_map(char::from_u32).filter(|character| character.is_whitespace());
    for space in spaces {
        let body = json!({
            "messages": [{ "role": "user", "content": format!("{space}### Task:\n<chat_history></chat_history>") }],
        });
        assert_eq!(of(body).kind, Kind::Task, "{space:?}");
    }
}

const KEYS: &[&str] =
    &["messages", "role", "content", "type", "text", "tools", "tool_calls", "modalities", "response_format"];

/// Any body, nearer to a chat than chance would have it.
fn body() -> impl Strategy<Value = Map<String, Value>> {
    let word = prop::sample::select(
        &["user", "text", "image_url", "audio", "json_schema", "### Task: x", "é\n\u{1}😀", ""][..],
    );
    let part = prop_oneof![
        word.clone().prop_map(Value::from),
        (word.clone(), word.clone()).prop_map(|(kind, text)| json!([{ "type": kind, "text": text }])),
    ];
    let message =
        (word.clone(), part).prop_map(|(role, content)| json!({ "role": role, "content": content }));
    let messages = prop_oneof![prop::collection::vec(message, 0..3).prop_map(Value::from), value(KEYS),];
    (members(KEYS, value(KEYS)), messages, word, any::<bool>()).prop_map(|(rest, messages, word, stream)| {
        let mut body: Map<_, _> = rest.into_iter().collect();
        body.insert("messages".into(), messages);
        body.insert("modalities".into(), json!([word]));
        body.insert("stream".into(), stream.into());
        body.insert("model".into(), "m".into());
        body
    })
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn how_a_body_is_written_makes_no_difference(
        body in body(),
        mut noise in noise(),
        turn in 0..9_usize,
    ) {
        let plain = facts(&Value::from(body.clone()).to_string());
        let mut members: Vec<_> = body.iter().collect();
        let turn = turn % members.len();
        members.rotate_left(turn);
        let mut text = String::new();
        noise.object(&mut text, members);

        prop_assert_eq!(facts(&text), plain, "{}", text);
    }

    #[test]
    fn any_json_is_read(members in members(KEYS, value(KEYS)), mut noise in noise()) {
        let mut text = String::new();
        let model = [("model".to_owned(), Value::from("m"))];
        noise.object(&mut text, members.iter().chain(&model).map(|(key, value)| (key, value)));

        // With one name in it twice a body may mean anything, but it stops nobody.
        let envelope = Envelope::parse(text.into());
        prop_assert!(envelope.is_ok_and(|envelope| envelope.facts().tokens < 1_000_000));
    }
}
