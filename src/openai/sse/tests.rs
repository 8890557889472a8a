use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::openai::testing::cases;

/// What a reader makes of an event.
type Reading = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

fn read(block: &[u8]) -> Vec<Reading> {
    events(block)
        .map(|event| {
            let data = event.data().map(Cow::into_owned);
            (event.raw.to_vec(), data, event.name().map(<[u8]>::to_vec))
        })
        .collect()
}

fn cut(bytes: &[u8], sizes: &[usize]) -> (Vec<Bytes>, Bytes) {
    let mut splitter = EventSplitter::default();
    let mut blocks = Vec::new();
    let mut rest = Bytes::copy_from_slice(bytes);
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let size = sizes.next().map_or(rest.len(), |size| *size.min(&rest.len()));
        blocks.extend(splitter.push(rest.split_to(size)));
    }
    (blocks, splitter.finish())
}

fn single(event: &str) -> Event<'_> {
    let mut events = events(event.as_bytes());
    let first = events.next().unwrap();
    assert_eq!(events.next(), None, "{event:?}");
    first
}

#[test]
fn reads_fields() {
    let table: [(&str, Option<&str>, Option<&str>); 17] = [
        ("data: a\n\n", Some("a"), None),
        ("data:a\r\n\r\n", Some("a"), None),
        ("data:  a \r\r", Some(" a "), None),
        ("data: a\ndata:b\r\ndata\rdata: c\n\n", Some("a\nb\n\nc"), None),
        ("data\n\n", Some(""), None),
        ("data:\n\n", Some(""), None),
        ("event: error\ndata: {}\nid: 1\n\n", Some("{}"), Some("error")),
        ("data: {}\nevent:a\nevent: b\n\n", Some("{}"), Some("b")),
        ("event: ping\n\n", None, Some("ping")),
        (": ping\n\n", None, None),
        (":\n:\n\n", None, None),
        (": ping\ndata: a\n\n", Some("a"), None),
        ("\n", None, None),
        (" data: a\n\n", None, None),
        ("database: a\n\n", None, None),
        ("\u{feff}data: a\n\n", None, None),
        ("data: no end", Some("no end"), None),
    ];
    for (text, data, name) in table {
        let event = single(text);
        assert_eq!(event.data().as_deref(), data.map(str::as_bytes), "{text:?}");
        assert_eq!(event.name(), name.map(str::as_bytes), "{text:?}");
        assert_eq!(event.range(), 0..text.len(), "{text:?}");
    }
    assert!(matches!(single("data: a\n\n").data(), Some(Cow::Borrowed(_))));
}

#[test]
fn gives_whole_events_at_once_and_without_a_copy() {
    let mut splitter = EventSplitter::default();
    let frame = Bytes::from_static(b"data: 1\n\n: ping\n\ndata: 2\n\ndata: ");

    let block = splitter.push(frame.clone()).unwrap();

    assert_eq!(block, frame[..frame.len() - 6]);
    assert_eq!(block.as_ptr(), frame.as_ptr());
    assert_eq!(splitter.held(), 6);
    assert_eq!(splitter.push(Bytes::from_static(b"3\n")), None);
    assert_eq!(splitter.push(Bytes::from_static(b"\n")).unwrap(), "data: 3\n\n");
    assert_eq!(splitter.held(), 0);
    assert_eq!(splitter.push(Bytes::from_static(b"data: cut")), None);
    assert_eq!(splitter.finish(), "data: cut");
    assert_eq!(splitter.held(), 0);
}

#[test]
fn a_last_cr_waits_for_its_lf() {
    let mut splitter = EventSplitter::default();
    assert_eq!(splitter.push(Bytes::from_static(b"data: 1\r\n\r")), None);
    assert_eq!(splitter.push(Bytes::new()), None);
    assert_eq!(splitter.push(Bytes::from_static(b"\ndata: 2\r\r")).unwrap(), "data: 1\r\n\r\n");
    assert_eq!(splitter.push(Bytes::from_static(b"data: 3")).unwrap(), "data: 2\r\r");
    assert_eq!(splitter.finish(), "data: 3");
}

