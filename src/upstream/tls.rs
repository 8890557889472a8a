//! The TLS handshake, with errors a person can act on.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, OtherError};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

mod trust;

use trust::Trust;

use crate::config::Authorities;
use crate::retry::{Class, Fault, Phase};

/// What to do where nobody vouches for a provider.
const ADVICE: &str = "if you trust it, name its certificate or that of its authority with `ca`";

/// A TLS configuration, whose sessions are resumed by all who share it: one for all providers, but for
/// those with authorities of their own. So no session lets in anybody whom its provider does not trust.
///
/// It is made by the first handshake, so that a machine without certificates still reaches its
/// plain providers.
#[derive(Debug, Default)]
pub(super) struct Tls {
    authorities: Option<Authorities>,
    config: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Tls {
    /// Trusts what `config` trusts, in place of the machine's certificates.
    #[cfg(test)]
    pub(super) fn trusting(config: ClientConfig) -> Self {
        Self { authorities: None, config: OnceLock::from(Ok(Arc::new(config))) }
    }

    /// Trusts `authorities` beside the machine's.
    pub(super) fn also_trusting(authorities: &Authorities) -> Self {
        Self { authorities: Some(authorities.clone()), config: OnceLock::new() }
    }

    /// Shakes hands with `host` over `socket`.
    pub(super) async fn handshake(
        &self,
        host: &str,
        socket: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Fault> {
        let failed = |reason: String| {
            let reason = format!("TLS handshake with `{host}` failed: {reason}");
            Fault::new(Class::Connect, Phase::Connect, reason)
        };
        let config = self.config.get_or_init(|| self.made()).clone().map_err(failed)?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| failed("the name can stand in no certificate".to_owned()))?;
        TlsConnector::from(config).connect(name, socket).await.map_err(|error| {
            let advice = is_stranger(&error).then_some(ADVICE);
            Fault { advice, ..failed(reason(&error)) }
        })
    }

    fn made(&self) -> Result<Arc<ClientConfig>, String> {
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&crypto))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match &self.authorities {
            Some(own) => {
                let trust = Trust::new(own.certificates(), crypto)?;
                builder.dangerous().with_custom_certificate_verifier(Arc::new(trust))
            }
            None => builder
                .with_platform_verifier()
                .map_err(|error| format!("no certificate authorities on this machine: {error}"))?,
        };
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn of_tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// Whether nobody vouches for the certificate that was shown, which may be all that is wrong with it.
fn is_stranger(error: &io::Error) -> bool {
    match of_tls(error) {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => true,
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) => is_of_authority(other),
        _ => false,
    }
}

/// Whether a server shows the certificate of an authority, as those do that have signed their own. The
/// library that says so has the type of its errors to itself.
fn is_of_authority(error: &OtherError) -> bool {
    error.0.to_string() == "CaUsedAsEndEntity"
}

fn reason(error: &io::Error) -> String {
    let Some(tls) = of_tls(error) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => "connection closed".to_owned(),
            io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
            _ => error.to_string(),
        };
    };
    match tls {
        rustls::Error::InvalidCertificate(problem) => certificate(problem),
        rustls::Error::InvalidMessage(_) => "the other side does not speak TLS".to_owned(),
        rustls::Error::AlertReceived(alert) => format!("the other side refused: {alert:?}"),
        other => other.to_string(),
    }
}

fn certificate(problem: &CertificateError) -> String {
    match problem {
        CertificateError::UnknownIssuer => "certificate of an unknown issuer".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "certificate is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "certificate is for another name".to_owned()
        }
        CertificateError::Other(other) if is_of_authority(other) => {
            "certificate of an authority, not of a server".to_owned()
        }
        CertificateError::Revoked => "certificate has been revoked".to_owned(),
        other => format!("certificate is not valid: {other}"),
    }
}

#[cfg(test)]
mod tests;
