use countersign_core::Code;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType, date_time_ymd};

use super::*;

/// Valid through the year 2030.
fn certificate(common_names: &[&str], alternative: &[SanType]) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for name in common_names {
        params.distinguished_name.push(DnType::CommonName, *name);
    }
    params.subject_alt_names = alternative.to_vec();
    params.not_before = date_time_ymd(2030, 1, 1);
    params.not_after = date_time_ymd(2031, 1, 1);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn rule(field: CertificateField, name: NamePattern) -> CertificateRule {
    CertificateRule {
        field,
        name,
        tenant: "bank".into(),
        subject: None,
        kind: PrincipalKind::Service,
        roles: vec!["batch".into()],
        scopes: vec![],
    }
}

fn exact(name: &str) -> NamePattern {
    NamePattern::Exact(name.into())
}

fn prefix(name: &str) -> NamePattern {
    NamePattern::Prefix(name.into())
}

fn subject(rule: &CertificateRule, der: &[u8]) -> Option<String> {
    Certificates::new(vec![rule.clone()], Arc::default()).principal(der, DURING).ok().map(|p| p.subject.to_string())
}

const BEFORE: Timestamp = Timestamp(1_893_455_999_999_999);
const FIRST: Timestamp = Timestamp(1_893_456_000_000_000);
const DURING: Timestamp = Timestamp(1_900_000_000_000_000);
const LAST: Timestamp = Timestamp(1_924_992_000_999_999);
const AFTER: Timestamp = Timestamp(1_924_992_001_000_000);

#[test]
fn names_map_by_field_and_pattern() {
    use CertificateField::{CommonName, Dns, Uri};
    let der = certificate(&["batch-7"], &[dns("Batch.Bank.example"), uri("spiffe://bank/batch/7")]);
    for (field, pattern, expected) in [
        (Uri, exact("spiffe://bank/batch/7"), Some("spiffe://bank/batch/7")),
        (Uri, prefix("spiffe://bank/"), Some("spiffe://bank/batch/7")),
        (Uri, prefix("spiffe://Bank/"), None),
        (Uri, exact("spiffe://bank/"), None),
        (Uri, prefix("spiffe://bank/batch/7"), None),
        (Uri, prefix(""), None),
        (Uri, exact(""), None),
        (Uri, exact("batch-7"), None),
        (Dns, exact("batch.bank.example"), Some("batch.bank.example")),
        (Dns, exact("BATCH.bank.example"), Some("batch.bank.example")),
        (Dns, prefix("batch."), Some("batch.bank.example")),
        (Dns, exact("batch-7"), None),
        (CommonName, exact("batch-7"), Some("batch-7")),
        (CommonName, exact("Batch-7"), None),
        (CommonName, prefix("batch-"), Some("batch-7")),
        (CommonName, prefix("spiffe"), None),
    ] {
        let rule = rule(field, pattern);
        assert_eq!(subject(&rule, &der).as_deref(), expected, "{rule:?}");
    }
}

#[test]
fn the_first_rule_that_matches_decides_and_may_name_the_subject() {
    let der = certificate(&[], &[uri("https://bank/admin"), uri("https://bank/batch")]);
    let first =
        CertificateRule { subject: Some("batch".into()), ..rule(CertificateField::Uri, exact("https://bank/batch")) };
    let second =
        CertificateRule { roles: vec!["admin".into()], ..rule(CertificateField::Uri, prefix("https://bank/")) };
    let principal = Certificates::new(vec![first, second], Arc::default()).principal(&der, DURING).unwrap();
    assert_eq!((&*principal.subject, &*principal.roles[0]), ("batch", "batch"));
    assert_eq!(principal.method, Method::ClientCertificate);
    assert!(principal.credential.starts_with("sha256:") && principal.credential.len() == 71);
}

#[test]
fn names_that_could_read_as_others_refuse_the_certificate() {
    let by_name = rule(CertificateField::CommonName, exact("batch"));
    let workload = rule(CertificateField::Uri, exact("spiffe://bank/batch"));
    assert!(subject(&workload, &certificate(&[], &[uri("spiffe://bank/batch")])).is_some());
    for beside in ["spiffe://bank/admin", "SPIFFE://bank/admin", "https://bank/batch", "spiffe://bank/batch"] {
        let two = certificate(&[], &[uri("spiffe://bank/batch"), uri(beside)]);
        assert_eq!(subject(&workload, &two), None, "a workload has one name");
    }
    // Without alternative names there is nothing for the other rules to match.
    assert!(subject(&by_name, &certificate(&["batch"], &[])).is_some());
    assert!(subject(&rule(CertificateField::Uri, prefix("b")), &certificate(&["batch"], &[])).is_none());
    assert!(subject(&by_name, &certificate(&[], &[])).is_none());
    assert!(subject(&by_name, &certificate(&["batch\0.evil"], &[])).is_none());
    assert!(subject(&by_name, &certificate(&["batch\u{200b}"], &[])).is_none());
    for bad in ["spiffe://bank/a\0b", "spiffe://bank/a\nb", "spiffe://bank/\u{7f}"] {
        let der = certificate(&["batch"], &[uri(bad)]);
        assert!(subject(&rule(CertificateField::Uri, prefix("spiffe://bank/")), &der).is_none(), "{bad:?}");
        assert!(subject(&by_name, &der).is_none(), "{bad:?}");
    }
}

