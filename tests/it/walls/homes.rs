//! What has one home: status codes, meanings of failures, config keys, library errors; and the lints that
//! keep the rest.

use super::*;

#[test]
fn only_server_error_picks_status_codes() {
    // A success is no choice: there is one for an answer and one for a preflight.
    const SUCCESS: [&str; 2] = ["OK", "NO_CONTENT"];
    let rule = |sources: &[Source]| {
        each(sources, |source| {
            if !source.is_in(&["server", "relay", "app", "shutdown"]) || source.path == "src/server/error.rs"
            {
                return None;
            }
            let picked = source.paths().into_iter().find(|path| {
                let mut parts = path.rsplit("::");
                let last = parts.next().unwrap_or_default();
                parts.next() == Some("StatusCode") && !SUCCESS.contains(&last)
            });
            let written = source.text.contains("HTTP/1.1 4") || source.text.contains("HTTP/1.1 5");
            picked.or(written.then(|| "a status line".to_owned())).map(|what| format!("it picks `{what}`"))
        })
    };
    hold(
        rule,
        &[
            ("src/server/chat.rs", "fn f() -> StatusCode { StatusCode::BAD_GATEWAY }"),
            (
                "src/server/router.rs",
                "fn f() -> Response { http::StatusCode::from_u16(418).into_response() }",
            ),
            (
                "src/relay/dispatch.rs",
                "use http::StatusCode;\nconst S: StatusCode = StatusCode::GATEWAY_TIMEOUT;",
            ),
            ("src/server/connection.rs", r#"const LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\n";"#),
        ],
    );
}

#[test]
fn only_classify_says_what_a_failure_means() {
    let rule = |sources: &[Source]| {
        each(sources, |source| {
            // `Ruling` is what a class means; the configuration names them, and its report prints them.
            let homes =
                ["src/retry.rs", "src/retry/classify.rs", "src/config/file/names.rs", "src/config/report.rs"];
            let rules = |path: &String| path.starts_with("Ruling::") || path.contains("::Ruling::");
            if homes.contains(&source.path.as_str()) {
                return None;
            }
            source.paths().into_iter().find(rules).map(|path| format!("`{path}` is a meaning"))
        })
    };
    hold(
        rule,
        &[
            (
                "src/relay/dispatch.rs",
                "use crate::retry::Ruling;\nfn f() { if x { Ruling::Drop } else { y } }",
            ),
            ("src/upstream/client.rs", "const R: crate::retry::Ruling = crate::retry::Ruling::Retry;"),
        ],
    );
}

/// Every key of the configuration, out of its schema.
fn config_keys() -> Vec<String> {
    fn collect(schema: &serde_json::Value, keys: &mut Vec<String>) {
        match schema {
            serde_json::Value::Object(members) => {
                if let Some(properties) = members.get("properties").and_then(serde_json::Value::as_object) {
                    keys.extend(properties.keys().cloned());
                }
                members.values().for_each(|member| collect(member, keys));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, keys)),
            _ => {}
        }
    }
    let mut keys = Vec::new();
    collect(&serde_json::from_str(backstop::config::schema()).expect("JSON"), &mut keys);
    assert!(keys.len() > 40, "{keys:?}");
    keys
}

