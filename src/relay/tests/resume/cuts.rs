//! The first stream ends anywhere.

use proptest::prelude::*;

use super::*;

/// How the first stream ends.
const ENDS: [Option<Part>; 3] = [None, Some(Part::Fail), Some(Part::Hang)];

/// The text in the whole events among the first `length` bytes of `stream`; an end of the connection also
/// completes an event that lacks only its blank line.
fn delivered(stream: &str, length: usize, ends: bool) -> String {
    let mut text = String::new();
    let begun = String::from_utf8_lossy(&stream.as_bytes()[..length]).into_owned();
    for event in begun.split_inclusive("\n\n").filter(|event| ends || event.ends_with("\n\n")) {
        let data = event.strip_prefix("data: ").unwrap_or_default();
        let chunk: Value = serde_json::from_str(data).unwrap_or_default();
        text += chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
    }
    text
}

#[tokio::test(start_paused = true)]
async fn at_every_byte_the_client_gets_the_whole_answer() {
    let whole = WORDS.concat();
    let stream = says("first", &WORDS);
    let mut errors = 0;
    for length in 0..=stream.len() {
        for end in ENDS {
            for order in [Order::Depth, Order::Breadth] {
                for prefill in [false, true] {
                    let begun = Bytes::copy_from_slice(&stream.as_bytes()[..length]);
                    let is_cut = end.is_none();
                    let parts = [Part::Bytes(begun)].into_iter().chain(end.clone()).collect();
                    let (second, route) = if prefill {
                        (Act::By(completes), prefilling(&["a", "b"], 1))
                    } else {
                        (afresh(), resuming(&["a", "b"], 1))
                    };
                    let relay = relay(Script::new([Act::Answer(parts), second]));

                    let seen = play(&relay, Route { order, ..route }).await;

                    if seen.is_whole() {
                        assert_eq!(seen.whole(), whole, "{length} {end:?} {prefill}");
                        assert_eq!(seen.ids.len(), 1, "{length} {end:?} {prefill}");
                    } else {
                        // Nothing is left to say, and whether that was all nobody can tell.
                        assert!(prefill, "{length} {end:?}");
                        let code =
                            if matches!(end, Some(Part::Hang)) { "stream_idle" } else { "stream_broken" };
                        assert_eq!(seen.broken(code), delivered(&stream, length, is_cut));
                        assert_eq!(seen.text, whole);
                        errors += 1;
                    }
                    assert!(relay.upstream.left() <= 1);
                }
            }
        }
    }
    // The event with the finish reason, but for its last bytes, both orders.
    let last = event("first", &json!({}), Some("stop")).len();
    assert!(errors > 0 && errors <= last * 6, "{errors}");
}

#[tokio::test(start_paused = true)]
async fn at_every_byte_of_the_rest_too() {
    let whole = WORDS.concat();
    let counted = "\"usage\":{\"completion_tokens\":1},\"id\":\"second\"";
    for prefill in [false, true] {
        let rest = if prefill { &WORDS[3..] } else { &WORDS[..] };
        let stream = says("second", rest).replace("\"id\":\"second\"", counted);
        for (length, end) in (0..stream.len()).flat_map(|length| ENDS.map(|end| (length, end))) {
            let begun = Bytes::copy_from_slice(&stream.as_bytes()[..length]);
            let second = Act::Answer([Part::Bytes(begun)].into_iter().chain(end.clone()).collect());
            let (third, route) = if prefill {
                (Act::By(completes), prefilling(&["a", "b", "c"], 1))
            } else {
                (afresh(), resuming(&["a", "b", "c"], 1))
            };
            let relay = relay(Script::new([cut("first", &WORDS[..3]), second, third]));

            let seen = play(&relay, route).await;

            if seen.is_whole() {
                assert_eq!(seen.whole(), whole, "{length} {end:?} {prefill}");
                assert_eq!(seen.ids, ["first"], "{length} {end:?} {prefill}");
            } else {
                assert!(prefill, "{length} {end:?}");
                let code = if matches!(end, Some(Part::Hang)) { "stream_idle" } else { "stream_broken" };
                assert_eq!(seen.broken(code), whole, "{length} {end:?}");
            }
        }
    }
}

