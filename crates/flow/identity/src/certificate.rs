//! Client certificates: from the names in them to a principal, by configured rules.
//!
//! The listener has verified the chain; what is left is to read the names strictly and map them. Nothing is normalised
//! but the case of DNS names, so that a name means what the authority that issued it wrote.

use std::sync::{Arc, PoisonError, RwLock};

use ahash::AHashMap;
use aws_lc_rs::digest::{SHA256, digest};
use countersign_core::{
    Board, Code, Lease, Principal, Refusal, Target, Timestamp,
    principal::{Method, PrincipalKind},
};
use data_encoding::HEXLOWER;
use x509_parser::{extensions::GeneralName, prelude::FromDer, prelude::X509Certificate};

/// Who the holder of a certificate is. The first rule that matches decides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateRule {
    /// Where in the certificate the name stands.
    pub field: CertificateField,
    /// Which names match.
    pub name: NamePattern,
    /// The tenant the holder's requests live under.
    pub tenant: Arc<str>,
    /// The holder's subject id; none for the name in the certificate.
    pub subject: Option<Arc<str>>,
    /// What kind of being the holder is.
    pub kind: PrincipalKind,
    /// Names of the holder's roles.
    pub roles: Vec<Arc<str>>,
    /// What the holder is restricted to: `model:NAME`, `format:NAME`, `tool:NAME`.
    pub scopes: Vec<Arc<str>>,
}

/// Where in a certificate a name stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CertificateField {
    /// A URI in the subject alternative name, as SPIFFE uses it.
    Uri,
    /// A DNS name in the subject alternative name.
    Dns,
    /// The subject's common name; matches only a certificate that has exactly one. Rely on it only where the authority
    /// checks what it writes there.
    CommonName,
}

/// Which names match.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NamePattern {
    /// This name and no other.
    Exact(Box<str>),
    /// Every longer name that begins so. The empty prefix matches nothing. End it with a separator: `spiffe://bank/`
    /// rather than `spiffe://bank`, which also matches `spiffe://bank.example/`.
    Prefix(Box<str>),
}

/// The rules and the certificates seen so far.
pub(crate) struct Certificates {
    state: RwLock<State>,
    board: Arc<Board>,
}

impl Certificates {
    pub(crate) fn new(rules: Vec<CertificateRule>, board: Arc<Board>) -> Self {
        Self { state: RwLock::new(State { rules, seen: AHashMap::new() }), board }
    }

    /// Takes new rules. Certificates that map to the same principal as before keep their lease; the others' leases end.
    pub(crate) fn set_rules(&self, rules: Vec<CertificateRule>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.rules = rules;
        let State { rules, seen } = &mut *state;
        seen.retain(|_, known| {
            let before = known.principal.as_ref();
            let same = match (map(rules, &known.names), before) {
                (Some(now), Some(before)) => now.is(before),
                (None, None) => true,
                _ => false,
            };
            if !same && let Some(principal) = before {
                principal.lease.end();
            }
            same
        });
    }

    /// Who holds the certificate.
    pub(crate) fn principal(&self, der: &[u8], now: Timestamp) -> Result<Arc<Principal>, Refusal> {
        let bad = |reason| Refusal::new(Code::BadCredential, reason);
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, der).as_ref());
        let found = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            state.seen.get(&hash).map(|known| (known.names.begins, known.principal.clone()))
        };
        let (begins, principal) = match found {
            Some(found) => found,
            None => self.meet(hash, der, now)?,
        };
        let principal = principal.ok_or_else(|| bad("no rule knows the certificate"))?;
        if now < begins {
            return Err(bad("the certificate is not valid yet"));
        }
        if principal.lease.stands(now) {
            Ok(principal)
        } else if principal.lease.expires().is_some_and(|end| end <= now) {
            Err(Refusal::new(Code::ExpiredCredential, "the certificate has expired"))
        } else {
            Err(Refusal::new(Code::RevokedCredential, "the certificate's lease has ended"))
        }
    }

    /// Reads a certificate not seen before and remembers it.
    fn meet(&self, hash: [u8; 32], der: &[u8], now: Timestamp) -> Result<(Timestamp, Option<Arc<Principal>>), Refusal> {
        let names =
            Names::read(der).ok_or_else(|| Refusal::new(Code::BadCredential, "the certificate is malformed"))?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = state.seen.get(&hash) {
            return Ok((known.names.begins, known.principal.clone()));
        }
        if state.seen.len() >= MAX_SEEN {
            // What a request in flight holds stays, so that new rules can still end its lease.
            state.seen.retain(|_, known| {
                known.principal.as_ref().is_some_and(|p| Arc::strong_count(p) > 1 && p.lease.stands(now))
            });
            if state.seen.len() >= MAX_SEEN {
                return Err(Refusal::new(Code::Overloaded, "more client certificates are in use than can be held"));
            }
        }
        let principal = map(&state.rules, &names).map(|mapped| Arc::new(mapped.principal(&hash, &names, &self.board)));
        let begins = names.begins;
        state.seen.insert(hash, Known { names, principal: principal.clone() });
        Ok((begins, principal))
    }
}

