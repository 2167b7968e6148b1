//! Where the keys of stand-ins come from.

use countersign_core::Secret;
use countersign_seal::{KeyHasher, KeyRing, SealError};

use crate::NoKey;

/// Hands out keys. Asked while a request waits, so it neither blocks nor touches a disk.
pub trait Keys: Send + Sync {
    /// The key of one conversation of one caller.
    ///
    /// # Errors
    /// When there is none, or none any more.
    fn conversation_key(&self, tenant: &str, subject: &str, conversation: &[u8]) -> Result<Secret<[u8; 32]>, NoKey>;
}

/// Keys that are derived from the key ring; nothing of them is kept.
#[derive(Clone, Debug)]
pub struct RingKeys {
    conversations: KeyHasher,
}

impl RingKeys {
    /// From the ring of the deployment.
    ///
    /// # Errors
    /// [`SealError::Refused`] when the library does.
    pub fn new(ring: &KeyRing) -> Result<Self, SealError> {
        Ok(Self { conversations: ring.hasher("stand-ins of conversations")? })
    }
}

impl Keys for RingKeys {
    fn conversation_key(&self, tenant: &str, subject: &str, conversation: &[u8]) -> Result<Secret<[u8; 32]>, NoKey> {
        let label = parts(&[tenant.as_bytes(), subject.as_bytes(), conversation]);
        Ok(Secret::new(self.conversations.hash(&label)))
    }
}

/// The parts, each after its length, so that no two lists run together into the same bytes.
pub(crate) fn parts(parts: &[&[u8]]) -> Vec<u8> {
    let mut all = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
    for part in parts {
        all.extend_from_slice(&(part.len() as u64).to_be_bytes());
        all.extend_from_slice(part);
    }
    all
}
