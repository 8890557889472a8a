//! The wait that a message names: "Please try again in 6m0s".

use std::time::Duration;

/// What stands before a wait. OpenAI, Groq and Google write `in`, Azure and Moonshot `after`, GitHub `wait`.
const LEADS: [&str; 5] = ["try again in ", "try again after ", "retry in ", "retry after ", "please wait "];

/// The wait that a message in lower case names first.
pub(super) fn wait(text: &str) -> Option<Duration> {
    let ends = LEADS.iter().filter_map(|lead| Some(text.find(lead)? + lead.len()));
    let mut ends: Vec<usize> = ends.collect();
    ends.sort_unstable();
    ends.into_iter().find_map(|end| total(&text[end..]))
}

/// The sum of the pairs of number and unit at the beginning of `text`: `7m12s`, `2 hours 5 minutes`.
fn total(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = None;
    while let Some((value, tail)) = number(rest) {
        let Some((scale, tail)) = unit(tail.trim_start_matches(' ')) else { break };
        sum = Some(sum.unwrap_or(0.0) + value * scale);
        rest = tail.trim_start_matches(' ');
    }
    Duration::try_from_secs_f64(sum?).ok()
}

fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// The seconds of the unit at the beginning of `text`.
fn unit(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(text.len());
    let scale = match &text[..end] {
        "d" | "day" | "days" => 86_400.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "ms" | "millisecond" | "milliseconds" => 1e-3,
        _ => return None,
    };
    Some((scale, &text[end..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_providers_write() {
        let table = [
            ("please try again in 20s. visit https://platform.openai.com", Some(20_000)),
            ("please try again in 320ms.", Some(320)),
            ("please try again in 6m0s.", Some(360_000)),
            ("please try again in 7m12s. visit", Some(432_000)),
            ("please try again in 9m38.016s. need more tokens?", Some(578_016)),
            ("please try again in 1h2m3s", Some(3_723_000)),
            ("please retry in 34.420861211s.", Some(34_420)),
            ("please retry after 6 seconds.", Some(6_000)),
            ("concurrency: 1, please try again after 1 seconds", Some(1_000)),
            ("please wait 57829 seconds before retrying.", Some(57_829_000)),
            ("try again in 2 hours 5 minutes.", Some(7_500_000)),
            ("please wait a moment, then retry in 5s", Some(5_000)),
            ("please try again in 0 seconds", Some(0)),
            ("please try again later", None),
            ("please retry after 6", None),
            ("please try again in 5 parsecs", None),
            ("please try again in a few minutes", None),
            ("please try again in 1.2.3s", None),
            ("wait 20s", None),
            ("", None),
        ];
        for (text, milliseconds) in table {
            assert_eq!(wait(text).map(|wait| wait.as_millis()), milliseconds, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn never_panics(text in prop_oneof!["\\PC{0,60}", "(please wait |retry in |[0-9.]{1,9}|[a-zµ]{1,3}| ){0,12}"]) {
            let _any = wait(&text);
        }

        #[test]
        fn reads_back_what_is_written(hours in 0u64..99, minutes in 0u64..60, seconds in 0u64..60) {
            let text = format!("rate limit reached. please try again in {hours}h{minutes}m{seconds}s.");
            prop_assert_eq!(wait(&text), Some(Duration::from_secs(hours * 3600 + minutes * 60 + seconds)));
        }
    }
}
