//! What `backstop check` prints about providers.

use std::fmt::{self, Write as _};
use std::num::NonZeroU32;

use super::{afresh, counted, schedule};
use crate::config::lookalike::mask;
use crate::config::validate::CREDENTIALS;
use crate::config::{Connections, KeyOrder, Provider};
use crate::retry::{Policy, Quota, Words};
use crate::route::{Offer, Source};

/// Where a provider is, with which keys, and how it is reached.
pub(super) fn write_provider(provider: &Provider, out: &mut String) -> fmt::Result {
    let authorized = CREDENTIALS.iter().any(|header| provider.headers.contains_key(header));
    let keys = match (provider.keys.len(), provider.key_order) {
        (0, _) if !authorized => "without a key".to_owned(),
        (0 | 1, _) => "with a key".to_owned(),
        (several, KeyOrder::RoundRobin) => format!("{several} keys in turn"),
        (several, KeyOrder::InOrder) => format!("{several} keys, the first that can be used"),
    };
    writeln!(out, "provider {}: {}, {keys}", provider.name, mask(&provider.base_url.to_string()))?;
    if let Some(limits) = requests(provider.quota) {
        writeln!(out, "  limits: {limits}")?;
    }
    for key in &provider.keys {
        if let Some(limits) = requests(key.quota) {
            writeln!(out, "  limits of `{}`: {limits}", mask(&key.name))?;
        }
    }
    write_connections(&provider.connections, out)
}

fn write_connections(connections: &Connections, out: &mut String) -> fmt::Result {
    let Connections { most, proxy, authorities } = connections;
    if let Some(most) = most {
        writeln!(out, "  at most {} at once", counted(most.get(), "attempt"))?;
    }
    if let Some(proxy) = proxy {
        let whose = proxy.variable().map_or_else(String::new, |variable| format!(", as `{variable}` says"));
        writeln!(out, "  over the proxy {}{whose}", mask(&proxy.to_string()))?;
    }
    if let Some(authorities) = authorities {
        let count =
            counted(u32::try_from(authorities.certificates().len()).unwrap_or(u32::MAX), "certificate");
        writeln!(out, "  trusts {count} of {} beside the machine's", mask(authorities.path()))?;
    }
    Ok(())
}

/// What becomes of the models that a provider lists.
pub(super) fn write_source(source: &Source, provider: &str, out: &mut String) -> fmt::Result {
    let every = Words(source.every);
    let Some(offer) = &source.offer else {
        return writeln!(
            out,
            "  its list of models is fetched every {every}, for the chains that look there"
        );
    };
    let Offer { filter, prefix, suffix, direct } = offer;
    let names = if prefix.is_empty() && suffix.is_empty() {
        String::new()
    } else {
        format!(", called \"{prefix}…{suffix}\"")
    };
    writeln!(out, "  routes: {}, as listed every {every}{names}", filter.words(None, provider))?;
    let Policy { deadline, .. } = direct.policy;
    writeln!(
        out,
        "  each {}{}; deadline {}",
        schedule(&direct.policy),
        afresh(&direct.policy),
        Words(deadline)
    )
}

/// The requests that are allowed, if they are limited.
fn requests(quota: Quota) -> Option<String> {
    let limit = |most: Option<NonZeroU32>, time| {
        most.map(|most| format!("{} a {time}", counted(most.get(), "request")))
    };
    let limits = [limit(quota.requests_per_minute, "minute"), limit(quota.requests_per_day, "day")];
    let limits: Vec<_> = limits.into_iter().flatten().collect();
    (!limits.is_empty()).then(|| limits.join(", "))
}
