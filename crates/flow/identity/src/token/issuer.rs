//! One identity provider: what the configuration says of it, and its keys.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ahash::AHashSet;
use arc_swap::ArcSwap;
use countersign_core::{Groups, Lease};
use countersign_wire::json::Value;

use super::{
    Algorithm, Introspection, KeyRules, MAX_REMEMBERED, Profile,
    claims::{self, Fault, Subject},
    introspection::Opaque,
    keyset::{KeySet, Keys},
};

/// An identity provider whose access tokens are accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuer {
    /// What it is called here: part of every subject's name, so it is never given to another issuer. Letters a to z, digits, `-`.
    pub name: Arc<str>,
    /// Its `iss`, compared byte by byte.
    pub url: Box<str>,
    /// The tenant that its bearers' requests live under.
    pub tenant: Arc<str>,
    /// Where a claim says which tenant it is instead.
    pub tenants: Option<Tenants>,
    /// What `aud` may say; one is enough.
    pub audiences: Vec<Box<str>>,
    /// The algorithms it signs with.
    pub algorithms: Vec<Algorithm>,
    /// Its dialect.
    pub profile: Profile,
    /// What makes roles of its claims. Nothing else does.
    pub roles: Vec<RoleRule>,
    /// Further claims to hand on, by name.
    pub extra: Vec<Arc<str>>,
    /// How far its clock may be ahead of ours; at most [`MAX_LEEWAY`].
    pub leeway: Duration,
    /// From `iat` to `exp` at most.
    pub max_lifetime: Duration,
    /// When its keys are fetched, and how long they are trusted.
    pub keys: KeyRules,
    /// That it also issues tokens that say nothing by themselves, and is to be asked about them.
    pub introspection: Option<Introspection>,
    /// The name of the issuer whose people it speaks of in security events, where those are not its own. Its access tokens open nothing
    /// then.
    pub speaks_for: Option<Arc<str>>,
}

/// Which tenant a bearer's requests live under, by a claim. A value that is not mapped is no tenant, and refuses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tenants {
    /// The claim's name.
    pub claim: Arc<str>,
    /// From its values, to the letter, to tenants.
    pub by_value: BTreeMap<Box<str>, Arc<str>>,
}

/// Gives a role to bearers of whom a claim says something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RoleRule {
    /// Which claim.
    pub claim: RoleClaim,
    /// What it has to hold, to the letter.
    pub value: Box<str>,
    /// The role, as policies name it.
    pub role: Arc<str>,
}

/// A claim that roles can be made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RoleClaim {
    /// A role of the issuer's.
    Role,
    /// A group of the issuer's.
    Group,
    /// A scope that the token was granted.
    Scope,
}

/// Why issuers cannot be taken into service.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("issuer `{issuer}`: {why}")]
pub struct IssuerError {
    /// Its name.
    pub issuer: Arc<str>,
    /// What is wrong with it.
    pub why: &'static str,
}

/// How far an issuer's clock may be ahead at most.
pub const MAX_LEEWAY: Duration = Duration::from_mins(1);

/// Whether these issuers can stand beside each other.
pub(super) fn check(issuers: &[Issuer]) -> Result<(), IssuerError> {
    let (mut names, mut urls) = (AHashSet::new(), AHashSet::new());
    for issuer in issuers {
        let faults = [
            (!is_name(&issuer.name), "the name is not 1 to 32 characters of a to z, 0 to 9 and `-`"),
            (!names.insert(&issuer.name), "the name is there twice"),
            (!urls.insert(&issuer.url), "another issuer has the same URL"),
            (
                issuer.profile == Profile::Entra && !issuer.profile.fits(&issuer.url),
                "the URL names no tenant of Entra ID",
            ),
            (
                issuer.profile == Profile::Spiffe && !issuer.profile.fits(&issuer.url),
                "the URL is not spiffe:// and a trust domain",
            ),
            (issuer.url.is_empty() || !issuer.url.bytes().all(|b| b.is_ascii_graphic()), "the URL is malformed"),
            (
                issuer.audiences.is_empty() && issuer.speaks_for.is_none()
                    || issuer.audiences.iter().any(|a| a.is_empty()),
                "an audience is needed",
            ),
            (
                issuer.speaks_for.is_some() && !(issuer.audiences.is_empty() && issuer.introspection.is_none()),
                "it speaks for another issuer, so that its access tokens open nothing",
            ),
            (issuer.algorithms.is_empty(), "an algorithm is needed"),
            (issuer.leeway > MAX_LEEWAY, "the leeway is more than a minute"),
            (issuer.max_lifetime.is_zero(), "no token could live"),
            (issuer.keys.pause.is_zero(), "there has to be a pause between two fetches of keys"),
            (
                issuer.tenants.as_ref().is_some_and(|t| t.claim.is_empty() || t.by_value.is_empty()),
                "no tenant is mapped",
            ),
            (
                issuer.introspection.as_ref().is_some_and(|i| i.remember.is_zero()),
                "answers have to be remembered for a while",
            ),
            (
                issuer.introspection.as_ref().is_some_and(|i| i.remember > MAX_REMEMBERED),
                "answers are remembered for too long",
            ),
            (
                issuer.introspection.is_some() && matches!(issuer.profile, Profile::Entra | Profile::Spiffe),
                "issuers of its kind answer no questions about tokens",
            ),
            (issuer.keys.max_age <= issuer.keys.refresh, "keys have to be fetched again before they are too old"),
        ];
        if let Some((_, why)) = faults.into_iter().find(|(fault, _)| *fault) {
            return Err(IssuerError { issuer: issuer.name.clone(), why });
        }
    }
    // A token that might be of two issuers would have to be shown to both, and one of them to somebody it is not for.
    let asked = || issuers.iter().filter_map(|issuer| issuer.introspection.as_ref().map(|how| (issuer, how)));
    for (at, (issuer, how)) in asked().enumerate() {
        if asked()
            .take(at)
            .any(|(_, other)| how.prefix.starts_with(&*other.prefix) || other.prefix.starts_with(&*how.prefix))
        {
            let why = "its tokens that are asked about cannot be told from another issuer's by how they begin";
            return Err(IssuerError { issuer: issuer.name.clone(), why });
        }
    }
    Ok(())
}

