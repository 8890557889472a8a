//! JSON for property tests: any value, written in any of the ways that mean the same.

use std::fmt::Write;

use proptest::prelude::*;
use serde_json::{Map, Value};

/// Any value, with the names of `keys` among the keys of its objects.
pub fn value(keys: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
        "[\\[\\]{}\",:\\\\a\n]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            members(keys, inner).prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

/// Members of an object, of which some may have the same key.
pub fn members(
    keys: &'static [&'static str],
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Vec<(String, Value)>> {
    let key = prop_oneof![4 => prop::sample::select(keys).prop_map(String::from), 1 => "\\PC{0,4}"];
    prop::collection::vec((key, value), 0..6)
}

/// Decides about white space and escapes.
#[derive(Debug, Clone)]
pub struct Noise(Vec<u8>, usize);

/// A source of noise.
pub fn noise() -> impl Strategy<Value = Noise> {
    prop::collection::vec(any::<u8>(), 1..40).prop_map(|bytes| Noise(bytes, 0))
}

impl Noise {
    fn next(&mut self) -> u8 {
        self.1 = (self.1 + 1) % self.0.len();
        self.0[self.1]
    }

    fn space(&mut self) -> &'static str {
        ["", "", "", " ", "  ", "\t", "\r\n", " \n "][usize::from(self.next() % 8)]
    }

    /// Writes `value`.
    pub fn value(&mut self, out: &mut String, value: &Value) {
        match value {
            Value::Array(elements) => {
                out.push('[');
                for (position, element) in elements.iter().enumerate() {
                    out.push_str(if position > 0 { "," } else { "" });
                    self.padded(out, |noise, out| noise.value(out, element));
                }
                out.push_str(self.space());
                out.push(']');
            }
            Value::Object(members) => self.object(out, members),
            Value::String(text) => self.string(out, text),
            other => out.push_str(&other.to_string()),
        }
    }

    /// Writes an object.
    pub fn object<'a>(
        &mut self,
        out: &mut String,
        members: impl IntoIterator<Item = (&'a String, &'a Value)>,
    ) {
        out.push('{');
        for (position, (key, value)) in members.into_iter().enumerate() {
            out.push_str(if position > 0 { "," } else { "" });
            self.padded(out, |noise, out| noise.string(out, key));
            out.push(':');
            self.padded(out, |noise, out| noise.value(out, value));
        }
        out.push_str(self.space());
        out.push('}');
    }

    fn padded(&mut self, out: &mut String, write: impl FnOnce(&mut Self, &mut String)) {
        out.push_str(self.space());
        write(self, out);
        out.push_str(self.space());
    }

    fn string(&mut self, out: &mut String, text: &str) {
        out.push('"');
        for character in text.chars() {
            if self.next().is_multiple_of(5) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").expect("a string takes all");
                }
            } else {
                let literal = Value::from(character.to_string()).to_string();
                out.push_str(&literal[1..literal.len() - 1]);
            }
        }
        out.push('"');
    }
}

/// Settings of every property test of this room.
pub fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}
