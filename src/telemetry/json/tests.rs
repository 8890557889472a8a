use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::telemetry::Access;

/// What is written while `log` runs.
fn written(log: impl FnOnce()) -> String {
    let (sender, lines) = mpsc::channel();
    let json = Json(move |line: &[u8]| sender.send(line.to_vec()).unwrap());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(json), log);
    String::from_utf8(lines.try_iter().flatten().collect()).unwrap()
}

#[test]
fn a_line_has_every_kind_of_value() {
    let line = written(|| {
        tracing::warn!(
            count = 7_u64, below = -1_i64, yes = true, half = 0.5, none = f64::NAN, words = "a \"b\"\n",
            shown = %"c\\", known = ?Some(1), absent = Option::<u64>::None, r#type = "t", "said {}", "so"
        );
    });

    assert!(line.ends_with("}\n") && line.lines().count() == 1, "{line}");
    let mut value: Value = serde_json::from_str(&line).unwrap();
    let timestamp = value["timestamp"].take();
    let timestamp = timestamp.as_str().unwrap();
    assert!(
        timestamp.len() == "2026-11-22T12:35:29.743558Z".len() && timestamp.ends_with('Z'),
        "{timestamp}"
    );
    assert_eq!(
        value,
        serde_json::json!({
            "timestamp": null, "level": "WARN", "message": "said so", "count": 7, "below": -1, "yes": true,
            "half": 0.5, "none": null, "words": "a \"b\"\n", "shown": "c\\", "known": "Some(1)", "type": "t",
            "target": module_path!(),
        })
    );
}

/// The text of `line` behind its time.
fn after_the_time(line: &str) -> &str {
    let rest = line.strip_prefix("{\"timestamp\":\"").unwrap();
    rest.get("2026-11-22T12:35:29.743558Z".len()..).unwrap()
}

#[test]
fn a_line_is_byte_for_byte_this() {
    let line = written(|| {
        let message = "key \"k\"";
        tracing::error!(
            target: "backstop::\"t\"",
            r#type = "a\tb", shown = %"\u{1}é\u{7f}", empty = "", known = ?"q", least = i64::MIN, most = u64::MAX,
            zero = 0_u32, large = 1e21, small = 1e-7, no = false, place = Option::<&str>::None, wide = u128::MAX,
            "{message}:{:>4}", "\\"
        );
    });

    assert_eq!(
        after_the_time(&line),
        concat!(
            r#"","level":"ERROR","message":"key \"k\":   \\","type":"a\tb","shown":"\u0001é"#,
            "\u{7f}",
            r#"","empty":"","known":"\"q\"","least":-9223372036854775808,"most":18446744073709551615,"#,
            r#""zero":0,"large":1000000000000000000000,"small":0.0000001,"no":false,"#,
            r#""wide":"340282366920938463463374607431768211455","target":"backstop::\"t\""}"#,
            "\n",
        )
    );
}

#[test]
fn the_line_of_a_request_is_byte_for_byte_this() {
    let mut access = Access {
        request_id: "8f0c3f52-6a55-4a1c-9d2e-0a3d5b8f7c11",
        client: "127.0.0.1",
        method: "POST",
        path: "/v1/chat/completions",
        outcome: "ok",
        status: 200,
        elapsed: Duration::from_millis(1234),
        ..Default::default()
    };
    let short = written(|| crate::telemetry::access(&access));
    access = Access {
        user: Some("ann"),
        route: Some("full\"fat"),
        task: Some(true),
        attempts: Some(12),
        provider: Some("openrouter"),
        model: Some("openrouter/free"),
        ..access
    };
    let long = written(|| crate::telemetry::access(&access));

    assert_eq!(
        after_the_time(&short),
        concat!(
            r#"","level":"INFO","message":"request","request_id":"8f0c3f52-6a55-4a1c-9d2e-0a3d5b8f7c11","#,
            r#""client":"127.0.0.1","method":"POST","path":"/v1/chat/completions","outcome":"ok","status":200,"#,
            r#""elapsed_ms":1234,"target":"backstop::access"}"#,
            "\n",
        )
    );
    assert_eq!(
        after_the_time(&long),
        concat!(
            r#"","level":"INFO","message":"request","request_id":"8f0c3f52-6a55-4a1c-9d2e-0a3d5b8f7c11","#,
            r#""client":"127.0.0.1","user":"ann","method":"POST","path":"/v1/chat/completions","#,
            r#""route":"full\"fat","task":true,"outcome":"ok","status":200,"attempts":12,"#,
            r#""provider":"openrouter","model":"openrouter/free","elapsed_ms":1234,"target":"backstop::access"}"#,
            "\n",
        )
    );
}

#[test]
fn a_value_that_fails_or_panics_spoils_no_line() {
    struct Fails(bool);

    impl fmt::Display for Fails {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("so \"far")?;
            assert!(self.0, "panics");
            Err(fmt::Error)
        }
    }

    let lines = written(|| {
        tracing::info!(value = %Fails(true), after = 1, "fails");
        let panic = std::panic::catch_unwind(|| tracing::info!(value = %Fails(false), "panics"));
        assert!(panic.is_err());
        tracing::info!("next");
    });

    let said: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(said.len(), 2);
    assert_eq!((&said[0]["value"], &said[0]["after"]), (&"so \"far".into(), &1.into()));
    assert_eq!(said[1]["message"], "next");
}

#[test]
fn a_long_line_leaves_no_large_room_behind() {
    let long = "x".repeat(100 << 10);
    let line = written(|| tracing::info!("{long}"));

    assert!(line.contains(&long));
    let room = ROOM.take();
    assert!(room.is_empty() && room.capacity() <= KEPT, "{} bytes", room.capacity());
}
