use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::telemetry::Access;

/// What is written while `log` runs.
fn written(log: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().event_format(Json).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, log);
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
    #[test]
    fn any_text_comes_back(text in any::<String>()) {
        let mut inside = String::new();
        write!(Escaped(&mut inside), "{text}").unwrap();
        let back: String = serde_json::from_str(&format!("\"{inside}\"")).unwrap();
        prop_assert_eq!(back, text);
    }
}
