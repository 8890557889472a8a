//! Whose key an attempt carries, and what becomes of a request for which there is none.

use super::*;
use crate::config::{Key, UserKey};
use crate::route::{Credentials, Delivery, Hedge};

const REFUSED: &str = r#"{"error":{"code":401,"message":"no such key: sk-of-anna-12345"}}"#;

/// Providers 0 and 1 have a key each, provider 2 needs none.
fn providers() -> [Provider; 3] {
    let with_key = |secret: &str| Provider {
        keys: vec![Key { name: "1".into(), secret: secret.into(), quota: Quota::default() }],
        ..provider()
    };
    [with_key("sk-shared-0"), with_key("sk-shared-1"), provider()]
}

/// The models a, b and c, each of the provider in its place.
fn chain(credentials: Credentials, attempts: u32) -> Route {
    let mut route = route(&["a", "b", "c"], attempts);
    let policy = route.policy.clone();
    let of = |(id, model)| Candidate { provider: ProviderId(id), ..candidate(model, &policy) };
    route.chain = Chain::try_new(["a", "b", "c"].into_iter().enumerate().map(of).collect()).unwrap();
    Route { credentials, ..route }
}

/// Anna, with a key for each of these providers.
fn anna(keys: &[usize]) -> User {
    let mut user = User::new(Some("Anna".into()), None, None);
    for id in keys {
        user.give(ProviderId(*id), UserKey::new("sk-of-anna-12345".to_owned()));
    }
    user
}

/// (model, whether it was asked with the key of the user) of every attempt.
fn asked(relay: &Relay<Script>) -> Vec<(String, bool)> {
    let own = relay.upstream.seen.lock().unwrap().own.clone();
    sent(relay).into_iter().zip(own).map(|((model, _), own)| (model, own.is_some())).collect()
}

fn visits(expected: &[(&str, bool)]) -> Vec<(String, bool)> {
    expected.iter().map(|(model, own)| ((*model).to_owned(), *own)).collect()
}

async fn ask(
    relay: &Arc<Relay<Script>>,
    route: Route,
    user: User,
    body: &'static str,
) -> Result<Response<Body<Script>>, Failure> {
    relay.respond(Request { user, ..request(route, body) }).await
}

