//! Keys as issuers publish them (RFC 7517, RFC 7518, RFC 8037), read strictly and made ready once.
//!
//! Threat: a key that is weak, of another kind than it says, meant for something else, or no secret any more. Such a key is left out
//! and named; the others of its set stand.

use std::sync::Arc;

use aws_lc_rs::signature::ParsedPublicKey;
use countersign_core::Lease;
use countersign_wire::{
    Limits,
    json::{Doc, Kind, Value},
};
use data_encoding::BASE64URL_NOPAD;

use super::{
    Algorithm,
    algorithm::{KeyKind, Material},
};

/// A public key, ready to verify.
pub(super) struct Key {
    pub(super) kid: Box<str>,
    material: Material,
    verifiers: Vec<(Algorithm, ParsedPublicKey)>,
    /// Stands while the issuer publishes the key.
    pub(super) lease: Arc<Lease>,
}

/// What makes a set no set. It changes nothing then.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SetError {
    /// More bytes than [`MAX_SET`].
    #[error("the key set is too large")]
    TooLarge,
    /// Not one strict JSON object with an array `keys`.
    #[error("the key set is not a strict JSON object with an array `keys`")]
    Malformed,
    /// More than [`MAX_KEYS`] keys.
    #[error("the key set has too many keys")]
    TooMany,
}

/// A key that an issuer publishes and that is not accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RefusedKey {
    /// Its `kid`, with anything but plain characters left out, or its place in the set.
    pub name: Box<str>,
    /// Why.
    pub why: KeyError,
}

/// Why a key is not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// Not an object, or a member is missing or not what it has to be.
    #[error("`{0}` is missing or malformed")]
    Member(&'static str),
    /// A symmetric key: whoever can read the set could sign with it.
    #[error("it is a symmetric key")]
    Symmetric,
    /// The private half stands beside the public one, so anyone may sign with it.
    #[error("its private half is published")]
    Private,
    /// Shorter than 2048 bits or longer than 8192.
    #[error("its modulus has not between 2048 and 8192 bits")]
    Size,
    /// An even modulus, or an exponent that is even, below 65537 or beyond 33 bits.
    #[error("its modulus or exponent is not sound")]
    Unsound,
    /// Made by a generator whose keys can be factored (CVE-2017-15361).
    #[error("its modulus was made by a generator known to be broken")]
    Roca,
    /// Not a point of its curve, or not a key at all.
    #[error("it is not a key of its kind")]
    NotAKey,
    /// The `alg` is for another kind of key.
    #[error("its `alg` does not fit its kind")]
    Algorithm,
    /// Two different keys have the same `kid`.
    #[error("another key has the same `kid`")]
    Ambiguous,
    /// The key is for another issuer's tokens.
    #[error("its `issuer` is another")]
    Issuer,
}

/// Bytes of the largest key set.
pub const MAX_SET: usize = 256 << 10;
/// Keys in the largest key set.
pub const MAX_KEYS: usize = 128;

/// Reads a set: the keys that can verify under one of `allowed`, and those that are refused. Kinds, curves and uses that have
/// nothing to do with such signatures are passed over.
pub(super) fn read(
    bytes: &[u8],
    allowed: &[Algorithm],
    usage: (&str, bool),
    issuer: &dyn Fn(&str) -> bool,
    outer: &Arc<Lease>,
) -> Result<(Vec<Key>, Vec<RefusedKey>), SetError> {
    if bytes.len() > MAX_SET {
        return Err(SetError::TooLarge);
    }
    let doc = Doc::read(bytes, &LIMITS).map_err(|_| SetError::Malformed)?;
    let list = doc.root().get("keys").filter(|list| list.kind() == Kind::Array).ok_or(SetError::Malformed)?;
    if list.items().count() > MAX_KEYS {
        return Err(SetError::TooMany);
    }
    let (mut keys, mut refused) = (Vec::<Key>::new(), Vec::new());
    let mut ambiguous = Vec::<Box<str>>::new();
    for (at, item) in list.items().enumerate() {
        match key(item, allowed, usage, issuer, outer) {
            Ok(None) => {}
            Ok(Some(key)) => match keys.iter().find(|other| other.kid == key.kid) {
                Some(other) if other.is(&key) => {}
                Some(_) => ambiguous.push(key.kid),
                None => keys.push(key),
            },
            Err(why) => refused.push(RefusedKey { name: name(item, at), why }),
        }
    }
    // Which of two is meant, nobody can say: neither is accepted.
    keys.retain(|key| !ambiguous.contains(&key.kid));
    refused.extend(ambiguous.into_iter().map(|kid| RefusedKey { name: plain(&kid), why: KeyError::Ambiguous }));
    Ok((keys, refused))
}

