use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::openai::testing::{Noise, cases, noise, value};

mod golden;

/// More than enough to tell that a candidate begins again.
const LONG: &str = "The quick brown fox jumps over the lazy dog, and then it does so again: ";

fn content(text: &str) -> String {
    serde_json::json!({ "id": "2", "choices": [{ "index": 0, "delta": { "content": text } }] }).to_string()
}

fn delivered(text: &str) -> Transcript {
    let mut transcript = Transcript::new();
    transcript.observe(content(text).as_bytes());
    transcript
}

/// What the client is given of some texts that are each an event.
fn rest(text: &str, mode: Mode, pieces: &[&str]) -> Result<String, Differs> {
    let mut continuation = Continuation::new(&delivered(text), mode);
    let mut given = String::new();
    for piece in pieces {
        given.extend(continuation.push(content(piece).as_bytes())?.map(|data| text_of(&data)));
    }
    given.extend(continuation.end()?.map(|data| text_of(&data)));
    Ok(given)
}

fn text_of(data: &[u8]) -> String {
    let value: Value = serde_json::from_slice(data).unwrap();
    value["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn what_follows_is_passed_on() {
    assert_eq!(rest("abc", Mode::Continues, &["de", "f"]), Ok("def".into()));
    for said in [&["abc"][..], &["ab", "cd"], &["a", "bc"]] {
        assert_eq!(rest("abc", Mode::Continues, said), Err(Differs::Unsure), "too short to tell: {said:?}");
        assert_eq!(rest("abc\n", Mode::Continues, said), Err(Differs::Unsure), "too short to tell: {said:?}");
    }
    assert_eq!(rest("abc", Mode::Continues, &["ab", "a"]), Ok("aba".into()));
    assert_eq!(rest("\n", Mode::Continues, &["\n", "a"]), Ok("\na".into()));
    assert_eq!(rest(LONG, Mode::Continues, &["The quick", " cat"]), Ok("The quick cat".into()));
    assert_eq!(rest(LONG, Mode::Continues, &["The quick"]), Ok("The quick".into()));
    assert_eq!(rest(LONG, Mode::Continues, &[]), Ok(String::new()));
    assert_eq!(rest("", Mode::Continues, &["a"]), Ok("a".into()));
}

#[test]
fn one_that_begins_again_and_says_something_else_is_no_rest() {
    for (said, expected) in [
        (&[&LONG[..64], "cat"][..], Err(Differs::Text)),
        (&[&LONG[..63], "cat"], Ok(LONG[..63].to_owned() + "cat")),
        (&[&LONG[..64]], Err(Differs::Short)),
        (&["The", &LONG[3..66]], Err(Differs::Short)),
        (&[&LONG[..63]], Ok(LONG[..63].to_owned())),
    ] {
        assert_eq!(rest(LONG, Mode::Continues, said), expected, "{said:?}");
    }
    let short = "Yes".to_owned() + &"\n".repeat(70);
    assert_eq!(rest(&short, Mode::Continues, &["Yes", "!"]), Err(Differs::Unsure));
}

#[test]
fn a_beginning_that_is_said_again_is_skipped() {
    let (one, two) = LONG.split_at(10);
    for mode in [Mode::Continues, Mode::Repeats] {
        assert_eq!(rest(LONG, mode, &[one, two, "new"]), Ok("new".into()));
        assert_eq!(rest(LONG, mode, &[&format!("{LONG}new")]), Ok("new".into()));
        assert_eq!(rest(LONG, mode, &[LONG]), Ok(String::new()));
    }
    let trimmed = LONG.trim_end();
    assert_eq!(rest(LONG, Mode::Continues, &[trimmed, "new"]), Ok("new".into()));
    assert_eq!(rest(LONG, Mode::Continues, &[&format!("{trimmed}new")]), Ok("new".into()));
    assert_eq!(rest(LONG, Mode::Continues, &[trimmed]), Ok(String::new()));
    assert_eq!(rest(LONG, Mode::Repeats, &[trimmed, "new"]), Err(Differs::Text));
    assert_eq!(rest("abc", Mode::Repeats, &["ab", "cd"]), Ok("d".into()));
    assert_eq!(rest("", Mode::Repeats, &["ab"]), Ok("ab".into()));
}

#[test]
fn another_answer_is_none() {
    assert_eq!(rest("abc", Mode::Repeats, &["ab", "x"]), Err(Differs::Text));
    assert_eq!(rest("abc", Mode::Repeats, &["ab"]), Err(Differs::Short));
    assert_eq!(rest("abc", Mode::Repeats, &[]), Err(Differs::Short));
    assert_eq!(rest("e\u{301}", Mode::Repeats, &["\u{e9}"]), Err(Differs::Text));
}

#[test]
fn what_is_no_text_is_no_rest() {
    for (members, why) in [
        (r#""delta":{"tool_calls":[{"index":0}]}"#, Why::ToolCall),
        (r#""finish_reason":"tool_calls""#, Why::ToolCall),
        (r#""delta":{"refusal":"no"}"#, Why::Refusal),
        (r#""delta":{"audio":{"id":"1"}}"#, Why::Audio),
        (r#""delta":{"images":[{}]}"#, Why::Images),
        (r#""index":1,"delta":{"content":"x"}"#, Why::Choices),
        (r#""delta":{"content":[{"type":"image_url"}]}"#, Why::Parts),
        (r#""delta":{"content":"x","content":"y"}"#, Why::Unclear),
    ] {
        let mut continuation = Continuation::new(&delivered("a"), Mode::Continues);
        let data = format!(r#"{{"choices":[{{{members}}}]}}"#);
        assert_eq!(continuation.push(data.as_bytes()), Err(Differs::Holds(why)), "{members}");
        assert!(!continuation.caught_up());
    }
    let mut continuation = Continuation::new(&delivered("abc"), Mode::Repeats);
    let half = r#"{"choices":[{"delta":{"content":"ab\ud83d"}}]}"#;
    assert_eq!(continuation.push(half.as_bytes()), Err(Differs::Holds(Why::Unclear)));
}

#[test]
fn an_answer_may_end_exactly_where_the_other_broke_off() {
    let finish = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    for (mode, said, expected) in [
        (Mode::Repeats, "abc", Ok(true)),
        (Mode::Repeats, "ab", Err(Differs::Short)),
        (Mode::Continues, "", Ok(true)),
    ] {
        let mut continuation = Continuation::new(&delivered("abc"), mode);
        assert_eq!(continuation.push(content(said).as_bytes()), Ok(None));
        assert!(!continuation.caught_up());
        let pushed = continuation.push(finish.as_bytes());
        assert_eq!(pushed.map(|data| data.as_deref() == Some(finish.as_bytes())), expected, "{said}");
        assert_eq!(continuation.caught_up(), expected == Ok(true));
    }
}

#[test]
fn a_role_alone_has_not_caught_up() {
    let mut continuation = Continuation::new(&Transcript::new(), Mode::Repeats);
    let role = r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#;
    assert!(continuation.push(role.as_bytes()).unwrap().is_some());
    assert!(!continuation.caught_up() && !continuation.spoke());
    continuation.push(content("a").as_bytes()).unwrap();
    assert!(continuation.caught_up() && continuation.spoke());
}

#[test]
fn it_has_caught_up_once_something_goes_out() {
    let mut continuation = Continuation::new(&delivered("abc"), Mode::Repeats);
    for (piece, caught_up) in [("ab", false), ("c", false), ("", false), ("d", true)] {
        let passed = continuation.push(content(piece).as_bytes()).unwrap();
        assert_eq!((passed.is_some(), continuation.caught_up()), (caught_up, caught_up), "{piece}");
    }
}

#[test]
fn debug_says_nothing_of_what_a_model_wrote() {
    let mut continuation = Continuation::new(&delivered("private"), Mode::Repeats);
    continuation.push(content("priv").as_bytes()).unwrap();
    assert!(!format!("{continuation:?}").contains("priv"));
}

/// Any text, also of the kind that makes trouble.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[ab]{0,150}", "(\\PC|[\"\\\\\n/é😀\u{301}]){0,90}"]
}

/// Events whose contents are `text`, cut anywhere and written in any way.
fn stream(text: &str, cuts: &[prop::sample::Index], noise: &mut Noise, finish: bool) -> Vec<String> {
    let mut ends: Vec<_> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let mut chosen: Vec<_> = cuts.iter().map(|cut| ends[cut.index(ends.len())]).collect();
    chosen.push(ends.pop().unwrap());
    chosen.sort_unstable();
    let mut start = 0;
    let mut chunks: Vec<Value> = Vec::new();
    for (position, end) in chosen.into_iter().enumerate() {
        let piece = &text[std::mem::replace(&mut start, end)..end];
        let delta = match position % 4 {
            0 => serde_json::json!({ "role": "assistant", "content": piece }),
            1 => serde_json::json!({ "content": piece, "reasoning": "hm" }),
            2 => serde_json::json!({ "content": [{ "type": "text", "text": piece }] }),
            _ => serde_json::json!({ "content": piece, "reasoning": null }),
        };
        chunks.push(serde_json::json!({ "id": "x", "choices": [{ "index": 0, "delta": delta }] }));
    }
    if finish {
        chunks.push(serde_json::json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] }));
    }
    let write = |chunk| {
        let mut data = String::new();
        noise.value(&mut data, &chunk);
        data
    };
    chunks.into_iter().map(write).collect()
}

/// How many bytes two texts have in common at their beginning.
fn alike(one: &str, other: &str) -> usize {
    one.chars()
        .zip(other.chars())
        .take_while(|(one, other)| one == other)
        .map(|(one, _)| one.len_utf8())
        .sum()
}

/// Feeds a second stream to the rest of an answer; everything that passes goes into the transcript.
fn resume(transcript: &mut Transcript, mode: Mode, second: &[String]) -> Result<(), Differs> {
    let mut continuation = Continuation::new(transcript, mode);
    for data in second {
        if let Some(data) = continuation.push(data.as_bytes())? {
            assert!(!data.contains(&b'\n') && !data.contains(&b'\r'));
            transcript.observe(&data);
        }
    }
    if let Some(data) = continuation.end()? {
        transcript.observe(&data);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn the_client_gets_the_whole_text(
        text in text(),
        breaks in prop::array::uniform2(any::<prop::sample::Index>()),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        modes in prop::array::uniform2(prop_oneof![Just(Mode::Continues), Just(Mode::Repeats)]),
        finish in any::<bool>(),
        mut noise in noise(),
    ) {
        let ends: Vec<_> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut breaks = breaks.map(|index| ends[index.index(ends.len())]);
        breaks.sort_unstable();
        let [first, second] = breaks;
        let mut transcript = Transcript::new();
        for data in stream(&text[..first], &cuts, &mut noise, false) {
            transcript.observe(data.as_bytes());
        }
        for (from, to, mode, finish) in [(first, second, modes[0], false), (second, text.len(), modes[1], finish)] {
            // A text that follows on itself is taken for one that begins again.
            let again = from > 0 && text[from..].starts_with(text[..from].trim_end());
            if mode == Mode::Continues && (again || alike(&text[from..to], &text[..from]) >= 64) {
                return Ok(());
            }
            let said = if mode == Mode::Continues { &text[from..to] } else { &text[..to] };
            let events = stream(said, &cuts, &mut noise, finish);
            prop_assert_eq!(resume(&mut transcript, mode, &events), Ok(()));
            prop_assert_eq!(transcript.text(), &text[..to]);
        }
        let expected = if finish { Err(Why::Finished) } else { Ok(()) };
        prop_assert_eq!(transcript.resumable(), expected);
    }

    #[test]
    fn one_that_begins_again_is_not_doubled(
        text in "\\PC{64,90}",
        more in text(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        mut noise in noise(),
    ) {
        let mut transcript = delivered(&text);
        let events = stream(&format!("{text}{more}"), &cuts, &mut noise, true);
        prop_assert_eq!(resume(&mut transcript, Mode::Continues, &events), Ok(()));
        prop_assert_eq!(transcript.text(), text + &more);
    }

    #[test]
    fn one_that_begins_alike_loses_nothing_or_is_no_rest(
        text in "\\PC{64,90}",
        same in any::<prop::sample::Index>(),
        more in text(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        finish in any::<bool>(),
        mut noise in noise(),
    ) {
        let ends: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
        let said = text[..ends[same.index(ends.len())]].to_owned() + &more;
        prop_assume!(!said.starts_with(text.trim_end()));
        let mut transcript = delivered(&text);
        let events = stream(&said, &cuts, &mut noise, finish);
        let resumed = resume(&mut transcript, Mode::Continues, &events);
        if alike(&said, &text) < 64 {
            prop_assert_eq!(resumed, Ok(()));
            prop_assert_eq!(transcript.text(), text + &said);
        } else {
            let expected = if text.starts_with(&said) { Differs::Short } else { Differs::Text };
            prop_assert_eq!(resumed, Err(expected));
            prop_assert_eq!(transcript.text(), text);
        }
    }

    #[test]
    fn what_must_not_change_does_not(
        extras in prop::array::uniform3(value(&["id", "content", "role", "choices"])),
        delta in prop::collection::hash_map(
            prop::sample::select(&["role", "content", "reasoning", "thinking", "refusal", "x"][..]),
            Just(()),
            0..6,
        ),
        reason in prop::sample::select(&[None, Some("stop"), Some("length")][..]),
        text in "\\PC{1,9}",
        mut noise in noise(),
    ) {
        let [top, beside, within] = extras;
        let mut given = serde_json::json!({
            "id": "2", "x": top, "choices": [{ "index": 0, "delta": {}, "finish_reason": reason, "x": beside }],
        });
        let mut expected = given.clone();
        expected["id"] = "1".into();
        for (member, ()) in delta {
            let value = match member {
                "x" => within.clone(),
                "refusal" => Value::Null,
                _ => text.clone().into(),
            };
            given["choices"][0]["delta"][member] = value.clone();
            if matches!(member, "content" | "refusal" | "x") {
                expected["choices"][0]["delta"][member] = value;
            }
        }
        let mut transcript = Transcript::new();
        transcript.observe(br#"{"id":"1","choices":[{"delta":{"role":"assistant"}}]}"#);
        let mut data = String::new();
        noise.value(&mut data, &given);
        let mut continuation = Continuation::new(&transcript, Mode::Continues);
        if let Some(data) = continuation.push(data.as_bytes()).unwrap() {
            prop_assert_eq!(serde_json::from_slice::<Value>(&data).unwrap(), expected);
        } else {
            prop_assert!(reason.is_none() && expected["choices"][0]["delta"].get("content").is_none());
        }
    }

    #[test]
    fn two_answers_are_never_glued_together(
        common in text(),
        one in text(),
        other in text(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        finish in any::<bool>(),
        mut noise in noise(),
    ) {
        let (one, other) = (common.clone() + &one, common + &other);
        let mut transcript = delivered(&one);
        let resumed = resume(&mut transcript, Mode::Repeats, &stream(&other, &cuts, &mut noise, finish));
        if other.starts_with(&one) {
            prop_assert_eq!(resumed, Ok(()));
            prop_assert_eq!(transcript.text(), other);
        } else {
            let expected = if one.starts_with(&other) { Differs::Short } else { Differs::Text };
            prop_assert_eq!(resumed, Err(expected));
            prop_assert_eq!(transcript.text(), one);
        }
    }

    #[test]
    fn never_panics(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        r#"\{?("choices"|"delta"|"content"|"usage"|"metadata"|[{}\[\]:,"\\ \n1a]){0,30}\}?"#.prop_map(String::into_bytes),
    ]) {
        for mode in [Mode::Continues, Mode::Repeats] {
            let mut continuation = Continuation::new(&delivered(LONG), mode);
            let pushed = continuation.push(&bytes);
            if let Ok(Some(data)) = pushed {
                prop_assert!(serde_json::from_slice::<Value>(&data).is_ok());
            }
        }
    }
}
