//! How connections to a provider are made.

use std::num::NonZeroU32;

/// How connections to a provider are made.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    /// The most attempts that are under way at once; no limit if absent.
    pub most: Option<NonZeroU32>,
}
