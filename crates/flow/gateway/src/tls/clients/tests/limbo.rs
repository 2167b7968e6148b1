//! x509-limbo's cases, every one, against the verifier that listeners use for client certificates.
//!
//! Ten are for clients. The others are paths to servers, most of them refused for that alone: what they show is that none gets in. A
//! case that has to be refused and is accepted, or may be accepted and is not, has its reason here:
//!
//! - an authority that may only vouch for some e-mail addresses: webpki reads no such constraints, and refuses what has them
//!   rather than pass them over;
//! - certificates for servers are not for clients (RFC 5280, section 4.2.1.12);
//! - `ee-wrong-eku` is wrong for a server because it is for a client: here it is right;
//! - an authority's certificate is not a client's;
//! - a leaf that says nothing of what it is for: browsers' rules want it said, RFC 5280 does not, and a company's own authorities
//!   often leave it out. Which authorities are asked is the configuration's to say.

use std::collections::BTreeMap;

use rustls::pki_types::pem::PemObject;

use super::*;

#[test]
fn cases_for_clients() {
    let Some(counts) = run("CLIENT") else { return };
    assert_eq!(counts, Counts { accepted: 0, refused: 5, too_lax: vec![], too_strict: reasons(&[(ADDRESSES, 5)]) });
}

#[test]
fn cases_for_servers() {
    let Some(counts) = run("SERVER") else { return };
    let too_lax = ["rfc5280::eku::ee-wrong-eku", "webpki::eku::ee-without-eku"].map(Into::into).to_vec();
    let too_strict = reasons(&[(FOR_SERVERS, 49), (AUTHORITY, 2)]);
    assert_eq!(counts, Counts { accepted: 7, refused: 138, too_lax, too_strict });
}

#[derive(Debug, Default, Eq, PartialEq)]
struct Counts {
    /// Rightly.
    accepted: usize,
    /// Rightly.
    refused: usize,
    /// Accepted though they have to be refused, by name.
    too_lax: Vec<String>,
    /// Refused though they might have been accepted, by reason.
    too_strict: BTreeMap<&'static str, usize>,
}

#[expect(clippy::print_stderr, reason = "a skipped test says so loudly, and one that ran says what it counted")]
fn run(kind: &str) -> Option<Counts> {
    let path = format!("{}/../../../../shared/vectors/limbo/limbo-nobettertls.json", env!("CARGO_MANIFEST_DIR"));
    let Ok(text) = std::fs::read(&path) else {
        assert!(std::env::var_os("CI").is_none(), "{path} is needed where CI is set");
        eprintln!("SKIPPED: {path} is not there");
        return None;
    };
    let all: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let mut counts = Counts::default();
    for case in all["testcases"].as_array().unwrap().iter().filter(|case| case["validation_kind"] == kind) {
        let id = case["id"].as_str().unwrap().to_owned();
        match (case["expected_result"] == "SUCCESS", verify(case)) {
            (true, Ok(())) => counts.accepted += 1,
            (false, Err(_)) => counts.refused += 1,
            (true, Err(why)) => {
                let reason = [ADDRESSES, FOR_SERVERS, AUTHORITY].into_iter().find(|reason| why.contains(reason));
                *counts.too_strict.entry(reason.unwrap_or_else(|| panic!("{id}: {why}"))).or_default() += 1;
            }
            (false, Ok(())) => counts.too_lax.push(id),
        }
    }
    eprintln!("{kind}: {counts:?}");
    Some(counts)
}

fn verify(case: &serde_json::Value) -> Result<(), String> {
    let texts = |name: &str| -> Vec<String> {
        case[name].as_array().unwrap().iter().map(|pem| pem.as_str().unwrap().to_owned()).collect()
    };
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| e.to_string());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let roots = texts("trusted_certs").concat();
    let material = Material {
        chain: b"",
        key: b"",
        client_authorities: Some(roots.as_bytes()),
        trust_domains: &[],
        require_client: true,
    };
    let verifier = verifier(&material, &provider).map_err(|e| e.to_string())?.ok_or("nobody")?;
    let intermediates: Vec<_> =
        texts("untrusted_intermediates").iter().map(|pem| der(pem)).collect::<Result<_, _>>()?;
    let leaf = der(case["peer_certificate"].as_str().unwrap())?;
    let at = case["validation_time"]
        .as_str()
        .map_or(NOW, |text| text.parse::<jiff::Timestamp>().unwrap().as_second() as u64);
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at));
    verifier.verify_client_cert(&leaf, &intermediates, now).map(drop).map_err(|e| e.to_string())
}

/// A Sunday in November 2026.
const NOW: u64 = 1_795_342_530;

fn reasons(of: &[(&'static str, usize)]) -> BTreeMap<&'static str, usize> {
    of.iter().copied().collect()
}

const ADDRESSES: &str = "NameConstraintViolation";
const FOR_SERVERS: &str = "allows server authentication";
const AUTHORITY: &str = "CaUsedAsEndEntity";
