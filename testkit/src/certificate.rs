//! A person who shows a client certificate.

use std::io;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};

use crate::{Client, Deployment};

/// A client certificate, the authority that made it, and its key; all PEM.
#[derive(Debug)]
pub struct ClientCertificate {
    /// To be trusted by the listener.
    pub authority: String,
    chain: String,
    key: String,
}

impl ClientCertificate {
    /// A new one with this common name, by an authority of its own.
    ///
    /// # Panics
    /// When no key can be made.
    #[must_use]
    pub fn of(common_name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "clients");
        let pair = || KeyPair::generate().expect("a key pair");
        let authority = CertifiedIssuer::self_signed(params, pair()).expect("an authority");
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = pair();
        let chain = params.signed_by(&key, &authority).expect("a certificate").pem();
        Self { authority: authority.pem(), chain, key: key.serialize_pem() }
    }

    /// A new connection inside TLS 1.3 that shows it.
    ///
    /// # Errors
    /// When the handshake fails.
    pub fn connect(&self, gateway: &Deployment) -> io::Result<Client> {
        Client::tls(gateway.tls, &gateway.secure().showing(self.chain.as_str(), self.key.as_str()))
    }
}
