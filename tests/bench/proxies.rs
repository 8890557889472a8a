//! The proxies that are compared: each a process of its own with one worker or two, in front of the same
//! provider.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use super::proc;
use super::tls;
use super::upstream::Upstream;

/// How a proxy is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Worker threads or processes.
    pub workers: usize,
    /// Whether Backstop writes its log of requests, as JSON into a file.
    pub log: bool,
    /// Whether the provider is asked over TLS.
    pub tls: bool,
    /// What nginx does with the body of a request before the provider has it.
    pub bodies: Bodies,
}

/// Where nginx has the body of a request. Backstop has it in memory, for another attempt may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bodies {
    /// Nowhere: what comes in goes out.
    Through,
    /// In a buffer for the whole of it.
    Memory,
    /// In a file from 16 KB on, as its package sets it up.
    File,
}

impl Bodies {
    fn directive(self) -> &'static str {
        match self {
            Self::Through => "proxy_request_buffering off;",
            Self::Memory => "client_body_buffer_size 2m;",
            Self::File => "",
        }
    }
}

/// Who is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Nobody: the provider itself is asked.
    Direct,
    /// nginx as a plain reverse proxy.
    Nginx,
    /// This Backstop.
    Backstop,
    /// Whatever listens at an address, and its process if that is known.
    Other(SocketAddr, Option<u32>),
}

impl Kind {
    /// What tables call it.
    pub fn name(&self) -> String {
        match self {
            Self::Direct => "direct".to_owned(),
            Self::Nginx => "nginx".to_owned(),
            Self::Backstop => "backstop".to_owned(),
            Self::Other(address, _) => address.to_string(),
        }
    }
}

/// A proxy that runs; dropping it ends it.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    /// From starting the process until it could be connected to.
    pub start: Duration,
    process: Option<Child>,
    /// The processes that do the work.
    pids: Vec<u32>,
}

impl Proxy {
    /// Starts one in `folder`, in front of `upstream`, and waits until it listens. Backstop has a route for each
    /// of `models`.
    pub fn start(
        kind: &Kind,
        setup: Setup,
        models: &[String],
        upstream: Upstream,
        folder: &Path,
    ) -> io::Result<Self> {
        let (mut command, address) = match kind {
            Kind::Direct => return Ok(Self::running(upstream.plain, None)),
            Kind::Other(address, pid) => return Ok(Self::running(*address, *pid)),
            Kind::Nginx => nginx(setup, upstream, folder)?,
            Kind::Backstop => backstop(setup, models, upstream, folder)?,
        };
        let began = Instant::now();
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let mut proxy =
            Self { address, start: Duration::ZERO, pids: vec![process.id()], process: Some(process) };
        proxy.wait_until_it_listens(began)?;
        proxy.start = began.elapsed();
        if *kind == Kind::Nginx {
            // Its first process only looks after the others, and it listens before they are there.
            let master = proxy.pids[0];
            while proxy.pids == [master] || proxy.pids.len() < setup.workers {
                std::thread::sleep(Duration::from_millis(1));
                proxy.pids = proc::children(master);
            }
        }
        Ok(proxy)
    }

    fn running(address: SocketAddr, pid: Option<u32>) -> Self {
        Self { address, start: Duration::ZERO, process: None, pids: pid.into_iter().collect() }
    }

    fn wait_until_it_listens(&mut self, began: Instant) -> io::Result<()> {
        while TcpStream::connect(self.address).is_err() {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
            if ended.is_some() || began.elapsed() > Duration::from_secs(10) {
                return Err(io::Error::other("a proxy did not start: what it said stands above"));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    /// Its CPU time so far.
    pub fn cpu(&self) -> Duration {
        proc::cpu(&self.pids)
    }

    /// Its own memory, in bytes.
    pub fn own_memory(&self) -> u64 {
        proc::own_memory(&self.pids)
    }

    /// All memory that it has in use, in bytes.
    pub fn resident(&self) -> u64 {
        proc::resident(&self.pids)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let asked = Command::new("kill").arg(process.id().to_string()).status();
        let began = Instant::now();
        while asked.is_ok() && began.elapsed() < Duration::from_secs(3) {
            if matches!(process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ended = process.kill().and_then(|()| process.wait());
    }
}

/// The binary of Backstop that is measured: the one that users build. What `cargo bench` has built beside this
/// program has a clock that tests can stop, which every look at the time pays for.
pub fn binary() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
        if let Some(named) = std::env::var_os("BACKSTOP_BIN") {
            return named.into();
        }
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_backstop"));
        let folder = binary.ancestors().nth(2).expect("a folder for each profile");
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "--release", "--locked", "--quiet", "--bin", "backstop", "--target-dir"])
            .arg(folder);
        assert!(build.status().is_ok_and(|status| status.success()), "`cargo build --release` failed");
        binary
    });
    &BINARY
}

