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
