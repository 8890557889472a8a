//! A policy may rule otherwise.

use backstop::sim::{Act, Provider, Refusing};

use super::{Row, SCHEDULE, TABLE, Verdict, play};
use crate::support::{Call, Refusal, providers, proxy, visits};

const RULINGS: [(&str, Verdict); 4] = [
    ("retry", Verdict::Retry),
    ("next", Verdict::Next),
    ("drop", Verdict::Drop),
    ("reject", Verdict::Reject),
];

#[tokio::test]
async fn every_class_can_be_ruled_otherwise() {
    let refusing = Refusing::start().unwrap();
    for (class, built_in, status, kind) in TABLE {
        let fail = |status, code: &str| Row::status("one", status, Act::status(400).error("No", code), "No");
        let row = match class {
            "rate_limited" => fail(429, ""),
            "overloaded" => fail(500, ""),
            "connect" => Row::unreachable("one", refusing.base_url(), "refused"),
            "reset" => Row::before("one", Act::reset(), "reset"),
            "timeout" => {
                Row::before("one", Act::hang(), "(first_byte)").with(r#"timeouts = { first_byte = "30ms" }"#)
            }
            "broken" => Row::inside("one", Act::answer("x").json("{}"), "choices"),
            "unexpected" => Row { reason: "base_url", ..fail(202, "") },
            "empty" => Row::inside("one", Act::answer(""), "nothing in it"),
            "unauthorized" => fail(401, ""),
            "payment" => fail(402, ""),
            "not_found" => fail(404, ""),
            "context_length" => fail(413, ""),
            "content_policy" => fail(400, "content_filter"),
            "unsupported" => fail(400, "unsupported_parameter"),
            _ => fail(400, ""),
        };
        for (ruling, verdict) in RULINGS.into_iter().filter(|(_, verdict)| *verdict != built_in) {
            play(&row, true, &(class, verdict, status, kind), &format!("{class} = \"{ruling}\"")).await;
        }
    }
}

/// Values inherit key by key, nearest first: candidate, route, named policy, `[retry]`.
#[tokio::test]
async fn the_nearest_ruling_counts() {
    let bad = Provider::start(Act::status(404)).unwrap();
    let other = Provider::start(Act::status(503)).unwrap();
    let named = [("bad", &bad), ("other", &other)];
    let config = format!(
        r#"
        [retry]
        {SCHEDULE}
        on = {{ not_found = "reject" }}
        [cooldown]
        enabled = false
        [policies.patient]
        on = {{ not_found = "retry" }}
        [routes.default]
        chain = ["bad/m", "other/m"]
        [routes.named]
        retry = "patient"
        chain = ["bad/m", "other/m"]
        [routes.inline]
        retry = {{ on = {{ not_found = "next" }} }}
        chain = ["bad/m", "other/m"]
        [routes.unrelated]
        retry = {{ on = {{ payment = "next" }} }}
        chain = ["bad/m", "other/m"]
        [routes.candidate]
        retry = "patient"
        chain = [{{ use = "bad/m", retry = {{ on = {{ not_found = "drop" }} }} }}, "other/m"]
        [routes.elsewhere]
        chain = ["bad/m", {{ use = "other/m", retry = "patient" }}]
        {}
        "#,
        providers(&named),
    );
    let proxy = proxy(&config).await;

    for (route, verdict) in [
        ("default", Verdict::Reject),
        ("named", Verdict::Retry),
        ("inline", Verdict::Next),
        ("unrelated", Verdict::Reject),
        ("candidate", Verdict::Drop),
        ("elsewhere", Verdict::Reject),
        ("bad/m", Verdict::Reject),
    ] {
        let seen = visits(&named).len();

        let refusal = Refusal::read(Call::whole(route).send(proxy.address).await).await;

        let (asked, waits) = verdict.in_a_chain();
        assert_eq!((refusal.asked(), refusal.waits()), (asked.to_vec(), waits.to_vec()), "{route}");
        assert_eq!(visits(&named)[seen..], *asked, "{route}");
    }
}
