//! Who is asking, and whether the credential they asked with still stands.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::Timestamp;

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The company or department whose data and keys this caller's requests live under.
    pub tenant: Arc<str>,
    /// Stable subject id within the tenant; never an e-mail address.
    pub subject: Arc<str>,
    /// Person, service or agent.
    pub kind: PrincipalKind,
    /// Names of roles, as policies use them.
    pub roles: Arc<[Arc<str>]>,
    /// What the credential is restricted to: `model:NAME`, `format:NAME`; empty for no restriction beyond policy.
    pub scopes: Arc<[Arc<str>]>,
    /// Names the credential (a key id, a certificate's SHA-256) without revealing it.
    pub credential: Arc<str>,
    /// How the caller proved who they are.
    pub method: Method,
    /// Whether the credential still stands; shared by every request made with it.
    pub lease: Arc<Lease>,
}

/// What kind of being a principal is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PrincipalKind {
    /// A human.
    Person,
    /// A program acting for itself.
    Service,
    /// A program that a model steers.
    Agent,
}

impl PrincipalKind {
    /// The name used in configuration, policy and audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Service => "service",
            Self::Agent => "agent",
        }
    }
}

/// How a caller proved who they are.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Method {
    /// An API key in a header.
    ApiKey,
    /// A client certificate in the TLS handshake.
    ClientCertificate,
}

impl Method {
    /// The name used in policy and audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key",
            Self::ClientCertificate => "client-certificate",
        }
    }
}

/// Whether a credential still stands. A stream in flight asks before each write, so ending it cuts the stream.
pub struct Lease {
    expires: Option<Timestamp>,
    ended: AtomicBool,
}

impl Lease {
    /// A standing lease that ends by itself at `expires`.
    #[must_use]
    pub const fn new(expires: Option<Timestamp>) -> Self {
        Self { expires, ended: AtomicBool::new(false) }
    }

    /// Ends the lease now. There is no way back.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Whether the credential may be acted on at `now`.
    #[must_use]
    pub fn stands(&self, now: Timestamp) -> bool {
        !self.ended.load(Ordering::Acquire) && self.expires.is_none_or(|end| now < end)
    }

    /// When the lease ends by itself.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("expires", &self.expires).field("ended", &self.ended).finish()
    }
}
