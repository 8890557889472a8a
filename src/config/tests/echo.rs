//! A secret is not repeated in a fault, wherever it was written and whatever else is wrong.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::load_text;
use crate::config::report;

/// A value between `‹` and `›` can be replaced; one between `«` and `»` is the place of a secret.
const TEMPLATE: &str = r#"
[server]
listen = ‹"127.0.0.1:1"›
max_body = ‹100›
direct = ‹true›
cors = ‹["https://chat.example.org"]›
grace = ‹"1s"›

[retry]
cycles = ‹2›
attempt_delay = ‹"1s..2s"›
on = { timeout = ‹"retry"›, empty = ‹"next"› }

[policies]
p = ‹{ cycles = 1 }›

[timeouts]
idle = ‹"1s"›

[providers.a]
preset = «"groq"»
base_url = «"https://a.example.org/v1"»
api_key = «"k"»
headers = { X-One = «"x"», Authorization = «"Bearer x"» }
timeouts = «{ idle = "2s" }»

[providers]
b = «{ base_url = "https://b.example.org" }»

[providers.c]
base_url = "https://c.example.org"
headers = «{ X-Two = "y" }»

[providers.d]
base_url = "https://d.example.org"
api_keys = [«"k1"», «{ value = "k2", name = "second" }», { value = «"k3"», name = ‹"third"› }]
key_order = ‹"in-order"›
limits = ‹{ requests_per_day = 1 }›

[providers.e]
base_url = "https://e.example.org"
api_keys = «["k4"]»

[cooldown]
rest = ‹"1s"›

[routes.r]
name = ‹"R"›
retry = ‹"p"›
chain = [‹"a/m"›, { use = ‹"b/n"›, headers = { X-Key = «"y"» }, set = { user = ‹"u"› }, unset = ‹["top_p"]› }]
order = ‹"depth"›
"#;

/// The template with `written` in place of one of its values: any of them, or only those of secrets.
fn with(written: &str, place: Index, secrets_only: bool) -> String {
    let opens = |char: char| char == '«' || (char == '‹' && !secrets_only);
    let starts: Vec<usize> = TEMPLATE.match_indices(opens).map(|(at, _)| at).collect();
    let start = starts[place.index(starts.len())];
    let end = start + TEMPLATE[start..].find(['»', '›']).expect("an end");
    format!("{}{written}{}", &TEMPLATE[..start], &TEMPLATE[end..]).replace(['«', '»', '‹', '›'], "")
}

/// The ways to write a secret, most of them wrong.
const WRITTEN: [&str; 24] = [
    r#""§""#,
    "'§'",
    "§",
    r#""§"#,
    r#"§""#,
    "'§",
    "\n§",
    "\n\"§\"\n",
    "\n  §\n",
    "{\n env = §",
    "{\n env = \"§\"\n}",
    r#"{ env = "§" }"#,
    r#"{ file = "§" }"#,
    r#"{ evn = "§" }"#,
    r#"{ env = ["§"] }"#,
    r#"{ env = { x = "§" } }"#,
    r#"["§"]"#,
    r#"[["§", { a = "§" }]]"#,
    "[\n\"§\",\n§\n]",
    "\"\"\"\n§\nb\n\"\"\"",
    "\"\"\"\n§\nb\n\"\"",
    "'''§\n",
    r#""§", }}"#,
    r#""§" "§""#,
];

/// One slip of the keyboard outside `§`: a character too much, or one too few.
fn slip(text: &str, place: Index, insert: Option<char>) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let places: Vec<usize> = (0..chars.len()).filter(|at| chars[*at] != '§').collect();
    let at = places[place.index(places.len())];
    match insert {
        Some(char) => chars.insert(at, char),
        None => drop(chars.remove(at)),
    }
    chars.into_iter().collect()
}

/// Where a slip is, if there is one, and which character is too much; none if one is too few.
fn slips() -> impl Strategy<Value = Option<(Index, Option<char>)>> {
    let signs: Vec<char> = "\"'=[]{},\n#x".chars().collect();
    option::of((any::<Index>(), option::of(select(signs))))
}

fn said(text: &str) -> String {
    match load_text(text) {
        Ok(loaded) => report(&loaded),
        Err(faults) => faults.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1500, ..Default::default() })]

    #[test]
    fn a_key_is_not_repeated_from_anywhere(
        key in "(gsk_|sk-proj-|)[A-Za-z]{6}[0-9]{2}[A-Za-z0-9]{12,24}",
        written in select(&WRITTEN[..]),
        place: Index,
        slipped in slips(),
    ) {
        let mut text = with(written, place, false);
        if let Some((at, insert)) = slipped {
            text = slip(&text, at, insert);
        }
        let text = text.replace('§', &key);
        // A name that is shown on purpose may be anything.
        prop_assume!(load_text(&text).is_err());
        let said = said(&text);
        prop_assert!(!said.contains(&key), "{text}\n{said}");
    }

    /// Even one that does not look like a key.
    #[test]
    fn a_plain_secret_is_not_repeated_from_its_place(
        secret in "[a-z]{16,24}",
        written in select(&WRITTEN[..]),
        place: Index,
        slipped in slips(),
    ) {
        let mut text = with(written, place, true);
        if let Some((at, insert)) = slipped {
            text = slip(&text, at, insert);
        }
        let text = text.replace('§', &secret);
        prop_assume!(load_text(&text).is_err());
        let said = said(&text);
        prop_assert!(!said.contains(&secret), "{text}\n{said}");
    }
}