#[test]
fn a_certificate_holds_from_its_first_second_through_its_last() {
    let certificates = Certificates::new(vec![rule(CertificateField::CommonName, exact("batch"))], Arc::default());
    let der = certificate(&["batch"], &[]);
    let code = |now| certificates.principal(&der, now).err().map(|r| r.code);
    assert_eq!(code(BEFORE), Some(Code::BadCredential));
    assert_eq!(code(FIRST), None);
    assert_eq!(code(LAST), None);
    assert_eq!(code(AFTER), Some(Code::ExpiredCredential));
    let lease = certificates.principal(&der, DURING).unwrap().lease.clone();
    assert!(lease.stands(LAST) && !lease.stands(AFTER), "a stream in flight ends with the certificate");
}

#[test]
fn one_certificate_is_one_lease() {
    let certificates = Certificates::new(vec![rule(CertificateField::CommonName, prefix("batch"))], Arc::default());
    let (one, other) = (certificate(&["batch-1"], &[]), certificate(&["batch-1"], &[]));
    let principal = |der: &[u8]| certificates.principal(der, DURING).unwrap();
    assert!(Arc::ptr_eq(&principal(&one), &principal(&one)));
    assert!(!Arc::ptr_eq(&principal(&one).lease, &principal(&other).lease));
    principal(&one).lease.end();
    assert_eq!(certificates.principal(&one, DURING).unwrap_err().code, Code::RevokedCredential);
    assert!(certificates.principal(&other, DURING).is_ok());
}

#[test]
fn new_rules_end_what_they_change_and_leave_the_rest() {
    let by_uri = rule(CertificateField::Uri, prefix("spiffe://bank/"));
    let by_name = rule(CertificateField::CommonName, exact("batch"));
    let certificates = Certificates::new(vec![by_uri.clone(), by_name.clone()], Arc::default());
    let (one, other) = (certificate(&[], &[uri("spiffe://bank/a")]), certificate(&["batch"], &[]));
    let unknown = certificate(&["later"], &[]);
    let (kept, cut) = (certificates.principal(&one, DURING).unwrap(), certificates.principal(&other, DURING).unwrap());
    assert_eq!(certificates.principal(&unknown, DURING).unwrap_err().code, Code::BadCredential);
    let promoted = CertificateRule { roles: vec!["admin".into()], ..by_name };
    certificates.set_rules(vec![by_uri, promoted, rule(CertificateField::CommonName, exact("later"))]);
    assert!(kept.lease.stands(DURING) && !cut.lease.stands(DURING));
    assert!(Arc::ptr_eq(&certificates.principal(&one, DURING).unwrap(), &kept));
    assert_eq!(&*certificates.principal(&other, DURING).unwrap().roles[0], "admin");
    assert!(certificates.principal(&unknown, DURING).is_ok());
}

#[test]
fn no_byte_of_a_certificate_makes_reading_it_fail_badly() {
    let der = certificate(&["batch"], &[uri("spiffe://bank/a"), dns("a.bank.example")]);
    let names = Names::read(&der).unwrap();
    for at in 0..der.len() {
        assert!(Names::read(&der[..at]).is_none(), "cut at {at}");
        for value in [0, 0x7f, 0x80, 0xff, der[at] ^ 1] {
            let mut other = der.clone();
            other[at] = value;
            Names::read(&other);
        }
    }
    assert!(Names::read(&[&der[..], b"\0"].concat()).is_none(), "what follows a certificate is not part of it");
    assert_eq!(Names::read(&der).unwrap(), names);
}

#[test]
fn the_cache_is_bounded_and_never_loses_what_is_in_use() {
    let certificates = Certificates::new(vec![rule(CertificateField::CommonName, exact("batch"))], Arc::default());
    let der = certificate(&["batch"], &[]);
    let fill = |principal: fn() -> Option<Arc<Principal>>| {
        let mut state = certificates.state.write().unwrap();
        for n in 0..MAX_SEEN {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_be_bytes());
            state.seen.insert(hash, Known { names: Names::read(&der).unwrap(), principal: principal() });
        }
    };
    fill(|| None);
    let held = certificates.principal(&der, DURING).unwrap();
    assert_eq!(certificates.state.read().unwrap().seen.len(), 1, "those nobody uses made room");
    fill(|| None);
    assert!(Arc::ptr_eq(&certificates.principal(&der, DURING).unwrap(), &held));
    let other = certificate(&["batch"], &[]);
    certificates.principal(&other, DURING).unwrap();
    assert!(Arc::ptr_eq(&certificates.principal(&der, DURING).unwrap(), &held));
}

#[test]
fn a_certificate_is_revoked_by_all_that_it_is() {
    let board = Arc::<Board>::default();
    let certificates = Certificates::new(vec![rule(CertificateField::CommonName, exact("batch"))], board.clone());
    let der = certificate(&["batch"], &[]);
    let held = certificates.principal(&der, DURING).unwrap();
    let (tenant, subject, credential) = (&held.tenant, &held.subject, &held.credential);
    let targets = [
        String::from("everything"),
        format!("tenant:{tenant}"),
        format!("principal:{tenant}/{subject}"),
        format!("role:{}", held.roles[0]),
        format!("credential:{credential}"),
    ];
    for target in targets {
        board.replace([(target.parse().unwrap(), FIRST)]);
        assert!(certificates.principal(&der, DURING).is_ok(), "issued then, not before: {target}");
        board.replace([(target.parse().unwrap(), DURING)]);
        assert_eq!(certificates.principal(&der, DURING).unwrap_err().code, Code::RevokedCredential, "{target}");
        assert!(!held.lease.stands(DURING), "{target}");
    }
    board.replace([]);
    assert!(certificates.principal(&der, DURING).is_ok());
}
