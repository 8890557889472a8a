//! The texts of small configurations.

use std::fmt::Write as _;

use backstop::sim::Provider;

/// One attempt on each candidate, unless the table of a route says otherwise.
pub const ONCE: &str = "[retry]\nattempts_per_burst = 1\nbursts_per_cycle = 1\ncycles = 1\n";

/// Route `r`, whose only candidate is model `m` of `provider`, called `p`, asked once.
pub fn route_to(provider: &Provider) -> String {
    ONCE.to_owned() + &route([provider.base_url()], "")
}

/// Route `r` over the model `m` of providers at these URLs, called `p`, `q` and so on.
///
/// `rest` goes on where the table of the route stands: keys of the route, then other tables.
pub fn route<U: AsRef<str>>(base_urls: impl IntoIterator<Item = U>, rest: &str) -> String {
    let mut text = String::new();
    let mut chain = Vec::new();
    for (name, base_url) in ('p'..='z').zip(base_urls) {
        text += &provider(name, base_url.as_ref());
        chain.push(format!("\"{name}/m\""));
    }
    let _ = writeln!(text, "[routes.r]\nchain = [{}]\n{rest}", chain.join(", "));
    text
}

/// The part of a configuration that names these providers.
pub fn providers(named: &[(&str, &Provider)]) -> String {
    named.iter().map(|(name, at)| provider(name, &at.base_url())).collect()
}

fn provider(name: impl std::fmt::Display, base_url: &str) -> String {
    format!("[providers.{name}]\nbase_url = \"{base_url}\"\n")
}
