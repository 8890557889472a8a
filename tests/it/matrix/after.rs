//! Faults after the first word of a stream.
//!
//! A whole answer has no such faults: it is read to its end and checked before its head goes out, so
//! whatever breaks it is one of those before commit.

use backstop::sim::{Act, Finish, Script, data};

use super::*;
use crate::ends::{breaks, events};
use crate::support::events::{DONE, HELLO, ROLE, STOP};
use crate::support::settings::ONCE;
use crate::support::{providers, visits};

/// What the client has when the first candidate breaks off.
const BEGUN: &str = "Hello";

/// A whole answer that begins so.
const WHOLE: &str = "Hello there, whoever you are";

/// A whole answer that begins otherwise.
const OTHER: &str = "Good evening, whoever you are";

/// A route's `on_break`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnBreak {
    Error,
    Resume,
}

/// What the second candidate does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Second {
    /// It goes on with what has been said.
    Completes,
    /// It says all of it again.
    Repeats,
    /// It says something else.
    Differs,
}

/// The columns of the table.
const COLUMNS: [(OnBreak, Second); 4] = [
    (OnBreak::Error, Second::Repeats),
    (OnBreak::Resume, Second::Completes),
    (OnBreak::Resume, Second::Repeats),
    (OnBreak::Resume, Second::Differs),
];

/// One way to break off.
struct Row {
    name: String,
    act: Act,
    /// The outcome if it is not resumed.
    code: &'static str,
    /// What the error event says then.
    reason: &'static str,
    /// Whether more can follow on what was said.
    resumable: bool,
}

fn row(name: impl Into<String>, act: Act, code: &'static str, reason: &'static str) -> Row {
    Row { name: name.into(), act, code, reason, resumable: true }
}

fn rows() -> Vec<Row> {
    let broken = |name: &str, events: &[&str], reason| {
        let events = events.iter().map(|event| (*event).to_owned());
        row(name, Act::events(events).then(Finish::Eof), "stream_broken", reason)
    };
    let chunk = |delta: &str, index: usize| {
        format!(r#"{{"choices":[{{"index":{index},"delta":{{{delta}}},"finish_reason":null}}]}}"#)
    };
    let event = |delta: &str, index| String::from_utf8(data(chunk(delta, index)).to_vec()).unwrap();
    let large = event(&format!(r#""content":"{}""#, "x".repeat(9_000_000)), 0);
    let call =
        r#""tool_calls":[{"index":0,"id":"1","type":"function","function":{"name":"f","arguments":""}}]"#;
    let (call, second) = (event(call, 0), event(r#""content":"Hi""#, 1));
    let cut = "the answer was cut before its end";

    let mut rows: Vec<Row> = breaks()
        .into_iter()
        .map(|(act, code, reason)| row(format!("a break: {reason}"), act, code, reason))
        .collect();
    for (event, reason) in events::errors() {
        let name = String::from_utf8_lossy(&event).into_owned();
        let events = [ROLE.into(), HELLO.into(), event.clone(), STOP.into(), DONE.into()];
        rows.push(row(name.clone(), Act::events(events), "stream_broken", reason));
        let events = [ROLE.into(), HELLO.into(), STOP.into(), event, DONE.into()];
        let finished =
            row(format!("after a finish reason: {name}"), Act::events(events), "stream_broken", reason);
        rows.push(Row { resumable: false, ..finished });
    }
    rows.push(broken("too large an event", &[ROLE, HELLO, &large], "an event of more than 8 MiB"));
    for (name, event) in [("a call has begun", &call), ("there are two choices", &second)] {
        rows.push(Row { resumable: false, ..broken(name, &[ROLE, HELLO, event], cut) });
    }
    rows
}

async fn play(row: &Row, on_break: OnBreak, second: Second, order: &str) {
    let name = format!("{}, {on_break:?}, {second:?}, {order}", row.name);
    let bad = Provider::start(Script::always(row.act.clone())).unwrap();
    let good = Provider::start(match second {
        Second::Completes => Act::completes(WHOLE),
        Second::Repeats => Act::answer(WHOLE),
        Second::Differs => Act::answer(OTHER),
    })
    .unwrap();
    let (on_break_name, prefill) = match (on_break, second) {
        (OnBreak::Error, _) => ("error", ""),
        (OnBreak::Resume, Second::Completes) => ("resume", ", prefill = true"),
        (OnBreak::Resume, _) => ("resume", ""),
    };
    let named = [("bad", &bad), ("good", &good)];
    let config = format!(
        "{ONCE}[routes.r]\norder = \"{order}\"\non_break = \"{on_break_name}\"\n\
         timeouts = {{ idle = \"300ms\" }}\n\
         chain = [\"bad/m\", {{ use = \"good/m\"{prefill} }}]\n{}",
        providers(&named)
    );
    let field = Field::new(name, &config).await;
    let name = &field.name;
    let tried = on_break == OnBreak::Resume && row.resumable;
    let asked: &[&str] = if tried { &["bad", "good"] } else { &["bad"] };

    let answer = Field::call(true).send(field.proxy.address).await;

    // The head went out with the first word.
    assert_eq!((answer.status, answer.header("x-backstop-attempts")), (200, "1"), "{name}");
    assert_eq!(answer.header("x-backstop-provider"), "bad", "{name}");
    let got = Got::read(answer).await;
    let line = field.access().await;
    assert_eq!(line["attempts"], asked.len(), "{name}");
    assert_eq!(visits(&named), asked, "{name}");
    if tried && second != Second::Differs {
        assert_eq!(got, Got::Whole(WHOLE.to_owned()), "{name}");
        assert_eq!(line["outcome"], "ok", "{name}");
    } else {
        let Got::Broken { text, code, message } = got else { panic!("{name}: {got:?}") };
        assert_eq!((text.as_str(), code.as_str()), (BEGUN, row.code), "{name}");
        assert!(tried || message.contains(row.reason), "{name}: {message}");
        assert_eq!(line["outcome"], row.code, "{name}");
    }
    if tried {
        let begun = (second == Second::Completes).then(|| BEGUN.to_owned());
        assert_eq!(good.request(0).unwrap().prefill(), begun, "{name}");
    }
    field.close(&[&bad, &good]).await;
}

#[tokio::test]
async fn streams_that_break_off() {
    for row in rows() {
        for (on_break, second) in COLUMNS {
            for order in ORDERS {
                play(&row, on_break, second, order).await;
            }
        }
    }
}
