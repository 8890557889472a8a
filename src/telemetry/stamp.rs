//! The time of a log line as JSON has it: to the microsecond, the same bytes that jiff prints.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

#[cfg(test)]
mod tests;

/// A second as text, up to its fraction. Thousands of lines share one, so it is printed once.
struct Second {
    number: u64,
    text: String,
}

thread_local! {
    static LATEST: RefCell<Second> = const { RefCell::new(Second { number: u64::MAX, text: String::new() }) };
}

/// Appends the time that it is, in UTC.
pub(super) fn now(line: &mut Vec<u8>) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    stamp(line, since.as_secs(), since.subsec_micros());
}

fn stamp(line: &mut Vec<u8>, second: u64, microsecond: u32) {
    LATEST.with_borrow_mut(|latest| {
        if latest.number != second {
            latest.turn_to(second);
        }
        line.extend_from_slice(latest.text.as_bytes());
    });
    let mut fraction = *b".000000Z";
    let mut rest = microsecond;
    for digit in fraction[1..7].iter_mut().rev() {
        *digit += u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    line.extend_from_slice(&fraction);
}

impl Second {
    #[cold]
    fn turn_to(&mut self, second: u64) {
        let time = i64::try_from(second).ok().and_then(|second| Timestamp::from_second(second).ok());
        self.text = format!("{:.0}", time.unwrap_or(Timestamp::MAX));
        self.text.pop();
        self.number = second;
    }
}
