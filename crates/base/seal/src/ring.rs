//! The key ring: from root keys to the keys in use.
//!
//! An envelope is `version (1 byte, 1) | root version (1) | salt (16) | nonce (12) | ciphertext | tag (16)`.
//!
//! The salt makes the data key: HKDF of the root key with the salt and a label of tenant and purpose. Each ring draws a
//! fresh salt for each tenant and purpose, and another after 2^24 envelopes. Tenant, purpose, root and salt need no place in
//! the associated data: with any of them changed, the key is another and the tag does not fit.
//!
//! That no nonce is used twice: [`crate::gcm`].

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use aws_lc_rs::{aead::LessSafeKey, hmac};
use countersign_core::Secret;

use crate::{
    KeyHasher, SealError, Signer, Verifier,
    derive::{self, KEY},
    gcm::{self, ENVELOPES_PER_KEY, Rest, SALT, SealingKey},
    hash, random,
};

/// Root keys, and what is derived from them. Cheap to use from many threads behind an `Arc`.
pub struct KeyRing {
    roots: RwLock<Roots>,
    /// What hashes, by purpose: it is told of every root version.
    hashers: Mutex<Vec<(&'static str, KeyHasher)>>,
    /// The keys that seal, by tenant and then purpose, of which there are few.
    sealing: RwLock<HashMap<Box<str>, Vec<SealingSlot>>>,
    /// Keys that have opened something. Only an envelope that opened gets its key in here, so that forged ones cannot
    /// push the others out.
    opening: Mutex<HashMap<OpeningKeyName, Arc<LessSafeKey>>>,
    envelopes_per_key: u32,
}

impl KeyRing {
    /// Takes the content of a key file: one root key of 32 bytes or several after one another, oldest first.
    /// The last one seals; all of them open.
    ///
    /// # Errors
    /// [`SealError::RootKey`] when the bytes are something else.
    pub fn from_bytes(bytes: Secret<Vec<u8>>) -> Result<Self, SealError> {
        Ok(Self {
            roots: RwLock::new(roots(bytes.expose())?),
            hashers: Mutex::default(),
            sealing: RwLock::default(),
            opening: Mutex::default(),
            envelopes_per_key: ENVELOPES_PER_KEY,
        })
    }

    /// A new root key, to be kept in a file that only the gateway can read.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn generate() -> Result<Secret<Vec<u8>>, SealError> {
        Ok(Secret::new(random::bytes::<KEY>()?.to_vec()))
    }

    /// The key file with a new root key after the ones it has. What was sealed before still opens.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`], or [`SealError::RootKey`] when `bytes` is not a key file or is full.
    pub fn rotate(bytes: &Secret<Vec<u8>>) -> Result<Secret<Vec<u8>>, SealError> {
        let new = Self::generate()?;
        let longer = Secret::new([bytes.expose().as_slice(), new.expose().as_slice()].concat());
        Self::from_bytes(longer.clone())?;
        Ok(longer)
    }

    /// Takes the content of the key file as it is now, with further keys after those that the ring holds; whether there were any.
    /// From then on the last of them seals, and hashers hash by it. Signers stay as they are.
    ///
    /// # Errors
    /// [`SealError::RootKey`] when the bytes are something else. Nothing has changed then.
    pub fn extend(&self, bytes: &Secret<Vec<u8>>) -> Result<bool, SealError> {
        let new = roots(bytes.expose())?;
        {
            let mut roots = self.roots.write().unwrap_or_else(PoisonError::into_inner);
            let begins = roots.iter().zip(new.iter()).all(|(old, new)| old.expose() == new.expose());
            if new.len() < roots.len() || !begins {
                return Err(SealError::RootKey("it does not begin with the keys that were there"));
            }
            if new.len() == roots.len() {
                return Ok(false);
            }
            *roots = new;
        }
        for (purpose, hasher) in &*self.hashers.lock().unwrap_or_else(PoisonError::into_inner) {
            hasher.replace(self.hash_keys(purpose)?);
        }
        Ok(true)
    }

