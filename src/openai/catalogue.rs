//! The list of models that a provider gives: `OpenRouter`'s, and what others call the same things.
//!
//! Nothing in such a list is taken on trust. An item without a usable id is left out, a member that is odd is
//! read as unknown, and only a document that is no list at all is an error.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::error::one_line;

#[cfg(test)]
mod tests;

/// The longest id, in bytes; no provider's is half of that, and with the provider's name before it it can still
/// be asked for.
const LONGEST_ID: usize = 256;

/// The longest name, in characters.
const LONGEST_NAME: usize = 200;

/// The longest description, in characters; those of `OpenRouter` have up to 2000, of which a card shows one sentence.
const LONGEST_DESCRIPTION: usize = 400;

/// The most models of one list; the longest known one has some 500.
pub const MOST: usize = 10_000;

/// What `type` says of a model that does not answer in text.
const OTHER_KINDS: [&str; 10] = [
    "audio",
    "embedding",
    "embeddings",
    "image",
    "moderation",
    "rerank",
    "reranker",
    "transcribe",
    "tts",
    "video",
];

/// A model as its provider lists it; `None` is what it does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What the provider calls it.
    pub id: Arc<str>,
    /// What people call it.
    pub name: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// When the provider began to list it, in seconds since 1970.
    pub created: Option<u64>,
    /// The context window, in tokens.
    pub context: Option<u64>,
    /// Whether it is known to cost nothing: by `:free` at the end of its id, or because every known price is
    /// zero, that of the prompt and that of the answer among them.
    pub free: bool,
    /// What it understands, such as `text` and `image`.
    pub input: Option<Vec<String>>,
    /// What it answers in.
    pub output: Option<Vec<String>>,
    /// Whether it can call tools.
    pub tools: Option<bool>,
}

/// One page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The models, in the provider's order, each once.
    pub models: Vec<Listed>,
    /// Where the list goes on, if it does: a URL or the path of one.
    pub next: Option<String>,
}

/// The document is no list of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no list of models")]
pub struct NoList;

/// Reads a list: an object with the list under `data`, or the list itself.
pub fn parse(document: &[u8]) -> Result<Page, NoList> {
    let (items, next) = match serde_json::from_slice(document) {
        Ok(Value::Array(items)) => (items, None),
        Ok(Value::Object(mut members)) => match members.remove("data") {
            Some(Value::Array(items)) => {
                let next = members.get("links").and_then(|links| links.get("next"));
                (items, next.and_then(Value::as_str).map(str::to_owned))
            }
            _ => return Err(NoList),
        },
        _ => return Err(NoList),
    };
    let mut seen = BTreeSet::new();
    let models = items.iter().filter_map(Listed::read).filter(|model| seen.insert(Arc::clone(&model.id)));
    Ok(Page { models: models.take(MOST).collect(), next })
}

impl Listed {
    /// A model of which nothing is known but its id.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        let id = id.into();
        let free = is_free_by_name(&id);
        Self {
            id,
            name: None,
            description: None,
            created: None,
            context: None,
            free,
            input: None,
            output: None,
            tools: None,
        }
    }

    fn read(item: &Value) -> Option<Self> {
        let item = item.as_object()?;
        let id = item.get("id")?.as_str()?;
        if id.trim().is_empty() || id.len() > LONGEST_ID || id.chars().any(char::is_control) {
            return None;
        }
        let architecture = object(item, "architecture");
        let of_architecture = |key| architecture.and_then(|architecture| words(architecture.get(key)));
        let (from, to) = architecture.and_then(arrow).unzip();
        Some(Self {
            name: ["name", "display_name"].iter().find_map(|key| line(item.get(*key), LONGEST_NAME)),
            description: line(item.get("description"), LONGEST_DESCRIPTION),
            created: item.get("created").and_then(whole),
            context: context(item),
            free: is_free_by_name(id) || object(item, "pricing").is_some_and(is_free_by_price),
            input: of_architecture("input_modalities")
                .or_else(|| words(item.get("input_modalities")))
                .or(from),
            output: of_architecture("output_modalities")
                .or_else(|| words(item.get("output_modalities")))
                .or(to)
                .or_else(|| other_kind(item)),
            tools: tools(item),
            ..Self::new(id)
        })
    }
}

