use std::num::NonZeroU32;

use tokio::time::Instant;

use super::*;
use crate::upstream::peer;

const LIMIT: Duration = Duration::from_secs(10);

fn places(most: u32) -> Places {
    let mut provider = peer::provider("http://127.0.0.1:1/v1");
    provider.connections.most = NonZeroU32::new(most);
    Places::of(&provider).expect("a limit")
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_is_told() {
    for (most, reason) in [
        (1, "the one connection to `peer` has been in use for 10s (max_connections)"),
        (2, "all 2 connections to `peer` have been in use for 10s (max_connections)"),
    ] {
        let places = places(most);
        let mut held = Vec::new();
        for _ in 0..most {
            held.push(places.take(LIMIT).await.expect("a place"));
        }
        let start = Instant::now();

        let fault = places.take(LIMIT).await.expect_err("a fault");

        assert_eq!(start.elapsed(), LIMIT);
        assert_eq!((fault.class, fault.phase), (Class::Connect, Phase::Connect));
        assert_eq!(fault.reason, reason);
        assert!(fault.clipped, "the provider is not to rest for it");
        assert!(fault.advice.is_some_and(|advice| advice.contains("`max_connections`")));
        held.pop();
        drop(places.take(LIMIT).await.expect("a place"));
    }
    assert!(Places::of(&peer::provider("http://127.0.0.1:1/v1")).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_first_to_come_is_the_first_to_go_and_who_leaves_leaves_nothing() {
    let places = places(1);
    let held = places.take(LIMIT).await.expect("a place");
    let mut order = Vec::new();
    let mut first = Box::pin(places.take(LIMIT));
    let mut second = Box::pin(places.take(LIMIT));
    let mut third = Box::pin(places.take(LIMIT));
    for waiting in [&mut first, &mut second, &mut third] {
        assert!(tokio::time::timeout(Duration::from_millis(1), waiting).await.is_err(), "no place is free");
    }

    drop(first);
    drop(held);

    tokio::select! {
        biased;
        place = &mut third => order.push((3, place.is_ok())),
        place = &mut second => order.push((2, place.is_ok())),
    }
    drop(third.await.expect("a place"));
    assert_eq!(order, [(2, true)]);
    assert_eq!(places.free.available_permits(), 1);
}
