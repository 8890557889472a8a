use proptest::prelude::*;

use super::*;

#[test]
fn the_ends_are_whole() {
    for value in [0, 9, 10, 99, 100, u64::MAX - 1, u64::MAX] {
        assert_eq!(Digits::of(value).as_str(), value.to_string());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
    #[test]
    fn they_are_what_a_format_prints(value in any::<u64>(), shift in 0..64_u32) {
        let value = value >> shift;
        let digits = Digits::of(value);
        prop_assert_eq!(digits.as_str(), value.to_string());
    }
}
