//! `backstop health`: asks a running Backstop over HTTP, with no more of HTTP than that takes.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use http::Uri;

use super::HealthArgs;
use crate::config::{self, Environment, Source};

/// How long each step may take.
const LIMIT: Duration = Duration::from_secs(3);

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
    let mut stream = TcpStream::connect_timeout(address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
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
    use std::path::PathBuf;
    use std::thread;

    use super::*;

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
    fn the_environment_counts_without_a_file_that_can_be_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let broken = directory.path().join("broken.toml");
        std::fs::write(&broken, "[server\nlisten = \"0.0.0.0:9\"\n").expect("a file");
        let listen = ("BACKSTOP_SERVER__LISTEN".to_owned(), "127.0.0.1:7".to_owned());
        let environment = Environment::from([listen]);

        for config in [broken, directory.path().join("missing.toml")] {
            let arguments = HealthArgs { url: None, config: Some(config) };

            assert_eq!(default_url(&arguments, &environment), "http://127.0.0.1:7/health/live");
            assert_eq!(default_url(&arguments, &Environment::new()), "http://127.0.0.1:8420/health/live");
        }
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
