//! Whom a provider with a file of certificates of its own may be.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// Trusts the machine's authorities, those of a file, and whoever shows a certificate of that file itself.
///
/// The last is for servers with a self-signed certificate: most tools (`openssl req -x509` for one) make it
/// that of an authority, which no server may show by the rules. That it is still valid, for this name, and
/// that the server has its key is checked as ever.
#[derive(Debug)]
pub(super) struct Trust {
    platform: Verifier,
    own: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// Beside the machine's authorities trusts `own`.
    pub(super) fn new(own: &[CertificateDer<'static>], crypto: Arc<CryptoProvider>) -> Result<Self, String> {
        let platform = Verifier::new_with_extra_roots(own.iter().cloned(), crypto)
            .map_err(|error| format!("no certificate authorities: {error}"))?;
        Ok(Self { platform, own: own.to_vec() })
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.platform.verify_server_cert(shown, intermediates, name, ocsp_response, now);
        match verified {
            // That an authority shows it is one of the errors without a name; all that come before these
            // two, such as that it has expired, stand.
            Err(Error::InvalidCertificate(CertificateError::Other(_) | CertificateError::UnknownIssuer))
                if self.own.contains(shown) =>
            {
                verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.platform.supported_verify_schemes()
    }
}
