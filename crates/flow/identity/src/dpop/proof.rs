//! One proof, read strictly: a JWS that brings its key, and says what it was made for.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use countersign_core::Timestamp;
use countersign_wire::{
    Limits,
    json::{Doc, Kind, Value},
};
use data_encoding::BASE64URL_NOPAD;

use crate::token::{Algorithm, Jws, JwsError, KeyError, brought};

/// The algorithms a proof may be signed with.
pub const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa, Algorithm::Ps256, Algorithm::Rs256];
/// Bytes of the longest proof.
pub const MAX_PROOF: usize = 4 << 10;

/// A proof whose signature is good. What it is for is to be compared by whoever has a request at hand.
pub struct Proof {
    key: [u8; 32],
    id: [u8; 16],
    method: Box<str>,
    url: Box<str>,
    issued: Timestamp,
    token: Option<[u8; 32]>,
    nonce: Option<Box<str>>,
}

/// Why a text is no proof.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProofError {
    /// Longer than [`MAX_PROOF`].
    #[error("the proof is too long")]
    TooLong,
    /// Not a strict JWS.
    #[error("the proof: {0}")]
    Jws(#[from] JwsError),
    /// The type is not that of a proof.
    #[error("the proof's type is not dpop+jwt")]
    Type,
    /// Not one of [`ALGORITHMS`].
    #[error("the proof's algorithm is not accepted")]
    Algorithm,
    /// The key in it is not accepted.
    #[error("the proof's key: {0}")]
    Key(#[from] KeyError),
    /// Not signed by the key in it.
    #[error("the proof's signature does not verify")]
    Signature,
    /// The claims are not one strict JSON object.
    #[error("the proof's claims are not strict JSON")]
    Claims,
    /// A claim is missing or malformed.
    #[error("the proof's `{0}` is missing or malformed")]
    Member(&'static str),
}

impl Proof {
    /// Reads a proof and verifies its signature.
    ///
    /// # Errors
    /// [`ProofError`] when it is none, or brings its key in another way than `jwk`.
    pub fn read(text: &[u8]) -> Result<Self, ProofError> {
        if text.len() > MAX_PROOF {
            return Err(ProofError::TooLong);
        }
        let (jws, brings) = Jws::read_with(text, |header| {
            // Two keys in one header are two readers' two answers.
            if let Some(name) = OTHER_KEYS.into_iter().find(|name| header.get(name).is_some()) {
                return Err(JwsError::Member(name));
            }
            let algorithm = header.get("alg").and_then(Value::as_str);
            let algorithm = ALGORITHMS.into_iter().find(|own| algorithm.as_deref() == Some(own.as_str()));
            Ok(algorithm.map(|own| header.get("jwk").map_or(Err(KeyError::Member("jwk")), |key| brought(key, own))))
        })?;
        if jws.typ() != Some("dpop+jwt") {
            return Err(ProofError::Type);
        }
        let (verifier, key) = brings.ok_or(ProofError::Algorithm)??;
        verifier.verify_sig(jws.signed(), jws.signature()).map_err(|_| ProofError::Signature)?;
        let doc = Doc::read(jws.payload(), &LIMITS).map_err(|_| ProofError::Claims)?;
        let claims = doc.root();
        if claims.kind() != Kind::Object {
            return Err(ProofError::Claims);
        }
        let jti = text_of(claims, "jti")?;
        let issued = claims.get("iat").and_then(Value::as_u64).filter(|seconds| *seconds <= END_OF_TIME);
        let token = claims.get("ath").map(|_| {
            let hash = BASE64URL_NOPAD.decode(text_of(claims, "ath")?.as_bytes()).ok();
            hash.and_then(|hash| hash.try_into().ok()).ok_or(ProofError::Member("ath"))
        });
        Ok(Self {
            key,
            id: id(&key, &jti),
            method: text_of(claims, "htm")?,
            url: text_of(claims, "htu")?,
            issued: Timestamp(issued.ok_or(ProofError::Member("iat"))? * 1_000_000),
            token: token.transpose()?,
            nonce: claims.get("nonce").map(|_| text_of(claims, "nonce")).transpose()?,
        })
    }

    /// The thumbprint of its key (RFC 7638).
    pub(super) const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Names the proof among all others.
    pub(super) const fn id(&self) -> [u8; 16] {
        self.id
    }

    /// The method it is for.
    pub(super) const fn method(&self) -> &str {
        &self.method
    }

    /// When it was made, by its maker's clock.
    pub(super) const fn issued(&self) -> Timestamp {
        self.issued
    }

    /// SHA-256 of the token it is for; none where it proves the key alone.
    pub(super) const fn token(&self) -> Option<&[u8; 32]> {
        self.token.as_ref()
    }

    /// The nonce it holds.
    pub(super) fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// Whether it is for this address. `origin` is `https://HOST[:PORT]`; query and fragment do not count (RFC 9449, section 4.3),
    /// nor does the case of the host or a port that says nothing. The path is compared byte by byte, as routes are.
    pub(super) fn is_for(&self, origin: &str, path: &str) -> bool {
        let split = |url: &str| -> Option<(String, String)> {
            let host = url.find("://")? + 3;
            let end = url.get(host..)?.find(['/', '?', '#']).map_or(url.len(), |at| host + at);
            let (origin, rest) = url.split_at_checked(end)?;
            let origin = origin.to_ascii_lowercase();
            let origin = origin.strip_suffix(":443").unwrap_or(&origin).to_owned();
            let path = rest.split(['?', '#']).next().unwrap_or_default();
            Some((origin, if path.is_empty() { "/" } else { path }.to_owned()))
        };
        match (split(&self.url), split(origin)) {
            (Some((named, at)), Some((own, _))) => named == own && at == path,
            _ => false,
        }
    }
}

/// Shows no more than what kind of request it is for.
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proof").field("method", &self.method).field("issued", &self.issued).finish_non_exhaustive()
    }
}

/// By key and `jti`: who chooses another's `jti` takes nothing from them.
fn id(key: &[u8; 32], jti: &str) -> [u8; 16] {
    let mut hash = Context::new(&SHA256);
    hash.update(key);
    hash.update(jti.as_bytes());
    hash.finish().as_ref().first_chunk().copied().unwrap_or_default()
}

fn text_of(claims: Value<'_>, name: &'static str) -> Result<Box<str>, ProofError> {
    let text = claims.get(name).and_then(Value::as_str).filter(|text| (1..=MAX_TEXT).contains(&text.len()));
    text.map(Into::into).ok_or(ProofError::Member(name))
}

const OTHER_KEYS: [&str; 3] = ["jku", "x5c", "x5u"];
const LIMITS: Limits = Limits { body: MAX_PROOF, depth: 4, nodes: 64, event: 0 };
const MAX_TEXT: usize = 1024;
/// In seconds; the year 9999.
const END_OF_TIME: u64 = 253_402_300_799;
