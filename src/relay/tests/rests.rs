//! Candidates that keep failing, and what other requests make of it.

use super::*;
use crate::retry::Cooldown;

const BUSY: Act = Act::Status(503, "busy");

/// What a model of these names does at a time.
type Models = &'static [(&'static str, fn(Duration) -> Act)];

fn relay_by(models: Models) -> Arc<Relay<Script>> {
    relay(Script::by(move |model, now| {
        let act = models.iter().find(|(name, _)| *name == model).expect("a model of the test").1;
        act(now)
    }))
}

/// Who answered, or the error.
async fn ask(relay: &Arc<Relay<Script>>, route: &Route) -> Result<String, Failure> {
    let response = respond(relay, route.clone(), STREAM).await?;
    let model = response.headers()["x-backstop-model"].to_str().unwrap().to_owned();
    let _whole = text(response).await;
    Ok(model)
}

/// When `model` was asked.
fn asked(relay: &Relay<Script>, model: &str) -> Vec<Duration> {
    let seen = relay.upstream.seen.lock().unwrap();
    seen.sent.iter().filter(|(name, _)| name == model).map(|(_, at)| *at).collect()
}

#[tokio::test(start_paused = true)]
async fn rests_grow_while_a_fallback_answers_and_end_when_it_is_back() {
    const BACK: Duration = secs(60);
    let relay =
        relay_by(&[("a", |now| if now < BACK { BUSY } else { good_stream() }), ("b", |_| good_stream())]);
    let (route, began) = (route(&["a", "b"], 1), Instant::now());
    let mut first_back = None;
    while began.elapsed() < secs(80) {
        let at = began.elapsed();
        let model = ask(&relay, &route).await.unwrap();
        assert_eq!(began.elapsed(), at, "nobody waits");
        if model == "a" {
            first_back.get_or_insert(at);
        }
        assert!(first_back.is_none() || model == "a", "it is back for good");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let asked = asked(&relay, "a");
    let failures: Vec<_> = asked.into_iter().take_while(|at| *at < BACK).collect();
    assert!(failures[4] < Duration::from_millis(50), "five in a row");
    let rests: Vec<_> =
        failures[4..].windows(2).map(|pair| pair[1].saturating_sub(pair[0]).as_millis()).collect();
    let expected = [2_000..=2_220, 4_000..=4_420, 8_000..=8_820, 10_900..=12_020, 10_900..=12_020];
    for (rest, expected) in rests.iter().zip(expected) {
        assert!(expected.contains(rest), "{rests:?}");
    }
    assert!(rests.iter().all(|rest| *rest <= 12_020), "{rests:?}");
    assert!(first_back.unwrap() <= BACK + secs(12), "{first_back:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_met_the_faults_keeps_to_its_own_schedule_and_others_skip() {
    let relay =
        relay_by(&[("a", |now| if now < secs(5) { BUSY } else { good_stream() }), ("b", |_| good_stream())]);
    let route = route(&["a", "b"], 9);
    let other = async {
        tokio::time::sleep(Duration::from_millis(4_500)).await;
        ask(&relay, &route).await
    };

    let (own, other) = tokio::join!(ask(&relay, &route), other);

    assert_eq!((own.unwrap(), other.unwrap()), ("a".into(), "b".into()));
    assert_eq!(asked(&relay, "a"), [0, 1, 2, 3, 4, 5].map(secs));
    assert_eq!(asked(&relay, "b"), [Duration::from_millis(4_500)]);
}

/// Wears `a` out with requests of their own.
async fn wear_out(relay: &Arc<Relay<Script>>, route: &Route) {
    for _ in 0..5 {
        ask(relay, route).await.ok();
    }
}

/// The attempts that a provider leaves hanging last for a minute; that it is back is known sooner.
#[tokio::test(start_paused = true)]
async fn who_hangs_is_found_back_within_one_rest_too() {
    const BACK: Duration = secs(40);
    let relay = relay_by(&[
        ("a", |now| match now.as_secs() {
            0 => BUSY,
            _ if now < BACK => Act::Hang,
            _ => good_stream(),
        }),
        ("b", |_| good_stream()),
    ]);
    wear_out(&relay, &route(&["a"], 1)).await;
    let (both, began) = (route(&["a", "b"], 1), Instant::now());
    let mut callers: tokio::task::JoinSet<Result<String, Failure>> = tokio::task::JoinSet::new();
    let mut next = began;
    let back = loop {
        tokio::select! {
            biased;
            Some(answered) = callers.join_next() => {
                if answered.unwrap().unwrap() == "a" {
                    break began.elapsed();
                }
            }
            () = tokio::time::sleep_until(next) => {
                next += secs(1);
                let (relay, both) = (Arc::clone(&relay), both.clone());
                callers.spawn(async move { ask(&relay, &both).await });
            }
        }
    };

    assert!(back <= BACK + secs(13), "{back:?}");
    let probes = asked(&relay, "a")[5..].to_vec();
    assert!(probes.windows(2).all(|pair| pair[1] >= pair[0] + secs(12)), "one at a time: {probes:?}");
}

#[tokio::test(start_paused = true)]
async fn one_probe_at_a_time_and_its_place_is_free_when_its_client_leaves() {
    let relay = relay_by(&[
        ("a", |now| match now.as_secs() {
            0 => BUSY,
            1..=5 => Act::Hang,
            _ => good_stream(),
        }),
        ("b", |_| good_stream()),
    ]);
    wear_out(&relay, &route(&["a"], 1)).await;
    tokio::time::sleep(secs(3)).await;
    let both = route(&["a", "b"], 1);

    let probe = tokio::time::timeout(secs(5), ask(&relay, &both));
    let others = async {
        tokio::time::sleep(secs(1)).await;
        for _ in 0..20 {
            assert_eq!(ask(&relay, &both).await.unwrap(), "b");
        }
    };
    let waits = async {
        tokio::time::sleep(secs(2)).await;
        // It has nobody else to ask, so it waits for the probe.
        ask(&relay, &route(&["a"], 1)).await
    };
    let (left, (), answered) = tokio::join!(biased; probe, others, waits);

    assert!(left.is_err(), "the client of the probe has left");
    assert_eq!(answered.unwrap(), "a");
    assert_eq!(asked(&relay, "a")[5..], [secs(3), secs(8)], "one probe, and the next when it was free");
}

#[tokio::test(start_paused = true)]
async fn what_says_nothing_of_the_candidate_does_not_count() {
    let relay = relay_by(&[
        ("a", |now| match now.as_secs() {
            0..20 => Act::Status(400, r#"{"error":{"message":"wrong","code":"bad_request"}}"#),
            20..40 => Act::Hang,
            _ => good_stream(),
        }),
        ("b", |_| good_stream()),
    ]);
    let both = route(&["a", "b"], 1);
    for _ in 0..20 {
        assert_eq!(ask(&relay, &both).await.unwrap(), "b", "the request was wrong");
        tokio::time::sleep(secs(1)).await;
    }
    for _ in 0..10 {
        let left = tokio::time::timeout(secs(1), ask(&relay, &both)).await;
        assert!(left.is_err(), "the client left");
    }
    let mut short = route(&["a"], 1);
    short.policy.deadline = secs(1);
    for _ in 0..6 {
        assert_eq!(ask(&relay, &short).await.unwrap_err().outcome, Outcome::Failed(Class::Timeout));
    }
    assert_eq!(asked(&relay, "a").len(), 36, "it never rested");
    tokio::time::sleep(secs(10)).await;
    assert_eq!(ask(&relay, &both).await.unwrap(), "a");
}

#[tokio::test(start_paused = true)]
async fn streams_that_open_and_break_count() {
    let relay = relay_by(&[("a", |_| answer(HELLO)), ("b", |_| good_stream())]);
    let both = route(&["a", "b"], 1);
    let mut answered = Vec::new();
    for _ in 0..7 {
        answered.push(ask(&relay, &both).await.unwrap());
    }
    assert_eq!(answered, ["a", "a", "a", "a", "a", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn each_route_has_its_own_settings() {
    let relay = relay_by(&[("a", |_| BUSY), ("b", |_| good_stream())]);
    let cooldown = Cooldown { failures: NonZeroU32::new(2).unwrap(), rest: secs(1), ..Cooldown::default() };
    let quick = Route { cooldown, ..route(&["a", "b"], 1) };
    let awake = Route { cooldown: Cooldown { enabled: false, ..Cooldown::default() }, ..quick.clone() };
    for _ in 0..10 {
        ask(&relay, &awake).await.unwrap();
    }
    assert_eq!(asked(&relay, "a").len(), 10, "never left alone");
    for _ in 0..10 {
        ask(&relay, &quick).await.unwrap();
    }
    assert_eq!(asked(&relay, "a").len(), 12, "two failures");
    ask(&relay, &awake).await.unwrap();
    assert_eq!(asked(&relay, "a").len(), 13, "the rests of others are nothing to it");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    ask(&relay, &quick).await.unwrap();
    assert_eq!(asked(&relay, "a").len(), 14, "its first rest is a second");
}

#[tokio::test(start_paused = true)]
async fn a_wish_makes_a_rest_longer_and_nothing_else_does() {
    const WISH: &str = r#"{"error":{"message":"busy","details":[{"@type":"RetryInfo","retryDelay":"40s"}]}}"#;
    let relay = relay_by(&[
        ("a", |now| if now < secs(39) { Act::Status(503, WISH) } else { good_stream() }),
        ("b", |_| good_stream()),
    ]);
    let (both, began) = (route(&["a", "b"], 1), Instant::now());
    while began.elapsed() < secs(45) {
        ask(&relay, &both).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let asked = asked(&relay, "a");
    assert_eq!(asked[..2], [secs(0), secs(40)], "one failure is enough where it says so");
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_one_model_never_stops_another_of_the_same_provider() {
    const EMPTY: &str =
        r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#;
    const DAY: &str = r#"{"error":{"message":"Rate limit exceeded: free-models-per-day","code":429}}"#;
    for (name, refusal) in [
        ("busy", Act::Status(503, "busy")),
        ("no key", Act::Status(401, "no")),
        ("no credit", Act::Status(429, EMPTY)),
        ("no credit either", Act::Status(402, "pay")),
    ] {
        let script = Script::by(move |model, _| if model == "a" { refusal.clone() } else { good_stream() });
        let relay = relay(script);
        for order in [Order::Depth, Order::Breadth] {
            let route = Route { order, ..route(&["a", "b"], 1) };
            for _ in 0..10 {
                assert_eq!(ask(&relay, &route).await.unwrap(), "b", "{name}");
            }
        }
        assert_eq!(asked(&relay, "a").len(), 5, "{name}: it rests");
    }

    let relay = relay(Script::by(|model, _| match model {
        "a:free" | "b:free" => Act::Status(429, DAY),
        _ => good_stream(),
    }));
    for _ in 0..5 {
        assert_eq!(ask(&relay, &route(&["a:free", "b:free", "paid"], 1)).await.unwrap(), "paid");
    }
    assert_eq!(asked(&relay, "a:free").len() + asked(&relay, "b:free").len(), 1, "the day is over for both");
}
