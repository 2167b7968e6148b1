//! AES-256-GCM as everything here uses it: keys that count what they seal, so that no nonce is used twice.
//!
//! INVARIANT: no nonce is used twice under one key. The nonce begins with a count of the key's envelopes, and no key outlives
//! its count: the salt is 128 random bits that are drawn when the count begins and are never read back, so whatever comes
//! after a crash or a restart, or beside this process, has another key. This is the deterministic construction of
//! SP 800-38D, section 8.2.1. One thing copies key and count together: a machine whose memory is copied while it runs. For
//! that, the rest of the nonce follows from the associated data, which says what is sealed: two copies go on with
//! different requests.

use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::SealError;

/// A key that seals, and how much it has sealed.
pub(crate) struct SealingKey {
    salt: [u8; SALT],
    key: LessSafeKey,
    /// Envelopes sealed: the beginning of the next one's nonce.
    used: AtomicU32,
}

impl SealingKey {
    /// A key made with a salt that was drawn for it.
    pub(crate) const fn new(salt: [u8; SALT], key: LessSafeKey) -> Self {
        Self { salt, key, used: AtomicU32::new(0) }
    }

    /// How many envelopes it had sealed before this one; none once it has sealed its share of `most`.
    pub(crate) fn take(&self, most: u32) -> Option<u32> {
        // What is taken beyond the share is not used, and cannot reach the counter's end: whoever takes it leaves with
        // another key.
        let count = self.used.fetch_add(1, Ordering::Relaxed);
        (count < most).then_some(count)
    }

    /// Writes `head | salt | nonce | ciphertext | tag`. `count` is what [`SealingKey::take`] gave for this envelope.
    pub(crate) fn seal(&self, head: &[u8], count: u32, aad: &[u8], plain: &[&[u8]]) -> Result<Vec<u8>, SealError> {
        let nonce = nonce(count, aad);
        let start = head.len() + SALT + NONCE;
        let mut out = Vec::with_capacity(start + plain.iter().map(|part| part.len()).sum::<usize>() + TAG);
        out.extend_from_slice(head);
        out.extend_from_slice(&self.salt);
        out.extend_from_slice(&nonce);
        plain.iter().for_each(|part| out.extend_from_slice(part));
        let text = out.get_mut(start..).unwrap_or_default();
        let tag = seal(&self.key, nonce, aad, text)?;
        out.extend_from_slice(&tag);
        Ok(out)
    }
}

/// What follows an envelope's head.
pub(crate) struct Rest<'a> {
    pub(crate) salt: &'a [u8; SALT],
    pub(crate) nonce: &'a [u8; NONCE],
    /// Ciphertext and tag.
    pub(crate) sealed: &'a [u8],
}

impl<'a> Rest<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, SealError> {
        let (salt, rest) = bytes.split_first_chunk().ok_or(SealError::NotAnEnvelope)?;
        let (nonce, sealed) = rest.split_first_chunk().ok_or(SealError::NotAnEnvelope)?;
        if sealed.len() < TAG {
            return Err(SealError::NotAnEnvelope);
        }
        Ok(Self { salt, nonce, sealed })
    }
}

/// A key for AES-256-GCM.
pub(crate) fn key(bytes: &[u8]) -> Result<LessSafeKey, SealError> {
    UnboundKey::new(&AES_256_GCM, bytes).map(LessSafeKey::new).map_err(|_| SealError::Refused)
}

/// Encrypts `text` in place and gives its tag.
pub(crate) fn seal(key: &LessSafeKey, nonce: [u8; NONCE], aad: &[u8], text: &mut [u8]) -> Result<[u8; TAG], SealError> {
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), text)
        .map_err(|_| SealError::Refused)?;
    tag.as_ref().try_into().map_err(|_| SealError::Refused)
}

/// Decrypts ciphertext and tag.
pub(crate) fn open(key: &LessSafeKey, nonce: [u8; NONCE], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut text = sealed.to_vec();
    let length = key
        .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut text)
        .map_err(|_| SealError::Damaged)?
        .len();
    text.truncate(length);
    Ok(text)
}

/// The count, and 64 bits that differ where what is sealed does (FNV-1a: nobody gains by making them the same).
pub(crate) fn nonce(count: u32, aad: &[u8]) -> [u8; NONCE] {
    let rest = aad.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    let mut nonce = [0; NONCE];
    nonce[..4].copy_from_slice(&count.to_be_bytes());
    nonce[4..].copy_from_slice(&rest.to_be_bytes());
    nonce
}

/// Bytes of a salt.
pub(crate) const SALT: usize = 16;
/// Bytes of a nonce.
pub(crate) const NONCE: usize = 12;
/// Bytes of a tag.
pub(crate) const TAG: usize = 16;
/// After so many a key is left for another.
pub(crate) const ENVELOPES_PER_KEY: u32 = 1 << 24;
