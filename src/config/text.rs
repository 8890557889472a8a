//! Durations, ranges and sizes as people write them.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;

use crate::retry::{DelayRange, Words};

/// The longest duration that is taken for meant.
const LONGEST: Duration = Duration::from_hours(24);
/// The largest size that is taken for meant.
const LARGEST: u64 = 16 << 30;

/// Why a text is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: &'static str,
    /// What to write instead.
    pub hint: &'static str,
}

const DURATION: &str = "write a number with its unit, such as `\"500ms\"`, `\"2s\"` or `\"1m30s\"`";
const RANGE: &str = "write one duration or two with `..` between, such as `\"60s\"` or `\"2s..4s\"`";
const SIZE: &str = "write a number of bytes, or text with a unit such as `\"100MB\"`";

/// Reads a duration such as `500ms` or `1m30s`, at most a day.
pub fn duration(text: &str) -> Result<Duration, Problem> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(Problem { message: "this duration has no unit", hint: DURATION });
    }
    let Ok(signed) = text.parse::<SignedDuration>() else {
        return Err(Problem { message: "this is not a duration", hint: DURATION });
    };
    let Ok(duration) = Duration::try_from(signed) else {
        return Err(Problem { message: "a duration cannot be negative", hint: DURATION });
    };
    if duration > LONGEST {
        return Err(Problem {
            message: "this duration is longer than a day",
            hint: "the longest is `\"24h\"`",
        });
    }
    Ok(duration)
}

/// Reads a duration that is not zero.
pub fn positive_duration(text: &str) -> Result<Duration, Problem> {
    match duration(text)? {
        Duration::ZERO => Err(Problem {
            message: "this duration cannot be zero",
            hint: "leave the key out for the built-in one, or write a longer one: the longest is `\"24h\"`",
        }),
        duration => Ok(duration),
    }
}

/// Reads a single duration, or a range such as `2s..4s`.
pub fn range(text: &str) -> Result<DelayRange, Problem> {
    let (min, max) = match text.split_once("..") {
        Some((min, max)) => (duration(min), duration(max)),
        None => (duration(text), duration(text)),
    };
    let problem = |problem: Problem| Problem { hint: RANGE, ..problem };
    DelayRange::try_new(min.map_err(problem)?, max.map_err(problem)?).ok_or(Problem {
        message: "this range ends before it begins",
        hint: "write the shorter duration first",
    })
}

/// Reads a size such as `100MB`, at least one byte.
pub fn size(text: &str) -> Result<usize, Problem> {
    let size: ByteSize =
        text.trim().parse().map_err(|_| Problem { message: "this is not a size", hint: SIZE })?;
    bytes(size.0)
}

/// Checks a number of bytes.
pub fn bytes(size: u64) -> Result<usize, Problem> {
    if size == 0 {
        return Err(Problem { message: "this size cannot be zero", hint: SIZE });
    }
    usize::try_from(size)
        .ok()
        .filter(|_| size <= LARGEST)
        .ok_or(Problem { message: "this size is larger than 16GiB", hint: SIZE })
}

/// A range as the configuration spells it: `2s..4s`, `1m`.
#[derive(Debug, Clone, Copy)]
pub struct RangeWords(pub DelayRange);

impl fmt::Display for RangeWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Words(self.0.min()))?;
        if self.0.max() > self.0.min() {
            write!(f, "..{}", Words(self.0.max()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_need_a_unit_and_a_sense() {
        for (text, expected) in [
            ("500ms", Ok(Duration::from_millis(500))),
            ("2s", Ok(Duration::from_secs(2))),
            ("9m", Ok(Duration::from_mins(9))),
            ("1m30s", Ok(Duration::from_secs(90))),
            ("1m 30s", Ok(Duration::from_secs(90))),
            ("1.5s", Ok(Duration::from_millis(1500))),
            ("0s", Ok(Duration::ZERO)),
            ("24h", Ok(Duration::from_hours(24))),
            ("25h", Err("this duration is longer than a day")),
            ("30", Err("this duration has no unit")),
            ("-2s", Err("a duration cannot be negative")),
            ("2s ago", Err("a duration cannot be negative")),
            ("soon", Err("this is not a duration")),
            ("", Err("this is not a duration")),
            ("99999999999999999999h", Err("this is not a duration")),
        ] {
            assert_eq!(duration(text).map_err(|problem| problem.message), expected, "{text}");
        }
        assert_eq!(positive_duration("0s").unwrap_err().message, "this duration cannot be zero");
    }

    #[test]
    fn ranges_run_forwards() {
        assert_eq!(RangeWords(range("2s..4s").unwrap()).to_string(), "2s..4s");
        assert_eq!(RangeWords(range("2s .. 4s").unwrap()).to_string(), "2s..4s");
        assert_eq!(RangeWords(range("60s").unwrap()).to_string(), "1m");
        assert_eq!(range("4s..2s").unwrap_err().message, "this range ends before it begins");
        assert_eq!(range("2..4").unwrap_err().message, "this duration has no unit");
        assert!(range("..").is_err() && range("1s..2s..3s").is_err());
    }

    #[test]
    fn sizes_have_units_or_not() {
        assert_eq!(size("100MB"), Ok(100_000_000));
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("4096"), Ok(4096));
        assert!(size("0").is_err() && size("much").is_err() && size("1EB").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_is_written_is_read(a in 0_u64..86_400_000, b in 0_u64..86_400_000) {
            let (min, max) = (Duration::from_millis(a.min(b)), Duration::from_millis(a.max(b)));
            prop_assert_eq!(duration(&Words(min).to_string()), Ok(min));

            let written = DelayRange::try_new(min, max).unwrap();
            prop_assert_eq!(range(&RangeWords(written).to_string()), Ok(written));
            if min < max {
                let reversed = format!("{}..{}", Words(max), Words(min));
                prop_assert!(range(&reversed).is_err());
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}|[0-9.hms \\-]{0,12}") {
            let _ = (duration(&text), range(&text), size(&text));
        }
    }
}
