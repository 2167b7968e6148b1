//! Keys that protect the root keys, and what they are asked for. They stand elsewhere: in a file that is brought in, at a key
//! management service, in a hardware module.
//!
//! The root keys are sealed under a wrapping key, drawn anew each time they are written, which only the key-encryption key can
//! unwrap ([`WrappedRoot`]). What a service over a network is sent and answers is here; the network is not.

mod aws;
mod transit;
mod wrapped;

use countersign_core::{Secret, Timestamp};
use data_encoding::{BASE64, HEXLOWER};
use serde::Serialize;

use crate::{
    SealError,
    derive::{self, KEY},
    gcm, random,
};

pub use aws::{AwsKms, Credentials};
pub use transit::VaultTransit;
pub use wrapped::{BadWrappedRoot, WrappedRoot};

/// The key that root keys are sealed under, which a key-encryption key wraps.
pub type WrappingKey = Secret<[u8; KEY]>;

/// A request to a service that holds a key-encryption key. Always `POST`, always JSON.
#[derive(Debug)]
pub struct Ask {
    /// Path, below the service's address.
    pub path: String,
    /// Headers besides `host`, `content-length` and what every request has. Some hold credentials.
    pub headers: Vec<(&'static str, Secret<String>)>,
    /// The body.
    pub body: Secret<Vec<u8>>,
}

/// A service that holds a key-encryption key.
pub trait Service: Send + Sync {
    /// Names the key, in [`WrappedRoot`] and for people.
    fn name(&self) -> String;

    /// Asks to have `key` wrapped.
    fn wrap(&self, now: Timestamp, key: &WrappingKey) -> Ask;

    /// What it answered.
    ///
    /// # Errors
    /// [`BadAnswer`].
    fn wrapped(&self, answer: &[u8]) -> Result<Vec<u8>, BadAnswer>;

    /// Asks for what was wrapped.
    fn unwrap(&self, now: Timestamp, wrapped: &[u8]) -> Ask;

    /// What it answered.
    ///
    /// # Errors
    /// [`BadAnswer`].
    fn unwrapped(&self, answer: &[u8]) -> Result<WrappingKey, BadAnswer>;
}

/// A service answered something else than it should. Nothing that it wrote is in here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the key service's answer is not of the form that its API has")]
pub struct BadAnswer;

/// A key-encryption key that is brought in as a file of 32 bytes.
pub struct FileKek {
    key: WrappingKey,
}

impl FileKek {
    /// Takes the content of the file.
    ///
    /// # Errors
    /// [`SealError::RootKey`] when it is something else than 32 bytes that are not all zeros.
    pub fn new(bytes: &Secret<Vec<u8>>) -> Result<Self, SealError> {
        match bytes.expose().as_slice().try_into() {
            Ok(key) if key != [0; KEY] => Ok(Self { key: Secret::new(key) }),
            _ => Err(SealError::RootKey("a key-encryption key in a file is 32 bytes, not all zeros")),
        }
    }

    /// Names the key without saying anything about it.
    ///
    /// # Errors
    /// [`SealError::Refused`] when the library does.
    pub fn name(&self) -> Result<String, SealError> {
        let name = derive::key(self.key.expose(), &[], &["kek-name"])?;
        Ok(format!("file:{}", HEXLOWER.encode(name.expose().first_chunk::<8>().ok_or(SealError::Refused)?)))
    }

    /// Wraps a key: `salt | ciphertext | tag`, under a key that is made for this salt alone.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn wrap(&self, key: &WrappingKey) -> Result<Vec<u8>, SealError> {
        let salt: [u8; gcm::SALT] = random::bytes()?;
        // What was the key is the ciphertext afterwards.
        let mut sealed = *key.expose();
        let tag = gcm::seal(&self.once(&salt)?, [0; gcm::NONCE], b"", &mut sealed)?;
        Ok([&salt[..], &sealed, &tag].concat())
    }

    /// Unwraps a key.
    ///
    /// # Errors
    /// [`SealError::NotAnEnvelope`], [`SealError::Damaged`].
    pub fn unwrap(&self, wrapped: &[u8]) -> Result<WrappingKey, SealError> {
        let (salt, sealed) = wrapped.split_first_chunk().ok_or(SealError::NotAnEnvelope)?;
        let plain = Secret::new(gcm::open(&self.once(salt)?, [0; gcm::NONCE], b"", sealed)?);
        plain.expose().as_slice().try_into().map(Secret::new).map_err(|_| SealError::Damaged)
    }

    fn once(&self, salt: &[u8; gcm::SALT]) -> Result<aws_lc_rs::aead::LessSafeKey, SealError> {
        gcm::key(derive::key(self.key.expose(), salt, &["kek"])?.expose())
    }
}

/// A body, which may hold a key: written where there is room enough, so that no part of it is left behind by a move.
fn body_of(value: &impl Serialize) -> Secret<Vec<u8>> {
    let mut body = Vec::with_capacity(16 << 10);
    // A structure of texts can be written.
    let _ = serde_json::to_writer(&mut body, value);
    Secret::new(body)
}

/// A key as services write it.
fn key_of(base64: &Secret<String>) -> Result<WrappingKey, BadAnswer> {
    let bytes = BASE64.decode(base64.expose().as_bytes()).map(Secret::new).map_err(|_| BadAnswer)?;
    bytes.expose().as_slice().try_into().map(Secret::new).map_err(|_| BadAnswer)
}

#[cfg(test)]
mod tests;
