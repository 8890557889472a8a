//! When a candidate that keeps failing is left alone, and how it comes back.

use std::num::NonZeroU32;
use std::time::Duration;

/// When and for how long a candidate rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooldown {
    /// Whether it ever does.
    pub enabled: bool,
    /// Failures in a row, over all requests, after which it rests.
    pub failures: NonZeroU32,
    /// The first rest; each further one is twice as long.
    pub rest: Duration,
    /// The longest rest, unless the provider itself asks for a longer one.
    pub rest_max: Duration,
}

impl Default for Cooldown {
    fn default() -> Self {
        Self {
            enabled: true,
            failures: NonZeroU32::new(5).unwrap_or(NonZeroU32::MIN),
            rest: Duration::from_secs(2),
            rest_max: Duration::from_secs(12),
        }
    }
}
