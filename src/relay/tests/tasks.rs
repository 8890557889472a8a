//! Tasks: nobody waits for them, and they wait for nobody.

use super::*;
use crate::route::{TaskLimits, Tasks};

/// What a task makes of a route.
fn brief(route: &Route) -> Route {
    Tasks::default().brief(route)
}

#[tokio::test(start_paused = true)]
async fn a_task_is_tried_twice_within_a_second() {
    let relay = relay(Script::by(|_, _| Act::Status(503, "busy")));
    let began = Instant::now();

    let failure = respond(&relay, brief(&route(&["a", "b"], 9)), WHOLE).await.unwrap_err();

    assert_eq!(failure.attempts, 4);
    assert!(began.elapsed() <= secs(2), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_task_waits_for_nobody_who_rests_and_asks_who_does_not() {
    for order in [Order::Depth, Order::Breadth] {
        let relay = relay(Script::by(|model, now| match model {
            "a" if now < secs(1) => Act::Status(503, "busy"),
            _ => answer(COMPLETION),
        }));
        for _ in 0..5 {
            respond(&relay, route(&["a"], 1), WHOLE).await.unwrap_err();
        }
        let both = Route { order, ..route(&["a", "b"], 9) };
        let alone = Route { order, ..route(&["a"], 9) };
        let began = Instant::now();

        let answered = respond(&relay, brief(&both), WHOLE).await.unwrap();
        let failure = respond(&relay, brief(&alone), WHOLE).await.unwrap_err();

        assert_eq!(answered.headers()["x-backstop-model"], "b");
        assert_eq!((failure.attempts, began.elapsed()), (0, Duration::ZERO));
        assert_eq!(failure.outcome, Outcome::Failed(Class::Overloaded));
        let message = &failure.message;
        assert!(
            message.contains("nobody could be asked at once: `sim/a` rests after 5 failures"),
            "{message}"
        );
        assert!(failure.retry_after.is_some_and(|after| after > secs(1) && after <= secs(3)), "{message}");
        // A chat waits for the two seconds.
        respond(&relay, alone, WHOLE).await.expect("an answer");
        assert!(began.elapsed() > secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_is_not_one_of_those_who_wait_after_a_429() {
    let relay = relay(Script::by(|_, now| match now.as_secs() {
        0..30 => Act::Status(429, "slow down"),
        _ => answer(COMPLETION),
    }));
    let mut chats = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (relay, route) = (Arc::clone(&relay), Route { cooldown: off(), ..route(&["a"], 60) });
        chats.spawn(async move { respond(&relay, route, WHOLE).await.map(|_| ()) });
    }
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let (began, before) = (Instant::now(), relay.upstream.seen.lock().unwrap().sent.len());

    let route = brief(&Route { cooldown: off(), ..route(&["a"], 60) });
    let failure = respond(&relay, route, WHOLE).await.unwrap_err();

    assert!(began.elapsed() <= secs(1), "{:?}", began.elapsed());
    assert_eq!(failure.outcome, Outcome::Failed(Class::RateLimited));
    let after = relay.upstream.seen.lock().unwrap().sent.len();
    assert!(after - before <= 2, "it takes nobody's turn");
    while let Some(chat) = chats.join_next().await {
        chat.unwrap().expect("an answer");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_task_finds_slow_is_held_against_nobody() {
    let relay = relay(Script::by(|model, _| if model == "a" { Act::Hang } else { answer(COMPLETION) }));
    let limits = TaskLimits { first_byte: Some(Duration::from_millis(10)), ..TaskLimits::default() };
    let tasks = Tasks { limits, ..Tasks::default() };
    for _ in 0..9 {
        let route = tasks.brief(&route(&["a", "b"], 1));
        respond(&relay, route, WHOLE).await.expect("an answer of b");
    }
    let seen = relay.upstream.seen.lock().unwrap();
    assert_eq!(seen.sent.iter().filter(|(model, _)| model == "a").count(), 9, "it is asked each time");
}

/// Nobody ever rests.
fn off() -> crate::retry::Cooldown {
    crate::retry::Cooldown { enabled: false, ..crate::retry::Cooldown::default() }
}