fn is_free_by_name(id: &str) -> bool {
    id.ends_with(":free")
}

fn object<'a>(members: &'a Map<String, Value>, key: &str) -> Option<&'a Map<String, Value>> {
    members.get(key)?.as_object()
}

/// A text in one line, if there is any.
fn line(value: Option<&Value>, limit: usize) -> Option<String> {
    let line = one_line(value?.as_str()?, limit);
    (!line.is_empty()).then_some(line)
}

/// A list of words; what in it is no text is passed over.
fn words(value: Option<&Value>) -> Option<Vec<String>> {
    let words: Vec<String> =
        value?.as_array()?.iter().filter_map(Value::as_str).map(str::to_lowercase).collect();
    (!words.is_empty()).then_some(words)
}

/// The two sides of `text+image->text`, which is what `OpenRouter` wrote before it wrote lists.
fn arrow(architecture: &Map<String, Value>) -> Option<(Vec<String>, Vec<String>)> {
    let (from, to) = architecture.get("modality")?.as_str()?.split_once("->")?;
    let side = |text: &str| text.split('+').map(|word| word.trim().to_lowercase()).collect::<Vec<_>>();
    Some((side(from), side(to)))
}

/// What together and LM Studio call the kind of a model, where that is not text.
fn other_kind(item: &Map<String, Value>) -> Option<Vec<String>> {
    let kind = item.get("type")?.as_str()?.to_lowercase();
    OTHER_KINDS.contains(&kind.as_str()).then(|| vec![kind])
}

/// A number that is not negative, of any spelling.
fn whole(value: &Value) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is in range, and a fraction of a token or a second is none"
    )]
    let rounded = |number: f64| (0.0..1e15).contains(&number).then_some(number as u64);
    match value {
        Value::Number(number) => number.as_u64().or_else(|| rounded(number.as_f64()?)),
        Value::String(text) => rounded(text.trim().parse().ok()?),
        _ => None,
    }
}

/// The context window, by whichever name: `OpenRouter`'s and together's, groq's, vLLM's, Mistral's and
/// LM Studio's, or where llama.cpp has it.
fn context(item: &Map<String, Value>) -> Option<u64> {
    let own = ["context_length", "context_window", "max_model_len", "max_context_length"];
    let nested = [("top_provider", "context_length"), ("meta", "n_ctx"), ("meta", "n_ctx_train")];
    let own = own.iter().filter_map(|key| item.get(*key));
    let nested = nested.iter().filter_map(|(outer, key)| object(item, outer)?.get(*key));
    own.chain(nested).filter_map(whole).find(|tokens| *tokens > 0)
}

/// Whether every known price is zero, that of the prompt and that of the answer among them. A negative price
/// is one that varies.
fn is_free_by_price(pricing: &Map<String, Value>) -> bool {
    let known = |keys: [&str; 2]| keys.iter().any(|key| pricing.get(*key).and_then(price).is_some());
    known(["prompt", "input"])
        && known(["completion", "output"])
        && pricing.values().filter_map(price).all(|price| price == 0.0)
}

fn price(value: &Value) -> Option<f64> {
    let price = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    price.is_finite().then_some(price)
}

/// Whether the model can call tools: among `OpenRouter`'s parameters, others' features, or as Mistral says it.
fn tools(item: &Map<String, Value>) -> Option<bool> {
    let listed = ["supported_parameters", "supported_features"].iter().find_map(|key| words(item.get(*key)));
    match listed {
        Some(words) => Some(words.iter().any(|word| word == "tools")),
        None => object(item, "capabilities")?.get("function_calling")?.as_bool(),
    }
}
