//! Opens streams to targets: TCP with or without TLS, or a Unix socket.

use std::{collections::HashMap, fmt, future::Future, io, pin::Pin, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsConnector;

use crate::{Base, OldestTls, Target};

/// A stream to a provider.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A stream to a provider, whatever it is made of.
pub type BoxIo = Box<dyn Io>;

/// What [`Dial::dial`] returns.
pub type Dialing<'a> = Pin<Box<dyn Future<Output = io::Result<BoxIo>> + Send + 'a>>;

/// Opens streams to targets. Tests hand in one that opens in-memory streams.
pub trait Dial: Send + Sync {
    /// Opens a stream on which the target may be asked at once. The caller bounds how long it takes.
    fn dial<'a>(&'a self, target: &'a Target) -> Dialing<'a>;
}

/// Opens real streams to targets, as [`open`] does.
///
/// A provider's certificate is checked against the target's own authorities, or the system's when it names none.
pub struct Dialer {
    /// By the target's name.
    tls: HashMap<Arc<str>, Trust>,
}

/// Whose certificates a server has to show. There is no way to take any other.
#[derive(Clone)]
pub struct Trust(TlsConnector);

/// There is nobody to trust, or TLS cannot be set up at all.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// What was given is not a list of certificates.
    #[error("the authorities are not a list of certificates in PEM")]
    Given,
    /// The system has none.
    #[error("the system has no certificate authorities; install `ca-certificates` or name a `ca`")]
    System,
    /// TLS cannot be set up.
    #[error("tls cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// A dialer cannot be built; the configuration's or the machine's fault.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The target's host cannot stand in a certificate.
    #[error("target `{0}`: its host is neither a name nor an IP address")]
    Host(Arc<str>),
    /// The target's authorities are not PEM certificates.
    #[error("target `{0}`: its `ca` is not a list of certificates in PEM")]
    Ca(Arc<str>),
    /// The system has no certificate authorities to check a provider against.
    #[error("target `{0}`: the system has no certificate authorities; install `ca-certificates` or name a `ca`")]
    NoSystemCa(Arc<str>),
    /// TLS cannot be set up at all.
    #[error("tls cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Dialer {
    /// A dialer for these targets. Reads the system's authorities once, if a target needs them.
    ///
    /// # Errors
    /// [`DialError`], which names the target.
    pub fn new(targets: &[Target]) -> Result<Self, DialError> {
        let mut system = None;
        let mut tls = HashMap::new();
        for target in targets {
            let Base::Https(address) = &target.base else { continue };
            ServerName::try_from(address.host.as_str()).map_err(|_| DialError::Host(target.name.clone()))?;
            let roots = match &target.ca {
                Some(pem) => given_roots(pem).ok_or_else(|| DialError::Ca(target.name.clone()))?,
                None => {
                    let read = system.get_or_insert_with(system_roots);
                    read.clone().ok_or_else(|| DialError::NoSystemCa(target.name.clone()))?
                }
            };
            tls.insert(target.name.clone(), Trust::new(roots, target.oldest_tls)?);
        }
        Ok(Self { tls })
    }
}

impl Dial for Dialer {
    fn dial<'a>(&'a self, target: &'a Target) -> Dialing<'a> {
        Box::pin(open(&target.base, self.tls.get(&target.name)))
    }
}

/// Opens a real stream: TCP without Nagle's delay, TLS by rustls for `https`, a Unix socket.
///
/// # Errors
/// When nobody listens there, the certificate is not one of `trust` for that host, or `https` is to be spoken without trust.
pub async fn open(base: &Base, trust: Option<&Trust>) -> io::Result<BoxIo> {
    let address = match base {
        Base::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
        Base::Http(address) | Base::Https(address) => address,
    };
    let tcp = TcpStream::connect((address.host.as_str(), address.port)).await?;
    tcp.set_nodelay(true)?;
    if matches!(base, Base::Http(_)) {
        return Ok(Box::new(tcp));
    }
    let wrong = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
    let Trust(connector) = trust.ok_or_else(|| wrong("nobody is trusted to say who the server is"))?;
    let name =
        ServerName::try_from(address.host.clone()).map_err(|_| wrong("the host cannot stand in a certificate"))?;
    Ok(Box::new(connector.connect(name, tcp).await?))
}

impl Trust {
    /// The system's authorities, read now, for servers that no model answers from: TLS 1.2 or 1.3.
    ///
    /// # Errors
    /// [`TrustError::System`] when there are none.
    pub fn system() -> Result<Self, TrustError> {
        Ok(Self::new(system_roots().ok_or(TrustError::System)?, OldestTls::Tls12)?)
    }

    /// Authorities in PEM, for servers that no model answers from: TLS 1.2 or 1.3.
    ///
    /// # Errors
    /// [`TrustError::Given`] when they are none.
    pub fn given(pem: &[u8]) -> Result<Self, TrustError> {
        Ok(Self::new(given_roots(pem).ok_or(TrustError::Given)?, OldestTls::Tls12)?)
    }

    fn new(roots: RootCertStore, oldest: OldestTls) -> Result<Self, rustls::Error> {
        Ok(Self(TlsConnector::from(config(roots, oldest)?)))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

fn config(roots: RootCertStore, oldest: OldestTls) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions: &[&SupportedProtocolVersion] = match oldest {
        OldestTls::Tls13 => &[&TLS13],
        OldestTls::Tls12 => &[&TLS13, &TLS12],
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn given_roots(pem: &[u8]) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.ok()?).ok()?;
    }
    (!roots.is_empty()).then_some(roots)
}

fn system_roots() -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    // A store commonly holds a few certificates that rustls does not take; they are not trusted, which is the safe side.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    (!roots.is_empty()).then_some(roots)
}

#[cfg(test)]
mod tests;
