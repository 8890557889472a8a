//! Quotas in whole requests: spacing, order, and when a route moves on.

use std::sync::Mutex;

use proptest::prelude::*;
use tokio::task::JoinSet;

use super::*;

fn limited(per_minute: u32, per_day: u32) -> Provider {
    let quota = Quota {
        requests_per_minute: NonZeroU32::new(per_minute),
        requests_per_day: NonZeroU32::new(per_day),
    };
    Provider { quota, ..provider() }
}

fn answers(count: usize) -> Script {
    Script::new(vec![answer(COMPLETION); count])
}

/// The route over these models, each of a provider of its own.
fn apart(models: &[&str]) -> Route {
    let mut route = route(models, 3);
    let policy = route.policy.clone();
    let of = |(index, model): (usize, &&str)| Candidate {
        provider: ProviderId(index),
        ..candidate(model, &policy)
    };
    route.chain = Chain::try_new(models.iter().enumerate().map(of).collect()).unwrap();
    route
}

fn times(relay: &Relay<Script>) -> Vec<u64> {
    sent(relay).into_iter().map(|(_, at)| at).collect()
}

/// Sends requests at these times; gives the number of each one that is answered, in that order.
async fn crowd(relay: &Arc<Relay<Script>>, route: &Route, arrivals: &[u64]) -> Vec<usize> {
    let answered = Arc::new(Mutex::new(Vec::new()));
    let mut requests = JoinSet::new();
    for (number, at) in arrivals.iter().copied().enumerate() {
        let (relay, route, answered) = (Arc::clone(relay), route.clone(), Arc::clone(&answered));
        requests.spawn(async move {
            tokio::time::sleep(secs(at)).await;
            respond(&relay, route, WHOLE).await.expect("an answer");
            answered.lock().unwrap().push(number);
        });
    }
    while let Some(ended) = requests.join_next().await {
        ended.unwrap();
    }
    Arc::into_inner(answered).unwrap().into_inner().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_is_waited_for_and_a_long_one_is_not() {
    let relay = relay_to(&[limited(1, 0), provider()], answers(4));
    crowd(&relay, &apart(&["a", "b"]), &[0, 49, 55, 60]).await;
    // At 49 it is 11 s until the minute is over, at 55 it is 5; at 60 it has just begun.
    let expected = [("a", 0), ("b", 49), ("a", 60), ("b", 60)].map(|(model, at)| (model.to_owned(), at));
    let mut sent = sent(&relay);
    sent.sort_by_key(|(model, at)| (*at, model.clone()));
    assert_eq!(sent, expected);
}

#[tokio::test(start_paused = true)]
async fn a_round_passes_by_whoever_has_no_place() {
    let relay = relay_to(&[limited(1, 0), provider()], answers(2));
    let broad = Route { order: Order::Breadth, ..apart(&["a", "b"]) };
    assert_eq!(crowd(&relay, &broad, &[0, 58]).await, [0, 1]);
    assert_eq!(sent(&relay)[1], ("b".to_owned(), 58));
}

/// Whoever waits because everything is spent is not overtaken by those who come just in time.
#[tokio::test(start_paused = true)]
async fn nobody_overtakes_where_every_model_is_spent() {
    for order in [Order::Depth, Order::Breadth] {
        let relay = relay_to(&[limited(2, 0)], answers(7));
        let spent = Route { order, ..route(&["a", "b"], 3) };
        assert_eq!(
            crowd(&relay, &spent, &[0, 1, 2, 3, 55, 59, 60]).await,
            [0, 1, 2, 3, 4, 5, 6],
            "{order:?}"
        );
        assert_eq!(times(&relay), [0, 1, 60, 61, 120, 121, 180], "{order:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_day_that_is_spent_moves_on_or_says_when_it_is_over() {
    let relay = relay_to(&[limited(0, 1), provider()], answers(3));
    let began = Instant::now();
    crowd(&relay, &apart(&["a", "b"]), &[0, 0]).await;

    let failure = respond(&relay, route(&["a"], 3), WHOLE).await.unwrap_err();

    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(sent(&relay).last(), Some(&("b".to_owned(), 0)));
    assert_eq!((failure.outcome, failure.attempts), (Outcome::Failed(Class::RateLimited), 0));
    let after = failure.retry_after.expect("midnight");
    assert!(after <= Duration::from_hours(24), "{after:?}");
    assert!(
        failure.message.contains("has spent its quota (1 a day) until 00:00 UTC; try again in "),
        "{failure:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn failures_count_and_refused_connections_do_not() {
    let acts = [Act::Refuse, Act::Status(500, "{}"), Act::Refuse, answer(COMPLETION)];
    let relay = relay_to(&[limited(0, 9)], Script::new(acts));

    let response = respond(&relay, route(&["a"], 4), WHOLE).await.unwrap();

    assert_eq!(response.headers()["x-backstop-quota-remaining"], "7");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_the_least_of_all_and_learned_from_headers() {
    let relay = relay_to(&[limited(20, 50)], answers(1));
    let response = respond(&relay, route(&["a"], 1), WHOLE).await.unwrap();
    assert_eq!(response.headers()["x-backstop-quota-remaining"], "19");

    let script = answers(2).with_header("x-ratelimit-limit", "50").with_header("x-ratelimit-remaining", "3");
    let relay = relay_to(&[limited(20, 50)], script);
    for left in ["3", "2"] {
        let response = respond(&relay, route(&["a"], 1), WHOLE).await.unwrap();
        assert_eq!(response.headers()["x-backstop-quota-remaining"], left);
    }

    let relay = relay_to(&[provider()], answers(1));
    let response = respond(&relay, route(&["a"], 1), WHOLE).await.unwrap();
    assert!(!response.headers().contains_key("x-backstop-quota-remaining"));
}

#[tokio::test(start_paused = true)]
async fn the_wait_in_line_is_shown_and_is_in_the_trail() {
    let acts = [answer(COMPLETION), Act::Status(400, "{}")];
    let relay = relay_to(&[limited(1, 0)], Script::new(acts));
    respond(&relay, route(&["a"], 1), WHOLE).await.unwrap();
    let shown = Route { progress: Some(ProgressMode::Comments), ..route(&["a"], 1) };

    let body = text(respond(&relay, shown, STREAM).await.unwrap()).await;

    let comment = ": Not asked yet: `sim/a` has spent its quota (1 a minute) (0/1 attempts). Waiting up to 1m for a turn";
    assert!(body.starts_with(comment), "{body}");
    assert!(body.contains(r#""waited":60.0"#), "{body}");
}

#[tokio::test(start_paused = true)]
async fn resuming_counts_as_another_request() {
    let broken = Act::Answer(vec![text_part([ROLE, HELLO].concat()), Part::Fail]);
    let relay = relay_to(&[limited(1, 0)], Script::new([broken, good_stream()]));
    let resuming = Route { on_break: OnBreak::Resume, ..route(&["a"], 3) };
    text(respond(&relay, resuming, STREAM).await.unwrap()).await;
    assert_eq!(times(&relay), [0, 60]);
}

/// When a request comes, and how long its client waits: both in seconds.
type Caller = (u64, Option<u64>);

/// When those came and were answered who did not leave, in order; and when all attempts were sent.
async fn play(limit: u32, callers: Vec<Caller>) -> (Vec<(Duration, Duration)>, Vec<Duration>) {
    let relay = relay_to(&[limited(limit, 0)], answers(callers.len()));
    let began = Instant::now();
    let mut patient = route(&["a"], 1);
    patient.policy.deadline = Duration::from_hours(24);
    let mut requests = JoinSet::new();
    for (number, (at, leaves)) in callers.into_iter().enumerate() {
        let (relay, route) = (Arc::clone(&relay), patient.clone());
        requests.spawn(async move {
            // No two at the same moment, so that there is an order.
            tokio::time::sleep(secs(at) + Duration::from_millis(number as u64 + 1)).await;
            let arrived = began.elapsed();
            let patience = leaves.map_or(Duration::from_hours(24), secs);
            let answer = tokio::time::timeout(patience, respond(&relay, route, WHOLE)).await;
            answer.ok().map(|answer| {
                answer.expect("an answer");
                (arrived, began.elapsed())
            })
        });
    }
    let mut stayed: Vec<_> = requests.join_all().await.into_iter().flatten().collect();
    stayed.sort_unstable();
    let sent = relay.upstream.seen.lock().unwrap().sent.iter().map(|(_, at)| *at).collect();
    (stayed, sent)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn requests_are_spaced_in_order_whoever_leaves(
        limit in 1u32..5,
        callers in proptest::collection::vec((0u64..200, proptest::option::weighted(0.3, 0u64..150)), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let staying = callers.iter().filter(|(_, leaves)| leaves.is_none()).count();
        let (answered, sent) = runtime.block_on(play(limit, callers));

        prop_assert!(answered.len() >= staying);
        prop_assert_eq!(answered.len(), sent.len(), "who left spent nothing");
        let limit = limit as usize;
        for (index, (arrived, at)) in answered.iter().copied().enumerate() {
            prop_assert_eq!(at, sent[index], "in the order of arrival");
            let place = index.checked_sub(limit).map_or(Duration::ZERO, |before| sent[before] + secs(60));
            prop_assert!(at >= place, "never more than {limit} in a minute: {sent:?}");
            let late = at.saturating_sub(arrived.max(place));
            prop_assert!(late <= Duration::from_millis(2), "no place is wasted: {late:?}, {sent:?}");
        }
    }
}