#[test]
fn only_config_file_reads_keys() {
    let keys = config_keys();
    let rule = |sources: &[Source]| {
        each(sources, |source| {
            let home = source.path == "src/config/file.rs" || source.path.starts_with("src/config/file/");
            if source.room() != "config" || home {
                return None;
            }
            let looked_up = |key: &&String| {
                [format!("(\"{key}\")"), format!("[\"{key}\"]"), format!("= \"{key}\"")]
                    .iter()
                    .any(|spelling| source.text.contains(spelling.as_str()))
            };
            let mirror =
                source.code.contains("derive(")
                    && source.code.split("derive(").skip(1).any(|rest| {
                        rest.split(')').next().is_some_and(|traits| traits.contains("Deserialize"))
                    });
            let key = keys.iter().find(looked_up).map(|key| format!("it looks up `{key}`"));
            key.or(mirror.then(|| "it mirrors a part of the file".to_owned()))
        })
    };
    hold(
        rule,
        &[
            ("src/config/validate.rs", r#"fn f(t: &Table) { t.get("base_url") }"#),
            ("src/config/overlay.rs", r#"fn f(t: &Table) { t["routes"] }"#),
            ("src/config/spanned.rs", r#"struct A { #[serde(rename = "use")] target: String }"#),
            ("src/config/validate/route.rs", "#[derive(Debug, serde::Deserialize)]\nstruct Extra {}"),
        ],
    );
}

#[test]
fn an_error_of_a_library_stays_in_its_file() {
    const LIBRARIES: [&str; 9] =
        ["hyper", "axum", "serde_json", "toml", "rustls", "jiff", "httpdate", "reqwest", "flate2"];
    const BY_NAME: [&str; 5] =
        ["InvalidHeaderValue", "InvalidHeaderName", "InvalidUri", "ToStrError", "DecompressError"];
    let rule = |sources: &[Source]| {
        each(sources, |source| {
            let signatures = source.code.split("pub").skip(1).filter_map(|rest| {
                let (head, _) = rest.split_once(['{', ';'])?;
                head.contains("fn ").then(|| Source::new("", head))
            });
            let foreign = |path: &String| {
                let library = path.split("::").next().is_some_and(|first| LIBRARIES.contains(&first));
                let last = path.rsplit("::").next().unwrap_or_default();
                (library && ["Error", "Result"].contains(&last)) || BY_NAME.contains(&last)
            };
            let found = signatures.flat_map(|signature| signature.paths()).find(foreign);
            found.map(|path| format!("`{path}` leaves it"))
        })
    };
    hold(
        rule,
        &[
            ("src/upstream/tls.rs", "impl T { pub fn f(&self) -> Result<(), rustls::Error> { todo!() } }"),
            (
                "src/upstream/headers.rs",
                "pub(super) fn f() -> Result<A, http::header::InvalidHeaderValue> {}",
            ),
            ("src/openai/sse.rs", "pub async fn f(x: u8) -> serde_json::Result<u8> {}"),
        ],
    );
}

#[test]
fn exceptions_from_lints_have_a_reason() {
    let rule = |sources: &[Source]| {
        each(sources, |source| {
            let allows = source.code.contains("[allow(") || source.code.contains(", allow(");
            let bare = source
                .code
                .split("[expect(")
                .skip(1)
                .any(|rest| rest.split(")]").next().is_some_and(|lints| !lints.contains("reason =")));
            (allows || bare).then(|| "an exception without a reason".to_owned())
        })
    };
    hold(
        rule,
        &[
            ("src/relay.rs", "#[allow(clippy::disallowed_methods)]\nfn f() {}"),
            ("src/relay.rs", "#[expect(clippy::unwrap_used)]\nfn f() {}"),
        ],
    );
}

#[test]
fn the_lints_hold_what_text_cannot() {
    let clippy: toml::Table = read(".clippy.toml").parse().expect("TOML");
    let banned = clippy["disallowed-methods"].as_array().expect("a list");
    for method in ["tokio::spawn", "tokio::task::spawn", "std::env::set_var", "std::process::exit"] {
        let ban = banned.iter().find(|ban| ban["path"].as_str() == Some(method));
        let reason = ban.and_then(|ban| ban.get("reason")?.as_str()).unwrap_or_default();
        assert!(reason.len() > 20, "`{method}` is not banned with a reason");
    }
    let manifest: toml::Table = read("Cargo.toml").parse().expect("TOML");
    let lints = &manifest["lints"];
    assert_eq!(lints["rust"]["unsafe_code"].as_str(), Some("forbid"));
    assert_eq!(lints["rust"]["missing_docs"].as_str(), Some("warn"));
    assert_eq!(lints["clippy"]["unwrap_used"].as_str(), Some("warn"));
    assert_eq!(lints["clippy"]["pedantic"]["level"].as_str(), Some("warn"));
}
