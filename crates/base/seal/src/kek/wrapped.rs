//! The file that wrapped root keys stand in: which key-encryption key wrapped them, and what it wrapped.

use countersign_core::Secret;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::WrappingKey;
use crate::{SealError, gcm, random};

/// Root keys that only a key-encryption key opens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WrappedRoot {
    kek: String,
    key: Vec<u8>,
    sealed: Vec<u8>,
}

/// The bytes are no wrapped root keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadWrappedRoot {
    /// They are something else, or damaged.
    #[error("it is not a file of wrapped root keys")]
    Form,
    /// A newer release wrote them.
    #[error("it was written by a newer release")]
    Newer,
}

/// As it stands in the file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    kek: String,
    key: String,
    sealed: String,
}

impl WrappedRoot {
    /// A wrapping key for one writing of the file. It must be used for no other.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn wrapping_key() -> Result<WrappingKey, SealError> {
        random::bytes().map(Secret::new)
    }

    /// Seals the content of a root key file. `wrapped` is what the key-encryption key called `kek` made of the wrapping key.
    ///
    /// # Errors
    /// [`SealError::Refused`] when the library does.
    pub fn seal(kek: &str, key: &WrappingKey, wrapped: Vec<u8>, root: &Secret<Vec<u8>>) -> Result<Self, SealError> {
        let mut sealed = root.expose().clone();
        // INVARIANT: the key seals this and nothing else, so its nonce need not differ from another.
        let tag = gcm::seal(&gcm::key(key.expose())?, [0; gcm::NONCE], &bound_to(kek), &mut sealed)?;
        sealed.extend_from_slice(&tag);
        Ok(Self { kek: kek.to_owned(), key: wrapped, sealed })
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`BadWrappedRoot`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BadWrappedRoot> {
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        if bytes.len() > MAX_BYTES {
            return Err(BadWrappedRoot::Form);
        }
        match serde_json::from_slice(bytes) {
            Ok(Version { version: VERSION }) => {}
            Ok(Version { version }) if version > VERSION => return Err(BadWrappedRoot::Newer),
            _ => return Err(BadWrappedRoot::Form),
        }
        let file: File = serde_json::from_slice(bytes).map_err(|_| BadWrappedRoot::Form)?;
        // The decoder alone would take pieces that are padded each by itself, and one file has one form.
        let one = |text: &str| !text.trim_end_matches('=').contains('=');
        let decode = |text: &str| {
            let bytes = one(text).then(|| BASE64.decode(text.as_bytes()).ok()).flatten();
            bytes.ok_or(BadWrappedRoot::Form)
        };
        Ok(Self { key: decode(&file.key)?, sealed: decode(&file.sealed)?, kek: file.kek })
    }

    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (key, sealed) = (BASE64.encode(&self.key), BASE64.encode(&self.sealed));
        let file = File { version: VERSION, kek: self.kek.clone(), key, sealed };
        // A structure of texts and a number can be written.
        let mut bytes = serde_json::to_vec_pretty(&file).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Names the key-encryption key.
    #[must_use]
    pub fn kek(&self) -> &str {
        &self.kek
    }

    /// The wrapping key, as the key-encryption key wrapped it.
    #[must_use]
    pub fn wrapped_key(&self) -> &[u8] {
        &self.key
    }

    /// The content of the root key file.
    ///
    /// # Errors
    /// [`SealError::Damaged`] when anything at all differs from how it was sealed.
    pub fn open(&self, key: &WrappingKey) -> Result<Secret<Vec<u8>>, SealError> {
        gcm::open(&gcm::key(key.expose())?, [0; gcm::NONCE], &bound_to(&self.kek), &self.sealed).map(Secret::new)
    }
}

fn bound_to(kek: &str) -> Vec<u8> {
    format!("countersign root keys {VERSION}\n{kek}").into_bytes()
}

const VERSION: u64 = 1;
/// Far above 255 root keys.
const MAX_BYTES: usize = 64 << 10;
