//! Ed25519 signatures (RFC 8032), for audit checkpoints.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};

use crate::SealError;

/// Signs. Made by [`crate::KeyRing::signer`].
pub struct Signer {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl Signer {
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Result<Self, SealError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SealError::Refused)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| SealError::Refused)?;
        Ok(Self { pair, public })
    }

    /// Signs `message`.
    ///
    /// # Errors
    /// [`SealError::Refused`] when the library does.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], SealError> {
        let signature = self.pair.try_sign(message).map_err(|_| SealError::Refused)?;
        signature.as_ref().try_into().map_err(|_| SealError::Refused)
    }

    /// The public key: 32 bytes, not secret.
    #[must_use]
    pub const fn public_key(&self) -> [u8; 32] {
        self.public
    }

    /// What verifies this signer's signatures.
    ///
    /// # Errors
    /// [`SealError::Refused`] when the library does.
    pub fn verifier(&self) -> Result<Verifier, SealError> {
        Verifier::new(self.public)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("public", &self.public).finish_non_exhaustive()
    }
}

/// Verifies signatures of one public key.
#[derive(Debug)]
pub struct Verifier {
    key: ParsedPublicKey,
    public: [u8; 32],
}

impl Verifier {
    /// Takes a public key of 32 bytes.
    ///
    /// # Errors
    /// [`SealError::Refused`] when the bytes are no point on the curve.
    pub fn new(public: [u8; 32]) -> Result<Self, SealError> {
        let key = ParsedPublicKey::new(&ED25519, public).map_err(|_| SealError::Refused)?;
        Ok(Self { key, public })
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> [u8; 32] {
        self.public
    }

    /// Whether `signature` is this key's over `message`.
    ///
    /// # Errors
    /// [`SealError::Signature`] when it is not.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SealError> {
        self.key.verify_sig(message, signature).map_err(|_| SealError::Signature)
    }
}
