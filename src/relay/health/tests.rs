//! The shared table in paused time.

use std::num::NonZeroU32;
use std::time::Duration;

use http::HeaderMap;

use super::*;
use crate::config::{Connections, Key, KeyOrder};
use crate::retry::breaker::Standing;
use crate::retry::{Class, Covers, Fault, Phase, Policy, Quota};
use crate::route::{Edits, Timeouts};
use crate::upstream::Credential;

mod gates;
mod keys;
mod own;
mod quotas;
mod rests;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn provider(keys: &[&str], order: KeyOrder, quota: Quota) -> Provider {
    let key = |name: &&str| Key { name: (*name).into(), secret: "sk".into(), quota: Quota::default() };
    Provider {
        name: "sim".into(),
        base_url: "http://127.0.0.1:1".parse().unwrap(),
        keys: keys.iter().map(key).collect(),
        key_order: order,
        quota,
        headers: HeaderMap::new(),
        connections: Connections::default(),
    }
}

fn quota(per_minute: u32, per_day: u32) -> Quota {
    Quota { requests_per_minute: NonZeroU32::new(per_minute), requests_per_day: NonZeroU32::new(per_day) }
}

fn candidate(model: &str) -> Candidate {
    Candidate {
        provider: ProviderId(0),
        provider_name: "sim".into(),
        model: model.into(),
        policy: Policy::default(),
        timeouts: Timeouts::default(),
        headers: HeaderMap::new(),
        edits: Edits::default(),
        prefill: None,
    }
}

/// A table of one provider, without a key or a quota.
fn plain() -> Arc<Health> {
    with(provider(&[], KeyOrder::default(), Quota::default()))
}

fn with(provider: Provider) -> Arc<Health> {
    Arc::new(Health::new(&[provider]))
}

/// A new request for `candidate`, with a minute of patience.
fn ask<'a>(health: &Health, candidate: &'a Candidate) -> Ask<'a> {
    Ask {
        candidate,
        key: None,
        cooldown: Cooldown::default(),
        request: health.request(),
        own: false,
        tried: &[],
        patience: Instant::now() + secs(60),
        quota_patience: Instant::now() + secs(60),
        spends_quota: true,
    }
}

/// Leave for an attempt that reaches the provider.
async fn admit(health: &Health, candidate: &Candidate) -> Result<Box<Pass>, Rest> {
    sent(health, ask(health, candidate)).await
}

async fn sent(health: &Health, ask: Ask<'_>) -> Result<Box<Pass>, Rest> {
    let pass = health.admit(ask).await?;
    pass.connected().mark(Instant::now());
    Ok(pass)
}

fn fault(class: Class) -> Fault {
    Fault::new(class, Phase::FirstByte, "it failed")
}

/// Until when the model, the key and the key for free models rest.
fn rests(health: &Health, candidate: &Candidate, key: usize) -> [Option<Duration>; 3] {
    let desk = &health.desks[0];
    let (mut book, now) = (desk.lock(), desk.now());
    let seat = book.seat(&candidate.model, key).breaker.standing(now);
    let of_key = &book.keys[key];
    [seat, of_key.breaker.standing(now), of_key.free.standing(now)].map(|standing| match standing {
        Standing::Resting { until, .. } => Some(until),
        Standing::Ready | Standing::Probing => None,
    })
}

/// Ends an attempt at `candidate` with `fault`; gives the rest that begins or grows longer with it.
fn fail(health: &Health, candidate: &Candidate, pass: Box<Pass>, fault: &Fault) -> Option<Duration> {
    let key = pass.key();
    let before = rests(health, candidate, key);
    pass.failed(fault);
    let after = rests(health, candidate, key).into_iter().zip(before);
    let until = after.filter(|(after, before)| after > before).find_map(|(after, _)| after)?;
    Some(until.saturating_sub(health.desks[0].now()))
}

/// Asks for an attempt at `candidate` that ends with `fault`; gives the rest that begins with it.
async fn fails(health: &Health, candidate: &Candidate, fault: &Fault) -> Option<Duration> {
    let pass = admit(health, candidate).await.unwrap();
    fail(health, candidate, pass, fault)
}

/// Has `candidate` fail so often that it rests; gives the rest.
async fn wear_out(health: &Health, candidate: &Candidate) -> Duration {
    let mut rest = None;
    for _ in 0..5 {
        rest = fails(health, candidate, &fault(Class::Overloaded)).await;
    }
    rest.expect("a rest after the fifth failure")
}
