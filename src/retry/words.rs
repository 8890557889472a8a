//! How times are written for people.

use std::fmt;
use std::time::Duration;

/// A duration as a person writes it, in logs, errors and reports alike: `490ms`, `1.5s`, `18s`,
/// `2m45s`, `1h`. The configuration reads it back as it was, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words(pub Duration);

impl Words {
    /// `duration` for a glance: tenths of a second below ten seconds, whole seconds from there on.
    pub fn about(duration: Duration) -> Self {
        let step = match duration.as_secs() {
            0 => 1,
            1..10 => 100,
            _ => 1000,
        };
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(Duration::from_millis(millis - millis % step))
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        match (seconds, millis) {
            (0, 0) => return f.write_str("0s"),
            (0, _) => return write!(f, "{millis}ms"),
            _ => {}
        }
        for (number, unit) in [(seconds / 3600, "h"), (seconds / 60 % 60, "m")] {
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        let second = seconds % 60;
        match (second, millis) {
            (0, 0) => Ok(()),
            (_, 0) => write!(f, "{second}s"),
            _ => write!(f, "{second}.{}s", format!("{millis:03}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_a_person_would_write_it() {
        for (millis, exact, about) in [
            (0, "0s", "0s"),
            (1, "1ms", "1ms"),
            (490, "490ms", "490ms"),
            (1_000, "1s", "1s"),
            (1_001, "1.001s", "1s"),
            (1_590, "1.59s", "1.5s"),
            (18_700, "18.7s", "18s"),
            (60_000, "1m", "1m"),
            (60_500, "1m0.5s", "1m"),
            (165_000, "2m45s", "2m45s"),
            (3_600_000, "1h", "1h"),
            (3_661_000, "1h1m1s", "1h1m1s"),
        ] {
            let duration = Duration::from_millis(millis);
            assert_eq!(Words(duration).to_string(), exact);
            assert_eq!(Words::about(duration).to_string(), about);
        }
    }
}
