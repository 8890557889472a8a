//! When all candidates of a chain rest.

use super::*;

/// A refusal that asks for a rest of 20 minutes.
const LONG: &str = r#"{"error":{"message":"busy","details":[{"@type":"RetryInfo","retryDelay":"1200s"}]}}"#;

async fn ask(relay: &Arc<Relay<Script>>, route: &Route) -> Result<String, Failure> {
    let response = respond(relay, route.clone(), STREAM).await?;
    let model = response.headers()["x-backstop-model"].to_str().unwrap().to_owned();
    let _whole = text(response).await;
    Ok(model)
}

/// A relay whose models answer with this status until `back`; each has failed five times.
async fn worn_out(models: &[&str], status: u16, body: &'static str, back: Duration) -> Arc<Relay<Script>> {
    let busy = Act::Status(status, body);
    let relay = relay(Script::by(move |_, now| if now < back { busy.clone() } else { good_stream() }));
    for model in models {
        for _ in 0..5 {
            ask(&relay, &route(&[model], 1)).await.unwrap_err();
        }
    }
    relay.upstream.seen.lock().unwrap().sent.clear();
    relay
}

#[tokio::test(start_paused = true)]
async fn waits_for_the_soonest() {
    for order in [Order::Depth, Order::Breadth] {
        let relay = worn_out(&["b"], 503, "busy", Duration::from_millis(1_500)).await;
        tokio::time::sleep(secs(1)).await;
        for _ in 0..5 {
            ask(&relay, &route(&["a"], 1)).await.unwrap_err();
        }
        let began = Instant::now();
        let route = Route { order, ..route(&["a", "b"], 1) };
        assert_eq!(ask(&relay, &route).await.unwrap(), "b", "{order:?}");
        assert!(began.elapsed() <= Duration::from_millis(1_210), "{order:?}: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_is_shown_and_ends_early_when_somebody_gets_through() {
    let relay = worn_out(&["a"], 503, "busy", secs(1)).await;
    let began = Instant::now();
    let request = request(Route { progress: Some(ProgressMode::Comments), ..route(&["a"], 3) }, STREAM);
    let observer = super::super::Observer::new(&request, relay.secrets.clone(), status, Drain::default());
    let (progress, secrets) = (observer.progress().unwrap().clone(), relay.secrets.clone());
    let waits = async {
        super::super::dispatch::run(Arc::clone(&relay), request, secrets, observer)
            .await
            .map(|_| began.elapsed())
    };
    let other = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let text = progress.text();
        let insisted =
            relay.health.insist(&candidate("a", &brisk(1)), &[], crate::retry::Cooldown::default(), 7, &[]);
        tokio::time::sleep(secs(1)).await;
        let mut pass = insisted.unwrap();
        pass.opened();
        text
    };
    let (waited, text) = tokio::join!(waits, other);
    assert_eq!(waited.ok(), Some(Duration::from_millis(1_500)));
    let shown =
        text.strip_prefix("Not asked yet: `sim/a` rests after 5 failures (0/3 attempts). Waiting up to 2");
    assert!(shown.is_some_and(|rest| rest.ends_with("s before next attempt")), "{text}");
}

#[tokio::test(start_paused = true)]
async fn beyond_the_deadline_one_attempt_a_second_goes_out_anyway() {
    for (status, word) in [(503, "503"), (429, "429")] {
        let relay = worn_out(&["a", "b"], status, LONG, secs(100_000)).await;
        tokio::time::sleep(secs(1)).await;
        let (both, began) = (route(&["a", "b"], 4), Instant::now());
        let mut insisted = 0;
        while began.elapsed() < Duration::from_millis(9_990) {
            let at = began.elapsed();
            let failure = ask(&relay, &both).await.unwrap_err();
            assert_eq!(began.elapsed(), at, "nobody waits");
            let class = if status == 429 { Class::RateLimited } else { Class::Overloaded };
            assert_eq!(failure.outcome, Outcome::Failed(class), "{}", failure.message);
            assert!(failure.retry_after.is_some_and(|wait| wait > secs(1_180)), "{:?}", failure.retry_after);
            insisted += failure.attempts;
            assert_eq!(failure.attempts as usize, failure.trail.len());
            let (asked, other) = match failure.trail.first() {
                Some(attempt) if &*attempt.model == "b" => ("b", "a"),
                _ => ("a", "b"),
            };
            let start = if failure.attempts == 0 {
                "`r` got no answer, for nobody could be asked within 9m: `sim/a` rests as the provider asked, \
                 `sim/b` rests as the provider asked; try again in 19m"
                    .to_owned()
            } else {
                format!(
                    "`r` got no answer after 1 attempt in 0s (the next attempt would pass the deadline), `sim/{asked}`: \
                     {word} - busy; not asked: `sim/{other}` rests as the provider asked; try again in "
                )
            };
            assert!(failure.message.starts_with(&start), "{}", failure.message);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(insisted, 10, "one a second");
        assert_eq!(sent(&relay).len(), 10);
    }
}

/// A recovery is seen at once even where the provider asked for 20 minutes.
#[tokio::test(start_paused = true)]
async fn whoever_goes_out_anyway_may_find_it_back() {
    let relay = worn_out(&["a"], 503, LONG, secs(10)).await;
    tokio::time::sleep(secs(20)).await;
    for _ in 0..5 {
        assert_eq!(ask(&relay, &route(&["a"], 1)).await.unwrap(), "a");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_the_request_itself_was_told_is_kept() {
    let relay = worn_out(&["a"], 429, LONG, secs(100_000)).await;
    tokio::time::sleep(secs(1)).await;
    let failure = ask(&relay, &route(&["c"], 4)).await.unwrap_err();
    assert_eq!((failure.attempts, failure.trail.len()), (1, 1));
    let failure = ask(&relay, &route(&["a", "d"], 4)).await.unwrap_err();
    let asked: Vec<_> = failure.trail.iter().map(|attempt| &*attempt.model).collect();
    assert_eq!(
        asked,
        ["d", "a"],
        "what `d` says is kept, and what others heard of `a` is tried: {}",
        failure.message
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_rests_outweighs_one_that_will_never_answer() {
    let relay = relay(Script::by(|model, _| match model {
        "no-key" => Act::Status(401, "no"),
        _ => Act::Status(503, LONG),
    }));
    ask(&relay, &route(&["a"], 1)).await.unwrap_err();
    assert!(
        relay
            .health
            .insist(&candidate("a", &brisk(1)), &[], crate::retry::Cooldown::default(), 0, &[])
            .is_some()
    );
    let failure = ask(&relay, &route(&["no-key", "a"], 1)).await.unwrap_err();
    assert_eq!((failure.outcome, failure.attempts), (Outcome::Failed(Class::Overloaded), 1));
    assert_eq!(failure.retry_after, Some(secs(1_200)));
    assert_eq!(
        failure.message,
        "`r` got no answer after 1 attempt in 0s, the last at `sim/no-key`: unauthorized - no; \
         after that nobody could be asked within 9m: `sim/a` rests as the provider asked; try again in 20m"
    );
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_the_wait() {
    let relay = worn_out(&["a"], 503, "busy", secs(1)).await;
    let route = route(&["a"], 3);
    let (waits, ()) = tokio::join!(ask(&relay, &route), async { relay.drain.pauses.give() });
    assert_eq!(waits.unwrap_err().outcome, Outcome::ShuttingDown);
    assert_eq!(sent(&relay), []);
}
