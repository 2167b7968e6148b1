//! Real handshakes on loopback: what is trusted and what is not.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UnixListener},
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{Dialect, Timeouts, fault::Fault};

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    fn pem(&self) -> Vec<u8> {
        self.issuer.pem().into_bytes()
    }

    /// A server that greets on every connection whose handshake succeeds. Returns its port.
    async fn serve(&self, name: &str, expired: bool, versions: &[&'static rustls::SupportedProtocolVersion]) -> u16 {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                if let Ok(mut tls) = acceptor.accept(tcp).await {
                    let _ = tls.write_all(b"hi").await;
                    let _ = tls.shutdown().await;
                }
            }
        });
        port
    }
}

fn target(base: &str, ca: Option<Vec<u8>>) -> Target {
    Target {
        name: "t".into(),
        dialect: Dialect::OpenAi,
        base: base.parse().unwrap(),
        key: None,
        models: vec![],
        timeouts: Timeouts::default(),
        ca,
        oldest_tls: OldestTls::default(),
        connections: 1,
    }
}

async fn dial(target: &Target) -> io::Result<Vec<u8>> {
    let mut io = Dialer::new(std::slice::from_ref(target)).unwrap().dial(target).await?;
    let mut greeting = vec![0; 2];
    io.read_exact(&mut greeting).await?;
    Ok(greeting)
}

#[tokio::test]
async fn tls_1_3_to_a_server_whose_authority_is_given_and_1_2_only_where_it_is_named() {
    let authority = Authority::new();
    for (version, oldest_tls, greets) in [
        (&TLS13, OldestTls::Tls13, true),
        (&TLS13, OldestTls::Tls12, true),
        (&TLS12, OldestTls::Tls13, false),
        (&TLS12, OldestTls::Tls12, true),
    ] {
        let port = authority.serve("localhost", false, &[version]).await;
        let target = Target { oldest_tls, ..target(&format!("https://localhost:{port}"), Some(authority.pem())) };
        let greeted = dial(&target).await;
        assert_eq!(greeted.is_ok(), greets, "{version:?} {oldest_tls:?}");
        if let Err(error) = greeted {
            assert_eq!(Fault::dial(&error).refusal.reason, "the provider's tls handshake failed");
        }
    }
    let port = authority.serve("127.0.0.1", false, rustls::ALL_VERSIONS).await;
    assert_eq!(dial(&target(&format!("https://127.0.0.1:{port}"), Some(authority.pem()))).await.unwrap(), b"hi");
}

#[tokio::test]
async fn a_certificate_that_is_not_the_right_one_is_not_talked_to() {
    let (ours, other) = (Authority::new(), Authority::new());
    let (name, expired) = ("localhost", false);
    for (port, ca) in [
        (ours.serve(name, expired, rustls::ALL_VERSIONS).await, Some(other.pem())),
        (ours.serve("elsewhere.example", expired, rustls::ALL_VERSIONS).await, Some(ours.pem())),
        (ours.serve(name, true, rustls::ALL_VERSIONS).await, Some(ours.pem())),
    ] {
        let error = dial(&target(&format!("https://localhost:{port}"), ca)).await.unwrap_err();
        let fault = Fault::dial(&error);
        assert_eq!(fault.refusal.reason, "the provider's tls handshake failed");
        assert!(!fault.called);
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_not_talked_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for greeting in ["HTTP/1.1 400 Bad Request\r\n\r\n", ""] {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tcp.write_all(greeting.as_bytes()).await.unwrap();
        }
    });
    for _ in 0..2 {
        assert!(dial(&target(&base, Some(Authority::new().pem()))).await.is_err());
    }
}

#[tokio::test]
async fn unix_sockets_and_plain_tcp() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move { listener.accept().await.unwrap().0.write_all(b"hi").await });
    assert_eq!(dial(&target(&format!("unix:{}", path.display()), None)).await.unwrap(), b"hi");
    assert!(dial(&target(&format!("unix:{}.gone", path.display()), None)).await.is_err());

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { listener.accept().await.unwrap().0.write_all(b"hi").await });
    assert_eq!(dial(&target(&base, None)).await.unwrap(), b"hi");
}

#[test]
fn authorities_that_are_none_are_refused_when_the_dialer_is_built() {
    let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for ca in ["", "not pem", cut] {
        let result = Dialer::new(&[target("https://h", Some(ca.into()))]);
        assert!(matches!(result, Err(DialError::Ca(_))), "{ca:?}");
    }
    assert!(Dialer::new(&[target("http://h", None), target("unix:/x", None)]).is_ok());
}
