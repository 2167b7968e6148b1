//! What it costs to identify a caller: `cargo run --release -p countersign-identity --example speed`.
#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::{error::Error, hint::black_box, time::Instant};

use countersign_core::{
    RequestId, Timestamp,
    life::{Peer, Stamps},
    principal::PrincipalKind,
};
use countersign_identity::{CertificateField, CertificateRule, Identity, NamePattern, Outside, Presented, key};
use countersign_seal::KeyRing;
use futures_util::FutureExt;

fn main() -> Result<(), Box<dyn Error>> {
    let now = Timestamp(1_900_000_000_000_000);
    let ring = KeyRing::from_bytes(KeyRing::generate()?)?;
    let hasher = ring.hasher(key::PURPOSE)?;
    let new = key::NewKey {
        tenant: "bank".into(),
        subject: "teller".into(),
        kind: PrincipalKind::Person,
        roles: vec!["teller".into()],
        scopes: vec![],
        expires: None,
        now,
        note: String::new(),
    };
    let mut texts = Vec::new();
    let mut records = Vec::new();
    for _ in 0..10_000 {
        let (text, record) = key::create(&hasher, new.clone())?;
        texts.push(format!("Bearer {}", text.expose()));
        records.push(record);
    }
    let rule = CertificateRule {
        field: CertificateField::CommonName,
        name: NamePattern::Exact("batch".into()),
        tenant: "bank".into(),
        subject: None,
        kind: PrincipalKind::Service,
        roles: vec![],
        scopes: vec![],
    };
    let identity = Identity::new(Stamps::issue().identify, &ring, vec![rule], Outside::default())?;
    identity.load(records);

    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "batch");
    let certificate = params.self_signed(&rcgen::KeyPair::generate()?)?.der().to_vec();

    let peer = Peer { ip: None, listener: "main".into() };
    let ask = |presented: Presented<'_>| {
        let identified = identity.identify(RequestId::new(now, [7; 10]), now, peer.clone(), &presented);
        identified.now_or_never().is_some_and(|identified| identified.is_ok())
    };
    let keys: Vec<_> =
        texts.iter().map(|text| Presented { authorization: Some(text.as_bytes()), ..Presented::default() }).collect();
    measure("one key", |_| ask(keys[0]), true);
    measure("10,000 keys in turn", |i| ask(keys[i % keys.len()]), true);
    measure("a malformed key", |_| ask(Presented { api_key: Some(&[b'x'; 53]), ..Presented::default() }), false);
    measure("a certificate", |_| ask(Presented { certificate: Some(&certificate), ..Presented::default() }), true);
    Ok(())
}

fn measure(name: &str, step: impl Fn(usize) -> bool, expected: bool) {
    let times = 300_000;
    let start = Instant::now();
    let known = (0..times).filter(|i| black_box(step(*i))).count();
    let each = start.elapsed().as_secs_f64() * 1e6 / times as f64;
    assert_eq!(known, if expected { times } else { 0 });
    println!("{name}: {each:.3} us");
}