#[tokio::test(start_paused = true)]
async fn whose_key_goes_out_is_the_routes_to_say() {
    use Credentials::{Shared, User, UserThenShared};
    for (credentials, keys, expected) in [
        (Shared, &[0usize, 1, 2] as &[_], [("a", false), ("b", false), ("c", false)].as_slice()),
        (Shared, &[], &[("a", false), ("b", false), ("c", false)]),
        (UserThenShared, &[], &[("a", false), ("b", false), ("c", false)]),
        (UserThenShared, &[1], &[("a", false), ("b", true), ("c", false)]),
        (UserThenShared, &[0, 1, 2], &[("a", true), ("b", true), ("c", true)]),
        (User, &[0, 1, 2], &[("a", true), ("b", true), ("c", true)]),
        (User, &[1], &[("b", true), ("c", false)]),
        (User, &[], &[("c", false)]),
    ] {
        let acts = expected.iter().map(|_| Act::Status(503, "{}"));
        let relay = relay_to(&providers(), Script::new(acts));

        let failure = ask(&relay, chain(credentials, 1), anna(keys), WHOLE).await.unwrap_err();

        assert_eq!(asked(&relay), visits(expected), "{credentials:?} {keys:?}");
        assert_eq!(failure.attempts as usize, expected.len());
        let numbers: Vec<u32> = failure.trail.iter().map(|line| line.number).collect();
        assert!(numbers.iter().copied().eq(1..=failure.attempts), "{numbers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_is_not_asked_counts_for_nothing() {
    let relay = relay_to(&providers(), Script::new([Act::Status(503, "{}"), Act::Status(503, "{}")]));

    let failure = ask(&relay, chain(Credentials::User, 2), anna(&[]), WHOLE).await.unwrap_err();

    assert_eq!(sent(&relay), [("c".to_owned(), 0), ("c".to_owned(), 1)]);
    let words = "`r` got no answer after 2 attempts in 1s (the schedule is used up), `sim/c`: 503";
    assert!(failure.message.starts_with(words), "{}", failure.message);
    let others = "not asked: `sim/a` has no key of this user, `sim/b` has no key of this user";
    assert!(failure.message.contains(others), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn without_any_key_nobody_is_asked() {
    for order in [Order::Depth, Order::Breadth] {
        let mut route = Route { order, ..chain(Credentials::User, 9) };
        route.chain = Chain::try_new(route.chain.candidates()[..2].to_vec()).unwrap();
        let relay = relay_to(&providers(), Script::new([]));

        let failure = ask(&relay, route, anna(&[2]), STREAM).await.unwrap_err();

        assert_eq!((failure.outcome, failure.attempts), (Outcome::UserKeyMissing, 0));
        assert!(
            failure
                .message
                .contains("this user has no key for `sim`; send one in the header `x-backstop-key-")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_in_a_configured_header_is_a_key_too() {
    let mut route = chain(Credentials::User, 1);
    let mut only = route.chain.candidates()[2].clone();
    only.headers.insert("authorization", http::HeaderValue::from_static("Bearer sk-shared"));
    route.chain = Chain::try_new(vec![only]).unwrap();
    let relay = relay_to(&providers(), Script::new([]));

    let failure = ask(&relay, route, User::default(), WHOLE).await.unwrap_err();

    assert_eq!(failure.outcome, Outcome::UserKeyMissing);
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_is_not_replaced_by_the_shared_one() {
    let relay = relay_to(&providers(), Script::new([Act::Status(401, REFUSED), answer(COMPLETION)]));

    ask(&relay, chain(Credentials::UserThenShared, 3), anna(&[0]), WHOLE).await.unwrap();

    assert_eq!(asked(&relay), visits(&[("a", true), ("b", false)]));
}

#[tokio::test(start_paused = true)]
async fn the_error_tells_whose_key_was_refused_and_not_the_key() {
    let mut route = chain(Credentials::UserThenShared, 3);
    route.chain = Chain::try_new(route.chain.candidates()[..1].to_vec()).unwrap();
    let relay = relay_to(&providers(), Script::new([Act::Status(401, REFUSED)]));

    let failure = ask(&relay, route, anna(&[0]), WHOLE).await.unwrap_err();

    assert_eq!(failure.outcome, Outcome::Failed(Class::Unauthorized));
    assert_eq!(failure.trail[0].key.as_deref(), Some("the user's own"));
    assert_eq!(failure.trail[0].reason, "no such key: ***");
    assert!(failure.message.ends_with("; check your own key for the provider"), "{}", failure.message);
    assert!(!format!("{failure:?}").contains("sk-of-anna"), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn a_429_of_one_user_slows_nobody_else() {
    let slow = r#"{"error":{"code":429,"message":"slow down","details":[{"retryDelay":"8s"}]}}"#;
    let acts = [Act::Status(429, slow), answer(COMPLETION), answer(COMPLETION), answer(COMPLETION)];
    let relay = relay_to(&providers(), Script::new(acts));
    let alone = || {
        let route = chain(Credentials::UserThenShared, 3);
        Route { chain: Chain::try_new(route.chain.candidates()[..1].to_vec()).unwrap(), ..route }
    };
    let mut bert = User::default();
    bert.give(ProviderId(0), UserKey::new("sk-of-bert-12345".to_owned()));
    let later = async |user| {
        tokio::time::sleep(secs(1)).await;
        ask(&relay, alone(), user, WHOLE).await.unwrap();
    };

    let (first, ..) =
        tokio::join!(ask(&relay, alone(), anna(&[0]), WHOLE), later(bert), later(User::default()));

    first.unwrap();
    let when: Vec<u64> = sent(&relay).into_iter().map(|(_, at)| at).collect();
    assert_eq!(when, [0, 1, 1, 8]);
}

#[tokio::test(start_paused = true)]
async fn the_key_stays_the_users_when_another_candidate_goes_on() {
    let cut = Act::Answer(vec![text_part([ROLE, HELLO].concat()), Part::Fail]);
    let relay = relay_to(&providers(), Script::new([cut, Act::Status(503, "{}"), good_stream()]));
    let route = Route { on_break: OnBreak::Resume, ..chain(Credentials::User, 1) };

    let answer = ask(&relay, route, anna(&[0, 1]), STREAM).await.unwrap();

    assert_eq!(text(answer).await, [ROLE, HELLO, STOP, DONE].concat());
    assert_eq!(asked(&relay), visits(&[("a", true), ("b", true), ("c", false)]));
}

#[tokio::test(start_paused = true)]
async fn the_key_stays_the_users_beside_another_attempt() {
    let hedge = Some(Hedge { after: secs(3), spends_quota: false });
    for delivery in [Delivery::Direct, Delivery::Verified] {
        let relay = relay_to(&providers(), Script::new([Act::Hang, good_stream()]));
        let route = Route { delivery, hedge, ..chain(Credentials::User, 2) };

        // The second candidate is none: there is no key for it.
        let answer = ask(&relay, route, anna(&[0]), STREAM).await.unwrap();

        assert_eq!(text(answer).await, [ROLE, HELLO, STOP, DONE].concat());
        assert_eq!(asked(&relay), visits(&[("a", true), ("c", false)]));
    }
    let relay = relay_to(&providers(), Script::new([Act::Hang, good_stream()]));
    let route = Route { hedge, ..chain(Credentials::UserThenShared, 2) };
    ask(&relay, route, anna(&[1]), STREAM).await.unwrap();
    assert_eq!(asked(&relay), visits(&[("a", false), ("b", true)]));
}
