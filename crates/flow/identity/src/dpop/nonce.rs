//! Nonces that need no memory: a moment and its keyed hash. Whoever has the root key knows them again, and nobody else can make one,
//! so that no proof is made before its time.

use std::time::Duration;

use countersign_core::Timestamp;
use countersign_seal::KeyHasher;
use data_encoding::BASE64URL_NOPAD;
use subtle::ConstantTimeEq;

pub(super) struct Nonces(KeyHasher);

impl Nonces {
    pub(super) const fn new(hasher: KeyHasher) -> Self {
        Self(hasher)
    }

    /// The nonce of this moment.
    pub(super) fn at(&self, now: Timestamp) -> String {
        let moment = (now.seconds() / STEP * STEP).to_be_bytes();
        let hash = self.0.hash(&moment);
        BASE64URL_NOPAD.encode(&[&moment[..], hash.get(..TAG).unwrap_or_default()].concat())
    }

    /// Whether a nonce is ours and fresh.
    pub(super) fn accepts(&self, nonce: &str, now: Timestamp) -> bool {
        if nonce.len() != LENGTH {
            return false;
        }
        let Ok(bytes) = BASE64URL_NOPAD.decode(nonce.as_bytes()) else { return false };
        let Some((moment, tag)) = bytes.split_first_chunk::<8>() else { return false };
        let made = Timestamp(u64::from_be_bytes(*moment).saturating_mul(1_000_000));
        let fresh = made <= now.plus(SLACK) && now.since(made) < LIFE;
        fresh && self.0.hashes(moment).any(|hash| hash.get(..TAG).is_some_and(|own| bool::from(own.ct_eq(tag))))
    }
}

/// Seconds for which all are given the same nonce.
const STEP: u64 = 10;
/// Bytes of the hash.
const TAG: usize = 16;
/// Of a nonce, 24 bytes in base64url.
const LENGTH: usize = 32;
const LIFE: Duration = Duration::from_secs(120);
/// How far the clock of the gateway that made it may be ahead of ours.
const SLACK: Duration = Duration::from_secs(10);
