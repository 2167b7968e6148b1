//! Compact JWS (RFC 7515), read strictly: one token has one spelling, and says one thing.
//!
//! Threat: tokens that two readers take differently, or that bring their own key or their own rules. Keys in a token's header (`jwk`,
//! `jku`, `x5c`, `x5u`) are not even looked at; what would change how the rest is read (`crit`, `b64`, `zip`, `enc`) is refused.

use std::fmt;

use countersign_wire::{
    Limits,
    json::{Doc, Kind, Value},
};
use data_encoding::BASE64URL_NOPAD;

use super::Algorithm;

/// Bytes of the longest token there may be.
pub const MAX_TOKEN: usize = 16 << 10;

/// A signed token whose signature has not been verified yet.
pub struct Jws<'a> {
    algorithm: Algorithm,
    kid: Option<Box<str>>,
    typ: Option<Box<str>>,
    payload: Vec<u8>,
    signature: Vec<u8>,
    signed: &'a [u8],
}

/// Why a text is no token that could be verified.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JwsError {
    /// Longer than [`MAX_TOKEN`].
    #[error("the token is too long")]
    TooLong,
    /// Not three parts.
    #[error("the token has not three parts")]
    Parts,
    /// Not base64url as RFC 7515 has it.
    #[error("a part of the token is not canonical base64url")]
    Base64,
    /// The header is not one strict JSON object.
    #[error("the token's header is not a strict JSON object")]
    Header,
    /// The header says something that is not understood or not wanted.
    #[error("the token's header has `{0}`, which is not accepted")]
    Member(&'static str),
    /// The header names no algorithm that there is.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
}

impl<'a> Jws<'a> {
    /// Reads a token.
    ///
    /// # Errors
    /// [`JwsError`] when it is not strict compact JWS under one of [`Algorithm::ALL`].
    pub fn read(text: &'a [u8]) -> Result<Self, JwsError> {
        Self::read_with(text, |_| Ok(())).map(|(jws, ())| jws)
    }

    /// Reads a token, and with `more` what else its header says.
    pub(crate) fn read_with<T>(
        text: &'a [u8],
        more: impl FnOnce(Value<'_>) -> Result<T, JwsError>,
    ) -> Result<(Self, T), JwsError> {
        if text.len() > MAX_TOKEN {
            return Err(JwsError::TooLong);
        }
        let mut parts = text.split(|b| *b == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(JwsError::Parts);
        };
        let signed = text.get(..header.len() + 1 + payload.len()).unwrap_or_default();
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
        let doc = Doc::read(&header, &LIMITS).map_err(|_| JwsError::Header)?;
        let header = doc.root();
        if header.kind() != Kind::Object {
            return Err(JwsError::Header);
        }
        if let Some(name) = REFUSED.into_iter().find(|name| header.get(name).is_some()) {
            return Err(JwsError::Member(name));
        }
        let algorithm = text_member(header, "alg")?.as_deref().and_then(Algorithm::named).ok_or(JwsError::Algorithm)?;
        let (kid, typ) = (text_member(header, "kid")?, text_member(header, "typ")?);
        let more = more(header)?;
        Ok((Self { algorithm, kid, typ, payload, signature, signed }, more))
    }

    /// The algorithm that the header names. It is the sender's claim, to be held against key and configuration.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name of the key.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The type of the token.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// The payload, not verified.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The bytes that are signed.
    #[must_use]
    pub const fn signed(&self) -> &'a [u8] {
        self.signed
    }
}

/// Shows neither payload nor signature: together they are the credential.
impl fmt::Debug for Jws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jws")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .field("typ", &self.typ)
            .finish_non_exhaustive()
    }
}

/// Refuses padding, other alphabets, white space, and spare bits that are not zero.
fn decode(part: &[u8]) -> Result<Vec<u8>, JwsError> {
    BASE64URL_NOPAD.decode(part).map_err(|_| JwsError::Base64)
}

fn text_member(header: Value<'_>, name: &'static str) -> Result<Option<Box<str>>, JwsError> {
    match header.get(name) {
        None => Ok(None),
        Some(value) => match value.as_str() {
            Some(text) if text.len() <= MAX_TEXT => Ok(Some(text.into())),
            _ => Err(JwsError::Member(name)),
        },
    }
}

const REFUSED: [&str; 4] = ["crit", "b64", "zip", "enc"];
/// A header may carry a certificate chain, which is passed over.
const LIMITS: Limits = Limits { body: MAX_TOKEN, depth: 8, nodes: 256, event: 0 };
const MAX_TEXT: usize = 256;

#[cfg(test)]
mod tests;
