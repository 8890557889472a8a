use http::HeaderMap;
use proptest::prelude::*;

use super::*;
use crate::retry::{Phase, Policy};
use crate::route::{Edits, ProviderId, Timeouts};

fn candidate() -> Candidate {
    Candidate {
        provider: ProviderId(0),
        provider_name: "nvidia".into(),
        model: "kimi".into(),
        policy: Policy::default(),
        timeouts: Timeouts::default(),
        headers: HeaderMap::new(),
        edits: Edits::default(),
        prefill: None,
    }
}

fn fault(class: Class, status: Option<u16>, reason: &str) -> Fault {
    Fault { status, ..Fault::new(class, Phase::FirstByte, reason) }
}

#[test]
fn one_sentence_says_what_happened_and_what_to_do() {
    let time = Duration::from_secs(252);
    let limit = "This model's maximum context length is 8192 tokens.";
    for (fault, sent, after, expected) in [
        (
            fault(Class::RateLimited, Some(429), "slow down"),
            60,
            None,
            "No model answered after 60 attempts in 4m12s: rate limited (429). Try again in a moment.",
        ),
        (
            fault(Class::RateLimited, Some(429), "slow down"),
            1,
            Some(Duration::from_secs(1199)),
            "No model answered after 1 attempt in 4m12s: rate limited (429). Try again in 19m59s.",
        ),
        (
            fault(Class::RateLimited, None, "rests as the provider asked"),
            0,
            Some(Duration::from_mins(1)),
            "No model could be asked within 4m12s: rate limited. Try again in 1m.",
        ),
        (
            fault(Class::Connect, None, "refused by 127.0.0.1:1"),
            2,
            None,
            "No model answered after 2 attempts in 4m12s: no connection. Check that nvidia is running, and its base_url.",
        ),
        (
            fault(Class::Connect, None, "all are in use").advising("allow more with `max_connections`"),
            1,
            None,
            "No model answered after 1 attempt in 4m12s: no connection. Allow more with max_connections.",
        ),
        (
            fault(Class::Unauthorized, Some(401), "no"),
            1,
            None,
            "No model answered after 1 attempt in 4m12s: the key was refused (401). Check the api_key of nvidia.",
        ),
        (
            fault(Class::ContextLength, Some(400), limit),
            1,
            None,
            "No model answered after 1 attempt in 4m12s: the conversation is too long (This model's maximum context length is 8192 tokens). Shorten the conversation, or choose another model.",
        ),
        (
            fault(Class::BadRequest, Some(422), "tools[3]: no name"),
            1,
            None,
            "No model answered after 1 attempt in 4m12s: the provider calls the request wrong (tools[3]: no name).",
        ),
    ] {
        assert_eq!(no_answer(sent, time, &candidate(), &fault, false, after), expected);
    }
}

#[test]
fn who_is_told_at_once_has_not_waited() {
    let fault = fault(Class::RateLimited, None, "rests as the provider asked");
    let wish = Some(Duration::from_mins(20));
    assert_eq!(
        no_answer(0, Duration::from_millis(3), &candidate(), &fault, false, wish),
        "No model can be asked now: rate limited. Try again in 20m."
    );
}

#[test]
fn a_break_is_told_with_its_reason() {
    assert_eq!(
        broke_off("the body was cut.", false),
        "The answer broke off: the body was cut. Ask again to get a whole one."
    );
    assert_eq!(
        broke_off("the body\nwas cut", true),
        "The answer broke off: the body was cut, and no other model could go on. Ask again to get a whole one."
    );
}

#[test]
fn only_who_refuses_for_good_is_named() {
    for class in Class::ALL {
        let told = refusal("nvidia/kimi", None, &fault(class, None, "no"));
        let for_good = matches!(class, Class::Unauthorized | Class::Payment | Class::NotFound);
        assert_eq!(told.is_some(), for_good, "{class}");
        assert!(told.is_none_or(|told| told.starts_with("nvidia/kimi ")));
    }
    let told = refusal("nvidia/kimi", Some("spare"), &fault(Class::Unauthorized, Some(401), "no"));
    assert_eq!(told.unwrap(), "nvidia/kimi refuses the key spare (401): check the api_key of the provider");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
    #[test]
    fn whatever_a_provider_says_it_stays_one_short_line(
        class in prop::sample::select(&Class::ALL[..]),
        reason in "(\\PC|[\\x00-\\x1f]){0,600}",
        sent in 0u32..3,
    ) {
        let fault = fault(class, Some(400), &reason);
        for text in [
            no_answer(sent, Duration::from_secs(1), &candidate(), &fault, false, None),
            broke_off(&reason, true),
        ] {
            prop_assert!(!text.contains(char::is_control), "{text:?}");
            prop_assert!(text.chars().count() <= LONGEST, "{text}");
            prop_assert!(text.ends_with('.'), "{text:?}");
        }
    }
}
