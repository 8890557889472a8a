//! What a person types: arguments, and the commands that need no server.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use http::Uri;

use crate::config::{self, Environment, Loaded, Overrides, Source};

/// The exit code of a configuration with faults (`EX_USAGE` of sysexits).
pub const BAD_CONFIG: u8 = 64;

/// How long a health check may take in each of its steps.
const HEALTH_LIMIT: Duration = Duration::from_secs(3);

const AFTER_HELP: &str = "\
Examples:
  backstop demo                         see it work: no keys, no network
  backstop                              serve, with the configuration that is found
  backstop serve --config my.toml       serve, with this one
  backstop check my.toml                what it does, and what is wrong with it
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

Exit codes: 0 done, 1 could not start or unhealthy, 64 the configuration has faults";

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
    /// Show the main job with simulated providers on this machine: no keys, no network.
    Demo(DemoArgs),
    /// Print the JSON schema of the configuration file, for editors.
    Schema,
    /// Ask a running Backstop whether it lives; exits 0 or 1.
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
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
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
    let source = Source::locate(arguments.file.as_deref(), environment);
    let loaded = match &source {
        Some(source) => config::load(source, environment, &Overrides::default()),
        None => config::without_file(environment, &Overrides::default(), &[]),
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

/// Asks a running Backstop whether it lives. The error says why it does not seem to.
pub fn health(arguments: &HealthArgs, environment: &Environment) -> Result<(), String> {
    let url = arguments.url.clone().unwrap_or_else(|| default_url(arguments, environment));
    let said = ask(&url).map_err(|error| format!("cannot ask {url}: {error}"))?;
    let status = said.split_ascii_whitespace().nth(1).unwrap_or_default();
    if said.starts_with("HTTP/1.") && status == "200" {
        return Ok(());
    }
    Err(format!("{url} did not answer 200: {}", if status.is_empty() { "no HTTP" } else { status }))
}

fn default_url(arguments: &HealthArgs, environment: &Environment) -> Uri {
    let source = Source::locate(arguments.config.as_deref(), environment);
    let mut address = config::listen_address(source.as_ref(), environment);
    if address.ip().is_unspecified() {
        let loopback = match address.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        address.set_ip(loopback);
    }
    let authority = address.to_string();
    let url = Uri::builder().scheme("http").authority(authority).path_and_query("/health/live").build();
    url.unwrap_or_else(|_| Uri::from_static("http://127.0.0.1:8420/health/live"))
}

/// The first bytes of the answer: its status line, at least.
fn ask(url: &Uri) -> io::Result<String> {
    let (Some("http"), Some(host)) = (url.scheme_str(), url.host()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not an `http` URL"));
    };
    let (host, port) = (host.trim_matches(['[', ']']), url.port_u16().unwrap_or(80));
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "no such host");
    for address in (host, port).to_socket_addrs()? {
        match exchange(&address, url) {
            Ok(said) => return Ok(said),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn exchange(address: &SocketAddr, url: &Uri) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(address, HEALTH_LIMIT)?;
    stream.set_read_timeout(Some(HEALTH_LIMIT))?;
    stream.set_write_timeout(Some(HEALTH_LIMIT))?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut said = Vec::new();
    let mut chunk = [0; 512];
    while !said.contains(&b'\n') && said.len() < 4096 {
        match stream.read(&mut chunk)? {
            0 => break,
            count => said.extend_from_slice(&chunk[..count]),
        }
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

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

    /// Answers one connection with `answer` and says where.
    fn answering(answer: &'static str) -> (SocketAddr, thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let answering = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = [0; 512];
            let count = stream.read(&mut request).expect("a request");
            assert!(request[..count].starts_with(b"GET /health/live HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).expect("an answer");
        });
        (address, answering)
    }

    #[test]
    fn health_is_a_200_at_the_configured_address() {
        for (answer, healthy) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true),
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", false),
            ("SSH-2.0-x 200\r\n", false),
            ("", false),
        ] {
            let (address, answering) = answering(answer);
            let listen = ("BACKSTOP_SERVER__LISTEN".to_owned(), format!("0.0.0.0:{}", address.port()));
            let config = PathBuf::from("/nonexistent/backstop.toml");
            let environment = Environment::from([listen]);
            let url = Some(format!("http://{address}/health/live").parse().expect("a URL"));

            let result = health(&HealthArgs { url, config: Some(config) }, &environment);

            assert_eq!(result.is_ok(), healthy, "{answer}: {result:?}");
            answering.join().expect("asked as expected");
        }
    }

    #[test]
    fn health_asks_the_loopback_of_an_open_address() {
        let directory = tempfile::tempdir().expect("a directory");
        let config = directory.path().join("backstop.toml");
        std::fs::write(&config, "[server]\nlisten = \"0.0.0.0:9\"\n[routes.broken]\nchian = []\n")
            .expect("a file");
        let arguments = HealthArgs { url: None, config: Some(config) };

        assert_eq!(default_url(&arguments, &Environment::new()), "http://127.0.0.1:9/health/live");
        assert_eq!(
            default_url(
                &arguments,
                &Environment::from([("BACKSTOP_SERVER__LISTEN".to_owned(), "[::]:7".to_owned())])
            ),
            "http://[::1]:7/health/live"
        );
    }

    #[test]
    fn nothing_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/health/live", listener.local_addr().expect("an address"));
        drop(listener);

        let arguments = HealthArgs { url: Some(url.parse().expect("a URL")), config: None };

        assert!(health(&arguments, &Environment::new()).is_err());
    }
}
