//! Where the keys of stand-ins come from.

use countersign_core::Secret;
use countersign_seal::{DataKeys, Scope};

use crate::NoKey;

/// Hands out keys. Asked while a request waits, so it neither blocks nor touches a disk.
pub trait Keys: Send + Sync {
    /// The key of one conversation of one caller.
    ///
    /// # Errors
    /// When there is none, or none any more.
    fn conversation_key(&self, tenant: &str, subject: &str, conversation: &[u8]) -> Result<Secret<[u8; 32]>, NoKey>;

    /// A key of the tenant for one `purpose`.
    ///
    /// # Errors
    /// When there is none, or none any more.
    fn tenant_key(&self, tenant: &str, purpose: &'static str) -> Result<Secret<[u8; 32]>, NoKey>;
}

/// With these, what stands for the values of a tenant, a person or a conversation means nothing once that is forgotten.
impl Keys for DataKeys {
    fn conversation_key(&self, tenant: &str, subject: &str, conversation: &[u8]) -> Result<Secret<[u8; 32]>, NoKey> {
        let conversation = Some(self.conversation(conversation));
        let key = self.key(&Scope { tenant, subject, conversation }).map_err(|_| NoKey)?;
        key.derive("stand-ins").map_err(|_| NoKey)
    }

    fn tenant_key(&self, tenant: &str, purpose: &'static str) -> Result<Secret<[u8; 32]>, NoKey> {
        let key = self.key(&Scope { tenant, subject: "", conversation: None }).map_err(|_| NoKey)?;
        key.derive(purpose).map_err(|_| NoKey)
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
