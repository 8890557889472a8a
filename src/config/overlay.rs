//! Lays the environment over the file: `BACKSTOP_SERVER__LISTEN`, `BACKSTOP_RETRY__CYCLES`, …

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{Document, Variable};
use super::fault::Findings;
use super::shape::Shape;
use super::spanned::Span;

/// Writes every variable of `document` into `table`.
pub fn apply<'d>(document: &'d Document, shape: Shape<'_>, table: &mut DeTable<'d>, findings: &mut Findings) {
    for variable in document.variables() {
        let text = document.text(variable.span.clone());
        if !write(variable, &variable.keys, text, shape, table) {
            findings
                .fault(variable.span.clone(), "this variable names a key inside a value that is no table")
                .hint("unset the variable, or write a table into the file");
        }
    }
}

/// Says of the faults of variables what only holds for them, once there are any.
pub fn explain(document: &Document, shape: Shape<'_>, findings: &mut Findings) {
    for variable in document.variables().iter().filter(|variable| is_list(shape, &variable.keys)) {
        let hint = "a variable cannot hold this list: unset it, and write the list into the file";
        findings.hint_at(&variable.span, hint);
    }
}

/// Whether the key is for a list and nothing else.
fn is_list(shape: Shape<'_>, keys: &[String]) -> bool {
    let member = keys.iter().try_fold(shape, |shape, key| shape.member(key));
    member.is_some_and(|member| member.allows("array") && !member.allows("string"))
}

/// Whether there was a place for it. Unknown keys are written too: the check of the shape finds them, with
/// the place of the variable.
fn write<'d>(
    variable: &Variable,
    keys: &[String],
    text: &'d str,
    shape: Shape<'_>,
    table: &mut DeTable<'d>,
) -> bool {
    let Some((key, rest)) = keys.split_first() else { return true };
    let known =
        table.keys().find(|known| is_same(known.get_ref(), key)).map(|known| known.get_ref().to_string());
    let name = known.unwrap_or_else(|| key.clone());
    let member = shape.member(&name);
    if rest.is_empty() {
        // The key of an entry stays when its value is replaced, and with it the place in the file.
        table.remove(name.as_str());
        table
            .insert(spanned(&variable.span, Cow::Owned(name)), spanned(&variable.span, scalar(text, member)));
        return true;
    }
    let child = table
        .entry(spanned(&variable.span, Cow::Owned(name)))
        .or_insert_with(|| spanned(&variable.span, DeValue::Table(DeTable::new())));
    match (child.get_mut(), member) {
        (DeValue::Table(child), Some(member)) => write(variable, rest, text, member, child),
        (DeValue::Table(_), None) => true,
        _ => false,
    }
}

/// Variables know neither case nor the signs between words.
fn is_same(known: &str, key: &str) -> bool {
    let plain = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '_' };
    known.chars().map(plain).eq(key.chars().map(plain))
}

/// The value as the type the key wants, text where it wants none in particular.
fn scalar<'d>(text: &'d str, shape: Option<Shape<'_>>) -> DeValue<'d> {
    let wants = |kind| shape.is_some_and(|shape| shape.allows(kind));
    match text {
        "true" | "false" if wants("boolean") => DeValue::Boolean(text == "true"),
        _ if wants("integer") && text.parse::<i64>().is_ok() => {
            DeValue::parse(text).map_or(DeValue::String(Cow::Borrowed(text)), Spanned::into_inner)
        }
        _ => DeValue::String(Cow::Borrowed(text)),
    }
}

fn spanned<T>(span: &Span, value: T) -> Spanned<T> {
    Spanned::new(span.clone(), value)
}
