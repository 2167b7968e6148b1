//! Keys and ciphertext: one key ring seals bytes, hashes credentials and signs checkpoints, each under its own derived key.
//!
//! It opens no files, stores nothing, and knows neither what the bytes mean nor who may read them.
//!
//! Every key descends from a root key by HKDF-SHA256 (RFC 5869) with a label that names what it is for, so that a key for
//! one tenant, purpose or algorithm says nothing about another. All primitives are those of aws-lc-rs.

mod book;
mod data;
mod derive;
mod gcm;
mod hash;
pub mod kek;
pub mod random;
mod ring;
mod sign;
mod tree;

pub use book::{BookError, SecretBook};
pub use data::{ConversationId, DataKey, DataKeyRow, DataKeys, Forgetting, Scope};
pub use hash::KeyHasher;
pub use ring::KeyRing;
pub use sign::{Signer, Verifier};

/// Why something could not be sealed, opened, signed or verified.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// The key file holds no whole number of keys, too many, or a key that is all zeros or there twice.
    #[error("the root key is not usable: {0}")]
    RootKey(&'static str),
    /// The bytes are too short or of an unknown version to be an envelope.
    #[error("not a sealed envelope")]
    NotAnEnvelope,
    /// The envelope names a root version that this ring does not hold.
    #[error("sealed under root key version {0}, which this key ring does not hold")]
    UnknownRoot(u8),
    /// The envelope was changed, or was sealed by another ring, or for another tenant, purpose or record.
    #[error("the sealed bytes are damaged or belong elsewhere")]
    Damaged,
    /// The envelope was sealed under a key that was destroyed since, or belongs to somebody else.
    #[error("sealed under a key that is not here any more")]
    Forgotten,
    /// The text is not what names a conversation in records.
    #[error("not the id of a conversation")]
    NotAnId,
    /// The signature does not fit the message and the key.
    #[error("the signature does not verify")]
    Signature,
    /// The operating system gave no random bytes.
    #[error("no random bytes are to be had")]
    NoRandomness,
    /// The cryptographic library refused; with lengths it accepts, it does not.
    #[error("the cryptographic library refused the operation")]
    Refused,
}
