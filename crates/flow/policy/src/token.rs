//! What an access token says that policies may ask about: a part of the facts, blanked like the rest of them.

use std::sync::Arc;

use countersign_core::{Principal, Timestamp};

use crate::mentions::Mentions;

/// An access token in the schema's words.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client: Option<&'a str>,
    pub(crate) acr: Option<&'a str>,
    pub(crate) amr: &'a [Arc<str>],
    /// Who acts for the bearer.
    pub(crate) acts: &'a [Arc<str>],
    /// Seconds since it was issued.
    pub(crate) age: u64,
    /// Seconds since its bearer logged in.
    pub(crate) login_age: Option<u64>,
}

/// A token that owns what it speaks of.
#[derive(Debug)]
pub(crate) struct TokenKey {
    issuer: Box<str>,
    client: Option<Box<str>>,
    acr: Option<Box<str>>,
    amr: Box<[Arc<str>]>,
    acts: Box<[Arc<str>]>,
    age: u64,
    login_age: Option<u64>,
}

impl<'a> Token<'a> {
    /// What the principal's token says at `now`.
    pub(crate) fn of(who: &'a Principal, now: Timestamp) -> Option<Self> {
        let claims = who.claims.as_deref()?;
        Some(Self {
            issuer: &claims.issuer,
            client: claims.client.as_deref(),
            acr: claims.acr.as_deref(),
            amr: &claims.amr,
            acts: &claims.acts,
            age: now.since(claims.issued).as_secs(),
            login_age: claims.auth_time.map(|at| now.since(at).as_secs()),
        })
    }

    /// The same without what no policy can read.
    pub(crate) fn blanked(mut self, read: Mentions) -> Option<Self> {
        if !read.holds(Mentions::TOKEN.and(Mentions::AGES)) {
            return None;
        }
        if !read.holds(Mentions::TOKEN) {
            self = Self { age: self.age, login_age: self.login_age, ..Self::default() };
        }
        if !read.holds(Mentions::AGES) {
            (self.age, self.login_age) = (0, None);
        }
        Some(self)
    }

    /// Whether it is small enough to be kept.
    pub(crate) const fn keepable(&self) -> bool {
        self.amr.len() <= 32
    }

    /// A copy that owns its parts.
    pub(crate) fn to_key(self) -> TokenKey {
        TokenKey {
            issuer: self.issuer.into(),
            client: self.client.map(Into::into),
            acr: self.acr.map(Into::into),
            amr: self.amr.into(),
            acts: self.acts.into(),
            age: self.age,
            login_age: self.login_age,
        }
    }
}

impl TokenKey {
    /// The token this key stands for.
    pub(crate) fn token(&self) -> Token<'_> {
        Token {
            issuer: &self.issuer,
            client: self.client.as_deref(),
            acr: self.acr.as_deref(),
            amr: &self.amr,
            acts: &self.acts,
            age: self.age,
            login_age: self.login_age,
        }
    }
}
