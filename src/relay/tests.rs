//! The relay in paused time, against an upstream that follows a script.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::time::Instant;

use self::script::{Act, Part, Script, answer, text_part};
use super::{Asked, Body, Drain, Failure, Health, Outcome, Relay, Request, User};
use crate::config::{Connections, KeyOrder, Provider, Secrets};
use crate::openai::envelope::Envelope;
use crate::retry::{Class, DelayRange, Policy, Quota};
use crate::route::{Candidate, Chain, Edits, OnBreak, Order, ProgressMode, ProviderId, Route, Timeouts};

mod after_commit;
mod before_commit;
mod ends;
mod hedge;
mod pools;
mod progress;
mod quotas;
mod rests;
mod rests_of_all;
mod resume;
mod script;
mod storms;
mod tasks;
mod users;
mod verified;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A policy of one burst with a second between attempts.
fn brisk(attempts: u32) -> Policy {
    let one = NonZeroU32::MIN;
    Policy {
        attempts_per_burst: NonZeroU32::new(attempts).unwrap(),
        attempt_delay: DelayRange::try_new(secs(1), secs(1)).unwrap(),
        bursts_per_cycle: one,
        cycles: one,
        ..Policy::default()
    }
}

fn candidate(model: &str, policy: &Policy) -> Candidate {
    Candidate {
        provider: ProviderId(0),
        provider_name: "sim".into(),
        model: model.into(),
        policy: policy.clone(),
        timeouts: Timeouts::default(),
        headers: HeaderMap::new(),
        edits: Edits::default(),
        prefill: None,
    }
}

/// The provider of every candidate, without a key.
fn provider() -> Provider {
    Provider {
        name: "sim".into(),
        base_url: "http://127.0.0.1:1".parse().unwrap(),
        keys: Vec::new(),
        key_order: KeyOrder::default(),
        quota: Quota::default(),
        headers: HeaderMap::new(),
        connections: Connections::default(),
    }
}

/// A route `r` over `models`, each with `attempts` attempts a second apart.
fn route(models: &[&str], attempts: u32) -> Route {
    let policy = brisk(attempts);
    let chain = models.iter().map(|model| candidate(model, &policy)).collect();
    let chain = Chain::try_new(chain).unwrap();
    Route { progress: Some(ProgressMode::Off), ..Route::new("r".into(), chain, policy) }
}

fn status(outcome: Outcome, _: Option<u16>) -> StatusCode {
    match outcome {
        Outcome::Ok => StatusCode::OK,
        _ => StatusCode::BAD_GATEWAY,
    }
}

fn relay(script: Script) -> Arc<Relay<Script>> {
    relay_to(&[provider()], script)
}

fn relay_to(providers: &[Provider], script: Script) -> Arc<Relay<Script>> {
    Arc::new(Relay {
        upstream: script,
        prefills: crate::relay::resume::Prefills::default(),
        secrets: Secrets::new(["sk-very-secret".to_owned()]),
        health: Arc::new(Health::new(providers)),
        head_after: secs(15),
        max_answer: 1_000_000,
        status,
        drain: Drain::default(),
    })
}

fn request(route: Route, body: &'static str) -> Request {
    Request {
        asked: Asked::new("id".into(), "127.0.0.1".into(), "/v1/chat/completions".into()),
        user: User::default(),
        progress: route.progress.unwrap_or_default(),
        route: Arc::new(route),
        envelope: Envelope::parse(Bytes::from_static(body.as_bytes())).unwrap(),
        headers: HeaderMap::new(),
    }
}

const STREAM: &str = r#"{"model":"r","stream":true,"messages":[]}"#;
const WHOLE: &str = r#"{"model":"r","messages":[]}"#;

async fn respond(
    relay: &Arc<Relay<Script>>,
    route: Route,
    body: &'static str,
) -> Result<Response<Body<Script>>, Failure> {
    relay.respond(request(route, body)).await
}

async fn text(response: Response<Body<Script>>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn sent(relay: &Relay<Script>) -> Vec<(String, u64)> {
    let seen = relay.upstream.seen.lock().unwrap();
    seen.sent.iter().map(|(model, at)| (model.clone(), at.as_secs())).collect()
}

fn open(relay: &Relay<Script>) -> usize {
    relay.upstream.seen.lock().unwrap().open
}

const HELLO: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"},\"finish_reason\":null}]}\n\n";
const ROLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";
const COMPLETION: &str = r#"{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}"#;

fn good_stream() -> Act {
    answer([ROLE, HELLO, STOP, DONE].concat())
}
