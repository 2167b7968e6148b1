//! Key derivation, with labels that cannot be mistaken for one another.

use aws_lc_rs::hkdf;
use countersign_core::Secret;

use crate::SealError;

/// Length of every symmetric key and of every signing seed.
pub(crate) const KEY: usize = 32;

/// Derives the key that `root` has for `label`. Each part of the label is preceded by its length, so that no two labels
/// run together into the same bytes.
pub(crate) fn key(root: &[u8; KEY], salt: &[u8], label: &[&str]) -> Result<Secret<[u8; KEY]>, SealError> {
    let mut info = b"countersign/1".to_vec();
    for part in label {
        info.extend_from_slice(&(part.len() as u64).to_be_bytes());
        info.extend_from_slice(part.as_bytes());
    }
    let mut key = [0; KEY];
    hkdf_sha256(salt, root, &info, &mut key)?;
    Ok(Secret::new(key))
}

/// HKDF-SHA256 (RFC 5869): extract, then expand into the whole of `out`.
pub(crate) fn hkdf_sha256(salt: &[u8], secret: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), SealError> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[info], Length(out.len()))
        .and_then(|okm| okm.fill(out))
        .map_err(|_| SealError::Refused)
}
