//! Faults before an answer has opened: the client sees nothing of them if the second candidate
//! answers, and an error with a status of its own if nobody does.

use backstop::sim::{Act, Provider, Script};

use super::*;
use crate::faults::{self, DELAY, Row, SCHEDULE, TABLE, Verdict};
use crate::support::{Refusal, visits};

/// What the second candidate says.
const WHOLE: &str = "The whole answer of the other one";

/// What follows from a fault when another candidate is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    /// What its class asks for.
    Verdict(Verdict),
    /// Nobody waits for as long as the provider asks for.
    Away,
}

impl Follows {
    /// Who is asked when the second candidate answers.
    fn until_answered(self, order: &str) -> &'static [&'static str] {
        match self {
            Self::Verdict(Verdict::Reject) => &["bad"],
            Self::Verdict(Verdict::Retry) if order == "depth" => &["bad", "bad", "good"],
            Self::Verdict(_) | Self::Away => &["bad", "good"],
        }
    }

    /// Which models are asked when both fail alike, and the waits before each, in milliseconds.
    fn until_refused(self, order: &str) -> (&'static [&'static str], &'static [u64]) {
        match self {
            Self::Verdict(Verdict::Reject) => (&["m"], &[0]),
            Self::Verdict(Verdict::Retry) if order == "depth" => {
                (&["m", "m", "n", "n"], &[0, DELAY, 0, DELAY])
            }
            Self::Verdict(Verdict::Retry | Verdict::Next) => (&["m", "n", "m", "n"], &[0, 0, DELAY, 0]),
            Self::Verdict(Verdict::Drop) | Self::Away => (&["m", "n"], &[0, 0]),
        }
    }
}

/// A route whose first candidate is one of `bad`.
fn config(base_url: &str, row: &Row, order: &str, chain: &str) -> String {
    format!(
        "[retry]\n{SCHEDULE}\ndeadline = \"1m\"\n[routes.r]\norder = \"{order}\"\nchain = [\"bad/m\", {chain}]\n\
         [providers.bad]\nbase_url = \"{base_url}\"\n{}\n",
        row.settings
    )
}

/// The provider that fails as `row` says, unless nobody is to listen, and its base URL.
fn bad(row: &Row) -> (Option<Provider>, String) {
    match &row.met {
        Ok(act) => {
            let provider = Provider::start(act.clone()).unwrap();
            let base_url = provider.base_url();
            (Some(provider), base_url)
        }
        Err(base_url) => (None, base_url.clone()),
    }
}

async fn answered(row: &Row, follows: Follows, stream: bool, order: &str) {
    let name = format!("{}, stream: {stream}, {order}, answered", row.name);
    let (bad, base_url) = bad(row);
    let good = Provider::start(Script::exactly([Act::answer(WHOLE)])).unwrap();
    let other = format!("[providers.good]\nbase_url = \"{}\"\n", good.base_url());
    let field = Field::new(name, &(config(&base_url, row, order, "\"good/m\"") + &other)).await;
    let name = &field.name;
    let asked = follows.until_answered(order);

    let answer = Field::call(stream).send(field.proxy.address).await;

    assert_eq!((answer.status, answer.header("x-backstop-provider")), (200, "good"), "{name}");
    assert_eq!(answer.header("x-backstop-attempts"), asked.len().to_string(), "{name}");
    assert_eq!(Got::read(answer).await, Got::Whole(WHOLE.to_owned()), "{name}");
    let line = field.access().await;
    assert_eq!((&line["outcome"], &line["attempts"]), (&"ok".into(), &asked.len().into()), "{name}");
    assert_eq!(good.check(), Ok(()), "{name}");
    match &bad {
        Some(bad) => {
            assert_eq!(visits(&[("bad", bad), ("good", &good)]), asked, "{name}");
            field.close(&[bad, &good]).await;
        }
        None => field.close(&[&good]).await,
    }
}

async fn refused(row: &Row, class: &str, follows: Follows, stream: bool, order: &str) {
    let name = format!("{class}, {}, stream: {stream}, {order}, refused", row.name);
    let (bad, base_url) = bad(row);
    let field = Field::new(name, &config(&base_url, row, order, "\"bad/n\"")).await;
    let name = &field.name;
    let (asked, waits) = follows.until_refused(order);
    let status = TABLE.iter().find(|row| row.0 == class).expect("a class").2;

    let refusal = Refusal::read(Field::call(stream).send(field.proxy.address).await).await;

    let models: Vec<&str> = refusal.attempts().iter().map(|tried| tried.model.as_str()).collect();
    assert_eq!((models, refusal.waits()), (asked.to_vec(), waits.to_vec()), "{name}");
    assert_eq!(
        (refusal.status, refusal.error.code.as_str()),
        (row.final_status.unwrap_or(status), class),
        "{name}"
    );
    let line = field.access().await;
    assert_eq!((&line["outcome"], &line["status"]), (&class.into(), &refusal.status.into()), "{name}");
    assert_eq!(line["attempts"], asked.len(), "{name}");
    if let Some(bad) = &bad {
        let models: Vec<String> = bad.requests().iter().map(backstop::sim::Request::model).collect();
        assert_eq!(models, asked, "{name}");
        field.close(&[bad]).await;
    }
}

/// Plays the rows of these classes in every order and form.
async fn play(classes: impl Fn(&str) -> bool) {
    for (class, rows) in faults::rows().await.into_iter().filter(|(class, _)| classes(class)) {
        let verdict = TABLE.iter().find(|row| row.0 == class).expect("a class").1;
        for row in rows {
            for (stream, order) in fields(&row) {
                answered(&row, Follows::Verdict(verdict), stream, order).await;
                refused(&row, class, Follows::Verdict(verdict), stream, order).await;
            }
        }
    }
}

fn fields(row: &Row) -> impl Iterator<Item = (bool, &'static str)> {
    row.forms.iter().flat_map(|stream| ORDERS.map(|order| (*stream, order)))
}

/// The classes whose faults say what they are by the status of the answer.
const BY_STATUS: [&str; 2] = ["rate_limited", "overloaded"];

/// The classes whose faults are found on the wire and in what is no answer.
const BY_WIRE: [&str; 6] = ["connect", "reset", "timeout", "broken", "unexpected", "empty"];

#[tokio::test]
async fn providers_in_trouble() {
    play(|class| BY_STATUS.contains(&class)).await;
}

#[tokio::test]
async fn broken_connections_and_answers() {
    play(|class| BY_WIRE.contains(&class)).await;
}

#[tokio::test]
async fn requests_that_are_refused() {
    play(|class| !BY_STATUS.contains(&class) && !BY_WIRE.contains(&class)).await;
}

#[tokio::test]
async fn providers_that_ask_to_wait() {
    let wish = || Act::status(429).header("retry-after-ms", "20");
    let reset = Act::status(429).header("x-ratelimit-remaining", "0").header("x-ratelimit-reset", "120");
    for (class, act, follows) in [
        ("rate_limited", wish(), Follows::Verdict(Verdict::Retry)),
        ("overloaded", wish().with_status(529), Follows::Verdict(Verdict::Retry)),
        ("rate_limited", Act::status(429).retry_after("120"), Follows::Away),
        ("overloaded", Act::status(503).retry_after("120"), Follows::Away),
        ("rate_limited", reset, Follows::Away),
    ] {
        let row = Row::asking_to_wait(act);
        for (stream, order) in fields(&row) {
            answered(&row, follows, stream, order).await;
            if follows == Follows::Away {
                refused(&row, class, follows, stream, order).await;
            }
        }
    }
}
