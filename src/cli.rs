//! What a person types: arguments, and the commands that need no server.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use http::Uri;

use crate::config::{self, Environment, Loaded, Overrides, Source};

mod health;

pub use health::health;

/// The exit code of a configuration with faults (`EX_USAGE` of sysexits).
pub const BAD_CONFIG: u8 = 64;

const AFTER_HELP: &str = "\
Examples:
  backstop demo                         see it work: no keys, no network
  backstop                              serve, with the configuration that is found
  backstop serve --config my.toml       serve, with this one
  backstop check my.toml                what it does, and what is wrong with it
  backstop explain smallfast            what a route does while its providers fail
  backstop schema > backstop.schema.json

Configuration file, the first that there is:
  --config FILE, $BACKSTOP_CONFIG, ./backstop.toml, /etc/backstop/backstop.toml
Without one, every provider whose key variable is set (OPENROUTER_API_KEY, OPENAI_API_KEY, …) and every
local server that answers (Ollama, llama.cpp, LM Studio, vLLM) can be asked for as provider/model.

Environment:
  BACKSTOP_CONFIG                       the configuration file
  BACKSTOP_SERVER__LISTEN=0.0.0.0:8420  any key of the file: BACKSTOP_, then the keys with __ between
  BACKSTOP_RETRY__CYCLES=1
Flags win over the environment, the environment over the file.

Exit codes: 0 done, 1 could not start or unhealthy, 2 the arguments make no sense,
64 the configuration, or what explain was asked, has faults, 130 stopped at once by a second signal";

/// An OpenAI-compatible reverse proxy that keeps asking until a model answers.
#[derive(Debug, Parser)]
#[command(name = "backstop", version, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

impl Cli {
    /// What to do; without a word it is to serve.
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve requests (this is what happens without a command).
    Serve(ServeArgs),
    /// Check the configuration: print every fault, or what each route does and what of it can never run.
    Check(CheckArgs),
    /// Play a route in virtual time while its providers fail, and print what it does and when.
    Explain(ExplainArgs),
    /// Show the main job with simulated providers on this machine: no keys, no network.
    Demo(DemoArgs),
    /// Print the JSON schema of the configuration file, for editors.
    Schema,
    /// Ask a running Backstop whether it lives; exits 0 or 1. It asks where the configuration and the
    /// environment say: the flags of the running process are not known here (see --url).
    Health(HealthArgs),
}

/// Arguments of `serve`.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The address and port to listen on, in place of the configured one.
    #[arg(short, long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
}

impl ServeArgs {
    /// What the flags say of the configuration.
    pub fn overrides(&self) -> Overrides {
        Overrides { listen: self.listen }
    }
}

/// Arguments of `check`.
#[derive(Debug, Clone, Default, Args)]
pub struct CheckArgs {
    /// The configuration file; without one, the file that `serve` would read.
    #[arg(value_name = "FILE", conflicts_with = "config")]
    pub file: Option<PathBuf>,
    /// The same, as `serve` takes it.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

const AFTER_EXPLAIN: &str = "\
What fails: who=what, separated by commas. Without --fail every provider is down (503 for ever).
  who    a provider, whose models share what it does, or provider/model
  what   a status (429, 503, 401, …), with the wait that it asks for: 429@30s
         timeout  no connection            hang    no response head      silent  a head, no word
         refuse   connection refused       reset   closed before a head
         cut      cut before a word        empty   nothing in the answer
  xN     behind it, that many times; without it for ever
  +      what comes next: 429x3+hang; after the last one it answers

Examples:
  backstop explain smallfast
  backstop explain smallfast --fail 'openrouter=429x12,nvidia=hang'
  backstop explain openrouter/openrouter/free --fail 'openrouter=429@20sx2' --seed 7
  backstop explain smallfast --has images --tokens 40000";

/// Arguments of `explain`.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = AFTER_EXPLAIN)]
pub struct ExplainArgs {
    /// A route, or `provider/model`.
    pub route: String,
    /// What fails and how, see below. Whoever is not named answers.
    #[arg(long, value_name = "WHO=WHAT,…")]
    pub fail: Option<String>,
    /// Plays the case with this number, from 1.
    #[arg(long, value_name = "N", conflicts_with_all = ["tokens", "has", "user"])]
    pub when: Option<usize>,
    /// Chooses the case for a prompt of so many tokens.
    #[arg(long, value_name = "N")]
    pub tokens: Option<u64>,
    /// Chooses the case for a request that has these: images, tools, audio, json-schema.
    #[arg(long, value_name = "WHAT,…", value_delimiter = ',')]
    pub has: Vec<String>,
    /// Chooses the case for a request of this user.
    #[arg(long, value_name = "WHO")]
    pub user: Option<String>,
    /// Plays a task: a title, tags, follow-ups.
    #[arg(long)]
    pub task: bool,
    /// Draws the same waits again; without it they are drawn anew, and the seed is printed.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The configuration file; without one, the file that `serve` would read.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Arguments of `demo`.
#[derive(Debug, Clone, Default, Args)]
pub struct DemoArgs {
    /// Exit after the first answer.
    #[arg(long)]
    pub once: bool,
    /// The address and port to listen on; any free port of this machine unless given.
    #[arg(short, long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
}

/// Arguments of `health`.
#[derive(Debug, Clone, Default, Args)]
pub struct HealthArgs {
    /// The URL to ask; `/health/live` at the configured address unless given.
    #[arg(long, value_name = "URL")]
    pub url: Option<Uri>,
    /// The configuration file that says where Backstop listens.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The report on a configuration, or its faults, and the exit code.
pub fn check(arguments: &CheckArgs, environment: &Environment) -> (String, u8) {
    let file = arguments.file.as_deref().or(arguments.config.as_deref());
    let source = Source::locate(file, environment);
    let loaded = match &source {
        Some(source) => config::load(source, environment, &Overrides::default()),
        None => config::without_file(environment, &Overrides::default(), None),
    };
    match loaded {
        Ok(loaded) => (checked(&loaded), 0),
        Err(faults) => (faults.to_string(), BAD_CONFIG),
    }
}

fn checked(loaded: &Loaded) -> String {
    let notes = loaded.notes.iter().map(|note| format!("{note}\n"));
    config::report(loaded) + &notes.collect::<String>()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(arguments: &[&str]) -> Command {
        let all = std::iter::once("backstop").chain(arguments.iter().copied());
        Cli::try_parse_from(all).expect("valid arguments").into_command()
    }

    #[test]
    fn serving_is_the_default() {
        Cli::command().debug_assert();

        for arguments in [&["--listen", "[::1]:1"][..], &["serve", "--listen", "[::1]:1"]] {
            let Command::Serve(serve) = parse(arguments) else { panic!("serve") };
            assert_eq!(serve.overrides().listen.map(|listen| listen.port()), Some(1));
        }
        assert!(matches!(parse(&["demo", "--once"]), Command::Demo(DemoArgs { once: true, .. })));
        assert!(matches!(parse(&["schema"]), Command::Schema));
    }

    #[test]
    fn check_takes_its_file_with_and_without_a_flag() {
        let file = Some(PathBuf::from("my.toml"));
        let Command::Check(check) = parse(&["check", "my.toml"]) else { panic!("check") };
        assert_eq!(check.file, file);
        for flag in ["-c", "--config"] {
            let Command::Check(check) = parse(&["check", flag, "my.toml"]) else { panic!("check") };
            assert_eq!(check.config, file);
        }
        assert!(Cli::try_parse_from(["backstop", "check", "a", "-c", "b"]).is_err(), "one of them");
    }
}
