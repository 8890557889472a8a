//! The provider behind TLS: its certificate, and how the handshakes with it went.
//!
//! It hands out tickets that hold the session and are good more than once, as providers behind many servers do. So
//! whoever keeps a session can resume it; [`Handshakes`] tells whether they did.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::HandshakeKind;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The name in the certificate.
pub const NAME: &str = "localhost";

static FULL: AtomicU64 = AtomicU64::new(0);
static RESUMED: AtomicU64 = AtomicU64::new(0);

/// How many handshakes there were.
#[derive(Debug, Clone, Copy)]
pub struct Handshakes {
    /// With a certificate.
    pub full: u64,
    /// With the ticket of an earlier one.
    pub resumed: u64,
}

impl Handshakes {
    /// So far.
    pub fn now() -> Self {
        Self { full: FULL.load(Ordering::Relaxed), resumed: RESUMED.load(Ordering::Relaxed) }
    }

    /// Those since then.
    pub fn since(self) -> Self {
        let now = Self::now();
        Self { full: now.full - self.full, resumed: now.resumed - self.resumed }
    }

    /// All of them.
    pub fn count(self) -> u64 {
        self.full + self.resumed
    }
}

/// The certificate of the authority that vouches for the provider.
pub fn authority() -> PathBuf {
    fixture("authority.pem")
}

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/tls", name].iter().collect()
}

/// What the provider shakes hands with.
pub fn acceptor() -> io::Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(fixture("localhost.pem"))
        .and_then(Iterator::collect)
        .map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(fixture("key.pem")).map_err(io::Error::other)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Shakes hands, and counts it.
pub async fn accept(acceptor: &TlsAcceptor, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let stream = acceptor.accept(stream).await?;
    let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
    let counter = if resumed { &RESUMED } else { &FULL };
    counter.fetch_add(1, Ordering::Relaxed);
    Ok(stream)
}
