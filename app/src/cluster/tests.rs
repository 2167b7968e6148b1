use std::{net::TcpListener, time::Instant};

use countersign_core::Secret;

use super::*;
use crate::config::{Home, Key};

/// Over a network Redis is spoken to by TLS, and only where its certificate is for its name.
#[tokio::test]
async fn only_a_redis_with_a_certificate_for_its_name_is_believed() {
    let [own, other] =
        ["localhost", "elsewhere"].map(|name| rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap());
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("cert.pem", own.cert.pem()), ("key.pem", own.signing_key.serialize_pem())] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).unwrap().port();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let options = [
        &*format!("--tls-port {port} --tls-auth-clients no --requirepass open-sesame"),
        &*format!("--tls-cert-file {} --tls-key-file {}", file("cert.pem"), file("key.pem")),
    ];
    let Some(_server) = countersign_testkit::Redis::with(&options) else { return };
    let state = State::open(&Home::local(folder.path().join("state"), "n")).await.unwrap();
    let ask = async |ca: &rcgen::CertifiedKey<rcgen::KeyPair>, password: &str| {
        let config = Redis {
            address: countersign_cluster::Address::parse(&format!("rediss://localhost:{port}")).unwrap(),
            password: Some(Key::Known(Secret::new(password.into()))),
            ca: Some(ca.cert.pem().into_bytes()),
        };
        let cluster = Cluster::new(&config, &state).unwrap();
        let begun = Instant::now();
        // A connection takes a moment; one that is refused never comes.
        while begun.elapsed() < Duration::from_secs(3) {
            if cluster.answers().await {
                return true;
            }
            tokio::task::yield_now().await;
        }
        false
    };
    assert!(ask(&own, "open-sesame").await);
    assert!(!ask(&own, "guess").await);
    assert!(!ask(&other, "open-sesame").await);
}
