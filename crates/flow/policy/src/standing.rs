//! What others say of a principal that no credential shows: of the device, of how far they are trusted at the moment; and how far
//! the watch thinks that something is wrong, which policies read as `context.risk`.
//!
//! It comes from security events (CAEP) and changes while credentials stand, so it is looked up with each question and never kept
//! with a principal. Whoever takes the events in fills [`Stage::standings`](crate::Stage::standings); it outlives reloads, and starts
//! empty: what is to outlive the process is for whoever fills it to keep. Policies read it as `context.standing`.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use ahash::RandomState;
use countersign_core::{Principal, Target};

/// What is known of one principal. Nothing, to begin with; a policy can tell that from everything else.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Standing {
    /// Whether the device meets its owner's rules (`device-compliance-change`).
    pub compliant: Option<bool>,
    /// How far something seems to be wrong (`risk-level-change`).
    pub risk: Option<Risk>,
    /// How sure the issuer is of who it is, in the issuer's words (`assurance-level-change`).
    pub assurance: Option<Arc<str>>,
}

/// How far something seems to be wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Risk {
    /// Not at all, or little.
    Low,
    /// In between.
    Medium,
    /// Very.
    High,
}

/// What is known of all principals.
#[derive(Default)]
pub struct Standings {
    all: RwLock<HashMap<Being, Standing, RandomState>>,
    /// Principals and sessions that are not calm, 1 to 100.
    risks: RwLock<HashMap<Target, u8, RandomState>>,
}

/// Tenant and subject.
type Being = (Arc<str>, Arc<str>);

/// What is known of somebody of whom nothing is.
pub(crate) static UNKNOWN: Standing = Standing { compliant: None, risk: None, assurance: None };

impl Risk {
    /// Every level, the lowest first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The name used in policy, which is that of CAEP in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Standings {
    /// Changes what is known of the principal `subject` of `tenant`, whose subject is as in [`Principal::subject`]. The next
    /// question sees it, the second question about a request in flight included.
    pub fn change(&self, tenant: &str, subject: &str, change: impl FnOnce(&mut Standing)) {
        let who = (tenant.into(), subject.into());
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let mut standing = all.get(&who).cloned().unwrap_or_default();
        change(&mut standing);
        if standing == Standing::default() {
            all.remove(&who);
        } else {
            all.insert(who, standing);
        }
    }

    /// How far the watch thinks that something is wrong with a principal or a session, 0 to 100. The next question sees it.
    pub fn set_risk(&self, of: Target, score: u8) {
        let mut risks = self.risks.write().unwrap_or_else(PoisonError::into_inner);
        if score == 0 {
            risks.remove(&of);
        } else {
            risks.insert(of, score.min(100));
        }
    }

    /// The higher of what the watch thinks of `who` and of the session that they are in.
    pub(crate) fn risk(&self, who: &Principal) -> u8 {
        let risks = self.risks.read().unwrap_or_else(PoisonError::into_inner);
        if risks.is_empty() {
            return 0;
        }
        let principal = Target::Principal(who.tenant.clone(), who.subject.clone());
        let of = |target: &Target| risks.get(target).copied().unwrap_or(0);
        of(&principal).max(who.sitting().as_ref().map_or(0, of))
    }

    /// What is known of `who`.
    pub(crate) fn of(&self, who: &Principal) -> Standing {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            return Standing::default();
        }
        all.get(&(who.tenant.clone(), who.subject.clone())).cloned().unwrap_or_default()
    }
}

impl fmt::Debug for Standings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standings").finish_non_exhaustive()
    }
}