#[test]
fn a_big_event_in_small_frames_is_scanned_once() {
    let mut splitter = EventSplitter::default();
    let frame = Bytes::from(vec![b'x'; 64]);
    for _ in 0..100_000 {
        assert_eq!(splitter.push(frame.clone()), None);
    }
    assert_eq!(splitter.held(), 6_400_000);
    assert_eq!(splitter.push(Bytes::from_static(b"\n\n")).unwrap().len(), 6_400_002);
}

#[test]
fn writes_events() {
    assert_eq!(data_event(r#"{"a":1}"#), "data: {\"a\":1}\n\n");
    assert_eq!(data_event("{\n\"a\":\r\n1}"), "data: { \"a\":  1}\n\n");
    assert_eq!(comment("waiting"), ": waiting\n\n");
    assert_eq!(comment("a\nb\r\n"), ": a b  \n\n");
    assert_eq!(read(DONE), [(DONE.to_vec(), Some(b"[DONE]".to_vec()), None)]);
}

#[test]
fn fixtures_survive_any_frame_size() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sse");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "sse") {
            continue;
        }
        seen += 1;
        let bytes = fs::read(&path).unwrap();
        let whole = read(&bytes);
        assert!(whole.len() > 2, "{path:?}");
        for size in [1, 2, 3, 7, 64, 1000, bytes.len()] {
            let (blocks, rest) = cut(&bytes, &[size]);
            assert_eq!(rest, "", "{path:?}");
            assert_eq!(blocks.concat(), bytes, "{path:?}");
            assert_eq!(blocks.iter().flat_map(|block| read(block)).collect::<Vec<_>>(), whole, "{path:?}");
        }
    }
    assert!(seen >= 10);
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn the_events_do_not_depend_on_the_split(
        bytes in prop_oneof![
            "(data|event|:|a|: |\n|\r|\r\n|\n\n|\u{feff}){0,24}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..60),
        ],
        sizes in prop::collection::vec(0_usize..9, 1..9).prop_map(|mut sizes| { sizes.push(1); sizes }),
    ) {
        let (blocks, rest) = cut(&bytes, &sizes);

        prop_assert_eq!([&*blocks.concat(), &*rest].concat(), bytes.clone());
        let mut pieces: Vec<_> = blocks.iter().flat_map(|block| read(block)).collect();
        pieces.extend(read(&rest));
        prop_assert_eq!(&pieces, &read(&bytes));
        prop_assert_eq!(pieces.into_iter().flat_map(|(raw, ..)| raw).collect::<Vec<_>>(), bytes.clone());
        for block in &blocks {
            prop_assert!(block.ends_with(b"\n") || block.ends_with(b"\r"));
            let mut splitter = EventSplitter::default();
            let ends = splitter.push([&**block, b"x"].concat().into());
            prop_assert_eq!(ends.as_ref(), Some(block), "a block ends with an event");
        }
    }

    #[test]
    fn nothing_whole_is_held(bytes in "(data: a\n\n|: b\r\n\r\n|x){0,9}") {
        let mut splitter = EventSplitter::default();
        let block = splitter.push(bytes.clone().into()).unwrap_or_default();
        prop_assert_eq!(splitter.held(), bytes.len() - block.len());
        prop_assert!(!splitter.finish().windows(2).any(|pair| pair == b"\n\n"));
    }

    #[test]
    fn fields_are_what_stands_before_a_colon(
        lines in prop::collection::vec("(data|event|dat|datax|id|)(:|: |::|)(data:|event|a| |){0,2}", 0..8),
        ending in prop::sample::select(&["\n", "\r", "\r\n"][..]),
    ) {
        let block = lines.join(ending);
        for event in events(block.as_bytes()) {
            let raw = str::from_utf8(event.raw).unwrap();
            let fields = raw.split(['\r', '\n']).filter(|line| !line.is_empty()).map(|line| {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                (name, value.strip_prefix(' ').unwrap_or(value))
            });
            let of = |wanted| {
                fields.clone().filter(|(name, _)| *name == wanted).map(|(_, value)| value).collect::<Vec<_>>()
            };
            let data = of("data");
            let data = (!data.is_empty()).then(|| data.join("\n").into_bytes());
            prop_assert_eq!(event.data().map(Cow::into_owned), data);
            prop_assert_eq!(event.name(), of("event").last().map(|name| name.as_bytes()));
        }
    }
}
