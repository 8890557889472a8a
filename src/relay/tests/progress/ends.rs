//! Failures, clients that leave, the end of the process: no line is left open.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_total_failure_is_told_in_one_sentence() {
    let relay = relay(Script::new(vec![BUSY; 3]));

    let start = Instant::now();
    let response = respond(&relay, shown(&["a"], 3), STREAM).await.unwrap();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let text = std::str::from_utf8(&bytes).unwrap();
    let events: Vec<_> = text.split_terminator("\n\n").collect();

    let error = "No model answered after 3 attempts in 2s: overloaded (503). Try again in a moment.";
    let [.., done, event, last] = &events[..] else { panic!("{text}") };
    assert_eq!(what(done), "done: No answer after 3 attempts in 2s");
    assert_eq!(*last, "data: [DONE]");
    assert_eq!(start.elapsed(), secs(2));
    let value: Value = serde_json::from_str(&event["data: ".len()..]).unwrap();
    assert!(value.get("choices").is_none());
    assert_eq!(value["error"]["message"], error);
    assert_eq!(value["error"]["metadata"]["attempts"].as_array().unwrap().len(), 3);
    let detail = value["error"]["metadata"]["detail"].as_str().unwrap();
    assert!(detail.starts_with("`r` got no answer after 3 attempts"), "{detail}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_before_any_wait_keeps_its_status_and_the_sentence() {
    for (progress, short) in
        [(ProgressMode::OpenWebui, true), (ProgressMode::Reasoning, true), (ProgressMode::Comments, false)]
    {
        for body in [STREAM, WHOLE] {
            let relay = relay(Script::new([Act::Status(
                401,
                r#"{"error":{"message":"no such key: sk-very-secret"}}"#,
            )]));
            let route = Route { progress: Some(progress), ..route(&["a"], 3) };
            let failure = respond(&relay, route, body).await.map(|_| ()).unwrap_err();
            let error = failure.error_object();
            let expected = "No model answered after 1 attempt in 0s: the key was refused (401). Check the api_key of sim.";
            assert_eq!(error.message == expected, short, "{}", error.message);
            assert!(!error.to_json().contains("very-secret") && !error.message.contains('\n'));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_are_told_while_the_chain_goes_on() {
    let relay = relay(Script::new([BUSY, Act::Status(404, ""), Act::Status(402, "")]));

    let told = tell(&relay, request(shown(&["a", "b"], 2), STREAM)).await;

    let toasts: Vec<_> = told.iter().filter(|(_, what)| what.starts_with("error")).cloned().collect();
    // That `b` wants to be paid is the end.
    let refusal = "error: sim/a was not found (404): check the name of the model and the base_url";
    let error = "error: No model answered after 3 attempts in 1s: overloaded (503). Try again in a moment.";
    // The second one is the error itself, of which Open WebUI makes a toast.
    assert_eq!(toasts, [refusal, error].map(|what| (1_000, what.to_owned())));
    assert_eq!(told.iter().filter(|(_, what)| what.starts_with("done")).count(), 1, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_in_a_wait_ends_everything() {
    for progress in [ProgressMode::OpenWebui, ProgressMode::Reasoning] {
        let relay = relay(Script::new([BUSY]).with_header("retry-after", "50"));
        let route = Route { progress: Some(progress), ..route(&["a"], 60) };
        let response = respond(&relay, route, STREAM).await.unwrap();
        let mut body = response.into_body();
        body.frame().await.unwrap().unwrap();
        assert!(tokio::time::timeout(secs(3), body.frame()).await.is_err(), "nothing more yet");
        drop(body);

        tokio::time::sleep(secs(1_000)).await;
        assert_eq!((sent(&relay).len(), open(&relay)), (1, 0), "no later attempt");
    }
}

#[tokio::test(start_paused = true)]
async fn the_signal_to_stop_closes_the_line() {
    let relay = relay(Script::new([BUSY]).with_header("retry-after", "50"));
    let drain = relay.drain.clone();
    let stop = async {
        tokio::time::sleep(secs(2)).await;
        drain.pauses.give();
    };

    let (told, ()) = tokio::join!(tell(&relay, request(quiet(shown(&["a"], 60)), STREAM)), stop);

    assert_told(
        &told,
        [
            (0, "The provider asks to wait (1/60 attempts). Waiting 50s before next attempt"),
            (2_000, "done: No answer after 1 attempt in 2s"),
            (
                2_000,
                "error: Backstop is shutting down, and no model had answered after 1 attempt. Try again in a moment.",
            ),
            (2_000, "[DONE]"),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_grace_closes_the_line() {
    let relay = relay(Script::new([BUSY, Act::Hang]));
    let drain = relay.drain.clone();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        drain.streams.give();
    };

    let (told, ()) = tokio::join!(tell(&relay, request(quiet(shown(&["a"], 60)), STREAM)), stop);

    assert_told(
        &told,
        [
            (0, "Attempt 1/60 failed. Waiting 1s before next attempt"),
            (1_000, "Attempt 2/60 in progress…"),
            (2_500, "done: No answer after 2 attempts in 2.5s"),
            (
                2_500,
                "error: Backstop is shutting down, and no model had answered after 2 attempts. Try again in a moment.",
            ),
            (2_500, "[DONE]"),
        ],
    );
}
