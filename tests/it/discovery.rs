//! Lists of models that providers give: routes and chains that come of them, and what a failed fetch does not do.

use std::time::{Duration, Instant};

use backstop::sim::{Act, Provider, Script};
use serde_json::{Value, json};

use crate::support::settings::ONCE;
use crate::support::{Call, Log, Proxy, proxy, soon};

mod catalogue;
mod chains;
mod failures;
mod listed;

use catalogue::{few, many, with_odd_ones};

/// A list that is given for ever.
fn listing(items: &[Value]) -> Act {
    Act::answer("").json(json!({ "data": items }).to_string())
}

/// A provider that answers with the name of the model and lists `items`.
fn lister(items: &[Value]) -> Provider {
    Provider::start(Script::always(Act::echo()).on_models(listing(items))).unwrap()
}

/// A provider called `p`, asked once each time, with more keys of its table.
fn provider(at: &Provider, rest: &str) -> String {
    provider_at(&at.base_url(), rest)
}

fn provider_at(base_url: &str, rest: &str) -> String {
    format!("{ONCE}[providers.p]\nbase_url = \"{base_url}\"\n{rest}\n")
}

/// The items of the list that `proxy` gives.
async fn models(proxy: &Proxy) -> Vec<Value> {
    let mut answer = Call::get("/v1/models").send(proxy.address).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let list = answer.json().await;
    list["data"].as_array().expect("a list").clone()
}

/// The values of one member of each item.
fn each<'a>(items: &'a [Value], member: &str) -> Vec<&'a str> {
    items.iter().map(|item| item[member].as_str().expect("a string")).collect()
}

/// Waits until a line of the log says `words`; what it says.
async fn said(log: &Log, words: &str) -> String {
    let line = async {
        loop {
            if let Some(line) = log.saying(words).first() {
                return line["message"].as_str().expect("a message").to_owned();
            }
            // Lists are fetched on this thread, so giving way to it is all there is to wait for.
            tokio::task::yield_now().await;
        }
    };
    soon(words, line).await
}
