use proptest::prelude::*;
use serde_json::json;

use super::*;

fn models(document: &Value) -> Vec<Listed> {
    parse(document.to_string().as_bytes()).expect("a list").models
}

fn one(item: &Value) -> Listed {
    let mut models = models(&json!({ "data": [item] }));
    assert_eq!(models.len(), 1, "{item}");
    models.remove(0)
}

/// A model in `OpenRouter`'s documented shape.
fn openrouter() -> Value {
    json!({
        "id": "deepseek/deepseek-chat-v3",
        "canonical_slug": "deepseek/deepseek-chat-v3",
        "hugging_face_id": "deepseek-ai/DeepSeek-V3",
        "name": "DeepSeek: DeepSeek V3",
        "created": 1_735_241_320,
        "description": "A large model.\nIt  follows\tinstructions.",
        "context_length": 163_840,
        "architecture": {
            "modality": "text->text", "input_modalities": ["text"], "output_modalities": ["text"],
            "tokenizer": "DeepSeek", "instruct_type": null,
        },
        "pricing": {
            "prompt": "0.0000002", "completion": "0.0000008", "request": "0", "image": "0", "web_search": "0",
            "internal_reasoning": "0",
        },
        "top_provider": {"context_length": 64_000, "max_completion_tokens": 16_384, "is_moderated": false},
        "per_request_limits": null,
        "supported_parameters": ["max_tokens", "temperature", "tools", "tool_choice"],
    })
}

/// The same with some members replaced.
fn with(changes: Value) -> Value {
    let mut item = openrouter();
    let Value::Object(changes) = changes else { panic!("an object") };
    item.as_object_mut().expect("an object").extend(changes);
    item
}

#[test]
fn reads_what_openrouter_documents() {
    assert_eq!(
        one(&openrouter()),
        Listed {
            id: "deepseek/deepseek-chat-v3".into(),
            name: Some("DeepSeek: DeepSeek V3".to_owned()),
            description: Some("A large model. It follows instructions.".to_owned()),
            created: Some(1_735_241_320),
            context: Some(163_840),
            free: false,
            input: Some(vec!["text".to_owned()]),
            output: Some(vec!["text".to_owned()]),
            tools: Some(true),
        }
    );
}

#[test]
fn a_page_says_where_the_list_goes_on() {
    let page = |links: Value| {
        let document = json!({ "data": [{"id": "a"}], "links": links, "total_count": 2 });
        parse(document.to_string().as_bytes()).expect("a list").next
    };
    assert_eq!(page(json!({"next": "/v1/models?offset=1"})).as_deref(), Some("/v1/models?offset=1"));
    for links in [json!({"next": null}), json!({}), json!(null), json!({"next": 7}), json!("next")] {
        assert_eq!(page(links), None);
    }
}

#[test]
fn free_is_what_is_known_to_cost_nothing() {
    for (id, pricing, free) in [
        ("a/b:free", json!({"prompt": "0", "completion": "0"}), true),
        ("a/b:free", json!(null), true),
        ("a/b:free", json!({"prompt": "0.1", "completion": "0.1"}), true),
        ("a/b", json!({"prompt": "0", "completion": "0", "request": "0", "image": "0"}), true),
        ("a/b", json!({"prompt": 0, "completion": 0.0, "discount": 0}), true),
        ("a/b", json!({"prompt": "0", "completion": "0", "image": null, "tiers": []}), true),
        ("a/b", json!({"hourly": 0, "input": 0.0, "output": 0.0, "base": 0}), true),
        ("a/b", json!({"prompt": "0", "completion": "0.0000001"}), false),
        ("a/b", json!({"prompt": "0", "completion": "0", "request": "0.01"}), false),
        ("openrouter/auto", json!({"prompt": "-1", "completion": "-1"}), false),
        ("a/b", json!({"prompt": "0", "completion": "-1"}), false),
        ("a/b", json!({"prompt": null, "completion": null}), false),
        ("a/b", json!({"prompt": "0", "completion": null}), false),
        ("a/b", json!({"prompt": "NaN", "completion": "0"}), false),
        ("a/b", json!({"prompt": "free", "completion": "free"}), false),
        ("a/b", json!({}), false),
        ("a/b", json!("0"), false),
        ("a/b:freedom", json!(null), false),
    ] {
        assert_eq!(one(&json!({"id": id, "pricing": pricing})).free, free, "{id} {pricing}");
    }
    assert!(!one(&json!({"id": "a/b"})).free);
}