    /// How many root versions the ring holds; the newest has this number.
    #[must_use]
    pub fn versions(&self) -> u8 {
        // INVARIANT: `roots` takes at most 255.
        u8::try_from(self.roots().len()).unwrap_or(u8::MAX)
    }

    /// Seals `plain`, whose parts follow one another, so that only [`KeyRing::open`] with the same tenant, purpose and `aad`
    /// gives it back. `aad` says which record it belongs to, so that envelopes cannot be exchanged for one another.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn seal(&self, tenant: &str, purpose: &'static str, aad: &[u8], plain: &[&[u8]]) -> Result<Vec<u8>, SealError> {
        let (version, key, count) = self.sealing_key(tenant, purpose)?;
        key.seal(&[FORMAT, version], count, aad, plain)
    }

    /// Opens an envelope.
    ///
    /// # Errors
    /// [`SealError::NotAnEnvelope`], [`SealError::UnknownRoot`], or [`SealError::Damaged`] when anything at all differs
    /// from how it was sealed.
    pub fn open(&self, tenant: &str, purpose: &'static str, aad: &[u8], envelope: &[u8]) -> Result<Vec<u8>, SealError> {
        let (version, envelope) = parse(envelope)?;
        let root = self.root(version).ok_or(SealError::UnknownRoot(version))?;
        let name = OpeningKeyName { root: version, salt: *envelope.salt, tenant: tenant.into(), purpose };
        let cached = self.opening.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        let key = match &cached {
            Some(key) => key.clone(),
            None => Arc::new(data_key(root.expose(), envelope.salt, tenant, purpose)?),
        };
        let plain = gcm::open(&key, *envelope.nonce, aad, envelope.sealed)?;
        if cached.is_none() {
            let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
            if opening.len() >= CACHED_KEYS {
                opening.clear();
            }
            opening.insert(name, key);
        }
        Ok(plain)
    }

    /// The root version that an envelope was sealed under.
    ///
    /// # Errors
    /// [`SealError::NotAnEnvelope`].
    pub fn version_of(envelope: &[u8]) -> Result<u8, SealError> {
        parse(envelope).map(|(version, _)| version)
    }

    /// What credentials of one purpose are hashed by.
    ///
    /// # Errors
    /// [`SealError::Refused`] when the library does.
    pub fn hasher(&self, purpose: &'static str) -> Result<KeyHasher, SealError> {
        let mut hashers = self.hashers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, hasher)) = hashers.iter().find(|(p, _)| *p == purpose) {
            return Ok(hasher.clone());
        }
        let hasher = KeyHasher::new(self.hash_keys(purpose)?);
        hashers.push((purpose, hasher.clone()));
        Ok(hasher)
    }

    /// The signer that the newest root version has for `name`.
    ///
    /// # Errors
    /// [`SealError::Refused`] when the library does.
    pub fn signer(&self, name: &str) -> Result<Signer, SealError> {
        let roots = self.roots();
        signer(roots.last().map(Secret::expose).ok_or(SealError::RootKey("it is empty"))?, name)
    }

    /// The verifiers for `name` under every root version, newest first.
    ///
    /// # Errors
    /// [`SealError::Refused`] when the library does.
    pub fn verifiers(&self, name: &str) -> Result<Vec<Verifier>, SealError> {
        self.roots().iter().rev().map(|root| signer(root.expose(), name)?.verifier()).collect()
    }

    fn roots(&self) -> Roots {
        self.roots.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn root(&self, version: u8) -> Option<Secret<[u8; KEY]>> {
        self.roots().get(usize::from(version).checked_sub(1)?).cloned()
    }

    /// One for each root version, newest first.
    fn hash_keys(&self, purpose: &str) -> Result<Vec<hmac::Key>, SealError> {
        let key = |root: &Secret<[u8; KEY]>| {
            Ok(hash::hmac_key(derive::key(root.expose(), &[], &["hmac-sha256", purpose])?.expose()))
        };
        self.roots().iter().rev().map(key).collect()
    }

    /// A key of the newest root version, which version that is, and how many envelopes the key had sealed before this one.
    fn sealing_key(&self, tenant: &str, purpose: &'static str) -> Result<(u8, Arc<SealingKey>, u32), SealError> {
        let version = self.versions();
        let find = |keys: &Vec<SealingSlot>| {
            let (.., key) = keys.iter().find(|(p, v, _)| *p == purpose && *v == version)?;
            Some((version, key.clone(), key.take(self.envelopes_per_key)?))
        };
        {
            let sealing = self.sealing.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(key) = sealing.get(tenant).and_then(find) {
                return Ok(key);
            }
        }
        let mut sealing = self.sealing.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been here first.
        if let Some(key) = sealing.get(tenant).and_then(find) {
            return Ok(key);
        }
        let salt = random::bytes()?;
        let root = self.root(version).ok_or(SealError::UnknownRoot(version))?;
        let key = data_key(root.expose(), &salt, tenant, purpose)?;
        let key = Arc::new(SealingKey::new(salt, key));
        let count = key.take(self.envelopes_per_key).ok_or(SealError::Refused)?;
        if sealing.len() >= CACHED_KEYS {
            sealing.clear();
        }
        let keys = sealing.entry(tenant.into()).or_default();
        keys.retain(|(p, ..)| *p != purpose);
        keys.push((purpose, version, key.clone()));
        Ok((version, key, count))
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("versions", &self.versions()).finish_non_exhaustive()
    }
}

