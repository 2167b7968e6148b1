//! What each identity provider means by its claims. One small file each; what they share is in `claims`.

mod entra;
mod okta;
mod rfc9068;
mod spiffe;

use countersign_wire::json::Value;

use super::claims::{Fault, Subject};

/// In which dialect an issuer writes access tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Profile {
    /// As RFC 9068 has it: `typ` is `at+jwt`, `client_id` and `jti` are there.
    Rfc9068,
    /// Microsoft Entra ID. The issuer's URL says which tenant and version: `https://sts.windows.net/TENANT/` writes version 1,
    /// `https://login.microsoftonline.com/TENANT/v2.0` version 2.
    Entra,
    /// A custom authorisation server of Okta.
    Okta,
    /// A SPIFFE trust domain, `spiffe://NAME`, whose workloads show JWT-SVIDs.
    Spiffe,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 4] = [Self::Rfc9068, Self::Entra, Self::Okta, Self::Spiffe];

    /// The name used in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rfc9068 => "rfc9068",
            Self::Entra => "entra",
            Self::Okta => "okta",
            Self::Spiffe => "spiffe",
        }
    }

    /// Whether an issuer of this profile can have that URL.
    pub(super) fn fits(self, url: &str) -> bool {
        match self {
            Self::Rfc9068 | Self::Okta => true,
            Self::Entra => entra::tenant(url).is_some(),
            Self::Spiffe => spiffe::fits(url),
        }
    }

    /// Whether a token whose `iss` names no issuer is of the one with that URL. An SVID's `iss` says nothing: its trust domain stands
    /// in its subject.
    pub(super) fn claims_it(self, claims: Value<'_>, url: &str) -> bool {
        self == Self::Spiffe && spiffe::is_of(claims, url)
    }

    /// What `use` says of keys that sign this profile's tokens, and whether it has to be said.
    pub(super) const fn key_use(self) -> (&'static str, bool) {
        match self {
            Self::Spiffe => ("jwt-svid", true),
            Self::Rfc9068 | Self::Entra | Self::Okta => ("sig", false),
        }
    }

    /// Whether a key that is published for the issuer `named` is meant for tokens of the issuer `url`.
    pub(super) fn key_is_for(self, named: &str, url: &str) -> bool {
        match self {
            Self::Entra => entra::key_is_for(named, url),
            Self::Rfc9068 | Self::Okta | Self::Spiffe => named == url,
        }
    }

    /// Who the bearer is. `typ` is the header's, `url` the issuer's.
    pub(super) fn read(self, typ: Option<&str>, claims: Value<'_>, url: &str) -> Result<Subject, Fault> {
        match self {
            Self::Rfc9068 => rfc9068::read(typ, claims),
            Self::Entra => entra::read(typ, claims, url),
            Self::Okta => okta::read(typ, claims),
            Self::Spiffe => spiffe::read(typ, claims, url),
        }
    }
}

/// The types of RFC 9068.
fn is_access_token(typ: &str) -> bool {
    matches!(typ, "at+jwt" | "application/at+jwt")
}

#[cfg(test)]
mod tests;
