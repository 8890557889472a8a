//! What a head says to the connection that it came over, and to nobody behind it.

use http::Version;

use super::numbers::number;

/// The lines of a head about the message itself: where its body ends, and whether another one may follow.
///
/// They are read where they stand and go into no map: whoever answers has no use for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hop {
    length: Option<Length>,
    codings: Option<Codings>,
    closes: bool,
    keeps: bool,
}

/// What all lines say together of the length of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// It has so many bytes.
    Bytes(u64),
    /// No number, or not the same one everywhere.
    Invalid,
}

/// The transfer codings of the body, of all lines together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codings {
    /// How many there are.
    pub count: usize,
    /// The last one is the chunked coding.
    pub ends_chunked: bool,
}

impl Hop {
    /// Takes a line of the head, if it is one of them; says whether it was.
    pub fn take(&mut self, name: &str, value: &[u8]) -> bool {
        match name.len() {
            10 if name.eq_ignore_ascii_case("connection") => self.connection(value),
            14 if name.eq_ignore_ascii_case("content-length") => self.content_length(value),
            17 if name.eq_ignore_ascii_case("transfer-encoding") => self.transfer_encoding(value),
            _ => return false,
        }
        true
    }

    fn connection(&mut self, value: &[u8]) {
        for option in split(value) {
            self.closes |= option.eq_ignore_ascii_case(b"close");
            self.keeps |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn content_length(&mut self, value: &[u8]) {
        for item in split(value) {
            let length = number(item).map_or(Length::Invalid, Length::Bytes);
            self.length = match self.length {
                Some(other) if other != length => Some(Length::Invalid),
                _ => Some(length),
            };
        }
    }

    fn transfer_encoding(&mut self, value: &[u8]) {
        for coding in split(value) {
            let count = self.codings.map_or(0, |codings| codings.count) + 1;
            let ends_chunked = coding.eq_ignore_ascii_case(b"chunked");
            self.codings = Some(Codings { count, ends_chunked });
        }
    }

    /// How long the body is, if that was said.
    pub fn length(&self) -> Option<Length> {
        self.length
    }

    /// How the body is coded, if it is.
    pub fn codings(&self) -> Option<Codings> {
        self.codings
    }

    /// Whether whoever sent the head, in this `version`, wants the connection to go on after the message.
    pub fn keeps_alive(&self, version: Version) -> bool {
        !self.closes && (self.keeps || version == Version::HTTP_11)
    }
}

/// The items on one line of a list.
pub fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hop(lines: &[(&str, &str)]) -> Hop {
        let mut hop = Hop::default();
        for (name, value) in lines {
            assert!(hop.take(name, value.as_bytes()), "{name}");
        }
        hop
    }

    #[test]
    fn other_lines_are_left() {
        let mut hop = Hop::default();
        for name in
            ["", "host", "content-type", "content-lengths", "transfer_encoding", "connections", "upgrade"]
        {
            assert!(!hop.take(name, b"close"), "{name}");
        }
        assert_eq!(hop, Hop::default());
        assert_eq!((hop.length(), hop.codings()), (None, None));
    }

    #[test]
    fn lengths_have_to_be_one() {
        let length = |values: &[&str]| {
            hop(&values.iter().map(|value| ("Content-Length", *value)).collect::<Vec<_>>()).length()
        };
        for values in [&["5"][..], &["5, 5"], &["5", "05"]] {
            assert_eq!(length(values), Some(Length::Bytes(5)), "{values:?}");
        }
        for values in [&[""][..], &["5,"], &["+5"], &["5", "6"], &["5", "6", "6"], &["x", "5"], &["x", "x"]] {
            assert_eq!(length(values), Some(Length::Invalid), "{values:?}");
        }
    }

    #[test]
    fn codings_are_counted() {
        for (values, count, ends_chunked) in [
            (&["chunked"][..], 1, true),
            (&["Gzip, CHUNKED "], 2, true),
            (&["gzip", "chunked"], 2, true),
            (&["chunked", "gzip"], 2, false),
            (&["chunked,"], 2, false),
            (&[""], 1, false),
        ] {
            let lines: Vec<_> = values.iter().map(|value| ("TRANSFER-encoding", *value)).collect();
            assert_eq!(hop(&lines).codings(), Some(Codings { count, ends_chunked }), "{values:?}");
        }
    }

    #[test]
    fn who_wants_to_go_on() {
        for (values, old, new) in [
            (&[][..], false, true),
            (&["close"], false, false),
            (&["x, Close"], false, false),
            (&["Keep-Alive"], true, true),
            (&["keep-alive", "close"], false, false),
            (&["close", "keep-alive"], false, false),
            (&["upgrade"], false, true),
        ] {
            let lines: Vec<_> = values.iter().map(|value| ("connection", *value)).collect();
            let keeps = |version| hop(&lines).keeps_alive(version);
            assert_eq!((keeps(Version::HTTP_10), keeps(Version::HTTP_11)), (old, new), "{values:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
        #[test]
        fn a_list_means_the_same_on_one_line_and_on_many(
            name in prop_oneof![Just("connection"), Just("content-length"), Just("transfer-encoding")],
            values in proptest::collection::vec("[ 0-2a]{0,2}|close|chunked|gzip|keep-alive", 1..5),
        ) {
            let many: Vec<_> = values.iter().map(|value| (name, value.as_str())).collect();
            let one = values.join(",");

            prop_assert_eq!(hop(&many), hop(&[(name, &one)]));
        }
    }
}
