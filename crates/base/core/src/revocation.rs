//! Which credentials are believed no more: what a revocation is of, and the board on which all that are in force stand, restraints
//! among them.
//!
//! Threat: a credential outlives the trust that it was given for. A revocation says of everything it covers that what was issued
//! before a moment is refused; what is issued later stands, so that a person who signs in again is let in. To shut somebody out, the
//! moment is [`Timestamp::MAX`].

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use ahash::AHashMap;

use crate::{Claims, Restraint, Timestamp};

/// What a revocation is of. Its text, as in `role:operator`, is what commands, the admin API, the store and audit records say.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Target {
    /// `everything`: every credential there is.
    Everything,
    /// `tenant:NAME`: everyone of a tenant.
    Tenant(Arc<str>),
    /// `issuer:NAME`: every token of an issuer.
    Issuer(Arc<str>),
    /// `client:ISSUER/ID`: every token issued to a client.
    Client(Arc<str>, Arc<str>),
    /// `role:NAME`: everyone with a role.
    Role(Arc<str>),
    /// `principal:TENANT/SUBJECT`: one person, service or agent, whatever they show.
    Principal(Arc<str>, Arc<str>),
    /// `session:ISSUER/ID`: every token of one session at the issuer.
    Session(Arc<str>, Arc<str>),
    /// `token:ISSUER/ID`: one token, by its `jti`.
    Token(Arc<str>, Arc<str>),
    /// `credential:ID`: one API key, session credential or certificate, by the id that audit records name it by.
    Credential(Arc<str>),
}

impl Target {
    /// All that a credential could be revoked by.
    #[must_use]
    pub fn covering(
        tenant: &Arc<str>,
        subject: &Arc<str>,
        credential: &Arc<str>,
        roles: &[Arc<str>],
        claims: Option<&Claims>,
    ) -> Box<[Self]> {
        let mut all = vec![
            Self::Everything,
            Self::Tenant(tenant.clone()),
            Self::Principal(tenant.clone(), subject.clone()),
            Self::Credential(credential.clone()),
        ];
        all.extend(roles.iter().cloned().map(Self::Role));
        if let Some(claims) = claims {
            let of = |id: &Option<Arc<str>>, target: fn(Arc<str>, Arc<str>) -> Self| {
                id.as_ref().map(|id| target(claims.issuer.clone(), id.clone()))
            };
            all.push(Self::Issuer(claims.issuer.clone()));
            all.extend(of(&claims.client, Self::Client));
            all.extend(of(&claims.session, Self::Session));
            all.extend(of(&claims.id, Self::Token));
        }
        all.into()
    }

    /// Whether what is revoked can never be issued again, so that it is revoked for good: a session, a token, a credential.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Session(..) | Self::Token(..) | Self::Credential(_))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Tenant(name) => write!(f, "tenant:{name}"),
            Self::Issuer(name) => write!(f, "issuer:{name}"),
            Self::Client(issuer, id) => write!(f, "client:{issuer}/{id}"),
            Self::Role(name) => write!(f, "role:{name}"),
            Self::Principal(tenant, subject) => write!(f, "principal:{}/{subject}", Escaped(tenant)),
            Self::Session(issuer, id) => write!(f, "session:{issuer}/{id}"),
            Self::Token(issuer, id) => write!(f, "token:{issuer}/{id}"),
            Self::Credential(id) => write!(f, "credential:{id}"),
        }
    }
}

/// A tenant may hold the `/` that ends it here.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.replace('%', "%25").replace('/', "%2F"))
    }
}

/// The text names nothing that can be revoked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "expected `everything`, `tenant:`, `issuer:`, `role:` or `credential:` and a name, or `client:`, `principal:`, `session:` or \
     `token:`, an issuer (for a principal its tenant), `/` and an id"
)]
pub struct NoTarget;

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        if text.len() > LONGEST || text.chars().any(char::is_control) {
            return Err(NoTarget);
        }
        if text == "everything" {
            return Ok(Self::Everything);
        }
        let (sort, name) = text.split_once(':').filter(|(_, name)| !name.is_empty()).ok_or(NoTarget)?;
        let two = || {
            let (of, id) = name.split_once('/').filter(|(of, id)| !of.is_empty() && !id.is_empty()).ok_or(NoTarget)?;
            Ok((Arc::<str>::from(of), Arc::<str>::from(id)))
        };
        Ok(match sort {
            "tenant" => Self::Tenant(name.into()),
            "issuer" => Self::Issuer(name.into()),
            "role" => Self::Role(name.into()),
            "credential" => Self::Credential(name.into()),
            "client" => two().map(|(issuer, id)| Self::Client(issuer, id))?,
            "session" => two().map(|(issuer, id)| Self::Session(issuer, id))?,
            "token" => two().map(|(issuer, id)| Self::Token(issuer, id))?,
            "principal" => {
                let (tenant, subject) = two()?;
                Self::Principal(tenant.replace("%2F", "/").replace("%25", "%").into(), subject)
            }
            _ => return Err(NoTarget),
        })
    }
}

/// Every revocation and every restraint in force. Leases look at it, and notice a change by its epoch.
///
/// What reads all of them from a store and then replaces them must not run beside what adds one, or it could take away what was
/// added in between; whoever owns the store sees to that.
#[derive(Default)]
pub struct Board {
    epoch: AtomicU64,
    cutoffs: RwLock<AHashMap<Target, Timestamp>>,
    restraints: RwLock<AHashMap<Target, Vec<Restraint>>>,
}

