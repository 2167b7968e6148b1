//! API keys: how they look, how they are made.
//!
//! A key is `csk_`, 43 characters of base64url that hold 256 random bits, and 6 characters of base64url that hold the
//! first 36 bits of the SHA-256 of all before them. The checksum needs no secret: a scanner that finds a key in a
//! repository can tell it from noise, and a mistyped one is refused before anything is looked up. The prefix and the
//! random part alone make it a key; nothing in it says whose it is.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use countersign_core::{Format, Secret, Timestamp, principal::PrincipalKind};
use countersign_seal::{KeyHasher, SealError, random};
use countersign_store::KeyRecord;
use data_encoding::{BASE32_DNSSEC, BASE64URL_NOPAD};
use zeroize::Zeroize;

/// What every key begins with.
pub const PREFIX: &str = "csk_";
/// How long every key is, in characters.
pub const LENGTH: usize = PREFIX.len() + BODY + CHECKSUM;
/// The purpose under which a ring gives the hasher for API keys.
pub const PURPOSE: &str = "api-key";

/// What a key is to be made for.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The tenant its requests live under.
    pub tenant: Arc<str>,
    /// Whose it is.
    pub subject: Arc<str>,
    /// What kind of being that is.
    pub kind: PrincipalKind,
    /// Names of roles.
    pub roles: Vec<Arc<str>>,
    /// What it is restricted to: `model:NAME`, `format:NAME`, `tool:NAME`.
    pub scopes: Vec<Arc<str>>,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// The present time.
    pub now: Timestamp,
    /// What it is for, in its maker's words.
    pub note: String,
}

/// Why a key cannot be made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NewKeyError {
    /// A tenant, subject or role is not a name.
    #[error("the {0} is not a name: 1 to 128 letters, digits, `.`, `_`, `-`, `/` or `:`")]
    Name(&'static str),
    /// A scope is not one.
    #[error("`{0}` is not a scope; expected `model:NAME`, `format:NAME` or `tool:NAME`")]
    Scope(Box<str>),
    /// It would have expired before it was made.
    #[error("the key would expire before it is made")]
    Expired,
    /// The note is longer than 256 bytes or holds control characters.
    #[error("the note is longer than 256 bytes or holds control characters")]
    Note,
    /// No random bytes.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Makes a key. The text is shown to its owner once and kept nowhere; the record goes to the store.
///
/// # Errors
/// [`NewKeyError`] says which part of `new` will not do.
pub fn create(hasher: &KeyHasher, new: NewKey) -> Result<(Secret<String>, KeyRecord), NewKeyError> {
    check(&new)?;
    let key = mint(PREFIX)?;
    let hash = hasher.hash(key.expose().as_bytes());
    let record = KeyRecord {
        id: id(&hash),
        hash,
        tenant: new.tenant,
        subject: new.subject,
        kind: new.kind,
        roles: sorted(new.roles),
        scopes: sorted(new.scopes),
        created: new.now,
        expires: new.expires,
        revoked_at: None,
        note: new.note,
    };
    Ok((key, record))
}

/// Whether `text` has the form of a key and its checksum fits. Says nothing about whether the key exists.
#[must_use]
pub fn is_well_formed(text: &[u8]) -> bool {
    is_minted(PREFIX, text)
}

/// A fresh credential that begins with a prefix as long as [`PREFIX`].
pub(crate) fn mint(prefix: &'static str) -> Result<Secret<String>, SealError> {
    let bits = Secret::new(random::bytes::<32>()?);
    let mut text = String::with_capacity(LENGTH);
    text.push_str(prefix);
    BASE64URL_NOPAD.encode_append(bits.expose(), &mut text);
    let sum = checksum(text.as_bytes());
    text.extend(sum.iter().map(|c| char::from(*c)));
    Ok(Secret::new(text))
}

/// Whether `text` has the form of what [`mint`] makes.
pub(crate) fn is_minted(prefix: &'static str, text: &[u8]) -> bool {
    if text.len() != LENGTH || !text.starts_with(prefix.as_bytes()) {
        return false;
    }
    let Some((signed, sum)) = text.split_at_checked(LENGTH - CHECKSUM) else { return false };
    if checksum(signed) != *sum {
        return false;
    }
    // Also refuses a last character whose spare bits are not zero, so that each key has one spelling.
    let mut bits = [0; 32];
    let body = signed.get(PREFIX.len()..).unwrap_or_default();
    let whole = BASE64URL_NOPAD.decode_mut(body, &mut bits).is_ok();
    bits.zeroize();
    whole
}

/// The public name of the key with this hash. A keyed hash tells nothing about the key.
fn id(hash: &[u8; 32]) -> Arc<str> {
    let (short, _) = hash.split_at(10);
    format!("key_{}", BASE32_DNSSEC.encode(short)).into()
}

fn checksum(signed: &[u8]) -> [u8; CHECKSUM] {
    let digest = digest(&SHA256, signed);
    let mut text = [0; CHECKSUM + 2];
    let (short, _) = digest.as_ref().split_at(CHECKSUM);
    BASE64URL_NOPAD.encode_mut(short, &mut text);
    text.first_chunk().copied().unwrap_or_default()
}

fn check(new: &NewKey) -> Result<(), NewKeyError> {
    for (what, name) in [("tenant", &new.tenant), ("subject", &new.subject)] {
        if !is_name(name) {
            return Err(NewKeyError::Name(what));
        }
    }
    if !new.roles.iter().all(|role| is_name(role)) {
        return Err(NewKeyError::Name("role"));
    }
    if let Some(scope) = new.scopes.iter().find(|scope| !is_scope(scope)) {
        return Err(NewKeyError::Scope((&**scope).into()));
    }
    if new.expires.is_some_and(|end| end <= new.now) {
        return Err(NewKeyError::Expired);
    }
    if new.note.len() > 256 || new.note.chars().any(char::is_control) {
        return Err(NewKeyError::Note);
    }
    Ok(())
}

/// No `@`, so that no e-mail address becomes a subject; nothing that would need quoting in a policy or a log.
fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/:".contains(&b))
}

fn is_scope(scope: &str) -> bool {
    match scope.split_once(':') {
        Some(("model" | "tool", name)) => (1..=256).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic()),
        Some(("format", name)) => Format::ALL.iter().any(|format| format.as_str() == name),
        _ => false,
    }
}

fn sorted(mut names: Vec<Arc<str>>) -> Vec<Arc<str>> {
    names.sort();
    names.dedup();
    names
}

const BODY: usize = 43;
const CHECKSUM: usize = 6;

#[cfg(test)]
mod tests;
