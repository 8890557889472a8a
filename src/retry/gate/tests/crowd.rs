//! Many callers and a provider that says 429 for a while, in virtual time.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;

const CALLERS: usize = 50;
const STEP: u64 = 10;

/// When the provider answers again, in milliseconds.
const RECOVERY: u64 = 3_000;

#[derive(Debug, Clone, Copy)]
enum Caller {
    /// Until its own schedule says so.
    Pausing(u64),
    Queueing(u64),
    /// Until the provider says 429, or the first payload comes.
    Asking {
        passage: Passage,
        answer: bool,
        at: u64,
    },
    /// Until its answer is complete.
    Reading {
        passage: Passage,
        at: u64,
    },
    Done,
}

struct Seen {
    /// When each attempt was sent.
    attempts: Vec<u64>,
    /// When the last first payload came.
    answered: u64,
}

fn play(seed: u64, latency: std::ops::Range<u64>, delay: std::ops::Range<u64>) -> Seen {
    let mut generator = SmallRng::seed_from_u64(seed);
    let mut gate = Gate::default();
    let mut callers = [Caller::Pausing(0); CALLERS];
    let mut seen = Seen { attempts: Vec::new(), answered: 0 };
    let mut now = 0;
    while callers.iter().any(|caller| !matches!(caller, Caller::Done)) {
        assert!(now < 60_000, "{seed}: someone waits for ever: {callers:?}, {gate:?}");
        let mut wider = false;
        for (number, caller) in (0u64..).zip(&mut callers) {
            if let Caller::Pausing(until) = *caller
                && until <= now
            {
                *caller = Caller::Queueing(gate.arrive());
            }
            match *caller {
                Caller::Queueing(ticket) => {
                    if let Some(passage) = try_to_pass(&mut gate, ticket, number, millis(now)) {
                        seen.attempts.push(now);
                        let at = now + generator.random_range(latency.clone());
                        *caller = Caller::Asking { passage, answer: now >= RECOVERY, at };
                    }
                }
                Caller::Asking { passage, answer: true, at } if at <= now => {
                    wider |= gate.opened(passage);
                    seen.answered = now;
                    *caller = Caller::Reading { passage, at: now + 5_000 };
                }
                Caller::Asking { passage, answer: false, at } if at <= now => {
                    gate.rate_limited(passage, millis(now));
                    gate.ended(passage);
                    *caller = Caller::Pausing(now + generator.random_range(delay.clone()));
                }
                Caller::Reading { passage, at } if at <= now => {
                    gate.ended(passage);
                    *caller = Caller::Done;
                }
                _ => {}
            }
        }
        // Whoever pauses is told that the provider is back.
        if wider {
            for caller in &mut callers {
                if let Caller::Pausing(until) = caller {
                    *until = now;
                }
            }
        }
        now += STEP;
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_crowd_does_not_storm_and_is_answered_soon(seed: u64, quick: bool) {
        let latency = if quick { 1..20 } else { 20..300 };
        let seen = play(seed, latency, 500..4_000);
        let storm = seen.attempts.iter().filter(|at| **at < RECOVERY).count();
        prop_assert!(storm <= CALLERS * 6 / 5, "{storm} attempts");
        prop_assert!(seen.answered <= RECOVERY + 3_000, "the last answer came at {} ms", seen.answered);
    }

    #[test]
    fn nor_does_one_of_impatient_callers(seed: u64) {
        let seen = play(seed, 1..50, 10..100);
        let storm = seen.attempts.iter().filter(|at| **at < RECOVERY).count();
        prop_assert!(storm <= CALLERS * 6 / 5, "{storm} attempts");
        prop_assert!(seen.answered <= RECOVERY + 3_000, "the last answer came at {} ms", seen.answered);
    }
}
