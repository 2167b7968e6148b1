//! What a directory says of an issuer's subjects, apart from their tokens.
//!
//! Threat: groups in a token are as old as the token, cut short where there are many, and the issuer's word alone. Where the directory
//! that provisions the issuer's users knows a subject, its groups count instead, from the next request on. Whom it has deactivated or
//! deleted the board refuses.

use std::{fmt, sync::Arc};

use ahash::AHashMap;

/// The groups of an issuer's subjects, as the directory has them.
#[derive(Default)]
pub struct Directory {
    issuer: Option<Arc<str>>,
    members: AHashMap<(Arc<str>, Arc<str>), Groups>,
}

/// Names of groups, as the issuer's tokens would have them; sorted.
pub(super) type Groups = Arc<[Arc<str>]>;

impl Directory {
    /// The directory of the issuer of that name: of each tenant and subject the groups.
    pub fn new(issuer: Arc<str>, members: impl IntoIterator<Item = (Arc<str>, Arc<str>, Vec<Arc<str>>)>) -> Self {
        let members = members.into_iter().map(|(tenant, subject, groups)| ((tenant, subject), groups.into()));
        Self { issuer: Some(issuer), members: members.collect() }
    }

    /// The groups of a subject whom the directory knows.
    pub(super) fn groups(&self, issuer: &Arc<str>, tenant: &Arc<str>, subject: &Arc<str>) -> Option<&Groups> {
        if self.issuer.as_ref() != Some(issuer) {
            return None;
        }
        self.members.get(&(tenant.clone(), subject.clone()))
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("issuer", &self.issuer).field("members", &self.members.len()).finish()
    }
}