/// Where nginx is, if it is installed.
pub fn nginx_binary() -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"];
    folders.iter().map(|folder| Path::new(folder).join("nginx")).find(|path| path.exists())
}

fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

fn nginx(setup: Setup, upstream: Upstream, folder: &Path) -> io::Result<(Command, SocketAddr)> {
    let address = free_port()?;
    let (here, workers, bodies) = (folder.display(), setup.workers, setup.bodies.directive());
    let (scheme, server, tls) = if setup.tls {
        ("https", upstream.tls, nginx_tls())
    } else {
        ("http", upstream.plain, String::new())
    };
    let text = format!(
        "worker_processes {workers}; daemon off; pid {here}/nginx.pid; error_log {here}/nginx.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 16000; }}
http {{
  access_log off; keepalive_requests 1000000000; client_max_body_size 100m; {bodies}
  client_body_temp_path {here}/body; proxy_temp_path {here}/proxy; fastcgi_temp_path {here}/fastcgi;
  uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;
  upstream provider {{ server {server}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen {address};
    location / {{
      proxy_pass {scheme}://provider; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off;
      {tls}
    }}
  }}
}}
"
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, text)?;
    let program =
        nginx_binary().ok_or_else(|| io::Error::other("nginx is missing: apt-get install nginx"))?;
    let mut command = Command::new(program);
    command.arg("-c").arg(path).stderr(Stdio::null());
    Ok((command, address))
}

/// That it verifies the provider as Backstop does, and speaks the same TLS with it: left alone, this version of
/// nginx speaks no 1.3 with providers. Sessions it resumes unless told not to.
fn nginx_tls() -> String {
    format!(
        "proxy_ssl_protocols TLSv1.3; proxy_ssl_verify on; proxy_ssl_trusted_certificate {};
      proxy_ssl_name {name}; proxy_ssl_server_name on;",
        tls::authority().display(),
        name = tls::NAME
    )
}

fn backstop(
    setup: Setup,
    models: &[String],
    upstream: Upstream,
    folder: &Path,
) -> io::Result<(Command, SocketAddr)> {
    let (address, closed) = (free_port()?, free_port()?);
    let provider = if setup.tls {
        let (authority, port) = (tls::authority(), upstream.tls.port());
        format!("base_url = \"https://{}:{port}/v1\"\nca = '{}'", tls::NAME, authority.display())
    } else {
        format!("base_url = \"http://{}/v1\"", upstream.plain)
    };
    let mut text = format!(
        "[server]\nlisten = \"{address}\"\nworkers = {}\n[providers.up]\n{provider}\n\
         [providers.closed]\nbase_url = \"http://{closed}/v1\"\n\
         [routes.refused]\nchain = [\"closed/x\", \"up/json.1024\"]\ncooldown = {{ enabled = false }}\n\
         [routes.waiting]\nchain = [\"up/busy\"]\nretry = {{ attempt_delay = \"5m\" }}\n\
         cooldown = {{ enabled = false }}\n",
        setup.workers
    );
    for model in models {
        text.extend(["[routes.\"", model, "\"]\nchain = [\"up/", model, "\"]\n"]);
    }
    let path = folder.join("backstop.toml");
    fs::write(&path, text)?;
    let log = fs::File::create(folder.join("backstop.log"))?;
    let mut command = Command::new(binary());
    command.arg("--config").arg(path).stderr(log);
    command.env("BACKSTOP_LOG", if setup.log { "info" } else { "warn" });
    Ok((command, address))
}
