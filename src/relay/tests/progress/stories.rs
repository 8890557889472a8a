//! Whatever happens to a request, what its client is told makes sense.

use proptest::prelude::*;

use super::*;

const ASK: &str = r#"{"model":"r","stream":true,"messages":[{"role":"user","content":"Hello"}]}"#;

fn act() -> impl Strategy<Value = Act> {
    let late = |act: Act| {
        (0u64..4_000).prop_map(move |millis| Act::Late(Duration::from_millis(millis), Box::new(act.clone())))
    };
    prop_oneof![
        4 => Just(BUSY),
        1 => Just(Act::Status(401, "")),
        1 => Just(Act::Refuse),
        1 => Just(Act::Hang),
        3 => late(BUSY),
        3 => late(hello()),
        2 => late(Act::Answer(vec![text_part(HELLO), Part::Fail])),
        1 => late(Act::Answer(vec![text_part(HELLO), Part::Hang])),
    ]
}

fn story() -> impl Strategy<Value = (Vec<Act>, Route, Option<u64>)> {
    let progress = prop_oneof![Just(ProgressMode::OpenWebui), Just(ProgressMode::Reasoning)];
    let order = prop_oneof![Just(Order::Depth), Just(Order::Breadth)];
    let on_break = prop_oneof![Just(OnBreak::Error), Just(OnBreak::Resume)];
    let hedge = proptest::option::weighted(0.3, (1u64..5).prop_map(secs));
    let delay = prop_oneof![Just(100u64), Just(1_000), Just(2_700)];
    let stop = proptest::option::weighted(0.3, 1u64..40_000);
    let acts = prop::collection::vec(act(), 8);
    (acts, progress, order, on_break, hedge, delay, stop).prop_map(
        |(acts, progress, order, on_break, hedge, delay, stop)| {
            let delay = Duration::from_millis(delay);
            let policy = Policy { attempt_delay: DelayRange::try_new(delay, delay).unwrap(), ..brisk(4) };
            let chain = ["a", "b"].map(|model| candidate(model, &policy));
            let hedge = hedge.map(|after| Hedge { after, spends_quota: false });
            let chain = Chain::try_new(chain.into()).unwrap();
            let route = Route { chain, order, on_break, hedge, progress: Some(progress), ..route(&["a"], 4) };
            (acts, Route { policy, ..route }, stop)
        },
    )
}

/// What is told of a request for `route`, until the process ends after so many milliseconds; nothing if it had
/// no head.
async fn play(acts: Vec<Act>, route: Route, stop: Option<u64>) -> Option<Told> {
    let relay = relay(Script::new(acts));
    let drain = relay.drain.clone();
    let stop = async {
        if let Some(millis) = stop {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            drain.streams.give();
        }
    };
    let story = async {
        let start = Instant::now();
        let response = relay.respond(request(route, ASK)).await.ok()?;
        Some(read(response, start).await)
    };
    tokio::join!(story, stop).0
}

/// A line of progress, and whether it is a last one.
fn line(what: &str) -> Option<bool> {
    let what = what.strip_prefix("reasoning: ").unwrap_or(what);
    let last = ["done: ", "Response received", "Response continued", "No answer", "Nobody went on"];
    let is_last = last.iter().any(|start| what.starts_with(start));
    let going_on = ["Attempt", "Burst", "Switched", "Every model", "Not asked"];
    (is_last || going_on.iter().any(|start| what.starts_with(start))).then_some(is_last)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..Default::default() })]
    #[test]
    fn lines_keep_their_pace_and_are_closed_before_whatever_follows((acts, route, stop) in story()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let resumes = route.on_break == OnBreak::Resume;
        let Some(told) = runtime.block_on(play(acts, route, stop)) else { return Ok(()) };

        let (mut open, mut latest, mut content) = (false, None, String::new());
        for (at, what) in &told {
            if let Some(is_last) = line(what) {
                let paced = latest.is_none_or(|latest| at - latest >= 1_000);
                prop_assert!(is_last || paced, "{told:?}");
                prop_assert!(content.is_empty() || resumes, "{told:?}");
                (open, latest) = (!is_last, Some(*at));
            } else if what.starts_with("answer: ") || what == "[DONE]" || what.starts_with("error: No model") {
                prop_assert!(!open, "an open line before {what}: {told:?}");
                content += what.strip_prefix("answer: ").unwrap_or_default();
            }
        }
        prop_assert!(!open, "{told:?}");
        prop_assert!(content == "Hello" || content.is_empty(), "{told:?}");
        let ends = told.iter().filter(|(_, what)| what == "[DONE]").count();
        prop_assert_eq!((ends, told.last().map(|(_, what)| what.as_str())), (1, Some("[DONE]")));
        prop_assert!(content == "Hello" || told.iter().any(|(_, what)| what.starts_with("error: ")), "{told:?}");
    }
}
