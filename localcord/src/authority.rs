//! A certificate authority of our own, so that `https://` and `wss://` work on localhost.
//!
//! Everything is made fresh at start and nothing but the authority's public certificate is ever
//! written to disk: a client trusts that file, and the trust ends with the process that made it.

use std::{io, path::Path, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

/// The names and addresses the certificate stands for: this machine, and the hosts of Discord that
/// the proxy answers for.
pub const NAMES: [&str; 9] = [
    "localhost",
    "127.0.0.1",
    "::1",
    "discord.com",
    "gateway.discord.gg",
    "*.discord.gg",
    "*.discord.media",
    "cdn.discordapp.com",
    "media.discordapp.net",
];

/// Why a certificate could not be made or used.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// The certificate could not be made.
    #[error("could not make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused the certificate.
    #[error("TLS refused the certificate: {0}")]
    Tls(#[from] rustls::Error),
}

/// The authority: signs the server's certificate, is what clients trust.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a new authority with a new key.
    ///
    /// # Errors
    /// The key or the certificate could not be made.
    pub fn generate() -> Result<Self, AuthorityError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "localcord test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        })
    }

    /// A TLS acceptor with a certificate for all of [`NAMES`].
    ///
    /// # Errors
    /// The certificate could not be made or used.
    pub fn acceptor(&self) -> Result<TlsAcceptor, AuthorityError> {
        self.acceptor_for(&[])
    }

    /// Like [`Authority::acceptor`], for more names or addresses than those.
    ///
    /// # Errors
    /// A name is not a host name; the certificate could not be made or used.
    pub fn acceptor_for(&self, more: &[String]) -> Result<TlsAcceptor, AuthorityError> {
        let mut names: Vec<String> = NAMES.iter().map(ToString::to_string).collect();
        names.extend(more.iter().filter(|name| !NAMES.contains(&name.as_str())).cloned());
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "localcord");
        // Python's ssl module demands both extensions when it verifies strictly.
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone(), self.certificate.clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// A client configuration that trusts this authority and nobody else.
    ///
    /// # Errors
    /// The TLS library refused the authority's certificate.
    pub fn client_config(&self) -> Result<ClientConfig, AuthorityError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }

    /// The certificate to trust, as PEM text.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Writes the certificate to trust to a file, replacing what was there.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn write_pem(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, &self.pem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_the_certificate_and_no_key() {
        let authority = Authority::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        authority.write_pem(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, authority.pem());
        assert!(text.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(!text.contains("KEY"));
    }

    #[test]
    fn more_names_must_be_host_names() {
        let authority = Authority::generate().unwrap();
        assert!(authority.acceptor_for(&["192.168.1.7".into(), "box.lan".into()]).is_ok());
        assert!(authority.acceptor_for(&["na\u{ef}ve".into()]).is_err());
    }
}
