//! How connections to a provider are made.

use std::num::NonZeroU32;

use super::Validation;
use crate::config::Connections;
use crate::config::file::ProviderTable;

impl Validation<'_> {
    /// What `table` says about connections.
    pub(super) fn connections(&mut self, table: &ProviderTable) -> Connections {
        Connections { most: table.max_connections.as_ref().and_then(|most| NonZeroU32::new(*most.value())) }
    }
}
