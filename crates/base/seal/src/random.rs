//! Random bytes from the one generator that the whole gateway uses.

use crate::SealError;

/// Fills `bytes` with unpredictable bytes.
///
/// # Errors
/// [`SealError::NoRandomness`] when the operating system gives none; nothing may be built on `bytes` then.
pub fn fill(bytes: &mut [u8]) -> Result<(), SealError> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| SealError::NoRandomness)
}

/// `N` unpredictable bytes.
///
/// # Errors
/// As [`fill`].
pub fn bytes<const N: usize>() -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}
