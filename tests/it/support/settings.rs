//! The texts of small configurations.

use backstop::sim::Provider;

/// Route `r`, whose only candidate is model `m` of `provider`, asked once.
pub fn route_to(provider: &Provider) -> String {
    format!(
        "[providers.p]\nbase_url = \"{}\"\n\
         [retry]\nattempts_per_burst = 1\nbursts_per_cycle = 1\ncycles = 1\n\
         [routes.r]\nchain = [\"p/m\"]\n",
        provider.base_url()
    )
}

/// The part of a configuration that names these providers.
pub fn providers(named: &[(&str, &Provider)]) -> String {
    let table = |(name, provider): &(_, &Provider)| {
        format!("[providers.{name}]\nbase_url = \"{}\"\n", provider.base_url())
    };
    named.iter().map(table).collect()
}
