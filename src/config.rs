//! Configuration: file < environment < flags, checked into a [`Runtime`] that cannot be wrong.
//!
//! A text becomes a [`document::Document`], then toml's tree with the place of every value. The environment
//! is laid over it ([`overlay`]), what does not fit the schema of [`mod@file`] is reported and taken out
//! ([`shape`]), and what is left is checked for references and ranges ([`validate`]). So one run reports every
//! fault, each with its place.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Uri};
use secrecy::SecretString;
use serde::Deserialize as _;

use crate::retry::Quota;
use crate::route::Routes;

pub mod connections;
pub mod discovered;
pub mod document;
pub mod estimate;
pub mod fault;
pub mod file;
mod lookalike;
pub mod no_proxy;
pub mod overlay;
pub mod presets;
pub mod proxy;
pub mod report;
pub mod secrets;
pub mod shape;
pub mod spanned;
mod syntax;
pub mod text;
pub mod users;
pub mod validate;

pub use connections::{Authorities, Connections};
pub use discovered::{FoundServer, without_file};
pub use fault::{Faults, Warning};
pub use proxy::Proxy;
pub use report::report;
pub use secrets::Secrets;
pub use users::{KEY_HEADER, UserKey, UserKeys};
pub use validate::RESERVED as RESERVED_HEADERS;

use document::Document;
use fault::Findings;
use file::File;
use shape::Shape;

/// The variables of the process, by name.
pub type Environment = BTreeMap<String, String>;

/// The variables of this process whose names and values are text.
pub fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Where a configuration is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    Path(PathBuf),
    /// A text, and what it is called in messages.
    Text {
        /// What it is called.
        name: String,
        /// The text.
        text: String,
    },
}

/// The variable that names the configuration file.
pub const CONFIG_VARIABLE: &str = "BACKSTOP_CONFIG";

/// Where a configuration file is looked for, in this order.
pub const SEARCHED: [&str; 2] = ["./backstop.toml", "/etc/backstop/backstop.toml"];

impl Source {
    /// The file to read: the `explicit` one, else that of `$BACKSTOP_CONFIG`, else the first that exists of
    /// [`SEARCHED`]. `None` means that there is no file, see [`without_file`].
    pub fn locate(explicit: Option<&Path>, environment: &Environment) -> Option<Self> {
        let variable = environment.get(CONFIG_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let named = explicit.map(Path::to_owned).or(variable);
        named.or_else(|| SEARCHED.iter().map(PathBuf::from).find(|path| path.exists())).map(Self::Path)
    }
}

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The address to listen on.
    pub listen: Option<SocketAddr>,
}

/// A configuration that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// What runs.
    pub runtime: Runtime,
    /// What is odd about it.
    pub warnings: Vec<Warning>,
    /// The file it came from.
    pub path: Option<PathBuf>,
    /// What was found without a file, a line each, for the log.
    pub notes: Vec<String>,
}

/// Reads and checks a configuration.
///
/// The error holds every fault of it, or those of its syntax alone: without a tree there is nothing to check.
pub fn load(source: &Source, environment: &Environment, overrides: &Overrides) -> Result<Loaded, Faults> {
    let (document, path) = open(source, environment)?;
    let mut findings = Findings::default();
    let runtime = read(&document, &mut findings)
        .and_then(|file| validate::runtime(&file, environment, overrides, &mut findings));
    let warnings = findings.finish(&document)?;
    let runtime = runtime.ok_or_else(|| Faults::single("the configuration could not be read"))?;
    Ok(Loaded { runtime, warnings, path, notes: Vec::new() })
}

/// The address that a Backstop with this configuration listens on, even if other parts have faults by now.
/// Of a file that cannot be read at all nothing counts, but the environment does.
pub fn listen_address(source: Option<&Source>, environment: &Environment) -> SocketAddr {
    let empty = Source::Text { name: String::new(), text: String::new() };
    let file = [source.unwrap_or(&empty), &empty].into_iter().find_map(|source| {
        let (document, _) = open(source, environment).ok()?;
        read(&document, &mut Findings::default())
    });
    file.map_or(validate::LISTEN, |file| validate::listen(&file))
}

