//! Turns whatever a provider sent into one short line.

/// `text` on one line: control characters, those that turn the direction of writing round, and runs of space
/// become one space, and what is longer than `limit` characters ends in `…`.
pub fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::with_capacity(text.len().min(limit));
    let mut length = 0;
    let mut gap = false;
    for char in text.chars() {
        let turns = matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if char.is_whitespace() || char.is_control() || turns {
            gap = length > 0;
            continue;
        }
        if length + usize::from(gap) >= limit {
            line.push('…');
            break;
        }
        if gap {
            line.push(' ');
            length += 1;
            gap = false;
        }
        line.push(char);
        length += 1;
    }
    line
}

/// What an HTML page is called, or nothing if `text` is no HTML.
pub(super) fn html_title(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let opening = ["<!doctype html", "<html", "<head", "<title", "<body"];
    if !lower.starts_with('<') || !opening.iter().any(|tag| lower.contains(tag)) {
        return None;
    }
    let title = ["title", "h1"].iter().find_map(|tag| element(text, &lower, tag));
    Some(title.unwrap_or_else(|| "an HTML page".into()))
}

/// The text of the first element called `tag`. `lower` is `text` in ASCII lower case, so the two
/// agree in every offset.
fn element(text: &str, lower: &str, tag: &str) -> Option<String> {
    let start = lower.find(&format!("<{tag}"))?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find(&format!("</{tag}"))?;
    let content = unescape(&text[start..end]);
    let content = content.trim();
    (!content.is_empty() && !content.contains('<')).then(|| content.into())
}

fn unescape(text: &str) -> String {
    let marks =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")];
    marks.iter().fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_and_shortens() {
        assert_eq!(one_line(" a\r\n\tb \u{0} c\u{1b}[31m ", 100), "a b c [31m");
        assert_eq!(one_line("a\u{202e}b\u{2066} c\u{2028}d", 100), "a b c d");
        assert_eq!(one_line("äöü", 3), "äöü");
        assert_eq!(one_line("äöüß", 3), "äöü…");
        assert_eq!(one_line("ab cd", 3), "ab…");
        assert_eq!(one_line("   ", 3), "");
    }

    #[test]
    fn reads_titles() {
        let table = [
            ("<html><head><TITLE>502 Bad\nGateway</TITLE></head></html>", Some("502 Bad\nGateway")),
            ("<!DOCTYPE html><html><body><h1>Down &amp; out</h1></body></html>", Some("Down & out")),
            ("<html><title></title><body>x</body></html>", Some("an HTML page")),
            ("<html><title>never closed", Some("an HTML page")),
            ("<Error><Message>xml</Message></Error>", None),
            ("plain <html>", None),
        ];
        for (text, title) in table {
            assert_eq!(html_title(text).as_deref(), title, "{text}");
        }
    }
}
