//! Which line is shown when: one a second at most, and the newest always in the end.

use std::time::Duration;

/// Between two lines: each is a write to the database of whoever shows it.
pub const PACE: Duration = Duration::from_secs(1);

/// Holds lines back until their time has come; a newer one takes the place of an older one that waits.
///
/// Times are counted from the beginning of the request, and never run backwards.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    /// The newest line, as long as it has not been shown, and when it is due.
    newest: Option<(String, Duration)>,
    /// When the latest line was shown.
    shown: Option<Duration>,
    /// That line, if it says that it goes on.
    stands: Option<String>,
}

impl Pacer {
    /// A new line, worth showing at once.
    pub(super) fn say(&mut self, line: String, now: Duration) {
        self.keep(line, now);
    }

    /// A new line that is worth showing once it, or what it replaces, has been true for a while; at once if a
    /// line is shown that it replaces.
    pub(super) fn say_if_it_lasts(&mut self, line: String, now: Duration) {
        let from = if self.stands.is_some() { now } else { now + PACE };
        self.keep(line, from);
    }

    fn keep(&mut self, line: String, from: Duration) {
        let due = self.shown.map_or(from, |shown| from.max(shown + PACE));
        // One that takes the place of another keeps its turn, or many short ones would never have one.
        let due = self.newest.as_ref().map_or(due, |(_, turn)| due.min(*turn));
        self.newest = (self.stands.as_ref() != Some(&line)).then_some((line, due));
    }

    /// Whether something has been said that is not over.
    pub(super) fn speaks(&self) -> bool {
        self.stands.is_some() || self.newest.is_some()
    }

    /// When the newest line is to be shown, if it has not been.
    pub(super) fn due(&self) -> Option<Duration> {
        self.newest.as_ref().map(|(_, due)| *due)
    }

    /// The line to show now.
    pub(super) fn take(&mut self, now: Duration) -> Option<String> {
        let (line, _) = self.newest.take_if(|(_, due)| *due <= now)?;
        self.shown = Some(now);
        self.stands = Some(line.clone());
        Some(line)
    }

    /// Nothing that was said is worth showing any more. Whether a last line is to be shown now, whatever the
    /// pace: if it is `wanted`, or if one is shown that says it goes on.
    pub(super) fn close(&mut self, now: Duration, wanted: bool) -> bool {
        self.newest = None;
        let last = self.stands.take().is_some() || wanted;
        if last {
            self.shown = Some(now);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_newest_waits_its_turn() {
        let mut pacer = Pacer::default();
        pacer.say("a".into(), at(100));
        assert_eq!((pacer.due(), pacer.take(at(100))), (Some(at(100)), Some("a".into())));
        pacer.say("b".into(), at(300));
        pacer.say_if_it_lasts("c".into(), at(400));
        assert_eq!((pacer.due(), pacer.take(at(1_099))), (Some(at(1_100)), None));
        assert_eq!((pacer.take(at(1_100)), pacer.due()), (Some("c".into()), None));
        assert!(pacer.close(at(1_200), false));
        assert!(!pacer.close(at(1_200), false), "it is closed");
        pacer.say("d".into(), at(1_300));
        assert_eq!(pacer.due(), Some(at(2_200)), "the last line counts too");
    }

    #[test]
    fn what_is_over_within_a_second_is_never_said() {
        let mut pacer = Pacer::default();
        pacer.say_if_it_lasts("a".into(), at(0));
        assert_eq!((pacer.take(at(999)), pacer.due()), (None, Some(at(1_000))));
        assert!(!pacer.close(at(999), false));
        assert_eq!(pacer.due(), None);
    }

    #[test]
    fn many_short_lines_have_a_turn_between_them() {
        let mut pacer = Pacer::default();
        for (line, now) in [("a", 0), ("b", 400), ("c", 900)] {
            pacer.say_if_it_lasts(line.into(), at(now));
        }
        assert_eq!((pacer.due(), pacer.take(at(1_000))), (Some(at(1_000)), Some("c".into())));
    }

    #[test]
    fn a_line_that_stands_there_is_not_said_again() {
        let mut pacer = Pacer::default();
        for now in [0, 2_000, 4_000] {
            pacer.say("a".into(), at(now));
            assert_eq!(pacer.take(at(now)).is_some(), now == 0);
        }
        pacer.say("b".into(), at(5_000));
        pacer.say("a".into(), at(5_000));
        assert_eq!((pacer.take(at(9_000)), pacer.speaks()), (None, true));
        assert!(pacer.close(at(9_000), false) && !pacer.speaks());
        pacer.say("a".into(), at(10_000));
        assert_eq!(pacer.take(at(10_000)), Some("a".into()), "it is a new one");
    }

    #[derive(Debug, Clone)]
    enum Happens {
        Say,
        SayIfItLasts,
        Look,
        Close { wanted: bool },
    }

    fn happens() -> impl Strategy<Value = (u64, Happens)> {
        let what = prop_oneof![
            3 => Just(Happens::Say),
            3 => Just(Happens::SayIfItLasts),
            6 => Just(Happens::Look),
            1 => any::<bool>().prop_map(|wanted| Happens::Close { wanted }),
        ];
        (0u64..1_500, what)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
        #[test]
        fn never_two_within_a_second_and_the_newest_is_never_lost(
            story in prop::collection::vec(happens(), 0..60),
        ) {
            let (mut pacer, mut now, mut number) = (Pacer::default(), Duration::ZERO, 0);
            let (mut newest, mut latest, mut open): (Option<String>, Option<Duration>, bool) = (None, None, false);
            for (millis, what) in story {
                now += at(millis);
                match what {
                    Happens::Say | Happens::SayIfItLasts => {
                        number += 1;
                        let line = number.to_string();
                        let turn = pacer.due().unwrap_or(now + PACE);
                        newest = Some(line.clone());
                        match what {
                            Happens::Say => pacer.say(line, now),
                            _ => pacer.say_if_it_lasts(line, now),
                        }
                        let due = pacer.due().unwrap();
                        prop_assert!(due <= turn && due <= now + PACE);
                    }
                    Happens::Look => {
                        prop_assert_eq!(pacer.due().is_some(), newest.is_some());
                        let due = pacer.due().is_some_and(|due| due <= now);
                        let shown = pacer.take(now);
                        prop_assert_eq!(shown.is_some(), due);
                        if shown.is_some() {
                            prop_assert_eq!(shown, newest.take());
                            prop_assert!(latest.is_none_or(|latest| now >= latest + PACE));
                            (latest, open) = (Some(now), true);
                        }
                    }
                    Happens::Close { wanted } => {
                        prop_assert_eq!(pacer.close(now, wanted), open || wanted);
                        latest = if open || wanted { Some(now) } else { latest };
                        (newest, open) = (None, false);
                    }
                }
            }
            if let Some(due) = pacer.due() {
                prop_assert_eq!(pacer.take(due), newest);
            }
        }
    }
}
