//! The tokens that the parts of an answer took.

use serde_json::{Map, Number, Value};

#[cfg(test)]
mod tests;

/// The longest `usage` that is kept, in bytes.
pub const MAX: usize = 64 * 1024;

/// Keeps the JSON text of the last usage, and nothing where that is longer than [`MAX`].
pub(super) fn keep(kept: &mut Vec<u8>, last: &[u8]) {
    kept.clear();
    if last.len() <= MAX {
        kept.extend_from_slice(last);
    }
}

/// A `usage` object: numbers by name, also within objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage(Map<String, Value>);

impl Usage {
    /// Reads the JSON text of an object; nothing if it is none.
    pub fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().map(Self)
    }

    /// Adds `other` member by member: numbers are summed, of anything else the later one that is not
    /// null stays.
    pub fn add(&mut self, other: &Self) {
        add_members(&mut self.0, &other.0);
    }

    /// The object.
    pub fn to_value(&self) -> Value {
        self.0.clone().into()
    }

    /// The object as JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).expect("JSON is JSON")
    }
}

fn add_members(sum: &mut Map<String, Value>, other: &Map<String, Value>) {
    for (name, value) in other {
        match (sum.get_mut(name), value) {
            (Some(Value::Object(sum)), Value::Object(value)) => add_members(sum, value),
            (Some(Value::Number(sum)), Value::Number(value)) => *sum = add_numbers(sum, value),
            (Some(_), Value::Null) => {}
            (Some(sum), value) => *sum = value.clone(),
            (None, value) => {
                sum.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Whole numbers stay whole.
fn add_numbers(one: &Number, other: &Number) -> Number {
    let whole = one.as_u64().zip(other.as_u64()).and_then(|(one, other)| one.checked_add(other));
    if let Some(whole) = whole {
        return whole.into();
    }
    let whole = one.as_i64().zip(other.as_i64()).and_then(|(one, other)| one.checked_add(other));
    if let Some(whole) = whole {
        return whole.into();
    }
    let sum = one.as_f64().unwrap_or_default() + other.as_f64().unwrap_or_default();
    Number::from_f64(sum).unwrap_or_else(|| other.clone())
}