#[test]
fn the_context_goes_by_many_names() {
    for (item, expected) in [
        (json!({"context_length": 8192}), Some(8192)),
        (json!({"context_length": "8192"}), Some(8192)),
        (json!({"context_length": 8192.0, "top_provider": {"context_length": 1}}), Some(8192)),
        (json!({"context_length": null, "top_provider": {"context_length": 4096}}), Some(4096)),
        (json!({"context_window": 131_072}), Some(131_072)),
        (json!({"max_model_len": 32_768}), Some(32_768)),
        (json!({"max_context_length": 128_000}), Some(128_000)),
        (json!({"meta": {"n_ctx_train": 131_072, "n_params": 3}}), Some(131_072)),
        (json!({"context_length": 0}), None),
        (json!({"context_length": -1}), None),
        (json!({"context_length": "much"}), None),
        (json!({"context_length": 1e300}), None),
        (json!({"top_provider": null, "meta": []}), None),
        (json!({}), None),
    ] {
        let mut item = item;
        item["id"] = json!("m");
        assert_eq!(one(&item).context, expected, "{item}");
    }
}

#[test]
fn modalities_and_tools_are_known_or_not() {
    let listed = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    let old = one(&with(json!({"architecture": {"modality": "text+image->text"}})));
    assert_eq!((old.input, old.output), (listed(&["text", "image"]), listed(&["text"])));
    let flat = one(&json!({"id": "m", "input_modalities": ["Text", 7, "Audio"], "output_modalities": []}));
    assert_eq!((flat.input, flat.output), (listed(&["text", "audio"]), None));
    let embedding = one(&json!({"id": "m", "type": "embedding"}));
    assert_eq!((embedding.input, embedding.output), (None, listed(&["embedding"])));
    assert_eq!(one(&json!({"id": "m", "type": "chat"})).output, None);
    assert_eq!(one(&with(json!({"architecture": null}))).input, None);

    for (item, expected) in [
        (json!({"supported_parameters": ["tools"]}), Some(true)),
        (json!({"supported_parameters": ["temperature"]}), Some(false)),
        (json!({"supported_parameters": []}), None),
        (json!({"supported_parameters": null, "supported_features": ["tools"]}), Some(true)),
        (json!({"capabilities": {"function_calling": true}}), Some(true)),
        (json!({"capabilities": {"function_calling": "yes"}}), None),
        (json!({}), None),
    ] {
        let mut item = item;
        item["id"] = json!("m");
        assert_eq!(one(&item).tools, expected, "{item}");
    }
}

#[test]
fn what_cannot_be_asked_for_is_left_out() {
    let odd = json!([
        null, 7, "m", [], {}, {"id": null}, {"id": 7}, {"id": ""}, {"id": "  "}, {"id": "a\nb"},
        {"id": "x".repeat(513)}, {"name": "no id"}, {"id": "twice", "name": "first"}, {"id": "twice"},
    ]);
    for document in [json!({"data": odd.clone()}), odd] {
        let models = models(&document);
        assert_eq!(models.len(), 1);
        assert_eq!((&*models[0].id, models[0].name.as_deref()), ("twice", Some("first")));
    }
}

#[test]
fn only_a_list_is_one() {
    for (text, is_list) in [
        (r#"{"data":[]}"#, true),
        ("[]", true),
        (r#"{"object":"list","data":[{"id":"m"}]}"#, true),
        (r#"{"models":[{"name":"a"}]}"#, false),
        (r#"{"data":{"id":"m"}}"#, false),
        (r#"{"data":null}"#, false),
        (r#"{"error":{"message":"no"}}"#, false),
        (r#""data""#, false),
        ("<html>", false),
        (r#"{"data":[{"id":"m"}"#, false),
        ("", false),
    ] {
        assert_eq!(parse(text.as_bytes()).is_ok(), is_list, "{text}");
    }
}

#[test]
fn a_list_without_end_has_one() {
    let items: Vec<_> = (0..=MOST).map(|number| json!({"id": format!("m{number}")})).collect();
    assert_eq!(models(&json!(items)).len(), MOST);
}

/// Any JSON, not too deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}|-?[0-9.e]{0,6}|text|tools".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![
            Just("id"),
            Just("data"),
            Just("name"),
            Just("pricing"),
            Just("prompt"),
            Just("completion"),
            Just("architecture"),
            Just("modality"),
            Just("input_modalities"),
            Just("output_modalities"),
            Just("context_length"),
            Just("created"),
            Just("top_provider"),
            Just("supported_parameters"),
            Just("links"),
        ];
        let members = prop::collection::vec((key, inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            members.prop_map(|members| {
                Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_json_panics(json in any_json()) {
        let _ = parse(json.to_string().as_bytes());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn odd_items_cost_no_good_one(odd in prop::collection::vec(any_json(), 0..6), at in 0_usize..7) {
        let mut items = odd;
        items.insert(at.min(items.len()), openrouter());
        let models = models(&json!({ "data": items }));
        prop_assert!(models.contains(&one(&openrouter())));
    }

    #[test]
    fn odd_members_cost_no_item(key in "[a-z_]{2,20}|pricing|architecture|created|context_length", value in any_json()) {
        prop_assume!(key != "id");
        let item = with(json!({ key: value }));
        prop_assert_eq!(&*one(&item).id, "deepseek/deepseek-chat-v3");
    }
}