/// A key that a statement brings with it, ready to verify under `algorithm`, and the key's thumbprint (RFC 7638). It proves
/// nothing but that whoever signed holds it.
pub(crate) fn brought(value: Value<'_>, algorithm: Algorithm) -> Result<(ParsedPublicKey, [u8; 32]), KeyError> {
    let material = public(value, ("sig", false))?.ok_or(KeyError::NotAKey)?;
    if material.kind() != algorithm.kind() || text(value, "alg")?.is_some_and(|name| name != algorithm.as_str()) {
        return Err(KeyError::Algorithm);
    }
    let key = algorithm.prepare(&material).ok_or(KeyError::NotAKey)?;
    Ok((key, material.thumbprint()))
}

impl Key {
    /// Whether `signature` is of `message`, by this key under `algorithm`. False when the key is not for that algorithm.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.verifiers
            .iter()
            .find(|(own, _)| *own == algorithm)
            .is_some_and(|(_, key)| key.verify_sig(message, signature).is_ok())
    }

    /// Whether it is the same key, for the same algorithms.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.kid == other.kid && self.material == other.material && self.algorithms().eq(other.algorithms())
    }

    fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.verifiers.iter().map(|(algorithm, _)| *algorithm)
    }
}

/// One key; none when it is for something else.
fn key(
    value: Value<'_>,
    allowed: &[Algorithm],
    usage: (&str, bool),
    issuer: &dyn Fn(&str) -> bool,
    outer: &Arc<Lease>,
) -> Result<Option<Key>, KeyError> {
    let Some(material) = public(value, usage)? else { return Ok(None) };
    let own = match text(value, "alg")? {
        Some(name) => {
            let fits = Algorithm::named(&name).filter(|own| own.kind() == material.kind());
            Some(fits.ok_or(KeyError::Algorithm)?)
        }
        None => None,
    };
    if text(value, "issuer")?.is_some_and(|named| !issuer(&named)) {
        return Err(KeyError::Issuer);
    }
    let kid = text(value, "kid")?.filter(|kid| (1..=MAX_KID).contains(&kid.len())).ok_or(KeyError::Member("kid"))?;
    let mut verifiers = Vec::new();
    for algorithm in allowed {
        if algorithm.kind() == material.kind() && own.is_none_or(|own| own == *algorithm) {
            verifiers.push((*algorithm, algorithm.prepare(&material).ok_or(KeyError::NotAKey)?));
        }
    }
    let lease = Arc::new(Lease::within(outer.clone(), None));
    Ok((!verifiers.is_empty()).then(|| Key { kid: kid.into(), material, verifiers, lease }))
}

/// The key itself; none when it is of a kind or curve that no algorithm here uses, or not for signatures.
fn public(value: Value<'_>, usage: (&str, bool)) -> Result<Option<Material>, KeyError> {
    let kty = text(value, "kty")?.ok_or(KeyError::Member("kty"))?;
    if kty == "oct" {
        return Err(KeyError::Symmetric);
    }
    if PRIVATE.into_iter().any(|name| value.get(name).is_some()) {
        return Err(KeyError::Private);
    }
    if !for_signatures(value, usage)? {
        return Ok(None);
    }
    match kty.as_str() {
        "RSA" => rsa(value).map(Some),
        "EC" | "OKP" => point(value, &kty),
        _ => Ok(None),
    }
}

/// Whether `use`, which may have to be said, and `key_ops` let the key verify signatures.
fn for_signatures(value: Value<'_>, (usage, said): (&str, bool)) -> Result<bool, KeyError> {
    let by_use = text(value, "use")?.map_or(!said, |name| name == usage);
    let Some(ops) = value.get("key_ops") else { return Ok(by_use) };
    let bad = KeyError::Member("key_ops");
    if ops.kind() != Kind::Array {
        return Err(bad);
    }
    let mut names = Vec::new();
    for op in ops.items() {
        let name = op.as_str().ok_or(bad)?;
        if names.contains(&name) {
            return Err(bad);
        }
        names.push(name);
    }
    Ok(by_use && names.iter().any(|name| name == "verify"))
}

