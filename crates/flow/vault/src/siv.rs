//! AES-SIV (RFC 5297): encryption that is the same each time for the same text, and that nobody can change unnoticed.
//!
//! Put together from the AES-CMAC and AES-CTR of aws-lc-rs, the one provider of cryptography here.

use aws_lc_rs::{
    cipher::{self, EncryptingKey, EncryptionContext, UnboundCipherKey},
    cmac,
    constant_time::verify_slices_are_equal,
    iv::FixedLength,
};
use countersign_core::Secret;

use crate::Unusable;

/// A key of 32, 48 or 64 bytes: its first half authenticates, its second half encrypts.
pub(crate) struct Siv {
    mac: cmac::Key,
    cipher: &'static cipher::Algorithm,
    key: Secret<Vec<u8>>,
}

impl Siv {
    pub(crate) fn new(key: &[u8]) -> Result<Self, Unusable> {
        let (mac, key) = key.split_at(key.len() / 2);
        let (algorithm, cipher) = match mac.len() {
            16 => (cmac::AES_128, &cipher::AES_128),
            24 => (cmac::AES_192, &cipher::AES_192),
            32 => (cmac::AES_256, &cipher::AES_256),
            _ => return Err(Unusable),
        };
        let mac = cmac::Key::new(algorithm, mac).map_err(|_| Unusable)?;
        Ok(Self { mac, cipher, key: Secret::new(key.to_vec()) })
    }

    /// The synthetic initialisation vector, and the ciphertext after it.
    pub(crate) fn seal(&self, data: &[&[u8]], text: &[u8]) -> Result<Vec<u8>, Unusable> {
        let vector = self.vector(data, text)?;
        let mut out = Vec::with_capacity(BLOCK + text.len());
        out.extend_from_slice(&vector);
        out.extend_from_slice(text);
        self.encrypt(&vector, out.get_mut(BLOCK..).unwrap_or_default())?;
        Ok(out)
    }

    /// What was sealed with the same data.
    pub(crate) fn open(&self, data: &[&[u8]], sealed: &[u8]) -> Result<Vec<u8>, Unusable> {
        let (vector, text) = sealed.split_first_chunk::<BLOCK>().ok_or(Unusable)?;
        let mut text = text.to_vec();
        self.encrypt(vector, &mut text)?;
        match verify_slices_are_equal(&self.vector(data, &text)?, vector) {
            Ok(()) => Ok(text),
            Err(_) => Err(Unusable),
        }
    }

    /// S2V (section 2.4).
    fn vector(&self, data: &[&[u8]], text: &[u8]) -> Result<[u8; BLOCK], Unusable> {
        let mut sum = self.cmac(&[0; BLOCK])?;
        for part in data {
            sum = xor(double(sum), self.cmac(part)?);
        }
        let Some(rest) = text.len().checked_sub(BLOCK) else {
            let mut padded = [0; BLOCK];
            for (to, from) in padded.iter_mut().zip(text.iter().chain([&0x80])) {
                *to = *from;
            }
            return self.cmac(&xor(double(sum), padded));
        };
        let (head, tail) = text.split_at(rest);
        let tail: [u8; BLOCK] = tail.try_into().map_err(|_| Unusable)?;
        self.cmac(&[head, &xor(sum, tail)].concat())
    }

    fn cmac(&self, text: &[u8]) -> Result<[u8; BLOCK], Unusable> {
        let tag = cmac::sign(&self.mac, text).map_err(|_| Unusable)?;
        tag.as_ref().try_into().map_err(|_| Unusable)
    }

    /// AES-CTR from the vector with two of its bits cleared (section 2.5).
    fn encrypt(&self, vector: &[u8; BLOCK], text: &mut [u8]) -> Result<(), Unusable> {
        let mut counter = *vector;
        counter[8] &= 0x7f;
        counter[12] &= 0x7f;
        let key = UnboundCipherKey::new(self.cipher, self.key.expose()).map_err(|_| Unusable)?;
        let key = EncryptingKey::ctr(key).map_err(|_| Unusable)?;
        let context = EncryptionContext::Iv128(FixedLength::from(counter));
        key.less_safe_encrypt(text, context).map(drop).map_err(|_| Unusable)
    }
}

/// Doubling in the field of 2^128 elements.
fn double(block: [u8; BLOCK]) -> [u8; BLOCK] {
    let number = u128::from_be_bytes(block);
    let carry = (number >> 127) * 0x87;
    (number << 1 ^ carry).to_be_bytes()
}

fn xor(one: [u8; BLOCK], other: [u8; BLOCK]) -> [u8; BLOCK] {
    (u128::from_be_bytes(one) ^ u128::from_be_bytes(other)).to_be_bytes()
}

/// Bytes of a block, and of the vector.
const BLOCK: usize = 16;
