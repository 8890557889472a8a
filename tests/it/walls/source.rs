//! Source files as text: read, tidied of what is no code, cut into the paths they name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A source file.
#[derive(Debug, Clone)]
pub struct Source {
    /// Below the root of the repository, such as `src/relay/peek.rs`.
    pub path: String,
    /// Its text without comments and without what only tests compile.
    pub text: String,
    /// The same without what stands inside its strings.
    pub code: String,
}

impl Source {
    /// A file at `path` with this text.
    pub fn new(path: &str, text: &str) -> Self {
        let text = without_tests(&tidied(text, true)).0;
        let code = tidied(&text, false);
        Self { path: path.to_owned(), text, code }
    }

    /// `src/relay/peek.rs` is in `relay`, and so is `src/relay.rs`.
    pub fn room(&self) -> &str {
        self.path.trim_start_matches("src/").trim_end_matches(".rs").split('/').next().unwrap_or_default()
    }

    /// Whether it stands in one of `rooms`.
    pub fn is_in(&self, rooms: &[&str]) -> bool {
        rooms.contains(&self.room())
    }

    /// How many lines it has without those of its tests, which stand at its end.
    pub fn lines(&self) -> usize {
        self.text.trim_end().lines().count()
    }

    /// Every path in it: `crate::relay::peek`, `self`, `http::header`, with the groups of `use` resolved.
    pub fn paths(&self) -> BTreeSet<String> {
        let tokens = tokens(&self.code);
        let mut paths = BTreeSet::new();
        let mut at = 0;
        while at < tokens.len() {
            if is_name(&tokens[at]) && (at == 0 || tokens[at - 1] != "::") {
                at = path(&tokens, at, String::new(), &mut paths);
            } else {
                at += 1;
            }
        }
        paths
    }

    /// Whether `word` stands in its code as a path, or as the beginning of one.
    pub fn names(&self, word: &str) -> bool {
        let within = format!("{word}::");
        self.paths().iter().any(|path| path == word || path.starts_with(&within))
    }
}

/// Every source file below `src`, but for those that only tests compile.
pub fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    let mut sources = Vec::new();
    let mut test_modules = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        let path = file.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
        let directory = if path.ends_with("/lib.rs") || path.ends_with("/main.rs") {
            "src".to_owned()
        } else {
            path.trim_end_matches(".rs").to_owned()
        };
        let modules = without_tests(&tidied(&text, true)).1;
        test_modules.extend(modules.into_iter().map(|module| format!("{directory}/{module}")));
        sources.push(Source::new(&path, &text));
    }
    let is_test = |path: &str| {
        test_modules.iter().any(|module| {
            path.strip_prefix(module.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        })
    };
    sources.retain(|source| !is_test(&source.path));
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 80 && test_modules.len() > 10, "{} files", sources.len());
    sources
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            files.push(path);
        }
    }
}

/// `text` without its comments and, unless `strings` are kept, without what stands in its literals.
/// Lines stay where they are.
fn tidied(text: &str, strings: bool) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if chars[at..].starts_with(&['/', '/']) {
            at += chars[at..].iter().take_while(|char| **char != '\n').count();
        } else if let Some(end) = end {
            if strings {
                out.extend(&chars[at..end]);
            } else {
                out.push('"');
                out.extend(chars[at..end].iter().filter(|char| **char == '\n'));
                out.push('"');
            }
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// The end of the string or character that begins at `at`, if one does.
fn literal_end(chars: &[char], at: usize) -> Option<usize> {
    let after_name = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        'r' if !after_name => {
            let hashes = chars[at + 1..].iter().take_while(|char| **char == '#').count();
            let open = at + 1 + hashes;
            (chars.get(open) == Some(&'"')).then(|| raw_end(chars, open + 1, hashes))
        }
        'b' if !after_name && chars.get(at + 1) == Some(&'r') => literal_end_of_raw_bytes(chars, at),
        '"' => Some(quoted_end(chars, at + 1, '"')),
        // A lifetime has no second quote.
        '\'' if chars.get(at + 1) == Some(&'\\') => Some(quoted_end(chars, at + 1, '\'')),
        '\'' if chars.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

fn literal_end_of_raw_bytes(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 2..].iter().take_while(|char| **char == '#').count();
    let open = at + 2 + hashes;
    (chars.get(open) == Some(&'"')).then(|| raw_end(chars, open + 1, hashes))
}

fn raw_end(chars: &[char], from: usize, hashes: usize) -> usize {
    let is_end = |at: &usize| {
        chars[*at] == '"' && chars[*at + 1..].iter().take_while(|char| **char == '#').count() >= hashes
    };
    (from..chars.len()).find(is_end).map_or(chars.len(), |at| at + 1 + hashes)
}

fn quoted_end(chars: &[char], from: usize, quote: char) -> usize {
    let mut at = from;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// `text` without the items under `#[cfg(test)]`, and the names of those that are modules elsewhere.
fn without_tests(text: &str) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let (mut out, mut modules, mut rest) = (String::new(), Vec::new(), text);
    while let Some(at) = rest.find(MARK) {
        out.push_str(&rest[..at]);
        rest = &rest[at + MARK.len()..];
        let end = item_end(rest);
        if let Some(name) = rest[..end].trim().trim_start_matches("pub ").strip_prefix("mod ")
            && let Some(name) = name.strip_suffix(';')
        {
            modules.push(name.to_owned());
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    (out, modules)
}

/// The end of the first item: its semicolon, or the brace that closes it.
fn item_end(text: &str) -> usize {
    // Braces and semicolons inside literals do not count.
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut depth) = (0, 0_usize);
    while at < chars.len() {
        if let Some(end) = literal_end(&chars, at) {
            at = end;
            continue;
        }
        match chars[at] {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 && matches!(chars[at - 1], ';' | '}') {
            break;
        }
    }
    chars[..at].iter().map(|char| char.len_utf8()).sum()
}

fn is_name(token: &str) -> bool {
    token.starts_with(|char: char| char.is_alphabetic() || char == '_')
}

/// Names, `::` and single signs.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            tokens.push(rest[..length].to_owned());
        }
        rest = &rest[length..];
    }
    tokens
}

/// Reads the path at `at`, with the braces of a `use` behind it; gives where it ends.
fn path(tokens: &[String], mut at: usize, mut prefix: String, paths: &mut BTreeSet<String>) -> usize {
    loop {
        prefix += &tokens[at];
        at += 1;
        if tokens.get(at).is_none_or(|token| token != "::") {
            break;
        }
        at += 1;
        match tokens.get(at) {
            Some(token) if is_name(token) => prefix += "::",
            Some(token) if token == "{" => {
                at += 1;
                prefix += "::";
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = if is_name(&tokens[at]) { path(tokens, at, prefix.clone(), paths) } else { at + 1 };
                }
                return at + 1;
            }
            _ => break,
        }
    }
    paths.insert(prefix);
    at
}
