//! Which progress a client is shown: it says so itself, or its route does, or it is recognised.

use http::{HeaderMap, HeaderName};

use super::access::clip;
use crate::openai::envelope::InvalidRequest;
use crate::route::ProgressMode;

/// The header in which a client says so.
const X_BACKSTOP_PROGRESS: HeaderName = HeaderName::from_static("x-backstop-progress");

/// The base path that Open `WebUI` is given.
const OPEN_WEBUI_PATH: &str = "/open-webui/";

/// What the names of all headers begin with that Open `WebUI` sends about its users and chats.
const OPEN_WEBUI_HEADERS: &str = "x-openwebui-";

/// The words of the header.
const WORDS: [(&str, ProgressMode); 4] = [
    ("off", ProgressMode::Off),
    ("comments", ProgressMode::Comments),
    ("open-webui", ProgressMode::OpenWebui),
    ("reasoning", ProgressMode::Reasoning),
];

/// The progress of a request to `path` with these `headers`, for a route that may have one of its own.
///
/// # Errors
///
/// An [`InvalidRequest`] if the header says something else than it can.
pub(super) fn choose(
    headers: &HeaderMap,
    route: Option<ProgressMode>,
    path: &str,
) -> Result<ProgressMode, InvalidRequest> {
    if let Some(value) = headers.get(X_BACKSTOP_PROGRESS) {
        let word = value.as_bytes().trim_ascii();
        let known = WORDS.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
        return known.map(|(_, mode)| mode).ok_or_else(|| unknown(word));
    }
    let is_open_webui = path.starts_with(OPEN_WEBUI_PATH)
        || headers.keys().any(|name| name.as_str().starts_with(OPEN_WEBUI_HEADERS));
    let own = if is_open_webui { ProgressMode::OpenWebui } else { ProgressMode::default() };
    Ok(route.unwrap_or(own))
}

fn unknown(word: &[u8]) -> InvalidRequest {
    let word = String::from_utf8_lossy(word);
    let [off, comments, open_webui, reasoning] = WORDS.map(|(name, _)| name);
    let message = format!(
        "unknown value of `{X_BACKSTOP_PROGRESS}`: `{}`\nhint: it is `{off}`, `{comments}`, `{open_webui}` or `{reasoning}`",
        clip(&word)
    );
    InvalidRequest { message, param: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_it_first_counts() {
        use ProgressMode::{Comments, Off, OpenWebui, Reasoning};
        const PLAIN: &str = "/v1/chat/completions";
        const OURS: &str = "/open-webui/v1/chat/completions";
        const USER: (&str, &str) = ("X-OpenWebUI-User-Email", "anna@example.org");
        const CHAT: (&str, &str) = ("x-openwebui-chat-id", "1");
        for (headers, route, path, expected) in [
            (&[][..], None, PLAIN, Comments),
            (&[], None, "/api/v1/chat/completions", Comments),
            (&[], None, OURS, OpenWebui),
            (&[USER], None, PLAIN, OpenWebui),
            (&[CHAT], None, PLAIN, OpenWebui),
            (&[("x-openwebuis", "1"), ("user-agent", "x-openwebui-")], None, PLAIN, Comments),
            (&[], Some(Reasoning), PLAIN, Reasoning),
            (&[USER], Some(Off), OURS, Off),
            (&[USER], Some(Comments), OURS, Comments),
            (&[("x-backstop-progress", "off"), USER], Some(Reasoning), OURS, Off),
            (&[("x-backstop-progress", "comments")], None, OURS, Comments),
            (&[("x-backstop-progress", "open-webui")], Some(Off), PLAIN, OpenWebui),
            (&[("X-Backstop-Progress", " Reasoning ")], None, PLAIN, Reasoning),
        ] {
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
                .collect();
            assert_eq!(choose(&headers, route, path).unwrap(), expected, "{headers:?} {route:?} {path}");
        }
    }

    #[test]
    fn an_unknown_word_is_refused_with_those_that_are_known() {
        for word in ["", "on", "openwebui", "off,off"] {
            let headers = HeaderMap::from_iter([(X_BACKSTOP_PROGRESS, word.parse().unwrap())]);
            let InvalidRequest { message, .. } = choose(&headers, None, "/v1/chat/completions").unwrap_err();
            assert!(
                message.ends_with("\nhint: it is `off`, `comments`, `open-webui` or `reasoning`"),
                "{message}"
            );
            assert!(message.contains(&format!("`{word}`")), "{message}");
        }
    }
}
