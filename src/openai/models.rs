//! The model list, as OpenAI's API gives it, with what Open WebUI shows besides.

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

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    object: &'static str,
    /// Clients require the member; a route has no date of birth.
    created: u64,
    owned_by: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Info<'a>>,
}

#[derive(Serialize)]
struct Info<'a> {
    meta: Meta<'a>,
}

#[derive(Serialize)]
struct Meta<'a> {
    description: &'a str,
}

impl<'a> From<&Model<'a>> for Item<'a> {
    fn from(model: &Model<'a>) -> Self {
        Self {
            id: model.id,
            object: "model",
            created: 0,
            owned_by: "backstop",
            name: model.name,
            info: model.description.map(|description| Info { meta: Meta { description } }),
        }
    }
}
