use super::*;

fn sum(one: &str, other: &str) -> String {
    let mut sum = Usage::parse(one.as_bytes()).unwrap();
    sum.add(&Usage::parse(other.as_bytes()).unwrap());
    sum.to_json()
}

#[test]
fn numbers_add_up_at_every_depth() {
    for (one, other, expected) in [
        ("{}", r#"{"a":1}"#, r#"{"a":1}"#),
        (r#"{"a":1,"b":2}"#, r#"{"a":3}"#, r#"{"a":4,"b":2}"#),
        (r#"{"d":{"x":1,"y":2}}"#, r#"{"d":{"x":5,"z":6}}"#, r#"{"d":{"x":6,"y":2,"z":6}}"#),
        (r#"{"a":0.25}"#, r#"{"a":1}"#, r#"{"a":1.25}"#),
        (r#"{"a":-1}"#, r#"{"a":3}"#, r#"{"a":2}"#),
        (r#"{"a":null,"b":4,"c":true}"#, r#"{"a":1,"b":null,"c":false}"#, r#"{"a":1,"b":4,"c":false}"#),
        (r#"{"a":1}"#, r#"{"a":{"x":1}}"#, r#"{"a":{"x":1}}"#),
        (r#"{"a":18446744073709551615}"#, r#"{"a":1}"#, r#"{"a":1.8446744073709552e+19}"#),
        (r#"{"a":1.7e308}"#, r#"{"a":1.7e308}"#, r#"{"a":1.7e+308}"#),
    ] {
        assert_eq!(sum(one, other), expected, "{one} + {other}");
    }
}

#[test]
fn only_an_object_is_a_usage() {
    for text in ["", "null", "3", "[]", "{", r#"{"a":NaN}"#] {
        assert_eq!(Usage::parse(text.as_bytes()), None, "{text}");
    }
    assert!(Usage::parse(br#"{"completion_tokens":7,"cost":0.5}"#).is_some());
}
