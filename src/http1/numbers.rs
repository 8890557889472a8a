//! Numbers on the wire. The general reader and writer cost more than the rest of a line.

/// A number in nothing but decimal digits.
pub fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 { None } else { number.checked_mul(10)?.checked_add(digit.into()) }
    })
}

/// Adds the digits of `number` to `base`, which is 10 to 16.
pub fn push_number(to: &mut Vec<u8>, mut number: u64, base: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    while at == digits.len() || number > 0 {
        at -= 1;
        digits[at] = b"0123456789abcdef"[usize::try_from(number % base).unwrap_or_default()];
        number /= base;
    }
    to.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_but_digits_is_a_number() {
        for text in ["", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1_0", "١", "18446744073709551616"] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
        assert_eq!(number(b"0018446744073709551615"), Some(u64::MAX));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
        #[test]
        fn a_number_comes_back(number in prop_oneof![any::<u64>(), 0_u64..300]) {
            let mut digits = [Vec::new(), Vec::new()];
            push_number(&mut digits[0], number, 10);
            push_number(&mut digits[1], number, 16);

            prop_assert_eq!(super::number(&digits[0]), Some(number));
            prop_assert_eq!(&digits[0], &number.to_string().into_bytes());
            prop_assert_eq!(&digits[1], &format!("{number:x}").into_bytes());
        }
    }
}
