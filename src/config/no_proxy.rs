//! The list of hosts that are reached without a proxy, as in `NO_PROXY`.

use std::net::IpAddr;

/// Hosts that are reached without a proxy. What the signs mean is as with curl.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoProxy(Vec<Rule>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    hosts: Hosts,
    /// The only port it is about, if it is about one.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    /// Every host there is.
    All,
    /// A name and whatever is below it, in lower case.
    Name(String),
    /// The addresses that share so many leading bits with this one.
    Network(IpAddr, u32),
}

impl NoProxy {
    /// Reads a list with commas or white space between its members: names, which stand for all below them,
    /// too, with or without a dot before them; addresses; networks such as `10.0.0.0/8`; `*` for all. A name
    /// or an address may have a port.
    pub fn parse(text: &str) -> Self {
        let words = text.split(|char: char| char == ',' || char.is_whitespace());
        Self(words.filter(|word| !word.is_empty()).filter_map(Rule::parse).collect())
    }

    /// Whether `host` is reached without a proxy at `port`.
    pub fn covers(&self, host: &str, port: u16) -> bool {
        let name = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        let address = name.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        self.0.iter().any(|rule| {
            let fits = match (&rule.hosts, address) {
                (Hosts::All, _) => true,
                (Hosts::Network(network, bits), Some(address)) => shares(*network, address, *bits),
                (Hosts::Name(suffix), None) => is_below(&name, suffix),
                (Hosts::Network(..), None) | (Hosts::Name(_), Some(_)) => false,
            };
            fits && rule.port.is_none_or(|only| only == port)
        })
    }
}

impl Rule {
    fn parse(word: &str) -> Option<Self> {
        if word == "*" {
            return Some(Self { hosts: Hosts::All, port: None });
        }
        if let Some(hosts) = network(word) {
            return Some(Self { hosts, port: None });
        }
        let (host, port) = match word.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (word, None),
        };
        let hosts = network(host).or_else(|| {
            let name = host.strip_prefix('*').unwrap_or(host).trim_matches('.').to_ascii_lowercase();
            (!name.is_empty() && !name.contains('/')).then_some(Hosts::Name(name))
        })?;
        Some(Self { hosts, port })
    }
}

/// An address or a network.
fn network(word: &str) -> Option<Hosts> {
    let (address, bits) = match word.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
        None => (word, None),
    };
    let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(most);
    (bits <= most).then_some(Hosts::Network(address, bits))
}

fn shares(network: IpAddr, address: IpAddr, bits: u32) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let differing = network.to_bits() ^ address.to_bits();
            differing.leading_zeros() >= bits
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let differing = network.to_bits() ^ address.to_bits();
            differing.leading_zeros() >= bits
        }
        _ => false,
    }
}

fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests;
