//! Which headers pass, in either direction, and that no secret does.

use backstop::sim::{Act, Provider};
use http::HeaderMap;

use crate::support::{Answer, Call, proxy, route_to};

mod inbound;
mod outbound;
mod secrets;

/// Every header as `name: value`, sorted.
fn lines(headers: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().expect("a header in ASCII")))
        .collect();
    lines.sort_unstable();
    lines
}
