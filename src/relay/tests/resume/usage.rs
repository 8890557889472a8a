//! What an answer of several parts took.

use super::*;

fn counted(id: &str, tokens: u64) -> String {
    let usage = json!({ "prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens,
        "completion_tokens_details": { "reasoning_tokens": 1 } });
    format!("data: {}\n\n", json!({ "id": id, "model": id, "choices": [], "usage": usage }))
}

fn ending(id: &str, tokens: u64) -> String {
    [&event(id, &json!({}), Some("stop")), &*counted(id, tokens), DONE].concat()
}

#[tokio::test(start_paused = true)]
async fn usage_is_summed_and_the_parts_are_told() {
    let first =
        Act::Answer(vec![text_part([word("first", "Hello"), counted("first", 2)].concat()), Part::Fail]);
    let second = answer([word("second", " there"), ending("second", 5)].concat());
    let relay = relay(Script::new([first, second]));

    let seen = play(&relay, prefilling(&["a", "b"], 1)).await;

    assert_eq!(seen.whole(), "Hello there");
    let last = seen.usages.last().unwrap();
    assert_eq!(
        (&last["prompt_tokens"], &last["completion_tokens"], &last["total_tokens"]),
        (&json!(20), &json!(7), &json!(27))
    );
    assert_eq!(last["completion_tokens_details"]["reasoning_tokens"], 2);
    let parts = &seen.metadata[0]["parts"];
    assert_eq!((&parts[0]["model"], &parts[0]["usage"]["completion_tokens"]), (&json!("a"), &json!(2)));
    assert_eq!((&parts[1]["model"], &parts[1]["usage"]["completion_tokens"]), (&json!("b"), &json!(5)));
    assert_eq!(seen.metadata.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_part_without_usage_is_told_too() {
    let second = answer([word("second", " there"), ending("second", 5)].concat());
    let relay = relay(Script::new([cut("first", &["Hello"]), second]));

    let seen = play(&relay, prefilling(&["a", "b"], 1)).await;

    assert_eq!((seen.usages.len(), &seen.usages[0]["completion_tokens"]), (1, &json!(5)));
    let parts = &seen.metadata[0]["parts"];
    assert_eq!(
        (&parts[0]["provider"], &parts[0]["usage"], &parts[1]["model"]),
        (&json!("sim"), &Value::Null, &json!("b"))
    );
}

#[tokio::test(start_paused = true)]
async fn three_parts_add_up() {
    let part = |id: &str, text: &str| {
        Act::Answer(vec![text_part([word(id, text), counted(id, 1)].concat()), Part::Fail])
    };
    let third = answer([word("third", "!"), ending("third", 1)].concat());
    let relay = relay(Script::new([part("first", "Hello"), part("second", " there"), third]));

    let seen = play(&relay, prefilling(&["a", "b", "c"], 1)).await;

    assert_eq!(seen.whole(), "Hello there!");
    assert_eq!(seen.usages.last().unwrap()["completion_tokens"], 3);
    let parts = seen.metadata.last().unwrap()["parts"].as_array().unwrap();
    let models: Vec<_> = parts.iter().map(|part| part["model"].as_str().unwrap()).collect();
    assert_eq!(models, ["a", "b", "c"]);
}
