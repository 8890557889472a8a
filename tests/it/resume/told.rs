//! What the log, the trail and the next requests learn of a break.

use serde_json::Value;

use super::*;

#[tokio::test]
async fn the_access_line_names_who_finished() {
    let stage = Stage::new(cut(2), Act::completes(WHOLE), Prefill, "").await;

    assert_eq!(stage.ask().await, Got::Whole(WHOLE.to_owned()));

    stage.log.ended(1).await;
    let line = stage.log.access().remove(0);
    assert_eq!(
        (&line["outcome"], &line["status"], &line["attempts"]),
        (&"ok".into(), &200.into(), &2.into())
    );
    assert_eq!((&line["provider"], &line["model"]), (&"good".into(), &"n".into()));
    let lines = |words| stage.log.saying(words).len();
    assert_eq!(
        (lines("m - Attempt 1/2 (0m00s): SUCCESS"), lines("n - Attempt 2/2 (0m00s): SUCCESS")),
        (1, 1)
    );
    assert_eq!(lines("m - Attempt 1/2: ERROR: stream_broken - the answer was cut before its end"), 1);
    stage.close().await;
}

#[tokio::test]
async fn the_trail_holds_the_break() {
    let stage = Stage::new(cut(2), Act::status(503), Afresh, "").await;

    let mut answer = Call::stream("r").send(stage.proxy.address).await;
    let body = answer.text().await;

    let data = body.lines().rev().find(|line| line.contains("error")).unwrap();
    let error: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    let (error, trail) = (&error["error"], &error["error"]["metadata"]["attempts"]);
    assert_eq!(
        (&trail[0]["provider"], &trail[0]["phase"], &trail[0]["code"]),
        (&"bad".into(), &"stream".into(), &"broken".into())
    );
    assert_eq!(
        (&trail[1]["provider"], &trail[1]["status"], &trail[1]["code"]),
        (&"good".into(), &503.into(), &"overloaded".into())
    );
    let message = "The answer of `bad/m` broke off: the answer was cut before its end; nobody could go on (the schedule is used up), after 1 more attempt, the last of `good/n`: overloaded - The model is overloaded; ask again to get a whole one";
    assert_eq!((&error["code"], &error["message"]), (&"stream_broken".into(), &message.into()));
    stage.close().await;
}

#[tokio::test]
async fn a_break_counts_against_its_candidate_and_the_rest_for_the_other() {
    let stage = Stage::new(cut(2), Act::completes(WHOLE), Prefill, "cooldown = { failures = 1 }").await;

    for _ in 0..3 {
        assert_eq!(stage.ask().await, Got::Whole(WHOLE.to_owned()));
    }

    // The one that broke rests, so the others begin with the one that went on.
    assert_eq!((stage.bad.count(), stage.good.count()), (1, 3));
    assert_eq!((stage.log.saying("m rests for").len(), stage.log.saying("n rests for").len()), (1, 0));
    stage.close().await;
}

#[tokio::test]
async fn a_refused_prefill_is_asked_once_and_then_never_again() {
    let good = Script::without_prefill(Act::answer(WHOLE));
    let stage = Stage::new(cut(2), good, Prefill, "cooldown = { enabled = false }").await;

    for _ in 0..3 {
        assert_eq!(stage.ask().await, Got::Whole(WHOLE.to_owned()));
    }

    let begun: Vec<bool> = stage.good.requests().iter().map(|request| request.prefill().is_some()).collect();
    assert_eq!(begun, [true, false, false, false]);
    let refusals = stage.log.saying("refuses to continue the beginning of an answer");
    assert_eq!(refusals.len(), 1);
    assert!(
        refusals[0]["message"].as_str().unwrap().contains("assistant prefill is not supported"),
        "{refusals:?}"
    );
    assert!(stage.log.access().iter().all(|line| line["attempts"] == 2));
    stage.close().await;
}

#[tokio::test]
async fn the_request_goes_on_byte_for_byte() {
    let stage = Stage::new(cut(2), Act::completes(WHOLE), Prefill, "").await;
    let body = "{ \"messages\" : [ {\"role\":\"user\",\"content\":\"1e2 \\u0041\"} ] ,\"stream\":true, \"x\": 1.50 ,\"model\":\"r\"}";

    let got = Got::read(Call::post("/v1/chat/completions", body).send(stage.proxy.address).await).await;

    assert_eq!(got, Got::Whole(WHOLE.to_owned()));
    let begun = serde_json::to_string("Hello \"there\",").unwrap();
    let expected = body
        .replace("\"r\"", "\"n\"")
        .replace("\\u0041\"} ]", &format!("\\u0041\"}},{{\"role\":\"assistant\",\"content\":{begun}}} ]"));
    assert_eq!(String::from_utf8(stage.good.request(0).unwrap().body.to_vec()).unwrap(), expected);
    stage.close().await;
}

#[tokio::test]
async fn an_error_event_is_a_break_whatever_it_says() {
    for (code, words) in [
        (Value::from(429), "slow down"),
        ("context_length_exceeded".into(), "too long"),
        (502.into(), "gone"),
    ] {
        let error = backstop::sim::error_beside_choices(words, code);
        let bad = Act::answer(WHOLE).insert(3, error);
        let stage = Stage::new(bad, Act::answer(WHOLE), Afresh, "").await;

        assert_eq!(stage.ask().await, Got::Whole(WHOLE.to_owned()), "{words}");

        assert_eq!(stage.log.saying(words).len(), 1, "{words}");
        assert_eq!((stage.bad.count(), stage.good.count()), (1, 1));
        stage.close().await;
    }
}