impl Issuer {
    /// The tenant of a bearer.
    pub(super) fn tenant_of(&self, claims: Value<'_>) -> Result<Arc<str>, Fault> {
        let Some(tenants) = &self.tenants else { return Ok(self.tenant.clone()) };
        let value = claims::required(claims, &tenants.claim)?;
        tenants.by_value.get(&*value).cloned().ok_or(Fault::Bad("the token is of a tenant that is not mapped"))
    }

    /// The roles of a bearer.
    pub(super) fn roles_of(&self, who: &Subject) -> Result<Arc<[Arc<str>]>, Fault> {
        let mut roles = Vec::new();
        for rule in &self.roles {
            let values = match (rule.claim, &who.groups) {
                (RoleClaim::Role, _) => &who.roles,
                (RoleClaim::Scope, _) => &who.scopes,
                (RoleClaim::Group, Groups::Listed(groups)) => groups,
                // Without the groups nobody can say which roles are missing, and a policy may forbid by one.
                (RoleClaim::Group, Groups::Overage) => {
                    return Err(Fault::Bad("the token does not hold the bearer's groups, there are too many of them"));
                }
            };
            if values.iter().any(|value| **value == *rule.value) {
                roles.push(rule.role.clone());
            }
        }
        roles.sort();
        roles.dedup();
        Ok(roles.into())
    }
}

/// An issuer in service.
pub(super) struct Service {
    pub(super) issuer: Issuer,
    /// Stands while the issuer is configured as it is. Every lease of a key, and so of a token, lies within.
    pub(super) lease: Arc<Lease>,
    /// The tokens that it was asked about.
    pub(super) opaque: Option<Opaque>,
    keys: ArcSwap<Keys>,
    set: Mutex<KeySet>,
}

impl Service {
    /// Takes an issuer into service; `before` is what had been fetched for it under another configuration.
    pub(super) fn new(issuer: Issuer, before: Option<&Self>) -> Self {
        let lease = Arc::new(Lease::new(None));
        let (profile, url) = (issuer.profile, issuer.url.clone());
        let is_for = Box::new(move |named: &str| profile.key_is_for(named, &url));
        let mut set =
            KeySet::new(issuer.keys, issuer.algorithms.clone(), issuer.profile.key_use(), is_for, lease.clone());
        if let Some(before) = before {
            set.adopt(&before.set());
        }
        let opaque = issuer.introspection.clone().map(Opaque::new);
        Self { issuer, lease, opaque, keys: ArcSwap::new(set.keys()), set: Mutex::new(set) }
    }

    /// The keys in force.
    pub(super) fn keys(&self) -> arc_swap::Guard<Arc<Keys>> {
        self.keys.load()
    }

    /// Asks or tells the state machine, and puts in force what it then holds.
    pub(super) fn with_set<T>(&self, act: impl FnOnce(&mut KeySet) -> T) -> T {
        let mut set = self.set();
        let result = act(&mut set);
        if !Arc::ptr_eq(&self.keys.load(), &set.keys()) {
            self.keys.store(set.keys());
        }
        result
    }

    fn set(&self) -> MutexGuard<'_, KeySet> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No `/`: what stands before the first one in a subject is the issuer.
fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests;