impl Board {
    /// Adds a revocation of what was issued before `before`. Of two of the same, the later moment counts.
    pub fn revoke(&self, target: Target, before: Timestamp) {
        let mut cutoffs = self.cutoffs.write().unwrap_or_else(PoisonError::into_inner);
        let cutoff = cutoffs.entry(target).or_insert(before);
        *cutoff = before.max(*cutoff);
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// Puts these in place of all there were; of two of the same, the later moment counts.
    pub fn replace(&self, all: impl IntoIterator<Item = (Target, Timestamp)>) {
        let mut after = AHashMap::new();
        for (target, before) in all {
            let cutoff = after.entry(target).or_insert(before);
            *cutoff = before.max(*cutoff);
        }
        let mut cutoffs = self.cutoffs.write().unwrap_or_else(PoisonError::into_inner);
        if *cutoffs != after {
            *cutoffs = after;
            self.epoch.fetch_add(1, Ordering::Release);
        }
    }

    /// Lays a restraint upon what the target covers.
    pub fn restrain(&self, target: Target, restraint: Restraint) {
        let mut restraints = self.restraints.write().unwrap_or_else(PoisonError::into_inner);
        restraints.entry(target).or_default().push(restraint);
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// Puts these restraints in place of all there were; whether that changed anything.
    pub fn replace_restraints(&self, all: impl IntoIterator<Item = (Target, Restraint)>) -> bool {
        let mut after = AHashMap::<_, Vec<_>>::new();
        for (target, restraint) in all {
            after.entry(target).or_default().push(restraint);
        }
        let mut restraints = self.restraints.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *restraints != after;
        if changed {
            *restraints = after;
            self.epoch.fetch_add(1, Ordering::Release);
        }
        changed
    }

    /// All that is laid upon whatever any of `covering` covers.
    #[must_use]
    pub fn laid_upon(&self, covering: &[Target]) -> Vec<Restraint> {
        let restraints = self.restraints.read().unwrap_or_else(PoisonError::into_inner);
        covering.iter().filter_map(|target| restraints.get(target)).flatten().cloned().collect()
    }

    /// Grows with each change.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Whether a credential that was issued then is revoked by any of `covering`.
    #[must_use]
    pub fn covers(&self, covering: &[Target], issued: Timestamp) -> bool {
        let cutoffs = self.cutoffs.read().unwrap_or_else(PoisonError::into_inner);
        !cutoffs.is_empty() && covering.iter().any(|target| cutoffs.get(target).is_some_and(|before| issued < *before))
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

/// Bytes of a target's text.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_target_reads_back_as_it() {
        let texts = [
            "everything",
            "tenant:bank",
            "issuer:entra",
            "role:operator",
            "credential:key_1",
            "credential:sha256:ab",
            "client:entra/0a/b",
            "session:okta/s-1",
            "token:okta/j/1",
            "principal:bank/entra/7",
            "principal:a%2Fb%25/c",
        ];
        for text in texts {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert_eq!("principal:a%2Fb%25/c".parse(), Ok(Target::Principal("a/b%".into(), "c".into())));
        let bad = ["", "all", "role:", ":x", "client:entra", "client:/x", "token:okta/", "Role:x", "role:a\nb", "x:y"];
        for text in bad {
            assert_eq!(text.parse::<Target>(), Err(NoTarget), "{text}");
        }
        assert!(format!("role:{}", "x".repeat(LONGEST)).parse::<Target>().is_err());
    }

    #[test]
    fn what_was_issued_before_is_covered_and_what_comes_after_is_not() {
        let board = Board::default();
        let covering = Target::covering(&"bank".into(), &"alice".into(), &"key_1".into(), &["clerk".into()], None);
        assert!(!board.covers(&covering, Timestamp(0)));
        for target in ["everything", "tenant:bank", "role:clerk", "principal:bank/alice", "credential:key_1"] {
            board.replace([(target.parse().unwrap(), Timestamp(10))]);
            assert!(board.covers(&covering, Timestamp(9)) && !board.covers(&covering, Timestamp(10)), "{target}");
        }
        for target in ["tenant:other", "role:boss", "principal:bank/bob", "credential:key_2", "issuer:bank"] {
            board.replace([(target.parse().unwrap(), Timestamp::MAX)]);
            assert!(!board.covers(&covering, Timestamp(0)), "{target}");
        }
    }

    #[test]
    fn an_earlier_moment_never_takes_a_later_one_back() {
        let (board, all) = (Board::default(), [Target::Everything]);
        board.revoke(Target::Everything, Timestamp(20));
        board.revoke(Target::Everything, Timestamp(10));
        assert!(board.covers(&all, Timestamp(19)));
        board.replace([(Target::Everything, Timestamp(30)), (Target::Everything, Timestamp(5))]);
        assert!(board.covers(&all, Timestamp(29)));
        let epoch = board.epoch();
        board.replace([(Target::Everything, Timestamp(30))]);
        assert_eq!(board.epoch(), epoch, "nothing changed");
        board.replace([]);
        assert!(!board.covers(&all, Timestamp(0)) && board.epoch() > epoch);
    }
}