/// The JSON schema of the file, for editors.
///
/// It is made from [`File`] by a test and kept beside it: to make it at every start takes longer than all else,
/// and what makes it would stay in memory.
pub fn schema() -> &'static str {
    include_str!("config/schema.json")
}

fn open(source: &Source, environment: &Environment) -> Result<(Document, Option<PathBuf>), Faults> {
    match source {
        Source::Text { name, text } => Ok((Document::new(name, text, environment), None)),
        Source::Path(path) => {
            let name = path.to_string_lossy();
            let text = std::fs::read_to_string(path)
                .map_err(|error| Faults::single(&format!("cannot read `{name}`: {error}")))?;
            Ok((Document::new(&name, &text, environment), Some(path.clone())))
        }
    }
}

/// The mirror of a document, without the parts that do not fit; `None` if its syntax is broken.
fn read(document: &Document, findings: &mut Findings) -> Option<File> {
    let mut tree = syntax::parse(document, findings)?;
    let schema = serde_json::from_str(schema()).expect("a test holds it against the mirror of the file");
    let shape = Shape::new(&schema);
    overlay::apply(document, shape, tree.get_mut(), findings);
    shape::prune(shape, tree.get_mut(), findings);
    overlay::explain(document, shape, findings);
    match File::deserialize(toml::de::Deserializer::from(tree)) {
        Ok(file) => Some(file),
        Err(error) => {
            let span = error.span().unwrap_or_default();
            syntax::hide_values(document, span.start, findings);
            findings.fault(span, error.message());
            None
        }
    }
}

/// Everything a running Backstop needs to know; one snapshot serves a request from end to end.
#[derive(Debug)]
pub struct Runtime {
    /// How clients are served.
    pub server: Server,
    /// The providers, in the order of their [`crate::route::ProviderId`]s.
    pub providers: Vec<Provider>,
    /// What clients can ask for.
    pub routes: Routes,
    /// People who have keys of their own.
    pub users: Vec<UserKeys>,
    /// Every configured secret, to be masked wherever it occurs.
    pub secrets: Secrets,
}

/// How clients are served.
#[derive(Debug, Clone)]
pub struct Server {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The largest request body, in bytes.
    pub max_body: usize,
    /// The largest answer that is not streamed, in bytes.
    pub max_answer: usize,
    /// The web pages that may ask.
    pub cors: Cors,
    /// How long open streams may go on after the signal to stop.
    pub grace: Duration,
    /// How long a stream waits before its head goes out without an answer.
    pub head_after: Duration,
    /// Threads that serve connections; one for each core unless it says otherwise.
    pub workers: Option<NonZeroU32>,
    /// Whether the `X-OpenWebUI-User-…` headers say who asks.
    pub trust_user_headers: bool,
}

/// The origins of web pages that may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cors {
    /// Pages served from this machine: any port of `localhost`, `127.0.0.0/8`, `[::1]`.
    Loopback,
    /// Any page at all.
    Any,
    /// Exactly these origins; an empty list means none.
    Origins(Vec<String>),
}

/// An API with a base URL and a key.
#[derive(Debug)]
pub struct Provider {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// `http` or `https`, an authority, and a path without a slash at its end.
    pub base_url: Uri,
    /// The keys, of which each attempt sends one as a bearer token; empty if it needs none.
    pub keys: Vec<Key>,
    /// Which of several keys is taken first.
    pub key_order: KeyOrder,
    /// The requests that it allows over all its keys.
    pub quota: Quota,
    /// Headers that every attempt carries; secret ones are marked sensitive.
    pub headers: HeaderMap,
    /// How connections to it are made.
    pub connections: Connections,
}

/// One key of a provider.
#[derive(Debug)]
pub struct Key {
    /// How logs and errors call it: its variable, its file's name or its position, never any part of it.
    pub name: Arc<str>,
    /// The key itself.
    pub secret: SecretString,
    /// The requests that it allows.
    pub quota: Quota,
}

/// Which of several keys is taken first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyOrder {
    /// Each attempt begins with the key after the one before.
    #[default]
    RoundRobin,
    /// The first one, as long as it can be used.
    InOrder,
}

#[cfg(test)]
mod tests;
