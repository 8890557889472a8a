use proptest::prelude::*;

use super::*;

fn criteria() -> impl Strategy<Value = Criteria> {
    let tokens = || prop::option::of(0..5_u32);
    let kind = prop::option::of(prop_oneof![Just(Kind::Chat), Just(Kind::Task)]);
    let users = prop::collection::btree_set("[ab]", 0..3);
    (tokens(), tokens(), has(), kind, prop::option::of(users)).prop_map(
        |(min_tokens, max_tokens, has, kind, users)| Criteria { min_tokens, max_tokens, has, kind, users },
    )
}

fn has() -> impl Strategy<Value = BTreeSet<Trait>> {
    prop::collection::btree_set(prop::sample::select(&Trait::ALL[..]), 0..3)
}

fn facts() -> impl Strategy<Value = Facts> {
    (has(), 0..6_u64, prop_oneof![Just(Kind::Chat), Just(Kind::Task)]).prop_map(|(has, tokens, kind)| Facts {
        has,
        tokens,
        kind,
    })
}

#[test]
fn says_what_it_is_for() {
    let has = |traits: &[Trait]| traits.iter().copied().collect::<BTreeSet<_>>();
    let users = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let any = Criteria::default();
    for (criteria, words) in [
        (any.clone(), "any request"),
        (Criteria { kind: Some(Kind::Task), ..any.clone() }, "a task"),
        (
            Criteria { has: has(&[Trait::JsonSchema, Trait::Images]), kind: Some(Kind::Chat), ..any.clone() },
            "a chat with images and a JSON schema",
        ),
        (
            Criteria { min_tokens: Some(10), users: users(&["b", "a"]), ..any.clone() },
            "a request with 10 tokens or more from a or b",
        ),
        (
            Criteria { min_tokens: Some(10), max_tokens: Some(20), ..any.clone() },
            "a request with 10 to 20 tokens",
        ),
        (
            Criteria { max_tokens: Some(20), has: has(&[Trait::Tools]), ..any.clone() },
            "a request with tools and 20 tokens or fewer",
        ),
        (Criteria { users: users(&[]), ..any }, "a request from nobody"),
    ] {
        assert_eq!(criteria.to_string(), words);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..Default::default() })]

    #[test]
    fn all_that_is_written_must_fit(criteria in criteria(), facts in facts(), user in "[abc]") {
        let Criteria { min_tokens, max_tokens, has, kind, users } = &criteria;
        let expected = min_tokens.is_none_or(|least| u64::from(least) <= facts.tokens)
            && max_tokens.is_none_or(|most| facts.tokens <= u64::from(most))
            && has.iter().all(|has| facts.has.contains(has))
            && kind.is_none_or(|kind| kind == facts.kind)
            && users.as_ref().is_none_or(|users| users.contains(&user));
        prop_assert_eq!(criteria.fit(&facts, &|name| name == user), expected);
        if criteria.fit_all() {
            prop_assert!(expected);
        }
    }

    #[test]
    fn what_covers_others_fits_whatever_they_fit(
        wide in criteria(),
        narrow in criteria(),
        facts in facts(),
        user in "[abc]",
    ) {
        let asks = |name: &str| name == user;
        if wide.covers(&narrow) && narrow.fit(&facts, &asks) {
            prop_assert!(wide.fit(&facts, &asks));
        }
        prop_assert!(wide.covers(&wide));
    }
}
