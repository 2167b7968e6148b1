//! Access for a purpose and a time: what was asked for, who decided, what was granted, and the sessions opened on it. The words
//! that policy, the store, identity and the admin API share; the rules are policy's.

use std::{fmt, sync::Arc, time::Duration};

use crate::{Confirmation, Principal, Target, Timestamp, principal::PrincipalKind};

/// A person, service or agent, whatever they show to prove it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Being {
    /// The tenant.
    pub tenant: Arc<str>,
    /// Subject id within the tenant.
    pub subject: Arc<str>,
}

impl From<&Principal> for Being {
    fn from(who: &Principal) -> Self {
        Self { tenant: who.tenant.clone(), subject: who.subject.clone() }
    }
}

/// `TENANT/SUBJECT`, as in the text of a [`Target`].
impl fmt::Display for Being {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = Target::Principal(self.tenant.clone(), self.subject.clone()).to_string();
        f.write_str(target.strip_prefix("principal:").unwrap_or(&target))
    }
}

/// One case: a request for access, and all that became of it. It has one id from the first word to the last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Case {
    /// Public id: `acc_...`; ids sort by time.
    pub id: Arc<str>,
    /// What was asked for, by the name the configuration gives it.
    pub access: Arc<str>,
    /// Who asked.
    pub asker: Being,
    /// Who is to have it.
    pub holder: Being,
    /// What the holder is.
    pub kind: PrincipalKind,
    /// Who may act for the holder, and alone may use it; none when the holder acts.
    pub actor: Option<Being>,
    /// What it is for: `model:NAME`, `tool:NAME`, `data:NAME`.
    pub things: Vec<Arc<str>>,
    /// Why, in the asker's words.
    pub purpose: String,
    /// For how long.
    pub span: Duration,
    /// When it was asked for.
    pub asked: Timestamp,
    /// Approvals that were needed when it was asked for.
    pub needed: u32,
    /// Who decided what, in order.
    pub decisions: Vec<Decision>,
    /// Whether it was taken without approval.
    pub glass: bool,
    /// What was granted.
    pub grant: Option<Grant>,
    /// How it was closed before its time.
    pub closed: Option<Closed>,
    /// What was thought afterwards of access that was taken without approval.
    pub review: Option<Decision>,
}

/// One person's word.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decision {
    /// Whose.
    pub by: Being,
    /// Whether they agree.
    pub yes: bool,
    /// When.
    pub at: Timestamp,
    /// Why, in their words.
    pub note: String,
}

/// What the holder has, and until when.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grant {
    /// Roles, as policies name them.
    pub roles: Vec<Arc<str>>,
    /// From when.
    pub begins: Timestamp,
    /// The first moment at which it is over.
    pub ends: Timestamp,
}

/// The end of a case before its time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Closed {
    /// How.
    pub how: Ending,
    /// By whom.
    pub by: Being,
    /// When.
    pub at: Timestamp,
}

/// How a case is closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// An approver said no.
    Denied,
    /// The asker took it back.
    Withdrawn,
    /// What had been granted was ended.
    Ended,
}

impl Ending {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Denied, Self::Withdrawn, Self::Ended];

    /// Its name in the store and the admin API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Ended => "ended",
        }
    }
}

/// How a case stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stand {
    /// Waiting for approvers.
    Pending,
    /// Nobody decided in time.
    Lapsed,
    /// The holder has access.
    Granted,
    /// What was granted is over.
    Over,
    /// Closed before its time.
    Closed(Ending),
}

impl Stand {
    /// Its name in the admin API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Lapsed => "lapsed",
            Self::Granted => "granted",
            Self::Over => "over",
            Self::Closed(how) => how.as_str(),
        }
    }
}

impl Case {
    /// How the case stands at `now`.
    #[must_use]
    pub fn stand(&self, now: Timestamp) -> Stand {
        match (&self.closed, &self.grant) {
            (Some(closed), _) => Stand::Closed(closed.how),
            // Before its beginning it is as good as over: the clock was set back.
            (None, Some(grant)) if now < grant.begins || grant.ends <= now => Stand::Over,
            (None, Some(_)) => Stand::Granted,
            (None, None) if now.since(self.asked) >= PATIENCE => Stand::Lapsed,
            (None, None) => Stand::Pending,
        }
    }

    /// Whether somebody still has to look at access that was taken without approval.
    #[must_use]
    pub const fn unreviewed(&self) -> bool {
        self.glass && self.review.is_none()
    }
}

/// A session opened on granted access: what its credential says beside who its holder is.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Session {
    /// Public id: `ses_...`.
    pub id: Arc<str>,
    /// The case it was opened on.
    pub case: Arc<str>,
    /// The access that was granted.
    pub access: Arc<str>,
    /// What for: `model:NAME`, `tool:NAME`, `data:NAME`.
    pub things: Vec<Arc<str>>,
    /// Why.
    pub purpose: Arc<str>,
    /// Whether it was taken without approval.
    pub glass: bool,
    /// Who acts for the holder, and for whom they act in turn: the newest first (RFC 8693, `act`). Empty when the holder acts.
    pub acts: Vec<Arc<str>>,
    /// The key that whoever shows the credential has to prove.
    pub bound: Confirmation,
}

/// How long a request waits for approvers.
pub const PATIENCE: Duration = Duration::from_hours(24);
