//! SPIFFE: the names of workloads, and the certificates that carry them (X509-SVID), read strictly.
//!
//! Threat: a name that two readers split differently, a certificate with two names, an authority's certificate used as a
//! workload's. That an SVID's chain ends at the bundle of its own trust domain is the listener's to see to.

use std::fmt;

use x509_parser::{extensions::GeneralName, prelude::FromDer, prelude::X509Certificate};

/// The name of a workload: `spiffe://TRUST-DOMAIN/PATH`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Id<'a> {
    trust_domain: &'a str,
    path: &'a str,
}

impl<'a> Id<'a> {
    /// Reads a name, in the one spelling that the SPIFFE-ID specification gives it. None when it is none, or names a whole trust
    /// domain rather than a workload in it.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix(SCHEME)?;
        let (trust_domain, path) = rest.split_at_checked(rest.find('/')?)?;
        let of_path = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let is_segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(of_path);
        let fits = text.len() <= MAX_ID && is_trust_domain(trust_domain) && path.split('/').skip(1).all(is_segment);
        fits.then_some(Self { trust_domain, path })
    }

    /// Who vouches for it.
    #[must_use]
    pub const fn trust_domain(&self) -> &'a str {
        self.trust_domain
    }
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}{}", self.trust_domain, self.path)
    }
}

/// Whether a text names a trust domain: lower case, and none of what could begin a port, a user or a path.
#[must_use]
pub fn is_trust_domain(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b);
    (1..=255).contains(&name.len()) && name.bytes().all(fits)
}

/// Why a certificate with a SPIFFE name is no SVID of a workload.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SvidError {
    /// Not one certificate.
    #[error("the certificate is malformed")]
    Malformed,
    /// Another URI stands beside the name.
    #[error("the certificate has more than one URI")]
    Names,
    /// The name is not one.
    #[error("the certificate's SPIFFE name is malformed")]
    Name,
    /// It is an authority's.
    #[error("the certificate is an authority's")]
    Authority,
    /// Its key is not for signatures of a workload.
    #[error("the certificate's key usage is not that of a workload")]
    Usage,
}

/// The trust domain of the workload that a certificate names; none when it names none. Its chain is not looked at.
///
/// # Errors
/// [`SvidError`] when it names one and breaks a rule that X509-SVID has for leaves.
pub fn trust_domain(der: &[u8]) -> Result<Option<String>, SvidError> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| SvidError::Malformed)?;
    if !rest.is_empty() {
        return Err(SvidError::Malformed);
    }
    let names = certificate.subject_alternative_name().map_err(|_| SvidError::Malformed)?;
    let names = names.map_or(&[][..], |extension| &extension.value.general_names[..]);
    let uris: Vec<&str> =
        names.iter().filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None }).collect();
    let is_svid = |uri: &&str| uri.get(..SCHEME.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(SCHEME));
    if !uris.iter().any(is_svid) {
        return Ok(None);
    }
    let [uri] = uris[..] else { return Err(SvidError::Names) };
    let id = Id::read(uri).ok_or(SvidError::Name)?;
    if certificate.basic_constraints().map_err(|_| SvidError::Malformed)?.is_some_and(|basic| basic.value.ca) {
        return Err(SvidError::Authority);
    }
    let usage = certificate.key_usage().map_err(|_| SvidError::Malformed)?.ok_or(SvidError::Usage)?.value;
    if !usage.digital_signature() || usage.key_cert_sign() || usage.crl_sign() {
        return Err(SvidError::Usage);
    }
    Ok(Some(id.trust_domain().to_owned()))
}

const SCHEME: &str = "spiffe://";
/// Bytes of the longest name.
const MAX_ID: usize = 2048;

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose, SanType};

    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        for good in [
            "spiffe://bank.example/batch",
            "spiffe://b/a/B-_.9",
            "spiffe://1.2.3.4/x",
            "spiffe://b/...",
            "spiffe://b/.a",
        ] {
            let id = Id::read(good).unwrap();
            assert_eq!(id.to_string(), good);
        }
        assert_eq!(Id::read("spiffe://bank.example/a/b").unwrap().trust_domain(), "bank.example");
        let long = format!("spiffe://b/{}", "x".repeat(2048));
        let domain = format!("spiffe://{}/x", "b".repeat(256));
        for bad in [
            "",
            "spiffe://",
            "spiffe:///x",
            "spiffe://bank",
            "spiffe://bank/",
            "spiffe://bank//x",
            "spiffe://bank/x/",
            "spiffe://bank/./x",
            "spiffe://bank/../x",
            "spiffe://Bank/x",
            "spiffe://bank:8443/x",
            "spiffe://a@bank/x",
            "spiffe://bank/%78",
            "spiffe://bank/x?y",
            "spiffe://bank/x#y",
            "SPIFFE://bank/x",
            "https://bank/x",
            "spiffe://b\u{e4}nk/x",
            "spiffe://bank/x y",
            " spiffe://bank/x",
            "spiffe://bank/x\0",
            &long,
            &domain,
        ] {
            assert!(Id::read(bad).is_none(), "{bad}");
        }
    }

    fn certificate(uris: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["batch.bank.example".into()]).unwrap();
        params.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn an_svid_is_a_leaf_with_one_name() {
        let id = "spiffe://bank.example/batch";
        let read = |uris: &[&str]| trust_domain(&certificate(uris, |_| {}));
        assert_eq!(read(&[id]), Ok(Some("bank.example".into())));
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["https://bank.example/x", "urn:x"]), Ok(None));
        for more in ["spiffe://bank.example/other", "https://evil.example/", id] {
            assert_eq!(read(&[id, more]), Err(SvidError::Names), "{more}");
            assert_eq!(read(&[more, id]), Err(SvidError::Names), "{more}");
        }
        for bad in ["spiffe://bank.example", "SPIFFE://bank.example/x", "spiffe://bank.example/x/", "spiffe://x@evil/x"]
        {
            assert_eq!(read(&[bad]), Err(SvidError::Name), "{bad}");
        }
        let usages = |usages: &[KeyUsagePurpose]| trust_domain(&certificate(&[id], |p| p.key_usages = usages.to_vec()));
        use KeyUsagePurpose::{CrlSign, DigitalSignature, KeyAgreement, KeyCertSign};
        for wrong in [&[][..], &[KeyAgreement], &[DigitalSignature, KeyCertSign], &[DigitalSignature, CrlSign]] {
            assert_eq!(usages(wrong), Err(SvidError::Usage), "{wrong:?}");
        }
        assert_eq!(usages(&[DigitalSignature, KeyAgreement]), Ok(Some("bank.example".into())));
        let authority = certificate(&[id], |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
        assert_eq!(trust_domain(&authority), Err(SvidError::Authority));
        let good = certificate(&[id], |_| {});
        for broken in [&good[1..], &good[..good.len() - 1], &[&good[..], &[0]].concat(), b"", b"x"] {
            assert_eq!(trust_domain(broken), Err(SvidError::Malformed));
        }
    }
}
