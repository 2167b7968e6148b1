//! Proof of possession by DPoP (RFC 9449): with every request its caller signs, by the key that the token is bound to, what
//! is asked for, when, and with which token.
//!
//! Threats it answers: a token that was stolen without its key; a proof that was overheard, sent again, made long before it is
//! used, made for another address or another token; one key taken for another.
//!
//! No I/O and no clock. The address that a proof has to name is the configured one: nothing a request says of its host counts.

mod nonce;
mod proof;
mod replays;
#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use countersign_core::{Code, Refusal, Timestamp};
use countersign_seal::KeyHasher;

pub use proof::{ALGORITHMS, MAX_PROOF, Proof, ProofError};
pub use replays::{Claim, ReplayError, Replays, Seen};

use crate::Presented;
use nonce::Nonces;

/// What the ring's hasher for nonces is made for.
pub const PURPOSE: &str = "dpop nonce";

/// Verifies proofs, and gives out nonces for them.
pub(crate) struct Dpop {
    nonces: Nonces,
    replays: Box<dyn Replays>,
}

impl Dpop {
    /// `nonces` is the ring's hasher for [`PURPOSE`]: gateways with one root key know each other's nonces.
    pub(crate) fn new(nonces: KeyHasher, replays: Box<dyn Replays>) -> Self {
        Self { nonces: Nonces::new(nonces), replays }
    }

    /// A nonce for the next proof.
    pub(crate) fn nonce(&self, now: Timestamp) -> String {
        self.nonces.at(now)
    }

    /// Whether the request proves the key with the thumbprint `key`, for the token with the SHA-256 `token`.
    pub(crate) async fn prove(
        &self,
        presented: &Presented<'_>,
        token: &[u8; 32],
        key: &[u8; 32],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let proof = presented.proof.ok_or_else(|| bad("the token is bound to a key and no proof was presented"))?;
        let proof = read(proof)?;
        if proof.key() != key {
            return Err(bad("the proof is by another key than the token is bound to"));
        }
        if proof.token() != Some(token) {
            return Err(bad("the proof is for another token"));
        }
        self.accept(&proof, presented, now).await
    }

    /// The thumbprint of the key that a request proves to hold, by a proof for no token: what it asks for is to be bound to that.
    pub(crate) async fn introduce(&self, presented: &Presented<'_>, now: Timestamp) -> Result<[u8; 32], Refusal> {
        let proof = read(presented.proof.ok_or_else(|| bad("no proof was presented"))?)?;
        if proof.token().is_some() {
            return Err(bad("the proof is for a token"));
        }
        self.accept(&proof, presented, now).await?;
        Ok(*proof.key())
    }

    /// Whether a proof is for this request, and fresh; it is used up then.
    async fn accept(&self, proof: &Proof, presented: &Presented<'_>, now: Timestamp) -> Result<(), Refusal> {
        if proof.method() != presented.method {
            return Err(bad("the proof is for another method"));
        }
        if !presented.origin.is_some_and(|origin| proof.is_for(origin, presented.path)) {
            return Err(bad("the proof is for another address"));
        }
        if now < Timestamp(proof.issued().0.saturating_sub(micros(SLACK))) {
            return Err(bad("the proof is of the future"));
        }
        let until = proof.issued().plus(LIFE);
        if until <= now {
            return Err(bad("the proof is too old"));
        }
        if !proof.nonce().is_some_and(|nonce| self.nonces.accepts(nonce, now)) {
            return Err(Refusal::new(Code::NonceNeeded, "the proof holds no nonce of ours that is fresh"));
        }
        // Last, so that nothing but good proofs is remembered.
        self.replays.claim(proof.id(), until, now).await.map_err(|error| match error {
            ReplayError::Again => bad("the proof was used before"),
            ReplayError::Full => Refusal::new(Code::Overloaded, "more proofs are remembered than can be held"),
        })
    }
}

impl fmt::Debug for Dpop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dpop")
    }
}

fn read(proof: &[u8]) -> Result<Proof, Refusal> {
    Proof::read(proof).map_err(|error| Refusal::new(Code::BadProof, error.to_string()))
}

fn bad(why: &'static str) -> Refusal {
    Refusal::new(Code::BadProof, why)
}

const fn micros(duration: Duration) -> u64 {
    duration.as_secs() * 1_000_000
}

/// How old a proof may be by the caller's clock. The nonce bounds it by ours.
const LIFE: Duration = Duration::from_secs(60);
/// How far the caller's clock may be ahead.
const SLACK: Duration = Duration::from_secs(10);
