//! Any bytes as a client certificate: read or refused, and never anyone a rule does not name.
#![no_main]
use std::sync::LazyLock;

use countersign_core::{
    RequestId, Secret, Timestamp,
    life::{Peer, Stamps},
    principal::PrincipalKind,
};
use countersign_identity::{CertificateField, CertificateRule, Identity, NamePattern, Outside, Presented};
use countersign_seal::KeyRing;
use futures_util::FutureExt;
use libfuzzer_sys::fuzz_target;

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let ring = KeyRing::from_bytes(Secret::new(vec![1; 32])).expect("32 bytes are a key");
    let rule = CertificateRule {
        field: CertificateField::Uri,
        name: NamePattern::Prefix("spiffe://".into()),
        tenant: "bank".into(),
        subject: None,
        kind: PrincipalKind::Service,
        roles: vec![],
        scopes: vec![],
    };
    Identity::new(Stamps::issue().identify, &ring, vec![rule], Outside::default()).expect("a ring has hashers")
});

fuzz_target!(|bytes: &[u8]| {
    let now = Timestamp(1_900_000_000_000_000);
    let presented = Presented { certificate: Some(bytes), ..Presented::default() };
    if let Ok(identified) = IDENTITY
        .identify(RequestId::new(now, [0; 10]), now, Peer::default(), &presented)
        .now_or_never()
        .expect("nothing is waited for")
    {
        assert!(identified.principal().subject.starts_with("spiffe://"));
    }
});