/// One purpose's key, and the root version it is of.
type SealingSlot = (&'static str, u8, Arc<SealingKey>);

/// Root keys, oldest first.
type Roots = Arc<[Secret<[u8; KEY]>]>;

#[derive(Eq, Hash, PartialEq)]
struct OpeningKeyName {
    root: u8,
    salt: [u8; SALT],
    tenant: Box<str>,
    purpose: &'static str,
}

/// The keys of a key file.
fn roots(bytes: &[u8]) -> Result<Roots, SealError> {
    let (keys, rest) = bytes.as_chunks::<KEY>();
    if keys.is_empty() || !rest.is_empty() {
        return Err(SealError::RootKey("its length is not a multiple of 32 bytes, or is 0"));
    }
    if keys.len() > usize::from(u8::MAX) {
        return Err(SealError::RootKey("it holds more than 255 keys"));
    }
    // A file system that lost its data in a crash leaves zeros behind.
    if keys.contains(&[0; KEY]) {
        return Err(SealError::RootKey("it holds a key of zeros"));
    }
    if keys.iter().enumerate().any(|(i, key)| keys.iter().skip(i + 1).any(|other| other == key)) {
        return Err(SealError::RootKey("it holds the same key twice"));
    }
    Ok(keys.iter().map(|key| Secret::new(*key)).collect())
}

/// The root version an envelope names, and what follows.
fn parse(bytes: &[u8]) -> Result<(u8, Rest<'_>), SealError> {
    let Some(([FORMAT, root], rest)) = bytes.split_first_chunk() else { return Err(SealError::NotAnEnvelope) };
    Ok((*root, Rest::parse(rest)?))
}

fn data_key(root: &[u8; KEY], salt: &[u8; SALT], tenant: &str, purpose: &str) -> Result<LessSafeKey, SealError> {
    gcm::key(derive::key(root, salt, &["aes-256-gcm", tenant, purpose])?.expose())
}

fn signer(root: &[u8; KEY], name: &str) -> Result<Signer, SealError> {
    Signer::from_seed(derive::key(root, &[], &["ed25519", name])?.expose())
}

const FORMAT: u8 = 1;
/// Far above what a deployment has of tenants; a bound all the same.
const CACHED_KEYS: usize = 4096;

#[cfg(test)]
mod tests;