/// What the request's message says that is not in the beginning of an answer under it.
fn missing(request: &Value) -> &str {
    let whole = request["messages"][0]["content"].as_str().unwrap();
    whole.strip_prefix(begun(request).unwrap_or_default()).expect("a beginning of the answer")
}

fn the_rest(request: &Value) -> Act {
    answer(says("last", &[missing(request)]))
}

fn half_of_the_rest(request: &Value) -> Act {
    let rest = missing(request);
    let half: String = rest.chars().take(rest.chars().count() / 2).collect();
    cut("half", &[&half])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..Default::default() })]

    #[test]
    fn however_the_frames_are_cut(
        words in prop::collection::vec("\\PC{0,12}|[ \n\"\\\\]{1,3}", 1..8),
        (length, sizes) in (0usize..2000, prop::collection::vec(1usize..60, 1..5)),
        (prefill, breadth, end) in (any::<bool>(), any::<bool>(), 0usize..3),
        others in prop::collection::vec("\\PC{0,30}", 0..3),
    ) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let frames = |stream: &str| -> Vec<Part> {
            let mut rest = Bytes::copy_from_slice(stream.as_bytes());
            let sizes = sizes.iter().cycle();
            sizes.map_while(|size| {
                (!rest.is_empty()).then(|| Part::Bytes(rest.split_to((*size).min(rest.len()))))
            }).collect()
        };
        let whole = words.concat();
        let stream = says("first", &words);
        let length = length % stream.len();
        let mut first = Vec::new();
        let mut left = length;
        for part in frames(&stream) {
            if let Part::Bytes(mut bytes) = part {
                bytes.truncate(left);
                left -= bytes.len();
                first.push(Part::Bytes(bytes));
            }
        }
        first.extend(ENDS[end].clone());
        let mut acts = vec![Act::Answer(first)];
        if prefill {
            acts.extend(others.iter().map(|_| Act::By(half_of_the_rest)));
            acts.push(Act::By(the_rest));
        } else {
            // What others would say differs, mostly.
            acts.extend(others.iter().map(|text| Act::Answer(frames(&says("other", &[text])))));
            acts.push(Act::Answer(frames(&says("last", &words))));
        }
        let models = &["a", "b", "c", "d", "e"][..acts.len()];
        let mut route = if prefill { prefilling(models, 1) } else { resuming(models, 1) };
        if breadth {
            route.order = Order::Breadth;
        }
        runtime.block_on(async {
            let relay = relay(Script::by(move |model, _| acts[usize::from(model.as_bytes()[0] - b'a')].clone()));
            let body = json!({ "model": "r", "stream": true, "messages": [{ "role": "user", "content": whole }] });
            let envelope = Envelope::parse(Bytes::from(body.to_string())).unwrap();
            match relay.respond(Request { envelope, ..request(route, ASK) }).await {
                Ok(response) => {
                    let seen = Seen::read(&text(response).await);
                    if seen.is_whole() {
                        seen.whole();
                        prop_assert_eq!(seen.ids.len(), 1);
                        // What another one says afresh may happen to begin with what the client has.
                        if prefill || (seen.ids[0] == "first" && !others.contains(&seen.text)) {
                            prop_assert_eq!(seen.text, whole);
                        }
                    } else {
                        prop_assert_eq!(seen.error()["metadata"]["candidate"].as_str(), Some("sim/a"));
                        // Whether that was all nobody can tell.
                        prop_assert!(prefill);
                        prop_assert_eq!(seen.text, whole);
                    }
                }
                // Nobody said anything.
                Err(failure) => prop_assert!(whole.is_empty(), "{failure:?}"),
            }
            prop_assert_eq!(open(&relay), 0);
            Ok(())
        })?;
    }
}
