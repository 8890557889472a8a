//! Holds a parsed document against the schema of the file: unknown keys, wrong types, unknown words.
//!
//! serde stops at the first fault. This walk finds them all and takes each out of the tree, so that what is
//! left can be read and checked further.

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::fault::{Findings, list};
use super::spanned::Span;
use crate::route::nearest;

/// A schema with the definitions that it refers to.
#[derive(Clone, Copy)]
pub struct Shape<'s> {
    root: &'s Value,
    here: &'s Value,
}

impl<'s> Shape<'s> {
    /// The shape of a whole document.
    pub fn new(schema: &'s Value) -> Self {
        Self { root: schema, here: schema }
    }

    /// The shape of the value under `key`, if there may be one.
    pub fn member(self, key: &str) -> Option<Self> {
        self.forms().into_iter().find_map(|form| {
            let named = form.here.get("properties").and_then(|properties| properties.get(key));
            let member =
                named.or_else(|| form.here.get("additionalProperties")).filter(|member| **member != false)?;
            Some(Self { here: member, ..form })
        })
    }

    /// The shape of the values in it, if it may be a list, else its own.
    fn item(self) -> Self {
        let items = |form: Self| Some(Self { here: form.here.get("items")?, ..form });
        self.forms().into_iter().find_map(items).unwrap_or(self)
    }

    /// Whether one of its forms is `kind`.
    pub fn allows(self, kind: &str) -> bool {
        self.forms().iter().any(|form| form.kind() == Some(kind))
    }

    /// Its forms, one for each type it may have.
    fn forms(self) -> Vec<Self> {
        if let Some(name) = self.here.get("$ref").and_then(Value::as_str) {
            let definition = name.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return definition.map_or_else(Vec::new, |here| Self { here, ..self }.forms());
        }
        let several = self.here.get("anyOf").or_else(|| self.here.get("oneOf")).and_then(Value::as_array);
        match several {
            Some(forms) => forms.iter().flat_map(|here| Self { here, ..self }.forms()).collect(),
            None if self.kind() == Some("null") => Vec::new(),
            None => vec![self],
        }
    }

    /// Its type; an optional value's is the one that is not null.
    fn kind(self) -> Option<&'s str> {
        match self.here.get("type")? {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
            kind => kind.as_str(),
        }
    }

    /// The words it is limited to, if it is.
    fn words(self) -> Vec<&'s str> {
        let constant = self.here.get("const").into_iter();
        let several = self.here.get("enum").and_then(Value::as_array).into_iter().flatten();
        constant.chain(several).filter_map(Value::as_str).collect()
    }

    /// Whether `key` is a name of the user's own for a table.
    fn is_named_table(self, key: &str) -> bool {
        let fixed = self.forms().iter().any(|form| form.here.get("properties").is_some());
        !fixed && self.member(key).is_some_and(|member| member.allows("object") && !member.allows("string"))
    }

    fn has_key(self, key: &str) -> bool {
        self.forms().iter().any(|form| form.keys().any(|known| known == key))
    }

    /// The key of a table whose text is the secret of it.
    fn secret_key(self) -> Option<&'s str> {
        self.forms().into_iter().find_map(|form| {
            let is_text = |key: &str| {
                form.member(key).is_some_and(|member| member.is_secret() && member.allows("string"))
            };
            form.keys().find(|key| is_text(key))
        })
    }

    fn is_secret(self) -> bool {
        self.here.get("writeOnly").is_some_and(|secret| *secret == true)
    }

    fn keys(self) -> impl Iterator<Item = &'s str> {
        self.here
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(key, _)| key.as_str())
    }
}

/// Takes what does not fit out of `table` and says why.
pub fn prune(shape: Shape<'_>, table: &mut DeTable<'_>, findings: &mut Findings) {
    prune_table(shape, table, &mut Vec::new(), findings);
}

fn prune_table(shape: Shape<'_>, table: &mut DeTable<'_>, path: &mut Vec<usize>, findings: &mut Findings) {
    for (key, mut value) in std::mem::take(table) {
        path.push(key.span().start);
        let fits = if let Some(member) = shape.member(key.get_ref()) {
            if member.is_secret() {
                hide_literals(member, &value, findings);
            }
            let fits = fits(member, &mut value, path, findings);
            if !fits
                && matches!(value.get_ref(), DeValue::String(_))
                && let Some(secret) = member.secret_key()
            {
                let name = key.get_ref().escape_debug();
                let hint = format!("write `{secret} = …` under `[providers.{name}]`");
                findings.hint_at(&value.span(), &hint);
            }
            fits
        } else {
            // A misspelt key may hold a secret.
            hide_all(&value, findings);
            unknown_key(shape, key.span(), key.get_ref(), findings);
            false
        };
        if !fits {
            findings.damage(path);
        }
        path.pop();
        if fits {
            table.insert(key, value);
        } else if shape.is_named_table(key.get_ref()) {
            // What refers to it by its name is no second fault.
            table.insert(key, Spanned::new(value.span(), DeValue::Table(DeTable::new())));
        }
    }
}

