//! Keyed hashes: what a credential is stored as and looked up by.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use aws_lc_rs::hmac;

/// HMAC-SHA256 (RFC 2104) for one purpose, under every root version of the ring it came from, also those that come later.
#[derive(Clone)]
pub struct KeyHasher(Arc<RwLock<Arc<[hmac::Key]>>>);

impl KeyHasher {
    /// One key for each root version, newest first.
    pub(crate) fn new(keys: Vec<hmac::Key>) -> Self {
        Self(Arc::new(RwLock::new(keys.into())))
    }

    /// There are other root versions now.
    pub(crate) fn replace(&self, keys: Vec<hmac::Key>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
    }

    /// The hash under the newest root version: what new things are stored as.
    #[must_use]
    pub fn hash(&self, data: &[u8]) -> [u8; 32] {
        self.hashes(data).next().unwrap_or_default()
    }

    /// The hashes under every root version, newest first: what stored things are looked up by. Each is computed only when
    /// it is asked for.
    pub fn hashes(&self, data: &[u8]) -> impl Iterator<Item = [u8; 32]> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        (0..keys.len()).filter_map(move |n| keys.get(n).map(|key| hmac_sha256(key, data)))
    }
}

impl fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHasher")
    }
}

pub(crate) fn hmac_key(bytes: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, bytes)
}

pub(crate) fn hmac_sha256(key: &hmac::Key, data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(hmac::sign(key, data).as_ref());
    out
}
