use proptest::prelude::*;

use super::*;
use crate::explain::tests::chain;

fn read(text: &str) -> Result<Failures, Mistake> {
    Failures::parse(text, &chain())
}

/// What becomes of the next attempts at each of `indices`.
fn next(failures: &mut Failures, indices: &[usize]) -> Vec<String> {
    let word =
        |failure: Option<Failure>| failure.map_or_else(|| "ok".to_owned(), |failure| failure.to_string());
    indices.iter().map(|index| word(failures.next(*index))).collect()
}

#[test]
fn reads_who_and_what() {
    for (text, first, second) in [
        ("a=429", "429 for ever", None),
        ("a=429x12,b=hang", "429 12 times, then answers", Some("hang for ever")),
        (" a = 503x1 , b = 429@1m30sx2 ", "503 once, then answers", Some("429@1m30s 2 times, then answers")),
        ("a=429x3+hang", "429 3 times, then hang for ever", None),
        ("a=429x3,a=cutx2,a=refuse", "429 3 times, then cut 2 times, then refuse for ever", None),
        ("a/one=timeout", "timeout for ever", None),
        ("a/one=reset,b/two/three=silent", "reset for ever", Some("silent for ever")),
        ("a=empty,a/one=302", "302 for ever", None),
        ("a=404@500msx9", "404@500ms 9 times, then answers", None),
    ] {
        let failures = read(text).unwrap_or_else(|mistake| panic!("{text}: {mistake}"));
        let plan = |index: usize| failures.plan(index).map(ToString::to_string);
        assert_eq!((plan(0).as_deref(), plan(1).as_deref()), (Some(first), second), "{text}");
    }
}

#[test]
fn a_provider_shares_its_failures_and_a_model_has_its_own() {
    let mut shared = read("a=429x2+503x1").expect("sense");
    assert_eq!(next(&mut shared, &[0, 2, 1, 2, 0]), ["429", "429", "ok", "503", "ok"]);

    let mut own = read("a=429x1,a/late=hangx1").expect("sense");
    assert_eq!(next(&mut own, &[2, 2, 0, 0]), ["hang", "ok", "429", "ok"]);
}

#[test]
fn everyone_may_be_down() {
    let mut down = Failures::all_down(&chain());
    assert!(down.assumed);
    assert_eq!(next(&mut down, &[0, 1, 2, 0]), ["503", "503", "503", "503"]);
}

#[test]
fn mistakes_name_the_part() {
    for (text, message, part, hint) in [
        ("", "this is not `who=what`", "", "openrouter=429x12"),
        ("a", "this is not `who=what`", "a", "openrouter=429x12"),
        ("a=429,,b=hang", "this is not `who=what`", "", "openrouter=429x12"),
        (
            "b=hang, zzz=429",
            "nobody in this route is called `zzz`",
            "zzz",
            "there are `a`, `a/one`, `b`, `b/two/three`",
        ),
        ("a/oen=429", "nobody in this route is called `a/oen`", "a/oen", "did you mean `a/one`?"),
        ("a=", "nothing is said here", "", "write a status"),
        ("a=429+", "nothing is said here", "", "write a status"),
        (
            "a=429+cut",
            "this never comes: `429` before it goes on for ever",
            "cut",
            "say how often, such as `429x3`",
        ),
        ("a=429x3+hnag", "`hnag` is no way to fail", "hnag", "did you mean `hang`? write a status"),
        ("a=200", "`200` is no way to fail", "200", "from 300 to 599"),
        ("a=600x2", "`600` is no way to fail", "600x2", "from 300 to 599"),
        ("a=429x0", "`0` does not say how often", "429x0", "from 1"),
        ("a=429x", "`` does not say how often", "429x", "from 1"),
        ("a=hang@3s", "`hang@3s` is no way to fail", "hang@3s", "a status"),
        ("a=429@soon", "`soon`: this is not a duration", "429@soon", "`429@30s`"),
        ("a=429@0s", "`0s`: this duration cannot be zero", "429@0s", "`429@30s`"),
    ] {
        let mistake = read(text).expect_err(text);
        assert_eq!((mistake.message.as_str(), &text[mistake.at.clone()]), (message, part), "{text}");
        assert!(mistake.hint.contains(hint), "{text}: {}", mistake.hint);
    }
}

#[test]
fn a_mistake_points_at_its_part() {
    let mistake = read("a=429x3,b=hnag").expect_err("a mistake").to_string();
    assert!(
        mistake.starts_with(
            "`--fail`: `hnag` is no way to fail\n  a=429x3,b=hnag\n            ^^^^\nhint: did you mean `hang`?"
        ),
        "{mistake}"
    );
}

/// A failure as a person may write it.
pub(in crate::explain) fn step_text() -> impl Strategy<Value = String> {
    let words: Vec<&str> = WORDS.iter().map(|row| row.0).collect();
    let statuses = vec![
        "429", "503", "500", "401", "402", "404", "400", "408", "413", "302", "429@7s", "503@25s", "429@2m",
    ];
    prop_oneof![prop::sample::select(statuses), prop::sample::select(words)].prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_panics(text in prop_oneof!["\\PC{0,40}", "([ab=,+x@/ é]|one|429|hang|30s|[0-9]){0,20}"]) {
        if let Err(mistake) = read(&text) {
            prop_assert!(mistake.to_string().contains('^'));
        }
    }

    #[test]
    fn what_is_written_is_what_comes(steps in prop::collection::vec((step_text(), 1u32..5), 1..6)) {
        let text: Vec<String> = steps.iter().map(|(what, count)| format!("{what}x{count}")).collect();
        let mut failures = read(&format!("a={}", text.join("+"))).expect("sense");
        for (what, count) in &steps {
            for _ in 0..*count {
                let came = failures.next(0).map(|failure| failure.to_string());
                prop_assert_eq!(came.as_ref(), Some(what));
            }
        }
        prop_assert_eq!(failures.next(0), None);
    }
}
