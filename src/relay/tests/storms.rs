//! Many requests that wait for the same candidate after a 429.

use tokio::task::JoinSet;

use super::*;

const LIMITED: Act = Act::Status(429, "slow down");

/// A route with the default policy.
fn patient(models: &[&str]) -> Route {
    let chain = models.iter().map(|model| candidate(model, &Policy::default())).collect();
    Route { chain: Chain::try_new(chain).unwrap(), policy: Policy::default(), ..route(models, 1) }
}

/// A provider that says 429 for this long, after a moment.
fn limited_until(back: Duration) -> Arc<Relay<Script>> {
    relay(Script::by(move |_, now| {
        let act = if now < back { LIMITED } else { good_stream() };
        Act::Late(Duration::from_millis(rand::random_range(1..80)), Box::new(act))
    }))
}

/// Asks, and says when it was answered.
async fn ask(relay: Arc<Relay<Script>>, route: Route) -> Duration {
    let response = respond(&relay, route, STREAM).await.unwrap();
    let at = relay.upstream.began().elapsed();
    let _whole = text(response).await;
    at
}

fn asked_before(relay: &Relay<Script>, time: Duration) -> usize {
    relay.upstream.seen.lock().unwrap().sent.iter().filter(|(_, at)| *at < time).count()
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_do_not_storm_whenever_they_come() {
    for round in 0..20 {
        let relay = limited_until(secs(3));
        let mut callers = JoinSet::new();
        for number in 0..50 {
            let relay = Arc::clone(&relay);
            callers.spawn(async move {
                // At once, over a tenth of a second, over one.
                let after = [0, 2, 20][round % 3] * number;
                tokio::time::sleep(Duration::from_millis(after)).await;
                ask(relay, patient(&["m"])).await
            });
        }
        let answered = callers.join_all().await;
        let storm = asked_before(&relay, secs(3));
        assert!(storm <= 60, "{storm} attempts in three seconds");
        assert!(answered.iter().all(|at| *at <= secs(6)), "{answered:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn they_go_to_a_second_candidate_instead() {
    let relay = relay(Script::by(|model, _| match model {
        "a" => Act::Late(Duration::from_millis(5), Box::new(LIMITED)),
        _ => good_stream(),
    }));
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        callers.spawn(ask(Arc::clone(&relay), patient(&["a", "b"])));
    }
    // The last one waits alone, and whoever is alone keeps to the order of the chain.
    let mut answered = Vec::new();
    while answered.len() < 49 {
        answered.push(callers.join_next().await.unwrap().unwrap());
    }
    let soon = answered.iter().filter(|at| **at <= Duration::from_millis(4_010)).count();
    assert!(soon >= 44, "after one delay of their own, but for those whose turn it was: {answered:?}");
    assert!(answered[48] <= secs(13), "{answered:?}");
    let late = Instant::now();
    ask(Arc::clone(&relay), patient(&["a", "b"])).await;
    assert_eq!(late.elapsed(), Duration::ZERO, "whoever comes later asks it at once");
    let asked = sent(&relay);
    let storm = asked.iter().filter(|(model, _)| model == "a").count();
    assert!(storm <= 60, "{storm} attempts");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_comes_first_is_kept() {
    let relay = limited_until(secs(1_000));
    let awake = || Route {
        cooldown: crate::retry::Cooldown { enabled: false, ..crate::retry::Cooldown::default() },
        ..patient(&["m"])
    };
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        callers.spawn(ask(Arc::clone(&relay), awake()));
    }
    tokio::time::sleep(secs(1)).await;
    let mut hasty = awake();
    hasty.policy.deadline = Duration::from_millis(500);
    let began = Instant::now();
    let failure = respond(&relay, hasty.clone(), STREAM).await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::from_millis(500), "it is told in time");
    assert_eq!((failure.outcome, failure.attempts), (Outcome::Failed(Class::RateLimited), 0));
    assert!(failure.retry_after.is_some(), "{failure:?}");
    assert!(
        failure.message.starts_with("`r` got no answer, for nobody could be asked within 500ms: `sim/m` "),
        "{}",
        failure.message
    );
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_the_wait_for_a_turn() {
    let relay = limited_until(secs(1_000));
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let relay = Arc::clone(&relay);
        callers.spawn(async move { respond(&relay, patient(&["m"]), STREAM).await.map(|_| ()) });
    }
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    let before = Instant::now();
    relay.drain.pauses.give();
    while let Some(ended) = callers.join_next().await {
        assert_eq!(ended.unwrap().unwrap_err().outcome, Outcome::ShuttingDown);
    }
    assert!(
        before.elapsed() <= Duration::from_millis(80),
        "but for attempts under way nothing is waited for"
    );
}

#[tokio::test(start_paused = true)]
async fn callers_that_leave_make_room() {
    let relay = limited_until(secs(3));
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        callers.spawn(ask(Arc::clone(&relay), patient(&["m"])));
    }
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    callers.shutdown().await;
    tokio::time::sleep(Duration::from_millis(500)).await;

    let began = Instant::now();
    ask(Arc::clone(&relay), patient(&["m"])).await;

    assert!(
        began.elapsed() < secs(5),
        "whoever comes then waits for one rest at most: {:?}",
        began.elapsed()
    );
    assert_eq!(open(&relay), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lone_caller_is_not_slowed() {
    let relay = relay(Script::new([LIMITED, LIMITED, LIMITED, good_stream()]));
    let response = respond(&relay, route(&["m"], 9), STREAM).await.unwrap();
    text(response).await;
    let seconds: Vec<_> = sent(&relay).into_iter().map(|(_, at)| at).collect();
    assert_eq!(seconds, [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn who_gave_up_slows_nobody() {
    let relay = relay(Script::by(|_, now| if now < secs(1) { LIMITED } else { good_stream() }));
    let mut callers = JoinSet::new();
    for _ in 0..3 {
        let relay = Arc::clone(&relay);
        callers.spawn(async move { respond(&relay, route(&["m"], 1), STREAM).await.map(|_| ()) });
    }
    assert!(callers.join_all().await.iter().all(Result::is_err));
    tokio::time::sleep(secs(1)).await;
    let began = Instant::now();
    ask_at_once(5, &relay, &route(&["m"], 1)).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn other_failures_have_no_gate() {
    let relay = relay(Script::by(|_, now| match now.as_secs() {
        0..3 => Act::Late(Duration::from_millis(5), Box::new(Act::Status(503, "busy"))),
        _ => good_stream(),
    }));
    let answered = ask_at_once(20, &relay, &route(&["m"], 9)).await;
    assert_eq!(answered, [Duration::from_millis(3_015); 20], "each keeps to its own schedule");
    assert_eq!(sent(&relay).len(), 80);
}

/// When each of so many was answered, all asked at once.
async fn ask_at_once(count: usize, relay: &Arc<Relay<Script>>, route: &Route) -> Vec<Duration> {
    let mut callers = JoinSet::new();
    for _ in 0..count {
        callers.spawn(ask(Arc::clone(relay), route.clone()));
    }
    callers.join_all().await
}
