//! The model list, as OpenAI's API gives it, with what Open WebUI shows besides.

use std::collections::BTreeMap;

use serde::Serialize;

#[cfg(test)]
mod tests;

/// Something that a client can put into `model`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model<'a> {
    /// The name a client asks by.
    pub id: &'a str,
    /// The name shown in a picker.
    pub name: &'a str,
    /// A sentence shown under it.
    pub description: Option<&'a str>,
    /// Words that a picker can sort by.
    pub tags: &'a [String],
    /// What a client may offer with it, or must not.
    pub capabilities: &'a BTreeMap<String, bool>,
    /// When it was first listed, in seconds since 1970.
    pub created: Option<u64>,
    /// Its context window, in tokens.
    pub context: Option<u64>,
}

/// The JSON document that lists `models`.
pub fn list(models: &[Model<'_>]) -> String {
    #[derive(Serialize)]
    struct List<'a> {
        object: &'static str,
        data: Vec<Item<'a>>,
    }
    render(&List { object: "list", data: models.iter().map(Item::from).collect() })
}

/// The JSON document for one model.
pub fn one(model: &Model<'_>) -> String {
    render(&Item::from(model))
}

fn render(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("structs of strings are JSON")
}

/// Open WebUI gives a meaning to `pipeline`, `arena`, `actions`, `provider` and `preset`, and to some values of
/// `owned_by`: a route is none of that.
#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    object: &'static str,
    /// Clients require the member; a configured route has no date of birth.
    created: u64,
    owned_by: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Info<'a>>,
}

#[derive(Serialize)]
struct Info<'a> {
    meta: Meta<'a>,
}

#[derive(Serialize)]
struct Meta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    /// Tables, not words: the page reads the name of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Tag<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    capabilities: &'a BTreeMap<String, bool>,
}

#[derive(Serialize)]
struct Tag<'a> {
    name: &'a str,
}

impl<'a> From<&Model<'a>> for Item<'a> {
    fn from(model: &Model<'a>) -> Self {
        let &Model { id, name, description, tags, capabilities, created, context } = model;
        let says_more = description.is_some() || !tags.is_empty() || !capabilities.is_empty();
        Self {
            id,
            object: "model",
            created: created.unwrap_or_default(),
            owned_by: "backstop",
            name,
            context_length: context,
            info: says_more.then(|| {
                let tags = tags.iter().map(|name| Tag { name }).collect();
                Info { meta: Meta { description, tags, capabilities } }
            }),
        }
    }
}
