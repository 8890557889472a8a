use proptest::prelude::*;

use super::*;

fn text(second: u64, microsecond: u32) -> String {
    let mut text = Vec::new();
    stamp(&mut text, second, microsecond);
    String::from_utf8(text).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
    #[test]
    fn it_is_what_jiff_prints(second in 0..253_402_207_200_u64, later in 0..3_u64, microsecond in 0..1_000_000_u32) {
        // The same second, and one after another, on one thread.
        for second in [second, second, second + later] {
            let exact = i64::try_from(second).unwrap();
            let time = Timestamp::new(exact, i32::try_from(microsecond).unwrap() * 1000);
            prop_assume!(time.is_ok());
            prop_assert_eq!(text(second, microsecond), format!("{:.6}", time.unwrap()));
        }
    }
}

#[test]
fn a_clock_that_is_far_off_still_gives_a_time() {
    assert_eq!(text(u64::MAX - 1, 7), text(u64::MAX / 2, 7));
    assert_eq!(text(0, 0), "1970-01-01T00:00:00.000000Z");
}

#[test]
fn now_is_now() {
    let before = Timestamp::now();
    let mut text = Vec::new();
    now(&mut text);

    let text = String::from_utf8(text).unwrap();
    let time: Timestamp = text.parse().unwrap();
    let since = time.as_microsecond() - before.as_microsecond();
    assert!((0..60_000_000).contains(&since), "{before} {text}");
}
