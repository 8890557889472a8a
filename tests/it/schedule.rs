//! Who is asked when: the schedule, as the providers see it.

use std::time::Duration;

use backstop::sim::Provider;

use crate::support::{Answer, Call, Proxy, Refusal, providers, proxy};

mod candidates;
mod deadline;
mod limits;
mod order;
mod retry_after;

/// A proxy in front of these providers, with more configuration before them.
async fn before(named: &[(&str, &Provider)], config: &str) -> Proxy {
    // What one request has met shall not decide about the next one.
    proxy(&format!("{config}\n{}[cooldown]\nenabled = false\n", providers(named))).await
}

/// The error that `route` ends in; not streamed.
async fn refused(proxy: &Proxy, route: &str) -> Refusal {
    Refusal::read(Call::whole(route).send(proxy.address).await).await
}

/// The answer of `route`; not streamed.
async fn answered(proxy: &Proxy, route: &str) -> Answer {
    let answer = Call::whole(route).send(proxy.address).await;
    assert_eq!(answer.status, 200, "{route}");
    answer
}

/// The time between the arrivals of each two requests.
fn gaps(provider: &Provider) -> Vec<Duration> {
    let arrivals: Vec<_> = provider.requests().into_iter().map(|request| request.at).collect();
    arrivals.windows(2).map(|pair| pair[1] - pair[0]).collect()
}
