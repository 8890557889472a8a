//! A list of several hundred models in `OpenRouter`'s documented shape, made up.

use super::*;

/// The vendors of the list.
const VENDORS: [&str; 8] =
    ["anthropic", "deepseek", "google", "meta-llama", "mistralai", "nvidia", "openai", "qwen"];

/// Every third model costs nothing, by its name, and every fifth of the others by its price.
const COUNT: usize = 400;

/// One model as `OpenRouter` describes it.
pub fn model(id: &str, name: &str, price: &str, context: u64) -> Value {
    json!({
        "id": id,
        "canonical_slug": id,
        "hugging_face_id": "",
        "name": name,
        "created": 1_735_241_320,
        "description": format!("{name} writes. It does more than that, e.g. code."),
        "context_length": context,
        "architecture": {
            "modality": "text->text", "input_modalities": ["text"], "output_modalities": ["text"],
            "tokenizer": "Other", "instruct_type": null,
        },
        "pricing": {
            "prompt": price, "completion": price, "request": "0", "image": "0", "web_search": "0",
            "internal_reasoning": "0",
        },
        "top_provider": {"context_length": context, "max_completion_tokens": null, "is_moderated": false},
        "per_request_limits": null,
        "supported_parameters": ["max_tokens", "temperature", "top_p"],
        "default_parameters": {},
    })
}

/// The same with other values of some members.
pub fn with(mut model: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("an object") };
    model.as_object_mut().unwrap().extend(changes);
    model
}

/// 400 models, no two alike.
pub fn many() -> Vec<Value> {
    (0..COUNT)
        .map(|number| {
            let vendor = VENDORS[number % VENDORS.len()];
            let is_free = number % 3 == 0;
            let id = format!("{vendor}/model-{number:03}{}", if is_free { ":free" } else { "" });
            let name = format!("{vendor}: Model {number:03}{}", if is_free { " (free)" } else { "" });
            let price = if is_free || number % 5 == 0 { "0" } else { "0.0000008" };
            let context = if number % 2 == 0 { 131_072 } else { 8_192 };
            let images = json!({"architecture": {
                "modality": "text+image->text", "input_modalities": ["text", "image"],
                "output_modalities": ["text"], "tokenizer": "Other", "instruct_type": null,
            }});
            let tools = json!({"supported_parameters": ["max_tokens", "tools", "tool_choice"]});
            let mut made = model(&id, &name, price, context);
            if number % 4 == 0 {
                made = with(made, images);
            }
            if number % 7 == 0 {
                made = with(made, tools);
            }
            made
        })
        .collect()
}

/// The models of [`many`] with odd ones between them, and the ids of those odd ones that are models all the same.
pub fn with_odd_ones() -> (Vec<Value>, Vec<&'static str>) {
    let odd = vec![
        json!(null),
        json!("a string"),
        json!([]),
        json!({}),
        json!({"name": "without an id"}),
        json!({"id": 7, "name": "a number"}),
        json!({"id": ""}),
        json!({"id": "two\nlines"}),
        json!({"id": "x".repeat(600)}),
        // A second one of the same id, with another price.
        model("openai/model-006:free", "Not the first", "0.1", 1),
        // It says nothing but its id, as OpenAI's own list.
        json!({"id": "odd/bare", "object": "model", "owned_by": "odd"}),
        with(
            model("odd/null-prices", "Odd: Null", "0", 8192),
            json!({"pricing": {"prompt": null, "completion": null}}),
        ),
        with(model("odd/no-pricing", "Odd: No pricing", "0", 8192), json!({"pricing": null})),
        with(
            model("odd/nulls", "Odd: Nulls", "1", 8192),
            json!({
                "name": null, "created": null, "description": null, "context_length": null, "architecture": null,
                "top_provider": null, "supported_parameters": null,
            }),
        ),
        with(
            model("odd/numbers", "Odd: Numbers", "0", 8192),
            json!({"pricing": {"prompt": 0, "completion": 0.0}}),
        ),
        with(
            model("odd/strings", "Odd: Strings", "0", 0),
            json!({"context_length": "131072", "created": "yesterday"}),
        ),
        // Whoever it asks has a price.
        model("odd/auto", "Odd: Auto", "-1", 2_000_000),
        // No answer in text.
        with(
            model("odd/painter:free", "Odd: Painter", "0", 8192),
            json!({
                "architecture": {"input_modalities": ["text"], "output_modalities": ["image"]},
            }),
        ),
    ];
    let models = many();
    let mut items = Vec::new();
    let mut odd = odd.into_iter();
    for model in models {
        items.push(model);
        items.extend(odd.next());
    }
    let still_models = vec![
        "odd/bare",
        "odd/null-prices",
        "odd/no-pricing",
        "odd/nulls",
        "odd/numbers",
        "odd/strings",
        "odd/auto",
    ];
    (items, still_models)
}

/// A short list: free models of these ids.
pub fn few(ids: &[&str]) -> Vec<Value> {
    ids.iter().map(|id| model(id, &format!("Name of {id}"), "0", 131_072)).collect()
}
