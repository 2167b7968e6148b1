//! What a verified access token says of its bearer, in the same words for every identity provider.

use std::{fmt, sync::Arc};

use data_encoding::HEXLOWER;

use crate::Timestamp;

/// The claims of one access token. Nothing in here was taken on trust: signature, issuer, audience and time were verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claims {
    /// The name the configuration gives the issuer.
    pub issuer: Arc<str>,
    /// The issuer's own id of the subject; together with issuer and tenant it names one being for ever.
    pub subject: Arc<str>,
    /// The client that the token was issued to.
    pub client: Option<Arc<str>>,
    /// What the bearer was allowed to ask for.
    pub scopes: Vec<Arc<str>>,
    /// Roles as the issuer names them.
    pub roles: Vec<Arc<str>>,
    /// Groups as the issuer names them.
    pub groups: Groups,
    /// Authentication context class (OpenID Connect Core, section 2).
    pub acr: Option<Arc<str>>,
    /// Authentication methods (RFC 8176).
    pub amr: Vec<Arc<str>>,
    /// When the person last authenticated.
    pub auth_time: Option<Timestamp>,
    /// The token's own id, `jti`.
    pub id: Option<Arc<str>>,
    /// The session at the issuer, `sid`.
    pub session: Option<Arc<str>>,
    /// The key that the bearer has to prove (RFC 7800).
    pub confirmation: Option<Confirmation>,
    /// Who acts for the bearer, and for whom those act in turn: the newest first, each as `TENANT/SUBJECT` (RFC 8693, `act`).
    pub acts: Vec<Arc<str>>,
    /// When the token was issued.
    pub issued: Timestamp,
    /// The first moment at which it is no longer valid.
    pub expires: Timestamp,
    /// Further claims that the configuration asks for, each with its value as JSON text.
    pub extra: Vec<(Arc<str>, Arc<str>)>,
}

/// The groups a token names. That they did not fit is no empty list, and has to be decided on by whoever reads groups.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Groups {
    /// All of them.
    Listed(Vec<Arc<str>>),
    /// There are more than fit the token; the issuer has to be asked.
    Overage,
}

/// The key a token is bound to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Confirmation {
    /// SHA-256 of a client certificate in DER, `x5t#S256` (RFC 8705).
    Certificate([u8; 32]),
    /// Thumbprint of a public key, `jkt` (RFC 9449, RFC 7638).
    Key([u8; 32]),
}

/// The member of `cnf` and the hash in hexadecimal, as in `jkt:0a1b...`.
impl fmt::Display for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (member, hash) = match self {
            Self::Certificate(hash) => ("x5t#S256", hash),
            Self::Key(hash) => ("jkt", hash),
        };
        write!(f, "{member}:{}", HEXLOWER.encode(hash))
    }
}