fn fits(
    shape: Shape<'_>,
    value: &mut Spanned<DeValue<'_>>,
    path: &mut Vec<usize>,
    findings: &mut Findings,
) -> bool {
    let span = value.span();
    let forms = shape.forms();
    if forms.is_empty() || forms.iter().any(|form| form.kind().is_none() && form.words().is_empty()) {
        return true;
    }
    let kind = kind_of(value.get_ref());
    if let DeValue::String(text) = value.get_ref() {
        let words: Vec<&str> = forms.iter().flat_map(|form| form.words()).collect();
        if !words.is_empty() && !words.contains(&&**text) {
            let fault = findings.fault(span, format!("unknown value `{}`", text.escape_debug()));
            fault.hint(match nearest(text, words.iter().copied()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("write {}", list(words)),
            });
            return false;
        }
        if !words.is_empty() {
            return true;
        }
    }
    let Some(form) = forms.iter().find(|form| form.kind() == Some(kind)) else {
        // A key may have been written one level too high, or too low.
        hide_texts(value, findings);
        wrong_type(&forms, kind, span, findings);
        return false;
    };
    match value.get_mut() {
        DeValue::Table(table) => prune_table(*form, table, path, findings),
        DeValue::Array(items) => {
            let Some(items_shape) = form.here.get("items") else { return true };
            let shape = Shape { here: items_shape, ..*form };
            let before = items.len();
            let kept = std::mem::replace(items, DeArray::new());
            for mut item in kept {
                if fits(shape, &mut item, path, findings) {
                    items.push(item);
                }
            }
            if items.len() < before {
                findings.damage(path);
            }
        }
        DeValue::Integer(number) => {
            return in_range(
                *form,
                i64::from_str_radix(number.as_str(), number.radix()).ok(),
                span,
                findings,
            );
        }
        _ => {}
    }
    true
}

fn in_range(form: Shape<'_>, number: Option<i64>, span: Span, findings: &mut Findings) -> bool {
    let limit = |name: &str| form.here.get(name).and_then(Value::as_f64);
    let (min, max) = (limit("minimum"), limit("maximum"));
    #[expect(clippy::cast_precision_loss, reason = "the limits are far below the precision of a double")]
    let fits = number.is_some_and(|number| {
        min.is_none_or(|min| number as f64 >= min) && max.is_none_or(|max| number as f64 <= max)
    });
    if !fits {
        let fault = findings.fault(span, "this number is out of range");
        match (min, max) {
            (Some(min), Some(max)) => fault.hint(format!("write a number from {min} to {max}")),
            (min, _) => fault.hint(format!("write a number from {} on", min.unwrap_or_default())),
        }
    }
    fits
}

fn unknown_key(shape: Shape<'_>, span: Span, key: &str, findings: &mut Findings) {
    let forms = shape.forms();
    let keys = || forms.iter().flat_map(|form| form.keys());
    let fault = findings.fault(span, format!("unknown key `{}`", key.escape_debug()));
    // Who writes the first word of a key means that key.
    let longer = || keys().find(|known| known.strip_prefix(key).is_some_and(|rest| rest.starts_with('_')));
    fault.hint(match nearest(key, keys()).or_else(longer) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("the keys here are {}", list(keys()).replace(" or ", " and ")),
    });
}

fn wrong_type(forms: &[Shape<'_>], found: &str, span: Span, findings: &mut Findings) {
    let mut kinds: Vec<&str> = forms.iter().filter_map(|form| form.kind()).map(in_words).collect();
    kinds.dedup();
    let fault = findings.fault(span, format!("expected {}, found {}", kinds.join(" or "), in_words(found)));
    let words: Vec<&str> = forms.iter().flat_map(|form| form.words()).collect();
    let example = forms.iter().find_map(|form| form.here.get("examples")?.get(0));
    match example {
        Some(example) => fault.hint(format!("write text with a unit, such as `{example}`")),
        None if !words.is_empty() => fault.hint(format!("write {}", list(words))),
        None if found == "string" && kinds == ["a list"] => {
            fault.hint("write a list, even of one: `[\"…\"]`");
        }
        None if found == "string" && kinds == [in_words("boolean")] => {
            fault.hint("write it without quotes: `true` or `false`");
        }
        None if kinds == ["a table"] => {
            let mut keys = forms.iter().flat_map(|form| form.keys()).peekable();
            if keys.peek().is_some() {
                fault.hint(format!("its keys are {}", list(keys).replace(" or ", " and ")));
            }
        }
        None => {}
    }
}

/// Hides texts that are secrets themselves, not those that say where a secret stands.
fn hide_literals(shape: Shape<'_>, value: &Spanned<DeValue<'_>>, findings: &mut Findings) {
    let table = match value.get_ref() {
        DeValue::Table(table) => table,
        DeValue::Array(items) => {
            return items.iter().for_each(|item| hide_literals(shape.item(), item, findings));
        }
        _ => return hide_all(value, findings),
    };
    for (key, value) in table {
        if !shape.has_key(key.get_ref()) {
            hide_literals(shape.member(key.get_ref()).unwrap_or(shape), value, findings);
        }
    }
}

fn hide_all(value: &Spanned<DeValue<'_>>, findings: &mut Findings) {
    match value.get_ref() {
        DeValue::Table(table) => table.iter().for_each(|(_, value)| hide_all(value, findings)),
        DeValue::Array(items) => items.iter().for_each(|item| hide_all(item, findings)),
        DeValue::String(_) => findings.hide_text(&value.span()),
        _ => findings.hide(value.span()),
    }
}

fn hide_texts(value: &Spanned<DeValue<'_>>, findings: &mut Findings) {
    match value.get_ref() {
        DeValue::Table(table) => table.iter().for_each(|(_, value)| hide_texts(value, findings)),
        DeValue::Array(items) => items.iter().for_each(|item| hide_texts(item, findings)),
        DeValue::String(_) => hide_all(value, findings),
        _ => {}
    }
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "string",
        DeValue::Integer(_) => "integer",
        DeValue::Float(_) => "number",
        DeValue::Boolean(_) => "boolean",
        DeValue::Datetime(_) => "datetime",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
    }
}

fn in_words(kind: &str) -> &'static str {
    match kind {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number with a fraction",
        "boolean" => "`true` or `false`",
        "array" => "a list",
        "object" => "a table",
        _ => "a date",
    }
}
