//! Which client certificates a listener lets in: workloads of a SPIFFE trust domain by that domain's own bundle, all others by the
//! client authorities.
//!
//! Threat: an authority that is trusted for one thing and vouches for another: one trust domain's for another's workloads, a
//! company's for workloads.

use std::{collections::BTreeMap, sync::Arc};

use countersign_identity::spiffe::{self, SvidError};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::{Material, TlsError, certificates};

/// Who verifies client certificates for a listener; nobody where no client is asked for one.
pub(super) fn verifier(
    material: &Material<'_>,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let by = |pem: &[u8], what| -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let rejected = |e: &dyn std::fmt::Display| TlsError::Rejected(e.to_string());
        let mut roots = RootCertStore::empty();
        for authority in certificates(pem, what)? {
            roots.add(authority).map_err(|e| rejected(&e))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let verifier = if material.require_client { verifier } else { verifier.allow_unauthenticated() };
        verifier.build().map_err(|e| rejected(&e))
    };
    let others = material.client_authorities.map(|pem| by(pem, "client authority")).transpose()?;
    let mut domains = BTreeMap::new();
    for (name, pem) in material.trust_domains {
        domains.insert(Box::from(*name), by(pem, "bundle of a trust domain")?);
    }
    let Some(any) = others.as_ref().or_else(|| domains.values().next()).cloned() else { return Ok(None) };
    if domains.is_empty() {
        return Ok(Some(any));
    }
    let subjects = others.iter().chain(domains.values()).flat_map(|v| v.root_hint_subjects().to_vec()).collect();
    Ok(Some(Arc::new(Clients { others, domains, subjects, any })))
}

#[derive(Debug)]
struct Clients {
    /// Verifies what names no workload.
    others: Option<Arc<dyn ClientCertVerifier>>,
    /// By trust domain.
    domains: BTreeMap<Box<str>, Arc<dyn ClientCertVerifier>>,
    subjects: Vec<DistinguishedName>,
    /// One of the above, for what all do alike.
    any: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.any.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verifier = match spiffe::trust_domain(leaf) {
            Ok(Some(domain)) => self.domains.get(domain.as_str()),
            Ok(None) => self.others.as_ref(),
            Err(SvidError::Malformed) => return Err(CertificateError::BadEncoding.into()),
            Err(_) => return Err(CertificateError::ApplicationVerificationFailure.into()),
        };
        verifier.ok_or(CertificateError::UnknownIssuer)?.verify_client_cert(leaf, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.any.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.any.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.any.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests;
