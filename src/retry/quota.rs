//! How many requests a provider or a key allows, and when the next one fits.

use std::num::NonZeroU32;

/// The requests that a provider or a key allows; without a number there is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// In any 60 seconds.
    pub requests_per_minute: Option<NonZeroU32>,
    /// In a day of UTC.
    pub requests_per_day: Option<NonZeroU32>,
}
