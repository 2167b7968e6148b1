mod limbo;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, SanType};
use rustls::crypto::aws_lc_rs;

use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate with these URIs.
fn certificate(by: &Authority, uris: &[&str], usages: &[KeyUsagePurpose]) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(vec!["client.example".into()]).unwrap();
    params.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
    params.key_usages = usages.to_vec();
    params.signed_by(&KeyPair::generate().unwrap(), by).unwrap().der().clone()
}

fn built(client_authorities: Option<&[u8]>, trust_domains: &[(&str, &[u8])]) -> Option<Arc<dyn ClientCertVerifier>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let material = Material { chain: b"", key: b"", client_authorities, trust_domains, require_client: true };
    verifier(&material, &provider).unwrap()
}

const SIGNS: &[KeyUsagePurpose] = &[KeyUsagePurpose::DigitalSignature];

#[test]
fn a_workload_is_vouched_for_by_its_own_trust_domain() {
    let (bank, lab, company) = (authority(), authority(), authority());
    let [bank_pem, lab_pem, company_pem] = [&bank, &lab, &company].map(|authority| authority.pem().into_bytes());
    let domains: [(&str, &[u8]); 2] = [("bank.example", &bank_pem), ("lab.example", &lab_pem)];
    let verifier = built(Some(&company_pem), &domains).unwrap();
    assert!(verifier.client_auth_mandatory());
    let passes = |der: &CertificateDer<'_>| verifier.verify_client_cert(der, &[], UnixTime::now()).is_ok();
    let (of_bank, of_lab) = ("spiffe://bank.example/batch", "spiffe://lab.example/batch");
    for (by, uris, usages, good) in [
        (&bank, &[of_bank][..], SIGNS, true),
        (&lab, &[of_lab], SIGNS, true),
        (&company, &[], SIGNS, true),
        (&company, &["https://batch.example/"], SIGNS, true),
        // Whoever else is trusted here, for something else.
        (&lab, &[of_bank], SIGNS, false),
        (&bank, &[of_lab], SIGNS, false),
        (&company, &[of_bank], SIGNS, false),
        (&bank, &[], SIGNS, false),
        (&bank, &["https://batch.example/"], SIGNS, false),
        (&bank, &["spiffe://evil.example/batch"], SIGNS, false),
        // What is no SVID, by the right authority.
        (&bank, &[of_bank, of_lab], SIGNS, false),
        (&bank, &[of_bank, "https://x.example/"], SIGNS, false),
        (&bank, &["spiffe://bank.example"], SIGNS, false),
        (&bank, &["SPIFFE://bank.example/batch"], SIGNS, false),
        (&bank, &[of_bank], &[], false),
        (&bank, &[of_bank], &[KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign], false),
    ] {
        let der = certificate(by, uris, usages);
        assert_eq!(passes(&der), good, "{uris:?} {usages:?}");
    }
    assert!(!passes(&CertificateDer::from(b"x".to_vec())));
}

#[test]
fn without_client_authorities_only_workloads_are_let_in() {
    let bank = authority();
    let pem = bank.pem().into_bytes();
    let verifier = built(None, &[("bank.example", &pem)]).unwrap();
    let passes = |der: &CertificateDer<'_>| verifier.verify_client_cert(der, &[], UnixTime::now()).is_ok();
    assert!(passes(&certificate(&bank, &["spiffe://bank.example/batch"], SIGNS)));
    assert!(!passes(&certificate(&bank, &[], SIGNS)));
    assert!(built(None, &[]).is_none());
}
