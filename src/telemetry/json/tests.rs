use std::io;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::Value;

use super::*;

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
