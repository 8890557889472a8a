//! The first stream ends anywhere.

use std::time::Duration;

use backstop::sim::Encoding;

use super::*;

/// Asks once for each act of the first provider; nothing rests.
async fn all(acts: Vec<Act>, way: Way) -> usize {
    let count = acts.len();
    let keys = "cooldown = { enabled = false }\ntimeouts = { first_token = \"250ms\", idle = \"250ms\" }\n";
    let good = if way == Prefill { Act::completes(WHOLE) } else { Act::answer(WHOLE) };
    let stage = Stage::new(Script::exactly(acts), good, way, keys).await;
    let mut open_ended = 0;
    for at in 0..count {
        match stage.ask().await {
            Got::Whole(text) => assert_eq!(text, WHOLE, "{way:?} at {at}"),
            // All was said but that it is all, and whoever goes on has nothing to say.
            Got::Broken { text, message, .. } if way == Prefill => {
                assert_eq!(text, WHOLE, "{way:?} at {at}: {message}");
                assert!(message.contains("empty - a stream with nothing in it"), "{message}");
                open_ended += 1;
            }
            got => panic!("{way:?} at {at}: {got:?}"),
        }
    }
    assert_eq!((stage.bad.check(), stage.good.unexpected()), (Ok(()), 0));
    stage.close().await;
    open_ended
}

/// The length of the streamed answer, encoded or not.
async fn length(act: Act) -> usize {
    let provider = Provider::start(act).unwrap();
    let address = provider.address();
    let mut answer = Call::stream("m").send(address).await;
    answer.rest().await.0.len()
}

#[tokio::test]
async fn at_every_byte() {
    let whole = Act::answer(WHOLE);
    let length = length(whole.clone()).await;
    for way in [Afresh, Prefill] {
        let acts = (0..length).map(|at| whole.clone().cut_bytes(at).then(Finish::Eof)).collect();
        let open_ended = all(acts, way).await;
        assert!(open_ended < 300, "{open_ended} of {length}");
    }
}

#[tokio::test]
async fn at_every_byte_of_what_is_compressed_and_comes_in_small_frames() {
    let whole = Act::answer(WHOLE).encode(Encoding::Gzip).split([7, 1, 30]);
    let length = length(whole.clone()).await;
    for way in [Afresh, Prefill] {
        let acts = (0..length).map(|at| whole.clone().cut_bytes(at).then(Finish::Eof)).collect();
        all(acts, way).await;
    }
}

#[tokio::test]
async fn after_every_event_in_every_way() {
    let finishes = [Finish::End, Finish::Eof, Finish::Reset, Finish::Stall, Finish::BrokenChunking];
    for way in [Afresh, Prefill] {
        let cut = |(events, finish)| Act::answer(WHOLE).cut_after(events).then(finish);
        let acts = (0..7).flat_map(|events| finishes.map(|finish| cut((events, finish)))).collect();
        all(acts, way).await;
    }
}

#[tokio::test]
async fn again_and_again() {
    let log = Log::begin();
    // Each says two words more than the one before, and is then cut.
    let each: Vec<_> = (1..=3).map(|n| Provider::start(cut(2 * n - 1)).unwrap()).collect();
    let last = Provider::start(Act::answer(WHOLE).pace(Duration::from_millis(1))).unwrap();
    let named = [("one", &each[0]), ("two", &each[1]), ("three", &each[2]), ("four", &last)];
    for order in ["depth", "breadth"] {
        let config = format!(
            "{ONCE}{}[routes.r]\norder = \"{order}\"\non_break = \"resume\"\ncooldown = {{ enabled = false }}\n\
             chain = [\"one/m\", \"two/m\", \"three/m\", \"four/m\"]\n",
            providers(&named)
        );
        let proxy = proxy(&config).await;

        let got = Got::read(Call::stream("r").send(proxy.address).await).await;

        assert_eq!(got, Got::Whole(WHOLE.to_owned()));
        proxy.stop().await;
    }
    log.ended(2).await;
    assert!(log.access().iter().all(|line| line["attempts"] == 4 && line["provider"] == "four"));
}
