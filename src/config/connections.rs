//! How connections to a provider are made.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::proxy::Proxy;

/// How connections to a provider are made.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    /// The most attempts that are under way at once; no limit if absent.
    pub most: Option<NonZeroU32>,
    /// What stands between, if anything does.
    pub proxy: Option<Proxy>,
    /// Who may vouch for it, beside those whom the machine trusts.
    pub authorities: Option<Authorities>,
}

/// Certificates of a file that vouch for others, or for themselves.
#[derive(Clone)]
pub struct Authorities {
    path: Arc<str>,
    certificates: Arc<[CertificateDer<'static>]>,
}

/// Why a file holds no certificates that can vouch for anybody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAuthorities {
    /// There is none in it.
    #[error("holds no certificate")]
    Empty,
    /// There is a key in it, and no certificate.
    #[error("holds a private key and no certificate")]
    OnlyKey,
    /// This one of them, counted from 1, cannot be read.
    #[error("holds a certificate that cannot be read, number {0}")]
    Unreadable(usize),
}

impl Authorities {
    /// The certificates in `text`, the PEM file at `path`; what else stands in it does not count.
    pub fn try_new(path: &str, text: &[u8]) -> Result<Self, NoAuthorities> {
        let mut certificates = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(text) {
            let unreadable = || NoAuthorities::Unreadable(certificates.len() + 1);
            let certificate = certificate.map_err(|_| unreadable())?;
            RootCertStore::empty().add(certificate.clone()).map_err(|_| unreadable())?;
            certificates.push(certificate);
        }
        if certificates.is_empty() {
            return Err(if PrivateKeyDer::from_pem_slice(text).is_ok() {
                NoAuthorities::OnlyKey
            } else {
                NoAuthorities::Empty
            });
        }
        Ok(Self { path: path.into(), certificates: certificates.into() })
    }

    /// The file that they stand in.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The certificates, at least one.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({}, {})", self.path, self.certificates.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHORITY: &[u8] = include_bytes!("../../tests/fixtures/tls/authority.pem");
    const LOCALHOST: &[u8] = include_bytes!("../../tests/fixtures/tls/localhost.pem");
    const KEY: &[u8] = include_bytes!("../../tests/fixtures/tls/key.pem");

    #[test]
    fn certificates_are_read_among_other_things() {
        let bundle = [b"# ours\n", AUTHORITY, KEY, LOCALHOST].concat();

        let authorities = Authorities::try_new("ca.pem", &bundle).expect("certificates");

        assert_eq!(authorities.certificates().len(), 2);
        assert_eq!(format!("{authorities:?}"), "Authorities(ca.pem, 2)");
    }

    #[test]
    fn what_vouches_for_nobody() {
        let rubbish = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let broken = b"-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n";
        for (text, problem) in [
            (&b""[..], NoAuthorities::Empty),
            (b"not PEM", NoAuthorities::Empty),
            (KEY, NoAuthorities::OnlyKey),
            (rubbish, NoAuthorities::Unreadable(1)),
            (broken, NoAuthorities::Unreadable(1)),
            (&[AUTHORITY, rubbish].concat(), NoAuthorities::Unreadable(2)),
        ] {
            assert_eq!(Authorities::try_new("ca.pem", text).err(), Some(problem));
        }
    }
}
