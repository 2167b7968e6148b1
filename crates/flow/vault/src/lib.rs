//! Makes the stand-ins that a model sees in place of sensitive values, under keys of the tenant and the conversation.
//!
//! It finds nothing in texts, puts nothing into them, keeps no value beyond a request, and does no I/O.

mod conversation;
mod ff1;
mod keys;
mod lasting;
mod siv;

use std::{fmt, sync::Arc};

use countersign_core::{
    Channel, Code, ConversationName, Document, Entity, Mint, Principal, Refusal, Secret, StandIns, Vault,
};

use conversation::Conversation;
use lasting::Lasting;

pub use conversation::tag;
pub use keys::Keys;

/// Makes the stand-ins of a deployment. Used behind an `Arc` by every request at once.
pub struct Tokens {
    keys: Arc<dyn Keys>,
    /// The roles of those who get values back; empty for everyone.
    shown_to: Vec<String>,
    /// What stand-ins stand for is kept, sealed.
    kept: bool,
}

impl Tokens {
    /// With the keys of the deployment. Callers who have one of the roles of `shown_to` get values back for the stand-ins of their
    /// prompts; all of them do where it is empty.
    #[must_use]
    pub fn new(keys: Arc<dyn Keys>, shown_to: Vec<String>) -> Self {
        Self { keys, shown_to, kept: false }
    }

    /// The same, whose stand-ins can be revealed later: what they stand for goes along with the request, to be kept sealed.
    #[must_use]
    pub fn keeping(self) -> Self {
        Self { kept: true, ..self }
    }

    /// The type and the value behind a stand-in that is the same everywhere in `tenant`, as it stands in a text; none where it is not
    /// one of theirs.
    #[must_use]
    pub fn reveal(&self, tenant: &Arc<str>, token: &str) -> Option<(Entity, Secret<String>)> {
        Lasting::new(Arc::clone(&self.keys), Arc::clone(tenant)).reveal(token)
    }

    /// The value behind a number that stands in for another one of this type in `tenant`. Nothing tells such a number from any other,
    /// so this leads to some value whatever it is.
    #[must_use]
    pub fn reveal_number(&self, tenant: &Arc<str>, entity: Entity, number: &str) -> Option<Secret<String>> {
        Lasting::new(Arc::clone(&self.keys), Arc::clone(tenant)).reveal_number(entity, number)
    }
}

impl Vault for Tokens {
    fn conversation(
        &self,
        principal: &Principal,
        document: &Document,
        named: Option<&ConversationName>,
    ) -> Result<Box<dyn Mint>, Refusal> {
        let id = match named {
            Some(name) => name.as_bytes().to_vec(),
            // No name holds a zero.
            None => [b"\0", beginning(document).as_slice()].concat(),
        };
        let key = self.keys.conversation_key(&principal.tenant, &principal.subject, &id).map_err(NoKey::refusal)?;
        let shown = self.shown_to.is_empty()
            || principal.roles.iter().any(|role| self.shown_to.iter().any(|shown| **shown == **role));
        let lasting = Lasting::new(Arc::clone(&self.keys), Arc::clone(&principal.tenant));
        let all = StandIns::new(shown);
        let all = if self.kept { all.keeping() } else { all };
        Ok(Box::new(Conversation::new(&key, lasting, all)))
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

/// No key is to be had.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no key for stand-ins")]
pub struct NoKey;

impl NoKey {
    fn refusal(self) -> Refusal {
        Refusal::new(Code::GuardFailed, self.to_string())
    }
}

/// The key, the text or the library does not allow it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Unusable;

impl From<NoKey> for Unusable {
    fn from(_: NoKey) -> Self {
        Self
    }
}

/// What does not change while a conversation grows: the operator's words and the first of the user's.
fn beginning(document: &Document) -> Vec<u8> {
    let mut all = Vec::new();
    for (index, slot) in document.slots().iter().enumerate() {
        if matches!(slot.channel, Channel::System | Channel::User) {
            let text = document.text(index).as_bytes();
            all.extend_from_slice(&(text.len() as u64).to_be_bytes());
            all.extend_from_slice(text);
        }
        if slot.channel == Channel::User {
            break;
        }
    }
    all
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
