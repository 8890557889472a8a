use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

#[test]
fn who_is_reached_without_a_proxy() {
    let list =
        "example.org, .dotted.test,*.starred.test;bad,10.0.0.0/8 192.168.1.7,[fd00::]/8,::2,host:8080,";
    for (host, covered) in [
        ("example.org", true),
        ("EXAMPLE.org.", true),
        ("api.example.org", true),
        ("badexample.org", false),
        ("example.org.evil.test", false),
        ("org", false),
        ("dotted.test", true),
        ("a.dotted.test", true),
        ("a.starred.test", false),
        ("10.255.0.1", true),
        ("11.0.0.1", false),
        ("192.168.1.7", true),
        ("192.168.1.70", false),
        ("fd12::3", true),
        ("[fd12::3]", true),
        ("fe80::1", false),
        ("::2", true),
        ("::ffff:10.0.0.1", true),
        ("host", true),
        ("other", false),
    ] {
        assert_eq!(NoProxy::parse(list).covers(host, 8080), covered, "{host}");
    }
}

#[test]
fn a_star_is_for_all_and_a_port_for_one() {
    assert!(NoProxy::parse("*").covers("anything.test", 443));
    assert!(NoProxy::parse("a, *").covers("::1", 443));
    assert!(!NoProxy::parse("").covers("anything.test", 443));
    assert!(NoProxy::parse("*.starred.test").covers("a.starred.test", 443));
    let list = NoProxy::parse("host:8080,10.0.0.1:81,[::1]:82");
    for (host, port, covered) in [
        ("host", 8080, true),
        ("host", 80, false),
        ("below.host", 8080, true),
        ("10.0.0.1", 81, true),
        ("10.0.0.1", 80, false),
        ("::1", 82, true),
        ("::1", 81, false),
    ] {
        assert_eq!(list.covers(host, port), covered, "{host}:{port}");
    }
}

#[test]
fn what_makes_no_sense_covers_nobody() {
    for word in ["10.0.0.0/33", "host:port", ".", "*.", "::/129", "/8", ":80"] {
        assert_eq!(NoProxy::parse(word), NoProxy::default(), "{word}");
    }
}

fn any_name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9]{0,5}(\\.[a-z][a-z0-9]{0,5}){0,3}"
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_list_is_read(list in ".{0,60}", host in ".{0,20}", port: u16) {
        NoProxy::parse(&list).covers(&host, port);
    }

    #[test]
    fn a_name_stands_for_itself_and_all_below_it(
        name in any_name(), below in "[a-z]{1,4}", dot in "\\.?", port: u16,
    ) {
        let list = NoProxy::parse(&format!("{dot}{name}"));
        let (inside, beside, above) =
            (format!("{below}.{name}"), format!("{below}{name}"), format!("{name}.{below}"));

        prop_assert!(list.covers(&name, port));
        prop_assert!(list.covers(&name.to_uppercase(), port));
        prop_assert!(list.covers(&inside, port));
        prop_assert!(!list.covers(&beside, port));
        prop_assert_eq!(list.covers(&above, port), above.ends_with(&format!(".{name}")));
    }

    #[test]
    fn a_longer_list_covers_no_less(
        first in any_name(), second in any_name(), host in any_name(), port: u16,
        between in prop_oneof![Just(","), Just(" "), Just(", "), Just(",,")],
    ) {
        let covers = |list: &str| NoProxy::parse(list).covers(&host, port);

        prop_assert_eq!(covers(&format!("{first}{between}{second}")), covers(&first) || covers(&second));
    }

    #[test]
    fn a_network_is_its_leading_bits(network: u32, address: u32, bits in 0u32..=32, wide: u128, near: u128) {
        let list = NoProxy::parse(&format!("{}/{bits}", Ipv4Addr::from_bits(network)));
        let same = bits == 0 || network >> (32 - bits) == address >> (32 - bits);
        prop_assert_eq!(list.covers(&Ipv4Addr::from_bits(address).to_string(), 1), same);

        let bits = bits * 4;
        let list = NoProxy::parse(&format!("[{}]/{bits}", Ipv6Addr::from_bits(wide)));
        let same = bits == 0 || wide >> (128 - bits) == near >> (128 - bits);
        let near = Ipv6Addr::from_bits(near);
        prop_assume!(near.to_ipv4_mapped().is_none());
        prop_assert_eq!(list.covers(&near.to_string(), 1), same);
    }
}