fn rsa(value: Value<'_>) -> Result<Material, KeyError> {
    let (n, e) = (bytes(value, "n")?, bytes(value, "e")?);
    let top = |bytes: &[u8]| bytes.first().copied().unwrap_or_default();
    // RFC 7518: as few bytes as hold the number.
    if top(&n) == 0 {
        return Err(KeyError::Member("n"));
    }
    if top(&e) == 0 {
        return Err(KeyError::Member("e"));
    }
    let bits = n.len() * 8 - top(&n).leading_zeros() as usize;
    if !(2048..=8192).contains(&bits) {
        return Err(KeyError::Size);
    }
    let exponent = e.iter().try_fold(0_u64, |sum, b| Some(sum.checked_mul(256)? | u64::from(*b)));
    let sound = exponent.is_some_and(|e| e % 2 == 1 && (65_537..1 << 33).contains(&e));
    if !sound || n.last().is_none_or(|b| b % 2 == 0) {
        return Err(KeyError::Unsound);
    }
    if is_roca(&n) { Err(KeyError::Roca) } else { Ok(Material::Rsa { n, e }) }
}

/// A point of a curve; none for a curve that no algorithm here uses.
fn point(value: Value<'_>, kty: &str) -> Result<Option<Material>, KeyError> {
    let crv = text(value, "crv")?.ok_or(KeyError::Member("crv"))?;
    let (kind, length) = match (kty, crv.as_str()) {
        ("EC", "P-256") => (KeyKind::P256, 32),
        ("EC", "P-384") => (KeyKind::P384, 48),
        ("EC", "P-521") => (KeyKind::P521, 66),
        ("OKP", "Ed25519") => (KeyKind::Ed25519, 32),
        _ => return Ok(None),
    };
    let coordinate =
        |name| bytes(value, name).and_then(|b| if b.len() == length { Ok(b) } else { Err(KeyError::Member(name)) });
    let bytes = match kind {
        KeyKind::Ed25519 => coordinate("x")?,
        _ => [&[4][..], &coordinate("x")?, &coordinate("y")?].concat(),
    };
    Ok(Some(Material::Point { kind, bytes }))
}

/// Moduli of the generator of CVE-2017-15361 are, modulo each small prime, a power of 65537. Of all moduli, one in some 2^28 is
/// so by chance.
fn is_roca(modulus: &[u8]) -> bool {
    let is_prime = |p: &u32| (2..*p).take_while(|d| d * d <= *p).all(|d| !p.is_multiple_of(d));
    (3..=167_u32).filter(is_prime).all(|p| {
        let rest = modulus.iter().fold(0, |rest, b| (rest * 256 + u32::from(*b)) % p);
        let powers = std::iter::successors(Some(1), |power| Some(power * (65_537 % p) % p).filter(|next| *next != 1));
        powers.take(p as usize).any(|power| power == rest)
    })
}

fn text(value: Value<'_>, name: &'static str) -> Result<Option<String>, KeyError> {
    match value.get(name) {
        None => Ok(None),
        Some(member) => member.as_str().map(|text| Some(text.into_owned())).ok_or(KeyError::Member(name)),
    }
}

fn bytes(value: Value<'_>, name: &'static str) -> Result<Vec<u8>, KeyError> {
    let text = text(value, name)?.ok_or(KeyError::Member(name))?;
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| KeyError::Member(name))
}

/// What a key is called in a log.
fn name(value: Value<'_>, at: usize) -> Box<str> {
    match text(value, "kid") {
        Ok(Some(kid)) => plain(&kid),
        _ => format!("#{at}").into(),
    }
}

fn plain(kid: &str) -> Box<str> {
    kid.chars().filter(char::is_ascii_graphic).take(64).collect::<String>().into()
}

const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const LIMITS: Limits = Limits { body: MAX_SET, depth: 8, nodes: 10_000, event: 0 };
const MAX_KID: usize = 256;

#[cfg(test)]
mod tests;