struct State {
    rules: Vec<CertificateRule>,
    seen: AHashMap<[u8; 32], Known>,
}

struct Known {
    names: Names,
    principal: Option<Arc<Principal>>,
}

/// What rules look at.
#[derive(Debug, Eq, PartialEq)]
struct Names {
    begins: Timestamp,
    /// The first moment at which the certificate is no longer valid.
    ends: Timestamp,
    uris: Vec<Box<str>>,
    dns: Vec<Box<str>>,
    common_name: Option<Box<str>>,
}

impl Names {
    /// Reads a certificate; none when any part that matters is malformed, or a name holds what could make it read as another.
    fn read(der: &[u8]) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let validity = certificate.validity();
        let time = |seconds: i64| Timestamp(u64::try_from(seconds).unwrap_or_default().saturating_mul(1_000_000));
        let mut names = Self {
            begins: time(validity.not_before.timestamp()),
            // RFC 5280: valid through the second of `notAfter`.
            ends: time(validity.not_after.timestamp().checked_add(1)?),
            uris: Vec::new(),
            dns: Vec::new(),
            common_name: None,
        };
        if let Some(extension) = certificate.subject_alternative_name().ok()? {
            for name in &extension.value.general_names {
                match name {
                    GeneralName::URI(uri) => names.uris.push(plain(uri)?.into()),
                    GeneralName::DNSName(dns) => names.dns.push(plain(dns)?.to_ascii_lowercase().into()),
                    GeneralName::Invalid(..) => return None,
                    _ => {}
                }
            }
        }
        // Which of two is the workload's name, X509-SVID does not say: it allows none beside it.
        let is_workload = |uri: &str| uri.get(..9).is_some_and(|begin| begin.eq_ignore_ascii_case("spiffe://"));
        if names.uris.len() > 1 && names.uris.iter().any(|uri| is_workload(uri)) {
            return None;
        }
        let mut common = certificate.subject().iter_common_name();
        if let (Some(name), None) = (common.next(), common.next()) {
            names.common_name = name.as_str().ok().and_then(plain).map(Into::into);
        }
        Some(names)
    }

    fn of(&self, field: CertificateField) -> &[Box<str>] {
        match field {
            CertificateField::Uri => &self.uris,
            CertificateField::Dns => &self.dns,
            CertificateField::CommonName => self.common_name.as_slice(),
        }
    }
}

/// What a rule made of a certificate.
struct Mapped<'a> {
    rule: &'a CertificateRule,
    subject: &'a str,
}

impl Mapped<'_> {
    fn principal(&self, hash: &[u8; 32], names: &Names, board: &Arc<Board>) -> Principal {
        let subject: Arc<str> = self.subject.into();
        let credential: Arc<str> = format!("sha256:{}", HEXLOWER.encode(hash)).into();
        let covering = Target::covering(&self.rule.tenant, &subject, &credential, &self.rule.roles, None);
        Principal {
            tenant: self.rule.tenant.clone(),
            subject,
            kind: self.rule.kind,
            roles: self.rule.roles.clone().into(),
            scopes: self.rule.scopes.clone().into(),
            credential,
            method: Method::ClientCertificate,
            claims: None,
            session: None,
            lease: Arc::new(Lease::new(Some(names.ends)).under(board.clone(), covering, names.begins)),
        }
    }

    fn is(&self, principal: &Principal) -> bool {
        self.rule.tenant == principal.tenant
            && *self.subject == *principal.subject
            && self.rule.kind == principal.kind
            && *self.rule.roles == *principal.roles
            && *self.rule.scopes == *principal.scopes
    }
}

fn map<'a>(rules: &'a [CertificateRule], names: &'a Names) -> Option<Mapped<'a>> {
    rules.iter().find_map(|rule| {
        let name = names.of(rule.field).iter().find(|name| rule.name.matches(name, rule.field))?;
        Some(Mapped { rule, subject: rule.subject.as_deref().unwrap_or(name) })
    })
}

impl NamePattern {
    fn matches(&self, name: &str, field: CertificateField) -> bool {
        let lower = |pattern: &str| match field {
            CertificateField::Dns => pattern.to_ascii_lowercase(),
            _ => pattern.to_owned(),
        };
        match self {
            Self::Exact(pattern) => !pattern.is_empty() && name == lower(pattern),
            Self::Prefix(prefix) => !prefix.is_empty() && name.len() > prefix.len() && name.starts_with(&lower(prefix)),
        }
    }
}

/// The name, unless it is empty, long, or holds a character that could hide where it ends.
fn plain(name: &str) -> Option<&str> {
    ((1..=1024).contains(&name.len()) && name.bytes().all(|b| b == b' ' || b.is_ascii_graphic())).then_some(name)
}

/// Of certificates remembered at once; about 1 KiB each.
const MAX_SEEN: usize = 4096;

#[cfg(test)]
mod tests;
