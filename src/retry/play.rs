//! A schedule played in virtual time: nobody waits, and only the attempts are made up.

use std::time::Duration;

use super::schedule::{Schedule, Send, Step, Stop};
use super::{DelayRange, Verdict};

/// An attempt that is played.
#[derive(Debug, Clone, Copy)]
pub struct Played {
    /// What the schedule says of it.
    pub send: Send,
    /// When it is sent, counted from the beginning of the request.
    pub at: Duration,
    /// Whether only one candidate could still be asked.
    pub alone: bool,
}

/// How a played attempt ends.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// After what time.
    pub took: Duration,
    /// What its failure means; `None` if it was an answer.
    pub verdict: Option<Verdict>,
}

/// Plays `schedule` from its first attempt until one is answered or none follows. `draw` picks a wait from
/// a range, `attempt` says how an attempt ends.
///
/// Gives the time of the end, and why there was no answer.
pub fn play(
    mut schedule: Schedule,
    draw: &mut dyn FnMut(DelayRange) -> Duration,
    attempt: &mut dyn FnMut(Played) -> Ending,
) -> (Duration, Option<Stop>) {
    let mut now = Duration::ZERO;
    let mut step = schedule.first();
    loop {
        let send = match step {
            Step::Send(send) => send,
            Step::Stop(stop) => return (now, Some(stop)),
        };
        now += send.wait;
        let ending = attempt(Played { send, at: now, alone: schedule.alone() });
        now += ending.took;
        let Some(verdict) = ending.verdict else {
            return (now, None);
        };
        step = schedule.after(verdict, now, draw);
    }
}
