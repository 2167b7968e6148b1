//! TLS for listeners: version 1.3 and nothing else, with the hybrid post-quantum key exchange preferred.

mod clients;

use std::sync::Arc;

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::TLS13,
};

/// PEM texts a TLS listener is made of.
pub struct Material<'a> {
    /// The certificate chain, leaf first.
    pub chain: &'a [u8],
    /// The leaf's private key.
    pub key: &'a [u8],
    /// Authorities that client certificates must chain to; `None` asks clients for no certificate.
    pub client_authorities: Option<&'a [u8]>,
    /// SPIFFE trust domains, each by its name, with the authorities that may vouch for its workloads and for nobody else.
    pub trust_domains: &'a [(&'a str, &'a [u8])],
    /// Whether a client without certificate is turned away in the handshake, rather than asked for a key.
    pub require_client: bool,
}

/// The material does not make a TLS listener.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM text does not hold what it should.
    #[error("the {what} is not usable PEM")]
    Pem {
        /// Which text.
        what: &'static str,
    },
    /// The certificate and key do not fit, or an authority is not usable.
    #[error("{0}")]
    Rejected(String),
}

/// Builds the server side.
///
/// # Errors
/// When a PEM text is empty or broken, or the key does not belong to the certificate.
pub fn server(material: &Material<'_>) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = certificates(material.chain, "certificate chain")?;
    let key = PrivateKeyDer::from_pem_slice(material.key).map_err(|_| TlsError::Pem { what: "private key" })?;
    let rejected = |e: &dyn std::fmt::Display| TlsError::Rejected(e.to_string());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| rejected(&e))?;
    let builder = match clients::verifier(material, &provider)? {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|e| rejected(&e))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Early data can be replayed; a prompt must not be.
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found.ok().filter(|list| !list.is_empty()).ok_or(TlsError::Pem { what })
}
